"""A closed language for conditions: read once, checked at once, never handed to an evaluator of Python.

    condition  = term { "or" term }
    term       = factor { "and" factor }
    factor     = "not" factor | "(" condition ")" | operand [ operator operand ]
    operator   = "==" | "=" | "!=" | "<" | "<=" | ">" | ">=" | ["not"] "in" | "has" | "contains"
    operand    = name | number | "text" | 'text' | "true" | "false" | "[" [ operand { "," operand } ] "]"

Words of the language may be written in any case. A name is letters, digits, ``_`` and dots, in any script.
The operators are those of TaskRouter's expressions: ``list HAS value``, ``value IN list``, ``text CONTAINS
part``. A name alone is true when its value is true or a number above 0. What a name stands for is asked
when the condition is tried; a name that stands for nothing is unequal to everything.

What callers type is text, also when it is all digits. Where conditions are read with ``typed``, such a text
is a number beside a number: ``amount >= 100`` holds for "120". Two texts that are compared by ``==`` stay
texts: "007" is not "7".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec

Value: TypeAlias = "str | int | float | bool | tuple[Value, ...] | None"
Kind = Literal["number", "text", "truth", "list", "any"]
Lookup: TypeAlias = Callable[[str], Value]

MAX_LENGTH = 4000
"""Longest text of a condition, in characters."""
MAX_DEPTH = 50
"""Deepest nesting: the reader calls itself."""

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>-?\d+(?:\.\d+)?(?![\w.]))
      | (?P<text>"[^"]*"|'[^']*')
      | (?P<word>[^\W\d][\w.]*)
      | (?P<sign>==|!=|<=|>=|=|<|>|\(|\)|\[|\]|,)
    )""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,20})?")
_WORDS = frozenset({"and", "or", "not", "in", "has", "contains", "true", "false"})
_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


class ExpressionError(ValueError):
    """A condition that cannot be read; `column` counts from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"{message}, at column {column}")
        self.column = column


class Name(msgspec.Struct, frozen=True):
    """A name in a condition, and where it stands."""

    name: str
    column: int


class Expression:
    """A condition that was read and checked."""

    def __init__(
        self, text: str, test: Callable[[Lookup], bool], why: Callable[[Lookup], str], names: tuple[Name, ...]
    ) -> None:
        self.text = text
        self.names = names
        """Every name in it, in the order of the text."""
        self.test = test
        """True when the condition holds; the argument tells what a name stands for."""
        self._why = why

    def why_not(self, lookup: Lookup) -> str:
        """The first predicate that fails, in words; empty when the condition holds."""
        return "" if self.test(lookup) else self._why(lookup)


def compile_expression(
    text: str, kind_of: Callable[[str], Kind] = lambda _: "any", *, typed: bool = False
) -> Expression:
    """Read `text`.

    Args:
        text: The condition.
        kind_of: What the values of a name are, so that a comparison that cannot hold is refused here.
        typed: Whether a text that is a number is compared with numbers as one.

    Raises:
        ExpressionError: `text` is no condition, or compares what cannot be compared.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the condition is longer than {MAX_LENGTH} characters", MAX_LENGTH + 1)
    reader = _Reader(text, kind_of, typed=typed)
    node = reader.condition(0)
    reader.end()
    return Expression(text, node.test, node.why, tuple(reader.names))


class _Token(msgspec.Struct, frozen=True):
    sort: Literal["number", "text", "name", "word", "sign", "end"]
    text: str
    column: int

    def __str__(self) -> str:
        return repr(self.text) if self.text else "the end"


class _Node(msgspec.Struct, frozen=True):
    """A condition, or a part of one."""

    test: Callable[[Lookup], bool]
    why: Callable[[Lookup], str]
    """Asked only when `test` has said no."""
    text: str


class _Operand(msgspec.Struct, frozen=True):
    kind: Kind
    get: Callable[[Lookup], Value]
    text: str
    column: int
    name: bool = False


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise ExpressionError(f"{text[at]!r} belongs to no condition", at + 1)
        sort = str(match.lastgroup)
        word, column = match[sort], match.start(sort) + 1
        if sort == "word" and word.lower() not in _WORDS:
            found.append(_Token("name", word, column))
        else:
            found.append(_Token(sort, word.lower() if sort == "word" else word, column))  # type: ignore[arg-type]  # the groups of _TOKEN are sorts
        at = match.end()
    found.append(_Token("end", "", end + 1))
    return found


class _Reader:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str, kind_of: Callable[[str], Kind], *, typed: bool) -> None:
        self.names: list[Name] = []
        self._tokens = _tokens(text)
        self._at = 0
        self._kind_of = kind_of
        self._typed = typed

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self, *texts: str) -> _Token | None:
        token = self._next
        if token.sort in ("word", "sign") and token.text in texts:
            self._at += 1
            return token
        return None

    def _need(self, text: str) -> None:
        if self._take(text) is None:
            raise ExpressionError(f"expected {text!r}, found {self._next}", self._next.column)

    def end(self) -> None:
        """Nothing may follow."""
        if self._next.sort != "end":
            raise ExpressionError(f"expected 'and', 'or' or the end, found {self._next}", self._next.column)

    def condition(self, depth: int) -> _Node:
        """Terms with ``or`` between them."""
        if depth > MAX_DEPTH:
            raise ExpressionError(f"nested deeper than {MAX_DEPTH}", self._next.column)
        parts = [self._term(depth)]
        while self._take("or"):
            parts.append(self._term(depth))
        return parts[0] if len(parts) == 1 else _any_of(parts)

    def _term(self, depth: int) -> _Node:
        parts = [self._factor(depth)]
        while self._take("and"):
            parts.append(self._factor(depth))
        return parts[0] if len(parts) == 1 else _all_of(parts)

    def _factor(self, depth: int) -> _Node:
        if depth > MAX_DEPTH:
            raise ExpressionError(f"nested deeper than {MAX_DEPTH}", self._next.column)
        if self._take("not"):
            return _not(self._factor(depth + 1))
        if self._take("("):
            node = self.condition(depth + 1)
            self._need(")")
            return node
        left = self._operand(depth)
        if self._take("not"):
            self._need("in")
            return _not(_comparison("in", left, self._operand(depth), typed=self._typed))
        sign = self._take("==", "=", "!=", "<", "<=", ">", ">=", "in", "has", "contains")
        if sign is None:
            return _truth(left)
        return _comparison(sign.text, left, self._operand(depth), typed=self._typed)

    def _operand(self, depth: int) -> _Operand:
        token = self._next
        if self._take("["):
            return self._list(token, depth + 1)
        if self._take("true", "false"):
            return _constant("truth", token.text == "true", token)
        if token.sort not in ("number", "text", "name"):
            raise ExpressionError(f"expected a name or a value, found {token}", token.column)
        self._at += 1
        if token.sort == "number":
            return _constant("number", float(token.text) if "." in token.text else int(token.text), token)
        if token.sort == "text":
            return _constant("text", token.text[1:-1], token)
        name = token.text
        self.names.append(Name(name, token.column))
        return _Operand(self._kind_of(name), lambda lookup: lookup(name), name, token.column, name=True)

    def _list(self, start: _Token, depth: int) -> _Operand:
        if depth > MAX_DEPTH:
            raise ExpressionError(f"nested deeper than {MAX_DEPTH}", start.column)
        items: list[_Operand] = []
        while not self._take("]"):
            if items:
                self._need(",")
            items.append(self._operand(depth))
        text = f"[{', '.join(item.text for item in items)}]"
        return _Operand(
            "list", lambda lookup: tuple([item.get(lookup) for item in items]), text, start.column
        )


def _constant(kind: Kind, value: Value, token: _Token) -> _Operand:
    return _Operand(kind, lambda _: value, token.text, token.column)


def _all_of(parts: list[_Node]) -> _Node:
    tests = [part.test for part in parts]

    def why(lookup: Lookup) -> str:
        return next(part.why(lookup) for part in parts if not part.test(lookup))

    text = " and ".join(part.text for part in parts)
    return _Node(lambda lookup: all(test(lookup) for test in tests), why, text)


def _any_of(parts: list[_Node]) -> _Node:
    tests = [part.test for part in parts]
    return _Node(
        lambda lookup: any(test(lookup) for test in tests),
        lambda lookup: " and ".join(part.why(lookup) for part in parts),
        f"({' or '.join(part.text for part in parts)})",
    )


def _not(part: _Node) -> _Node:
    text = f"not {part.text}"
    return _Node(lambda lookup: not part.test(lookup), lambda _: f"{text} does not hold", text)


def _truth(operand: _Operand) -> _Node:
    if not operand.name and operand.kind != "truth":
        raise ExpressionError(f"{operand.text} alone is no condition", operand.column)
    if operand.kind in ("text", "list"):
        raise ExpressionError(f"{operand.text} is a {operand.kind} and needs a comparison", operand.column)

    def test(lookup: Lookup) -> bool:
        value = operand.get(lookup)
        return isinstance(value, bool | int | float) and value > 0

    return _Node(test, lambda _: f"{operand.text} is missing", operand.text)


def _comparison(sign: str, left: _Operand, right: _Operand, *, typed: bool) -> _Node:
    _check(sign, left, right)
    a, b, alike = left.get, right.get, _same_typed if typed else same
    if sign in ("==", "="):
        test = lambda lookup: alike(a(lookup), b(lookup))  # noqa: E731
    elif sign == "!=":
        test = lambda lookup: not alike(a(lookup), b(lookup))  # noqa: E731
    elif sign == "in":
        test = lambda lookup: _holds(b(lookup), a(lookup), alike)  # noqa: E731
    elif sign == "has":
        test = lambda lookup: _holds(a(lookup), b(lookup), alike)  # noqa: E731
    elif sign == "contains":
        test = lambda lookup: _contains(a(lookup), b(lookup))  # noqa: E731
    else:
        test = _ordered(sign, a, b, _number if typed else _as_it_is)
    text = f"{left.text} {sign} {right.text}"

    def why(lookup: Lookup) -> str:
        value = a(lookup)
        shown = "missing" if value is None else _shown(value)
        return f"{text} fails: {left.text} is {shown}" if left.name else f"{text} fails"

    return _Node(test, why, text)


def _shown(value: Value) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_shown(item) for item in value)}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check(sign: str, left: _Operand, right: _Operand) -> None:
    """Refuse what can never hold."""
    kinds = (left.kind, right.kind)
    if sign in ("in", "has"):
        whole, word = (right, "right") if sign == "in" else (left, "left")
        if whole.kind not in ("list", "any"):
            raise ExpressionError(f"{sign!r} wants a list on its {word}, not a {whole.kind}", whole.column)
    elif sign == "contains":
        for side in (left, right):
            if side.kind not in ("text", "any"):
                raise ExpressionError(f"'contains' wants texts, not a {side.kind}", side.column)
    elif sign in _ORDERS:
        for side in (left, right):
            if side.kind not in ("number", "any"):
                raise ExpressionError(f"{sign!r} compares numbers, not a {side.kind}", side.column)
    elif "any" not in kinds and kinds[0] != kinds[1]:
        raise ExpressionError(f"a {kinds[0]} is never equal to a {kinds[1]}", right.column)


def same(left: Value, right: Value) -> bool:
    """Equal, and of one kind: True is not 1 here, and nothing is equal to what is missing."""
    if left is None or right is None or isinstance(left, bool) is not isinstance(right, bool):
        return False
    return left == right


def _same_typed(left: Value, right: Value) -> bool:
    """The same, but that a text beside a number is the number that it spells."""
    if isinstance(left, str) is not isinstance(right, str):
        left, right = _number(left), _number(right)
    return same(left, right)


def _number(value: Value) -> Value:
    """The number that a text spells, or None; other values as they are."""
    if not isinstance(value, str):
        return value
    if _NUMBER.fullmatch(value) is None:
        return None
    return float(value) if "." in value else int(value)


def _as_it_is(value: Value) -> Value:
    return value


def _holds(whole: Value, part: Value, alike: Callable[[Value, Value], bool]) -> bool:
    return isinstance(whole, tuple) and any(alike(item, part) for item in whole)


def _contains(whole: Value, part: Value) -> bool:
    return isinstance(whole, str) and isinstance(part, str) and part in whole


def _ordered(
    sign: str,
    a: Callable[[Lookup], Value],
    b: Callable[[Lookup], Value],
    read: Callable[[Value], Value],
) -> Callable[[Lookup], bool]:
    order = _ORDERS[sign]

    def test(lookup: Lookup) -> bool:
        left, right = read(a(lookup)), read(b(lookup))
        if isinstance(left, bool) or isinstance(right, bool):
            return False
        return isinstance(left, int | float) and isinstance(right, int | float) and order(left, right)

    return test
