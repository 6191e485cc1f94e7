"""What can be found wrong in a document before it runs: all of it is ``error.badfetch`` with its place.

A document of the wrong build is refused as a whole, and the event is thrown in the one that is left. Where an
element has too few or too many of what excludes each other, the document runs, and the event is thrown when
it comes to the element.

The tables say what VoiceXML 2.0 and 2.1 allow in each element. Attributes that nobody knows are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from sipcc.ivr.vxml.errors import DocumentError
from sipcc.ivr.vxml.parse import Element

CATCHES: Final = frozenset({"catch", "error", "help", "noinput", "nomatch"})
_HEARD: Final = frozenset({"audio", "enumerate", "value"})
_SPEECH: Final = _HEARD | {
    "break", "desc", "emphasis", "foreach", "lexicon", "mark", "meta", "metadata", "p", "paragraph",
    "phoneme", "prosody", "s", "say-as", "sentence", "sub", "voice",
}  # fmt: skip
_DEEDS: Final = _HEARD | {
    "assign", "clear", "data", "disconnect", "exit", "foreach", "goto", "if", "log", "prompt", "reprompt",
    "return", "script", "submit", "throw", "var",
}  # fmt: skip
_ITEM: Final = _HEARD | CATCHES | {"filled", "prompt", "property"}

INPUT_ITEMS: Final = frozenset({"field", "object", "record", "subdialog", "transfer"})
ITEMS: Final = INPUT_ITEMS | {"block", "initial"}
"""The items of a form."""

CHILDREN: Final[dict[str, frozenset[str]]] = {
    "vxml": CATCHES | {"data", "form", "link", "menu", "meta", "metadata", "property", "script", "var"},
    "form": ITEMS | CATCHES | {"data", "filled", "grammar", "link", "property", "script", "var"},
    "menu": _HEARD | CATCHES | {"choice", "prompt", "property"},
    "field": _ITEM | {"grammar", "link", "option"},
    "initial": _HEARD | CATCHES | {"link", "prompt", "property"},
    "subdialog": _ITEM | {"param"},
    "object": _ITEM | {"param"},
    "record": _ITEM | {"grammar"},
    "transfer": _ITEM | {"grammar"},
    "choice": _SPEECH | {"grammar"},
    "option": frozenset(),
    "link": frozenset({"grammar"}),
    "if": _DEEDS | {"elseif", "else"},
    "foreach": _DEEDS | _SPEECH,
    "log": frozenset({"value"}),
    "metadata": frozenset(),
    **dict.fromkeys(("block", "filled", *CATCHES), _DEEDS),
    **dict.fromkeys(("prompt", "emphasis", "p", "paragraph", "prosody", "s", "sentence", "voice"), _SPEECH),
    **dict.fromkeys(("audio", "enumerate", "say-as"), _SPEECH),
    **dict.fromkeys(
        ("assign", "break", "clear", "data", "desc", "disconnect", "else", "elseif", "exit", "goto",
         "lexicon", "mark", "meta", "param", "phoneme", "property", "reprompt", "return", "script", "sub",
         "submit", "throw", "value", "var"),
        frozenset(),
    ),
}  # fmt: skip
"""The elements that may stand in each."""

_NO_TEXT: Final = frozenset(
    {"vxml", "form", "link", "assign", "break", "clear", "data", "disconnect", "else", "elseif", "exit",
     "goto", "mark", "meta", "param", "property", "reprompt", "return", "submit", "throw", "value", "var"}
)  # fmt: skip

REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "assign": ("name", "expr"),
    "elseif": ("cond",),
    "foreach": ("item",),
    "if": ("cond",),
    "object": (),
    "param": ("name",),
    "property": ("name", "value"),
    "value": ("expr",),
    "var": ("name",),
}

_MESSAGES: Final = ("message", "messageexpr")


class _Rule(NamedTuple):
    attributes: tuple[str, ...]
    fewest: int
    """0 or 1 of them; never more than one."""


EXCLUSIVE: Final[dict[str, tuple[_Rule, ...]]] = {
    "goto": (_Rule(("next", "expr", "nextitem", "expritem"), 1),),
    "submit": (_Rule(("next", "expr"), 1),),
    "choice": (_Rule(("next", "expr", "event", "eventexpr"), 1), _Rule(_MESSAGES, 0)),
    "link": (_Rule(("next", "expr", "event", "eventexpr"), 1), _Rule(_MESSAGES, 0)),
    "throw": (_Rule(("event", "eventexpr"), 1), _Rule(_MESSAGES, 0)),
    "return": (_Rule(("event", "eventexpr", "namelist"), 0), _Rule(_MESSAGES, 0)),
    "exit": (_Rule(("expr", "namelist"), 0),),
    "param": (_Rule(("expr", "value"), 1),),
    "subdialog": (_Rule(("src", "srcexpr"), 1),),
    "data": (_Rule(("src", "srcexpr"), 1),),
    "foreach": (_Rule(("array",), 1),),
    "audio": (_Rule(("src", "expr"), 1),),
    "mark": (_Rule(("name", "nameexpr"), 1),),
    "transfer": (_Rule(("dest", "destexpr"), 1), _Rule(("bridge", "type"), 0), _Rule(("aai", "aaiexpr"), 0)),
}
"""Attributes of which at most one may stand."""

_CHOSEN: Final[dict[str, tuple[str, ...]]] = {
    "accept": ("exact", "approximate"),
    "bargein": ("true", "false"),
    "bargeintype": ("speech", "hotword"),
    "beep": ("true", "false"),
    "bridge": ("true", "false"),
    "dtmfterm": ("true", "false"),
    "modal": ("true", "false"),
}
"""Attributes of VoiceXML's own elements with a closed list of values."""

_WEIGHT: Final = re.compile(r"\d+\.?\d*|\.\d+")

VERSIONS: Final = ("1.0", "2.0", "2.1")


class Problem(NamedTuple):
    """Something wrong in a document."""

    element: Element
    text: str
    refuses: bool
    """Whether the document cannot be used; else only the element cannot."""

    def error(self, url: str) -> DocumentError:
        """The event that tells it, of the document with this URL."""
        return DocumentError(url, self.element.line, self.element.column, self.text)


def check(root: Element, url: str) -> dict[Element, str]:
    """See that a document can be used.

    Returns:
        What is wrong with elements that cannot be carried out, the first of each.

    Raises:
        DocumentError: the first defect for which the document is refused, in the order of the document.
    """
    faults: dict[Element, str] = {}
    for problem in problems(root):
        if problem.refuses:
            raise problem.error(url)
        faults.setdefault(problem.element, problem.text)
    return faults


def problems(root: Element) -> Iterator[Problem]:
    """All that is wrong in a document."""
    if root.tag != "vxml":
        yield Problem(root, f"this is <{root.tag}>, not <vxml>", True)
        return
    version = root.get("version")
    if version is not None and version not in VERSIONS:
        yield Problem(root, f"VoiceXML {version} is not known; {', '.join(VERSIONS)} are", True)
    dialogs: set[str] = set()
    stack = [root]
    while stack:
        element = stack.pop()
        yield from (Problem(*found, True) for found in _build(element))
        if element.tag in ("form", "menu") and (name := element.get("id")) is not None:
            if name in dialogs:
                yield Problem(element, f"there are two dialogs {name!r}", True)
            dialogs.add(name)
        yield from (Problem(*found, False) for found in _choice(element))
        if element.tag not in ("grammar", "metadata"):
            stack += reversed([child for child in element.elements() if not child.tag.startswith("{")])


def _build(element: Element) -> Iterator[tuple[Element, str]]:
    """What is wrong with the build of a document at an element."""
    for name in REQUIRED.get(element.tag, ()):
        if name not in element.attributes:
            yield element, f"<{element.tag}> needs {name}"
    for name, value in element.attributes.items():
        values = _CHOSEN.get(name)
        if values is not None and value not in values:
            yield element, f"{name}={value!r} in <{element.tag}> is none of {', '.join(values)}"
    yield from _content(element)
    special = _SPECIAL.get(element.tag)
    if special is not None:
        yield from special(element)


def _choice(element: Element) -> Iterator[tuple[Element, str]]:
    """Why an element, or one in it, cannot be carried out."""
    for rule in EXCLUSIVE.get(element.tag, ()):
        present = [name for name in rule.attributes if name in element.attributes]
        if len(present) > 1:
            yield element, f"<{element.tag}> has both {present[0]} and {present[1]}"
        elif len(present) < rule.fewest:
            one = "one of " if len(rule.attributes) > 1 else ""
            yield element, f"<{element.tag}> needs {one}{', '.join(rule.attributes)}"
    special = _LATER.get(element.tag)
    if special is not None:
        yield from special(element)


def _content(element: Element) -> Iterator[tuple[Element, str]]:
    allowed = CHILDREN.get(element.tag)
    if allowed is None:
        if element.tag != "grammar":
            yield element, f"<{element.tag}> is not known"
        return
    for child in element.elements():
        if child.tag not in allowed and element.tag != "metadata":
            known = child.tag in CHILDREN or child.tag == "grammar"
            yield (
                child,
                f"<{child.tag}> may not stand in <{element.tag}>" if known else f"<{child.tag}> is not known",
            )
    if element.tag in _NO_TEXT and element.text.strip():
        yield element, f"text may not stand in <{element.tag}>"


def _form(form: Element) -> Iterator[tuple[Element, str]]:
    names: dict[str, Element] = {}
    for item in form.elements(*ITEMS):
        name = item.get("name")
        if name is not None and name in names:
            yield item, f"the form has two items {name!r}"
        elif name is not None:
            names[name] = item
    for filled in form.elements("filled"):
        for name in (filled.get("namelist") or "").split():
            if name in names and names[name].tag not in INPUT_ITEMS:
                yield filled, f"{name!r} in the namelist is filled by no input"
    yield from _scope(form)


def _scope(element: Element) -> Iterator[tuple[Element, str]]:
    if element.get("scope") not in (None, "dialog", "document"):
        yield element, f"scope={element.get('scope')!r} is neither dialog nor document"


def _filled(filled: Element) -> Iterator[tuple[Element, str]]:
    if filled.get("mode") not in (None, "all", "any"):
        yield filled, f"mode={filled.get('mode')!r} is neither all nor any"


def _filled_item(filled: Element) -> Iterator[tuple[Element, str]]:
    if filled.parent is not None and filled.parent.tag != "form":
        for name in ("mode", "namelist"):
            if name in filled.attributes:
                yield filled, f"<filled> in <{filled.parent.tag}> has no {name}"


def _keys(menu: Element) -> Iterator[tuple[Element, str]]:
    if menu.get("dtmf") == "true":
        for choice in menu.elements("choice"):
            if choice.get("dtmf") not in (None, "*", "#", "0"):
                yield choice, "a menu with dtmf=true gives the keys itself; a choice may have *, # or 0"


def _script(script: Element) -> Iterator[tuple[Element, str]]:
    sources: list[str] = [name for name in ("src", "srcexpr") if name in script.attributes]
    if script.text.strip():
        sources.append("content")
    if len(sources) != 1:
        yield script, f"<script> needs exactly one of src, srcexpr and content, not {len(sources)}"


def _grammar(grammar: Element) -> Iterator[tuple[Element, str]]:
    sources: list[str] = [name for name in ("src", "srcexpr") if name in grammar.attributes]
    if grammar.text.strip() or any(grammar.elements()):
        sources.append("content")
    if len(sources) != 1:
        yield grammar, f"<grammar> needs exactly one of src, srcexpr and content, not {len(sources)}"
    if grammar.get("mode") not in (None, "voice", "dtmf"):
        yield grammar, f"mode={grammar.get('mode')!r} is neither voice nor dtmf"
    parent = "" if grammar.parent is None else grammar.parent.tag
    if "scope" in grammar.attributes and parent != "form":  # §3.1.3
        yield grammar, f"a grammar in <{parent}> has the scope of that, and no scope of its own"
    weight = grammar.get("weight")
    if weight is not None and not _WEIGHT.fullmatch(weight.strip()):  # §3.1.1.3
        yield grammar, f"weight={weight!r} is no number such as 0.5 or 2"
    yield from _scope(grammar)


def _transfer(transfer: Element) -> Iterator[tuple[Element, str]]:
    if transfer.get("type") not in (None, "bridge", "blind", "consultation"):
        yield transfer, f"type={transfer.get('type')!r} is none of bridge, blind, consultation"


def _if(element: Element) -> Iterator[tuple[Element, str]]:
    branches = list(element.elements("elseif", "else"))
    for branch in branches[:-1]:
        if branch.tag == "else":
            yield branch, "<else> is the last branch of <if>"


_SPECIAL: Final = {
    "form": _form,
    "filled": _filled,
    "if": _if,
    "menu": _scope,
}

_LATER: Final = {
    "filled": _filled_item,
    "grammar": _grammar,
    "menu": _keys,
    "script": _script,
    "transfer": _transfer,
}
