"""Grammars as SRGS 1.0 has them, whichever form they are written in: rules made of expansions."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from sipcc.errors import SipccError

Mode: TypeAlias = Literal["voice", "dtmf"]
SpecialName: TypeAlias = Literal["NULL", "VOID", "GARBAGE"]

SPECIALS: Final[dict[str, SpecialName]] = {"NULL": "NULL", "VOID": "VOID", "GARBAGE": "GARBAGE"}

MAX_EXPANSIONS = 100_000
"""Expansions of one document."""
MAX_DEPTH = 100
"""Elements or brackets inside one another."""


class GrammarError(SipccError):
    """A grammar is none, or cannot be used; `line` and `column` count from 1, 0 when there is no place."""

    def __init__(self, message: str, *, url: str = "", line: int = 0, column: int = 0) -> None:
        place = f"{url or 'grammar'}:{line}:{column}" if line else url
        super().__init__(f"{place}: {message}" if place else message)
        self.message = message
        self.url = url
        self.line = line
        self.column = column


@dataclass(eq=False, slots=True)
class Token:
    """Something to say or to type: one token, of one word or several."""

    text: str
    words: tuple[str, ...]
    """What input is compared with; see `sipcc.ivr.grammar.words`."""
    language: str = ""


@dataclass(eq=False, slots=True)
class Tag:
    """A tag: matches nothing, and stands in the result."""

    text: str


@dataclass(eq=False, slots=True)
class Special:
    """NULL matches nothing to say, VOID matches never, GARBAGE matches anything."""

    name: SpecialName


@dataclass(eq=False, slots=True)
class Reference:
    """A reference to a rule, here (`uri` is empty) or in another grammar."""

    name: str
    """The rule's name; empty for the root rule of another grammar."""
    uri: str
    media_type: str
    line: int
    column: int
    rule: Rule | None = None
    """What it refers to, once the grammar is linked."""


@dataclass(eq=False, slots=True)
class Sequence:
    """One after the other; none matches like NULL."""

    items: tuple[Expansion, ...]


@dataclass(eq=False, slots=True)
class Choice:
    """One of several, with their weights; None is a weight of 1."""

    items: tuple[Expansion, ...]
    weights: tuple[float | None, ...] = ()


@dataclass(eq=False, slots=True)
class Repeat:
    """`low` to `high` times; no end when `high` is None."""

    item: Expansion
    low: int
    high: int | None
    probability: float | None = None


Expansion: TypeAlias = Token | Tag | Special | Reference | Sequence | Choice | Repeat


@dataclass(eq=False, slots=True)
class Rule:
    """A rule of a document."""

    name: str
    public: bool
    body: Expansion
    document: Document
    examples: tuple[str, ...] = ()
    line: int = 0
    column: int = 0


@dataclass(eq=False, slots=True)
class Document:
    """One grammar document."""

    url: str = ""
    base: str = ""
    """What the URIs in it are relative to."""
    mode: Mode = "voice"
    language: str = ""
    root: str = ""
    """The name of the root rule, or empty."""
    tag_format: str = ""
    rules: dict[str, Rule] = field(default_factory=dict)
    header_tags: tuple[str, ...] = ()
    """Tags of the header, such as scripts with functions."""
    lexicons: tuple[str, ...] = ()
    """URIs of pronunciation lexicons; recognisers may want them."""
    meta: dict[str, str] = field(default_factory=dict)


_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
_REPEAT = re.compile(r"([0-9]+)(?:(-)([0-9]*))?")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:[-_][A-Za-z0-9]{1,8})*")
_NAME = re.compile(r"[^\W\d][\w\u00b7\u0300-\u036f\u203f\u2040]*")
HIGHEST = 1_000_000


def number_of(text: str) -> float:
    """A weight or a probability: a number without sign and exponent. ValueError when it is none."""
    if not _NUMBER.fullmatch(text) or not text.isascii() or len(text) > 40:
        raise ValueError(f"{text[:40]!r} is no number such as 2, 0.5 or .5")
    return float(text)


def probability_of(text: str) -> float:
    """A probability from 0 to 1. ValueError when it is none."""
    value = number_of(text)
    if value > 1:
        raise ValueError(f"{text} is no probability, which is 0 to 1")
    return value


def repeat_of(text: str) -> tuple[int, int | None]:
    """``3``, ``1-3`` or ``2-`` as fewest and most. ValueError when it is none of them."""
    found = _REPEAT.fullmatch(text)
    if found is None or not text.isascii() or len(text) > 40:
        raise ValueError(f"{text[:40]!r} is no repeat such as 3, 1-3 or 2-")
    low = int(found[1])
    high = low if not found[2] else int(found[3]) if found[3] else None
    if high is not None and high < low:
        raise ValueError(f"{text!r}: {high} is less than {low}")
    return min(low, HIGHEST), None if high is None else min(high, HIGHEST)


def check_language(text: str) -> str:
    """`text` when it has the form of a language; ValueError otherwise."""
    if not _LANGUAGE.fullmatch(text) or not text.isascii():
        raise ValueError(f"{text[:40]!r} is no language such as en-US")
    return text


def check_name(name: str) -> str:
    """`name` when a rule may have it; ValueError otherwise."""
    if name in SPECIALS:
        raise ValueError(f"no rule may be called {name}")
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name[:40]!r} is no name of a rule; it has letters, digits and _, and begins with no digit"
        )
    return name
