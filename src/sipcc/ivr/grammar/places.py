"""The places and moves of which the rules of a grammar are made to be matched; rules call one another.

A place is a moment in a rule; a move leads on by a word, by nothing, or by a rule that is called. Moves stand
in the document's order, a further round of a repeat before its end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sipcc.ivr.grammar.model import Expansion, Reference, Rule
from sipcc.ivr.grammar.tree import Mark, Word


@dataclass(slots=True, eq=False)
class Move:
    """One way on; `word` None is by nothing, or by `callee`; ANY by any word."""

    target: Place
    word: str | None = None
    piece: Word | Mark | None = None
    """What stands in the tree for it."""
    cost: float = 0.0
    """The logarithm of its weight."""
    callee: Network | None = None
    reference: Reference | None = None
    """How the callee is referred to; None when it is no rule but a part of one."""
    empty: Place | None = None
    """Where it leads when the callee has matched nothing; None when that leads nowhere."""


ANY: Final = "\0any"
"""The word of a move that takes each word; no input has it."""


@dataclass(slots=True, eq=False)
class Place:
    """A moment in a rule."""

    network: Network
    moves: list[Move] = field(default_factory=list)
    final: bool = False
    """The rule is at its end here."""
    ahead: Ahead | None = None
    sorted: tuple[dict[str, tuple[Move, ...]], tuple[Move, ...]] | None = None


@dataclass(slots=True, eq=False)
class Ahead:
    """What comes right behind a place, past all moves by nothing."""

    words: dict[str, list[Place]] = field(default_factory=dict)
    any: list[Place] = field(default_factory=list)
    calls: list[Move] = field(default_factory=list)
    """Calls of rules that may be nothing, or begin with nobody knows what."""
    calls_on: dict[str, list[Move]] = field(default_factory=dict)
    """The other calls, by the words that they begin with."""
    crossroads: list[Place] = field(default_factory=list)
    """Places that are looked at on their own: they have many moves, or are far off."""
    final: bool = False

    @property
    def open(self) -> bool:
        """Whether a word may come, as far as is known without the crossroads and the calls."""
        return bool(self.words or self.any or self.calls_on)


@dataclass(slots=True, eq=False)
class Network:
    """A rule, or a part of one."""

    body: Expansion
    rule: Rule | None
    circular: bool
    may_be_empty: bool
    start: Place | None = None
    first: frozenset[str] | None = None
    """The words that it begins with; None when that is not known, or it may be nothing."""
    looked: bool = False
