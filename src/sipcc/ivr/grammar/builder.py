"""Writes a rule as places and moves.

Rounds of a repeat that need not be and match nothing are left out: within a repeat, places where its round
has matched a word (`At.on`) are others than those where it has not yet (`At.fresh`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from sipcc.ivr.grammar.facts import Facts, copies_of, is_seen
from sipcc.ivr.grammar.model import (
    Choice,
    Expansion,
    GrammarError,
    Reference,
    Repeat,
    Rule,
    Sequence,
    Special,
    Tag,
    Token,
)
from sipcc.ivr.grammar.places import ANY, Move, Network, Place
from sipcc.ivr.grammar.tree import Mark, Word

MAX_WORDS = 1_000
"""Words or keys of one input."""
MAX_COPIES = 2_000
"""Expansions up to which the rounds of a repeat are written out; more become a network of its own."""
NEVER: Final = -1e9
"""The logarithm of a weight of 0: what is never said, but is taken if nothing else fits."""


class At(NamedTuple):
    """Where the way has come: places where the round under way has no word yet, and where it has one."""

    fresh: Place | None
    on: Place | None


class Builder:
    """Writes one network."""

    def __init__(
        self, facts: Facts, place: Callable[[], Place], network_of: Callable[[Rule | Expansion], Network]
    ) -> None:
        """`place` makes a further place of the network."""
        self._facts = facts
        self._place = place
        self._network_of = network_of

    def build(self, node: Expansion, at: At) -> At:
        """Lead on from `at` by what `node` matches; where that ends."""
        if not self._facts.matches(node):
            return At(None, None)
        if isinstance(node, Token):
            return self._token(node, at)
        if isinstance(node, Tag):
            return self._each(at, piece=Mark(node.text))
        if isinstance(node, Special):
            return self._garbage(at) if node.name == "GARBAGE" else at
        if isinstance(node, Reference):
            assert node.rule is not None, "the grammar is not linked"
            return self._call(self._network_of(node.rule), node, at)
        if isinstance(node, Sequence):
            for item in node.items:
                at = self.build(item, at)
            return at
        if isinstance(node, Choice):
            return self._choice(node, at)
        return self._repeat(node, at)

    def _each(self, at: At, piece: Mark | None = None, cost: float = 0.0) -> At:
        """Further places, one move by nothing away."""
        after = []
        for place in at:
            after.append(None if place is None else self._place())
            if place is not None:
                place.moves.append(Move(after[-1], piece=piece, cost=cost))  # type: ignore[arg-type]
        return At(*after)

    def _token(self, token: Token, at: At, cost: float = 0.0, target: Place | None = None) -> At:
        place: Place | None = None
        *before, last = token.words
        for word in before:
            place = self._place()
            self._step(at, word, place, cost=cost)
            at, cost = At(None, place), 0.0
        end = target or self._place()
        self._step(at, last, end, Word(token.text, token.language), cost)
        return At(None, end)

    def _step(self, at: At, word: str, target: Place, piece: Word | None = None, cost: float = 0.0) -> None:
        for place in at:
            if place is not None:
                place.moves.append(Move(target, word, piece, cost))

    def _garbage(self, at: At) -> At:
        """As little as there may be."""
        after = self._each(at)
        end = after.on or self._place()
        loop = self._place()
        loop.moves += [Move(end), Move(loop, ANY)]
        self._step(at, ANY, loop)
        return At(after.fresh, end)

    def _call(self, callee: Network, reference: Reference | None, at: At) -> At:
        end = self._place()
        fresh = self._place() if at.fresh is not None and callee.may_be_empty else None
        if at.fresh is not None:
            at.fresh.moves.append(Move(end, callee=callee, reference=reference, empty=fresh))
        if at.on is not None:
            empty = end if callee.may_be_empty else None
            at.on.moves.append(Move(end, callee=callee, reference=reference, empty=empty))
        return At(fresh, end)

    def _choice(self, node: Choice, at: At) -> At:
        weights = node.weights or (None,) * len(node.items)
        ends: list[At] = []
        end = self._place()
        for item, weight in zip(node.items, weights, strict=True):
            cost = _log(1.0 if weight is None else weight)
            if isinstance(item, Token):
                ends.append(self._token(item, at, cost, end))
            elif isinstance(item, Sequence) and item.items and self._facts.matches(item):
                ends.append(self._phrase(item.items, at, cost, end))
            elif self._facts.matches(item):
                ends.append(self.build(item, self._each(at, cost=cost)))
        return self._joined(ends, end)

    def _phrase(self, items: tuple[Expansion, ...], at: At, cost: float, end: Place) -> At:
        """A sequence with few places: lists of names have thousands of them."""
        first, *rest = items
        if not isinstance(first, Token):
            at, rest = self._each(at, cost=cost), [*items]
        else:
            at = self._token(first, at, cost, None if rest else end)
        for number, item in enumerate(rest, 1):
            if isinstance(item, Token) and number == len(rest):
                return self._token(item, at, target=end)
            at = self.build(item, at)
        return at

    def _joined(self, ends: list[At], on: Place | None = None) -> At:
        """One place for all."""
        after: list[Place | None] = []
        for places, known in (([one.fresh for one in ends], None), ([one.on for one in ends], on)):
            found = [place for place in places if place is not None]
            target = known if known is not None else self._place() if found else None
            for place in found:
                if place is not target and target is not None:
                    place.moves.append(Move(target))
            after.append(target if found else None)
        return At(*after)

    # -- repeats -------------------------------------------------------------------------------------------

    def _repeat(self, node: Repeat, at: At) -> At:
        item, low, high = node.item, node.low, node.high
        if not self._facts.matches(item):
            return at
        may_be_empty = self._facts.may_be_empty(item)
        if may_be_empty and not is_seen(item) and (low > MAX_WORDS or not self._facts.weighted):
            low = 0  # rounds of nothing are not seen
        if low > MAX_WORDS:
            if not may_be_empty:
                return At(None, None)
            raise GrammarError(f"a repeat has {low} rounds of what may be nothing; {MAX_WORDS} may be")
        if high is not None and high >= low + MAX_WORDS:
            high = None
        copies = copies_of(low, high, may_be_empty)
        apart = copies > 1 and copies * self._facts.size(item, MAX_COPIES) > MAX_COPIES
        shared = (
            high is None and low > 0 and not may_be_empty
        )  # the last round that must be is one that may be
        for _ in range(low - shared):
            at = self._round(item, at, apart)
        go, stop = _chances(node.probability)
        if high is None:
            return self._loop(item, at, go, stop, apart, shared)
        ends = []
        for _ in range(high - low):
            start = self._place()
            ends.append(self._entered(at, start, go, stop))
            at = self._optional(item, start, apart)
        return self._joined([*ends, at]) if ends else at

    def _entered(self, at: At, start: Place, go: float, stop: float) -> At:
        """From `at` first into a round at `start`, then past it; where that leads."""
        self._lead(at, start, go)
        return self._each(at, cost=stop)

    def _lead(self, at: At, start: Place, cost: float = 0.0) -> None:
        for place in at:
            if place is not None:
                place.moves.append(Move(start, cost=cost))

    def _loop(self, item: Expansion, at: At, go: float, stop: float, apart: bool, once: bool) -> At:
        """Any number of rounds, with `once` at least one."""
        start = self._place()
        past = At(None, None)
        if once:
            self._lead(at, start)
        else:
            past = self._entered(at, start, go, stop)
        after = self._optional(item, start, apart)
        again = self._entered(after, start, go, stop)
        return self._joined([past, again])

    def _optional(self, item: Expansion, start: Place, apart: bool) -> At:
        """A round that must have a word."""
        empty = self._facts.may_be_empty(item)
        end = self._round(item, At(start, None) if empty else At(None, start), apart)
        return At(None, end.on)

    def _round(self, item: Expansion, at: At, apart: bool) -> At:
        return self._call(self._network_of(item), None, at) if apart else self.build(item, at)


def _log(weight: float) -> float:
    return math.log(weight) if weight > 0 else NEVER


def _chances(probability: float | None) -> tuple[float, float]:
    """What a further round and an end cost."""
    return (0.0, 0.0) if probability is None else (_log(probability), _log(1.0 - probability))
