"""Makes a network of places and moves of each rule of a linked grammar; rules call one another.

A place of a network is a moment in its rule; a move leads on by a word, by nothing, or by a rule that is
called. Moves stand in the document's order, a further round of a repeat before its end. Rounds that need not
be and match nothing are left out: within a repeat the network tells places where its round has matched a word
(`_At.on`) from those where it has not yet (`_At.fresh`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from sipcc.ivr.grammar.facts import Facts, is_seen, size_of
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
from sipcc.ivr.grammar.tree import Mark, Word

MAX_WORDS = 1_000
"""Words or keys of one input."""
MAX_COPIES = 2_000
"""Expansions up to which the rounds of a repeat are written out; more become a network of its own."""
MAX_PLACES = 500_000
"""Places of all networks of a grammar."""
MANY = 24
"""Moves from which on those are looked up that begin with the word that comes."""
MAX_FIRST = 100
"""Words that a rule begins with, up to which it is called only before one of them."""
MAX_LOOKS = 30
"""Rules that begin with one another, behind which the first word of the outermost is looked for."""
NEVER: Final = -1e9
"""The logarithm of a weight of 0: what is never said, but is taken if nothing else fits."""


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
    """Places with so many moves that they are looked at on their own."""
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


class _At(NamedTuple):
    """Where the way has come: places where the round under way has no word yet, and where it has one."""

    fresh: Place | None
    on: Place | None


class Networks:
    """All networks below a rule, each made when it is first called."""

    def __init__(self, root: Rule) -> None:
        self.facts = Facts(root)
        self.root = root
        self._known: dict[int, Network] = {}
        self._places = 0
        self._depth = 0

    def of(self, node: Rule | Expansion) -> Network:
        """The network of a rule or of a part."""
        network = self._known.get(id(node))
        if network is None:
            rule = node if isinstance(node, Rule) else None
            body = node.body if isinstance(node, Rule) else node
            circles = self.facts.circular  # a part may be what closes the circle
            circular = bool(circles) if rule is None else id(node) in circles
            empty = id(node) in self.facts.empty
            network = self._known[id(node)] = Network(body, rule, circular, empty)
        return network

    def start(self, network: Network) -> Place:
        """Where it begins."""
        if network.start is None:
            network.start = place = self._place(network)
            end = _Builder(self, network).build(network.body, _At(None, place))
            if end.on is not None:
                end.on.final = True
        return network.start

    def _place(self, network: Network) -> Place:
        self._places += 1
        if self._places > MAX_PLACES:
            raise GrammarError(f"the repeats of the grammar make more than {MAX_PLACES} places")
        return Place(network)

    def prepare(self) -> None:
        """Make now all that a match may need."""
        seen: set[int] = set()
        stack = [self.start(self.of(self.root))] if id(self.root) in self.facts.good else []
        while stack:
            place = stack.pop()
            if id(place) in seen:
                continue
            seen.add(id(place))
            if len(place.moves) >= MANY:
                self.ahead(place)
                self.moves(place, None)
            for move in place.moves:
                stack.append(move.target)
                if move.callee is not None:
                    stack.append(self.start(move.callee))

    # -- looking ahead -------------------------------------------------------------------------------------

    def ahead(self, place: Place) -> Ahead:
        """What comes behind a place."""
        if place.ahead is not None:
            return place.ahead
        found = Ahead()
        seen = {id(place)}
        stack = [place]
        while stack:
            one = stack.pop()
            if one is not place and len(one.moves) >= MANY:
                found.crossroads.append(one)
                continue
            found.final = found.final or one.final
            for move in one.moves:
                if move.callee is not None:
                    self._call_ahead(found, move, move.callee)
                elif move.word is None:
                    if id(move.target) not in seen:
                        seen.add(id(move.target))
                        stack.append(move.target)
                elif move.word == ANY:
                    found.any.append(move.target)
                else:
                    found.words.setdefault(move.word, []).append(move.target)
        place.ahead = found
        return found

    def _call_ahead(self, found: Ahead, move: Move, callee: Network) -> None:
        first = self._first(callee)
        if first is None or len(first) > MAX_FIRST:
            found.calls.append(move)
        else:
            for word in first:
                found.calls_on.setdefault(word, []).append(move)

    def _first(self, network: Network) -> frozenset[str] | None:
        """The words that a network begins with."""
        if not network.looked:
            network.looked = True  # until it is known, a rule that begins with itself has None
            if not network.may_be_empty and self._depth < MAX_LOOKS:
                self._depth += 1
                network.first = self._words(self.start(network))
                self._depth -= 1
        return network.first

    def _words(self, place: Place) -> frozenset[str] | None:
        ahead = self.ahead(place)
        if ahead.final or ahead.any or ahead.calls:
            return None
        found = frozenset(ahead.words) | frozenset(ahead.calls_on)
        for one in ahead.crossroads:
            words = self._words(one)
            if words is None:
                return None
            found |= words
        return found

    def moves(self, place: Place, word: str | None) -> Iterable[Move]:
        """The moves that may be right before `word`, or before the end; in the document's order."""
        if len(place.moves) < MANY:
            return place.moves
        if place.sorted is None:
            place.sorted = self._sorted(place)
        by_word, others = place.sorted
        return others if word is None else by_word.get(word, others)

    def _sorted(self, place: Place) -> tuple[dict[str, tuple[Move, ...]], tuple[Move, ...]]:
        by_word: dict[str, list[int]] = {}
        others = []
        for number, move in enumerate(place.moves):
            words = self._begins(move)
            if words is None:
                others.append(number)
            else:
                for word in words:
                    by_word.setdefault(word, []).append(number)
        return {
            word: tuple(place.moves[number] for number in sorted([*numbers, *others]))
            for word, numbers in by_word.items()
        }, tuple(place.moves[number] for number in others)

    def _begins(self, move: Move) -> Iterable[str] | None:
        if move.callee is not None:
            return self._first(move.callee)
        if move.word is None:
            return self._words(move.target)
        return None if move.word == ANY else (move.word,)


class _Builder:
    """Writes one network."""

    def __init__(self, networks: Networks, network: Network) -> None:
        self._networks = networks
        self._facts = networks.facts
        self._network = network

    def build(self, node: Expansion, at: _At) -> _At:
        """Lead on from `at` by what `node` matches; where that ends."""
        if id(node) not in self._facts.good:
            return _At(None, None)
        if isinstance(node, Token):
            return self._token(node, at)
        if isinstance(node, Tag):
            return self._each(at, piece=Mark(node.text))
        if isinstance(node, Special):
            return self._garbage(at) if node.name == "GARBAGE" else at
        if isinstance(node, Reference):
            assert node.rule is not None, "the grammar is not linked"
            return self._call(self._networks.of(node.rule), node, at)
        if isinstance(node, Sequence):
            for item in node.items:
                at = self.build(item, at)
            return at
        if isinstance(node, Choice):
            return self._choice(node, at)
        return self._repeat(node, at)

    def _place(self) -> Place:
        return self._networks._place(self._network)

    def _each(self, at: _At, piece: Mark | None = None, cost: float = 0.0) -> _At:
        """Further places, one move by nothing away."""
        after = []
        for place in at:
            after.append(None if place is None else self._place())
            if place is not None:
                place.moves.append(Move(after[-1], piece=piece, cost=cost))  # type: ignore[arg-type]
        return _At(*after)

    def _token(self, token: Token, at: _At, cost: float = 0.0, target: Place | None = None) -> _At:
        place: Place | None = None
        *before, last = token.words
        for word in before:
            place = self._place()
            self._step(at, word, place, cost=cost)
            at, cost = _At(None, place), 0.0
        end = target or self._place()
        self._step(at, last, end, Word(token.text, token.language), cost)
        return _At(None, end)

    def _step(self, at: _At, word: str, target: Place, piece: Word | None = None, cost: float = 0.0) -> None:
        for place in at:
            if place is not None:
                place.moves.append(Move(target, word, piece, cost))

    def _garbage(self, at: _At) -> _At:
        """As little as there may be."""
        after = self._each(at)
        end = after.on or self._place()
        loop = self._place()
        loop.moves += [Move(end), Move(loop, ANY)]
        self._step(at, ANY, loop)
        return _At(after.fresh, end)

    def _call(self, callee: Network, reference: Reference | None, at: _At) -> _At:
        end = self._place()
        fresh = self._place() if at.fresh is not None and callee.may_be_empty else None
        if at.fresh is not None:
            at.fresh.moves.append(Move(end, callee=callee, reference=reference, empty=fresh))
        if at.on is not None:
            empty = end if callee.may_be_empty else None
            at.on.moves.append(Move(end, callee=callee, reference=reference, empty=empty))
        return _At(fresh, end)

    def _choice(self, node: Choice, at: _At) -> _At:
        weights = node.weights or (None,) * len(node.items)
        ends: list[_At] = []
        end = self._place()
        for item, weight in zip(node.items, weights, strict=True):
            cost = _log(1.0 if weight is None else weight)
            if isinstance(item, Token):
                ends.append(self._token(item, at, cost, end))
            elif isinstance(item, Sequence) and item.items and id(item) in self._facts.good:
                ends.append(self._phrase(item.items, at, cost, end))
            elif id(item) in self._facts.good:
                ends.append(self.build(item, self._each(at, cost=cost)))
        return self._joined(ends, end)

    def _phrase(self, items: tuple[Expansion, ...], at: _At, cost: float, end: Place) -> _At:
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

    def _joined(self, ends: list[_At], on: Place | None = None) -> _At:
        """One place for all."""
        after: list[Place | None] = []
        for places, known in (([one.fresh for one in ends], None), ([one.on for one in ends], on)):
            found = [place for place in places if place is not None]
            target = known if known is not None else self._place() if found else None
            for place in found:
                if place is not target and target is not None:
                    place.moves.append(Move(target))
            after.append(target if found else None)
        return _At(*after)

    # -- repeats -------------------------------------------------------------------------------------------

    def _repeat(self, node: Repeat, at: _At) -> _At:
        item, low, high = node.item, node.low, node.high
        if id(item) not in self._facts.good:
            return at
        may_be_empty = id(item) in self._facts.empty
        if may_be_empty and not is_seen(item) and (low > MAX_WORDS or not self._facts.weighted):
            low = 0  # rounds of nothing are not seen
        if low > MAX_WORDS:
            if not may_be_empty:
                return _At(None, None)
            raise GrammarError(f"a repeat has {low} rounds of what may be nothing; {MAX_WORDS} may be")
        if high is not None and high >= low + MAX_WORDS:
            high = None
        copies = low + 1 if high is None else high
        apart = copies > 1 and copies * size_of(item, MAX_COPIES) > MAX_COPIES
        for _ in range(low):
            at = self._round(item, at, apart)
        go, stop = _chances(node.probability)
        if high is None:
            return self._loop(item, at, go, stop, apart)
        ends = []
        for _ in range(high - low):
            start = self._place()
            ends.append(self._entered(at, start, go, stop))
            at = self._optional(item, start, apart)
        return self._joined([*ends, at]) if ends else at

    def _entered(self, at: _At, start: Place, go: float, stop: float) -> _At:
        """From `at` first into a round at `start`, then past it; where that leads."""
        for place in at:
            if place is not None:
                place.moves.append(Move(start, cost=go))
        return self._each(at, cost=stop)

    def _loop(self, item: Expansion, at: _At, go: float, stop: float, apart: bool) -> _At:
        start = self._place()
        past = self._entered(at, start, go, stop)
        after = self._optional(item, start, apart)
        again = self._entered(after, start, go, stop)
        return self._joined([past, again])

    def _optional(self, item: Expansion, start: Place, apart: bool) -> _At:
        """A round that must have a word."""
        empty = id(item) in self._facts.empty
        end = self._round(item, _At(start, None) if empty else _At(None, start), apart)
        return _At(None, end.on)

    def _round(self, item: Expansion, at: _At, apart: bool) -> _At:
        return self._call(self._networks.of(item), None, at) if apart else self.build(item, at)


def _log(weight: float) -> float:
    return math.log(weight) if weight > 0 else NEVER


def _chances(probability: float | None) -> tuple[float, float]:
    """What a further round and an end cost."""
    return (0.0, 0.0) if probability is None else (_log(probability), _log(1.0 - probability))
