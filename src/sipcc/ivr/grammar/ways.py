"""The ways in which input was parsed, the preferred one first.

A way is as likely as the product of the weights of its alternatives and of the probabilities of its repeats
(SRGS 1.0, 2.4.1 and 2.5.1). Of ways that are equally likely, the first in the document's order is preferred,
with repeats as long as they go and GARBAGE as short; in very long input, that with the longest parts first.
A rule that comes back to itself without a word in between would have ways without end; only those are taken
that make each part of what was known before it.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple, TypeAlias

from sipcc.ivr.grammar.chart import Chart
from sipcc.ivr.grammar.model import GrammarError, Reference
from sipcc.ivr.grammar.places import ANY, Move, Network, Place
from sipcc.ivr.grammar.tree import Branch, Mark, Word

MAX_STEPS = 150_000
"""Steps to find the ways of one match; a step takes some microseconds."""
STEPS_OF_A_WORD = 1_000
"""Steps more for each word."""
WEIGHTED_SHARE = 4
"""That part of them may go into the likeliest way; then it is the first in the document's order."""
ORDER_STEPS = 10_000
ORDER_STEPS_OF_A_WORD = 50
"""So many may go into the document's order of where rules end; then the longest comes first."""
MAX_PIECES = 1_000_000
"""Words, tags and rules of one tree."""

_Work: TypeAlias = Generator[Any, Any, Any]


class Way(NamedTuple):
    """A way from a place to the end of its rule, piece by piece."""

    cost: float
    """The logarithm of how likely it is."""
    piece: Word | Mark | _Part | None
    rest: Way | None


class _Part(NamedTuple):
    """What a network has matched on a way."""

    network: Network
    reference: Reference | None
    way: Way


class _TooLong(Exception):
    """To look at all ways takes too long."""


_END = Way(0.0, None, None)


def trees_of(chart: Chart, limit: int = 1) -> list[Branch]:
    """Up to `limit` different trees of what `chart` has matched, the preferred first; it must be complete.

    Raises:
        GrammarError: it takes too long.
    """
    weighted = chart.networks.facts.weighted
    try:
        return _trees(chart, limit, weighted)
    except _TooLong:
        pass
    if weighted or limit > 1:  # the first in the document's order is found sooner
        try:
            return _trees(chart, 1, weighted=False)
        except _TooLong:
            pass
    raise GrammarError(f"to find a parse of {chart.length} words takes too many steps")


def _trees(chart: Chart, limit: int, weighted: bool) -> list[Branch]:
    # different ways may have the same tree, as of `a | a`
    finder = _Finder(chart, limit if limit == 1 else 4 * limit, weighted)
    root = chart.root
    ways = walk(finder.ways_of(root, 0, chart.length))
    found: dict[str, Branch] = {}
    for way in ways:
        branch = _branch(_Part(root, None, way))
        if limit == 1:
            return [branch]
        found.setdefault(str(branch), branch)
    return list(found.values())[:limit]


def walk(work: _Work) -> Any:
    """Run work that yields further work and gets its results: recursion without Python's limit."""
    stack, result = [work], None
    while stack:
        try:
            stack.append(stack[-1].send(result))
            result = None
        except StopIteration as done:
            stack.pop()
            result = done.value
    return result


class _Order:
    """Where a network may end that begins at a position, the preferred end first, as far as it is known."""

    __slots__ = ("busy", "found", "longest", "seen", "work")

    def __init__(self, start: Place, at: int) -> None:
        self.found: list[int] = []
        self.seen: set[tuple[Place, int]] = set()
        self.work: list[tuple[Any, ...]] = [(start, at)]
        self.busy = False
        self.longest: list[int] | None = None
        """The ends with the last first, for where the order is not to be had."""


_Key: TypeAlias = tuple[Place, int, int, int, int]


class _Finder:
    def __init__(self, chart: Chart, limit: int, weighted: bool) -> None:
        self._chart = chart
        self._networks = chart.networks
        self._limit = limit
        self._all = weighted
        self._known: dict[_Key, list[Way]] = {}
        self._orders: dict[tuple[Network, int], _Order] = {}
        self._steps = 0
        self._most = MAX_STEPS + chart.length * STEPS_OF_A_WORD
        if weighted:
            self._most //= WEIGHTED_SHARE
        self._order_steps = 0

    def _spend(self, steps: int = 1) -> None:
        self._steps += steps
        if self._steps > self._most:
            raise _TooLong

    @property
    def _tired(self) -> bool:
        return self._order_steps > ORDER_STEPS + self._chart.length * ORDER_STEPS_OF_A_WORD

    def ways_of(self, network: Network, at: int, end: int) -> _Work:
        """The ways of what `network` has matched from `at` to `end`, as a list."""
        rank = self._chart.rank(network, at, end) if network.circular else -1
        begun = at if network.circular else -1
        return self._ways(self._networks.start(network), at, end, begun, rank)

    def _ways(self, place: Place, at: int, end: int, begun: int, rank: int) -> _Work:
        """The ways from `place` at `at` to the end of its rule at `end`.

        In a circular network, `begun` is where it began and `rank` the rank of what it has matched.
        """
        key = place, at, end, begun, rank
        known = self._known.get(key)
        if known is not None:
            return known
        self._spend()
        found: list[Way] = []
        self._known[key] = found
        words = self._chart.words
        word = words[at] if at < end else None
        if place.final and at == end:
            found.append(_END)
        for move in self._networks.moves(place, word):
            if move.callee is not None:
                yield self._called(found, move, at, end, begun, rank)
            elif move.word is None:
                rest = yield self._ways(move.target, at, end, begun, rank)
                found += [Way(move.cost + way.cost, move.piece, way) for way in rest]
            elif word is not None and move.word in (word, ANY):
                rest = yield self._ways(move.target, at + 1, end, begun, rank)
                found += [Way(move.cost + way.cost, move.piece, way) for way in rest]
            if len(found) >= self._limit and not self._all:
                break
        if self._all:
            found.sort(key=_likely)
        del found[self._limit :]
        return found

    def _called(self, found: list[Way], move: Move, at: int, end: int, begun: int, rank: int) -> _Work:
        callee = move.callee
        assert callee is not None
        ends = self._chart.ends(callee, at) & ((2 << end) - 1)
        number = 0
        while ends:
            self._spend()
            after = ends.bit_length() - 1
            if ends & (ends - 1) and not self._tired:
                preferred = yield self._next_end(callee, at, number)
                number += 1
                if preferred is not None:  # in a rule that begins with itself some may be left
                    after = preferred
                if not ends >> after & 1:
                    continue
            ends ^= 1 << after
            target = move.target if after > at else move.empty
            if target is None or not self._fits(target, after, end):
                continue
            if (
                begun == at
                and after == end
                and callee.circular
                and self._chart.rank(callee, at, after) >= rank
            ):
                continue  # not known before the whole
            rest = yield self._ways(target, after, end, begun, rank)
            if not rest:
                continue
            inner = yield self.ways_of(callee, at, after)
            self._spend(len(inner) * len(rest))
            for one in inner:
                part = _Part(callee, move.reference, one)
                found += [Way(move.cost + one.cost + way.cost, part, way) for way in rest]
            if len(found) >= self._limit and not self._all:
                return

    def _fits(self, place: Place, at: int, end: int) -> bool:
        """Whether the next word, or the end, may be right behind `place`, as far as that is seen at once."""
        ahead = self._networks.ahead(place)
        if ahead.calls or ahead.crossroads or (ahead.any and at < end):
            return True
        if at == end:
            return ahead.final
        word = self._chart.words[at]
        return word in ahead.words or word in ahead.calls_on

    # -- the order of ends ---------------------------------------------------------------------------------

    def _next_end(self, network: Network, at: int, number: int) -> _Work:
        """The `number`-th preferred end of `network`, or None."""
        key = network, at
        order = self._orders.get(key)
        if order is None:
            order = self._orders[key] = _Order(self._networks.start(network), at)
        if number >= len(order.found) and (order.busy or self._tired):
            if order.longest is None:  # a rule that begins with itself, say
                order.longest = _bits(self._chart.ends(network, at))
            return order.longest[number] if number < len(order.longest) else None
        order.busy = True
        while number >= len(order.found) and order.work:
            self._order_steps += 1
            yield self._look(order)
        order.busy = False
        return order.found[number] if number < len(order.found) else None

    def _look(self, order: _Order) -> _Work:
        """One step of a search through a network, depth first in the document's order."""
        first, at, *call = order.work.pop()
        if call:
            move, number = call
            after = yield self._next_end(first, at, number)
            if after is not None:
                order.work.append((first, at, move, number + 1))
                target = move.target if after > at else move.empty
                if target is not None:
                    order.work.append((target, after))
            return
        place = first
        if (place, at) in order.seen:
            return
        order.seen.add((place, at))
        words = self._chart.words
        word = words[at] if at < len(words) else None
        for move in reversed(tuple(self._networks.moves(place, word))):
            if move.callee is not None:
                if self._chart.ends(move.callee, at):
                    order.work.append((move.callee, at, move, 0))
            elif move.word is None:
                order.work.append((move.target, at))
            elif word is not None and move.word in (word, ANY):
                order.work.append((move.target, at + 1))
        if place.final and at not in order.found:
            order.found.append(at)


def _likely(way: Way) -> float:
    return -way.cost


def _bits(number: int) -> list[int]:
    """The bits that are set, the highest first."""
    found = []
    while number:
        found.append(number.bit_length() - 1)
        number ^= 1 << found[-1]
    return found


def _branch(part: _Part) -> Branch:
    """The tree of what a rule has matched."""
    pieces = 0
    stack: list[tuple[_Part, list[Word | Mark | Branch], Way | None]] = [(part, [], part.way)]
    while True:
        part, children, way = stack.pop()
        if way is None:
            rule = part.network.rule
            if rule is None:
                continue
            uri = part.reference.uri and (rule.document.url or part.reference.uri) if part.reference else ""
            branch = Branch(rule.name, tuple(children), rule.document, uri)
            if not stack:
                return branch
            stack[-1][1].append(branch)
            continue
        stack.append((part, children, way.rest))
        pieces += 1
        if pieces > MAX_PIECES:
            raise GrammarError(f"a tree has more than {MAX_PIECES} pieces")
        piece = way.piece
        if isinstance(piece, _Part):
            stack.append((piece, [] if piece.network.rule is not None else children, piece.way))
        elif piece is not None:
            children.append(piece)
