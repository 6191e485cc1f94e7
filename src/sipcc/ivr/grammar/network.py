"""The rules of a grammar as places and moves, each made when first called, and what comes next there."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from sipcc.ivr.grammar.builder import At, Builder
from sipcc.ivr.grammar.facts import Facts
from sipcc.ivr.grammar.model import Expansion, GrammarError, Rule
from sipcc.ivr.grammar.places import ANY, Ahead, Move, Network, Place

MAX_PLACES = 500_000
"""Places of all networks of a grammar."""
MANY = 24
"""Moves from which on those are looked up that begin with the word that comes."""
NEAR = 64
"""Places up to which it is looked ahead from one; what is farther off is looked at on its own."""
MAX_FIRST = 100
"""Words that a rule begins with, up to which it is called only before one of them."""
MAX_LOOKS = 30
"""Rules that begin with one another, behind which the first word of the outermost is looked for."""


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
            empty = self.facts.may_be_empty(node)
            network = self._known[id(node)] = Network(body, rule, circular, empty)
        return network

    def start(self, network: Network) -> Place:
        """Where it begins."""
        if network.start is None:
            place = self._place(network)
            builder = Builder(self.facts, partial(self._place, network), self.of)
            end = builder.build(network.body, At(None, place))
            if end.on is not None:
                end.on.final = True
            network.start = place
        return network.start

    def _place(self, network: Network) -> Place:
        self._places += 1
        if self._places > MAX_PLACES:
            raise GrammarError(f"the repeats of the grammar make more than {MAX_PLACES} places")
        return Place(network)

    def prepare(self) -> None:
        """Make now all that a match may need."""
        seen: set[int] = set()
        stack = [self.start(self.of(self.root))] if self.facts.matches(self.root) else []
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
            if one is not place and (len(one.moves) >= MANY or len(seen) > NEAR):
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
        found: set[str] = set()
        places = [place]
        for one in places:  # it grows
            ahead = self.ahead(one)
            if ahead.final or ahead.any or ahead.calls or len(places) > NEAR:
                return None
            found |= ahead.words.keys() | ahead.calls_on.keys()
            places += ahead.crossroads
        return frozenset(found)

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
