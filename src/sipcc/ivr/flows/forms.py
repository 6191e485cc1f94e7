"""Whether the fields of a node make sense together; each mistake as place below the node, cause and cure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import singledispatch

from sipcc.call.digits import KEYS
from sipcc.expr import ExpressionError, compile_expression
from sipcc.ivr.flows.connecting import Bot, Dial, Queue, Record, Transfer
from sipcc.ivr.flows.model import BUILT_IN, VARIABLE, Node, Retry, names_in
from sipcc.ivr.flows.nodes import Assign, Branch, Gather, Http, Lookup, Menu, Play, Survey
from sipcc.ivr.settings import retries_fault, split_keys
from sipcc.reading.lines import Path
from sipcc.reading.urls import is_url

Problem = tuple[Path, str, str]


def problems(node: Node) -> Iterator[Problem]:
    """What is wrong with the fields of `node`."""
    yield from _variables(node)
    for edge in node.edges():
        if edge.target:
            yield from target_problems(edge.target, edge.path)
    if isinstance(node, Branch):
        yield from _conditions(node)
    yield from _own(node)


def target_problems(target: str, path: Path) -> Iterator[Problem]:
    """What is wrong with how a target is written."""
    if target != target.strip():
        yield path, f"there is a space before or after {target!r}", f'write "{target.strip()}"'
    elif target.startswith("dial:"):
        yield from _called(target.removeprefix("dial:"), path)


def _called(who: str, path: Path) -> Iterator[Problem]:
    """What is wrong with who is called."""
    scheme, colon, rest = who.partition(":")
    uri = bool(colon) and scheme in ("sip", "sips", "tel")
    if not who.strip() or any(char.isspace() for char in who):
        yield path, f"{who!r} has a space in it, or nothing else", "write a user, TRUNK/NUMBER or a SIP URI"
    elif uri and not rest.rpartition("@")[2]:
        yield path, f"{who!r} names nobody", f'write it as "{scheme}:alice@example.com"'


def _variables(node: Node) -> Iterator[Problem]:
    for variable in node.sets():
        if VARIABLE.fullmatch(variable.name) is None:
            yield variable.path, f"{variable.name!r} is no name for a variable", "use letters, digits and _"
        elif variable.name in BUILT_IN and not variable.whole:
            yield variable.path, f"{variable.name!r} has its value from the call", "choose another name"


def retry_problems(retry: Retry) -> Iterator[Problem]:
    """What is wrong with the rules of a retry."""
    if retry.then:
        yield from target_problems(retry.then, ("then",))
    for name in ("noinput", "nomatch", "total"):
        value = getattr(retry, name)
        if value is not None and (fault := retries_fault(value)):
            yield (name,), *fault


def _conditions(node: Branch) -> Iterator[Problem]:
    for index, (condition, _) in enumerate(node.when):
        try:
            compile_expression(condition)
        except ExpressionError as error:
            yield ("when", index, 0), str(error), 'write it as in "level >= 3 and not blocked"'


def _templates(values: Mapping[str, object], key: str) -> Iterator[Problem]:
    for name, value in values.items():
        if isinstance(value, str):
            yield from _template(value, (key, name))


def _template(text: str, path: Path) -> Iterator[Problem]:
    try:
        for _ in names_in(text):
            pass
    except ValueError as error:
        yield path, str(error), ""


@singledispatch
def _own(node: Node) -> Iterator[Problem]:
    """What only this type of node can have wrong."""
    yield from ()


@_own.register
def _menu(node: Menu) -> Iterator[Problem]:
    if not node.options:
        yield ("options",), "the menu has no options", 'add some, as in {"1" = "balance"}'
    for written in node.options:
        for keys in split_keys(written):
            if not keys or not KEYS.issuperset(keys):
                yield ("options", written), f"{keys!r} cannot be typed", "keys are 0 to 9, * and #"
    for written in node.words:
        if written not in node.options:
            yield ("words", written), f"there is no option {written!r}", "name an option as it is written"


@_own.register
def _gather(node: Gather) -> Iterator[Problem]:
    if node.digits is None and not node.speech:
        yield (), "nothing says what the answer is", "add digits = NUMBER, or speech = true"
    fewest, most = (node.digits, node.digits) if isinstance(node.digits, int) else node.digits or (1, 1)
    if not 0 <= fewest <= most <= 64 or most < 1:
        yield ("digits",), f"{fewest} to {most} keys cannot be typed", "write 16, or [4, 12]; 64 at most"
    if node.terminator and (len(node.terminator) > 1 or node.terminator not in KEYS):
        yield ("terminator",), f"{node.terminator!r} is no key", 'write one key, such as "#", or ""'
    for key in node.keys:
        if len(key) != 1 or key not in KEYS or key.isdigit() or key == node.terminator:
            yield ("keys", key), f"{key!r} is part of the answer, or no key", 'use "*"'
    if node.secret and node.speech:
        yield ("secret",), "what is spoken is heard by others", "take speech out"


@_own.register
def _survey(node: Survey) -> Iterator[Problem]:
    low, _, high = node.scale.partition("-")
    if not (len(low) == len(high) == 1 and low.isdigit() and high.isdigit() and low < high):
        yield ("scale",), f"{node.scale!r} is no scale", 'write the lowest and the highest, as in "1-5"'
    elif node.low is not None and not int(low) < node.low.below <= int(high):
        cause = "no answer is" if node.low.below <= int(low) else "every answer is"
        hint = f"write {int(low) + 1} to {high}"
        yield ("low", "below"), f"{cause} below {node.low.below} on the scale {node.scale}", hint


@_own.register
def _lookup(node: Lookup) -> Iterator[Problem]:
    if bool(node.source) is bool(node.url):
        yield (), "it has source and url, or neither", "give one of them"
    yield from _address(node.url)
    yield from _templates(node.send, "send")


@_own.register
def _http(node: Http) -> Iterator[Problem]:
    yield from _address(node.url or "-")
    yield from _templates(node.send, "send")


def _address(url: str) -> Iterator[Problem]:
    if url and not is_url(url, ("http", "https")):
        hint = 'it begins with http:// or https://, as in "https://crm.example.com/lookup"'
        yield ("url",), f"{url!r} is no address of a service", hint


@_own.register
def _assign(node: Assign) -> Iterator[Problem]:
    yield from _templates(node.values, "values")


@_own.register
def _play(node: Play) -> Iterator[Problem]:
    yield from _template(node.audio, ("audio",))


@_own.register
def _queue(node: Queue) -> Iterator[Problem]:
    yield from _templates(node.context, "context")


@_own.register
def _transfer(node: Transfer) -> Iterator[Problem]:
    yield from _template(node.to, ("to",))
    if "{" not in node.to:
        yield from _called(node.to, ("to",))


@_own.register
def _dial(node: Dial) -> Iterator[Problem]:
    for index, one in enumerate((node.to,) if isinstance(node.to, str) else node.to):
        path: Path = ("to",) if isinstance(node.to, str) else ("to", index)
        yield from _template(one, path)
        if "{" not in one:
            yield from _called(one, path)


@_own.register
def _record(node: Record) -> Iterator[Problem]:
    if not KEYS.issuperset(node.terminators):
        yield ("terminators",), f"{node.terminators!r} are not all keys", "keys are 0 to 9, * and #"


@_own.register
def _bot(node: Bot) -> Iterator[Problem]:
    if bool(node.bot) is bool(node.url):
        yield (), "it has bot and url, or neither", "give one of them"
    if "" in node.ways:
        yield ("ways", ""), "the program cannot ask for nothing", "name what it asks for, or use `then`"
    schemes = ("tcp",) if node.wire == "audiosocket" else ("ws", "wss")
    if node.url and not is_url(node.url, schemes):
        yield (
            ("url",),
            f"{node.url!r} is no address for {node.wire}",
            f"it begins with {' or '.join(f'{scheme}://' for scheme in schemes)}, and a host follows",
        )
    yield from _templates(node.send, "send")
