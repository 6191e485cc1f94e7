"""Recognises input by the networks of a grammar, word by word.

For each place the chart knows all positions at which its rule may have begun, as the bits of one number: what
goes on does so for all of them at once. So every grammar takes a time that grows no faster than the square of
the words, with a further factor for numbers of that many bits. `MAX_STEPS` and `STEPS_OF_A_WORD` bound it.
"""

from __future__ import annotations

from sipcc.ivr.grammar.builder import MAX_WORDS
from sipcc.ivr.grammar.model import GrammarError
from sipcc.ivr.grammar.network import Networks
from sipcc.ivr.grammar.places import Move, Network, Place

MAX_STEPS = 100_000
"""Steps of one match; a step takes about a microsecond."""
STEPS_OF_A_WORD = 2_000
"""Steps more for each word."""


class _Calls:
    """A network that was called at a position."""

    __slots__ = ("back", "empty", "ends")

    def __init__(self) -> None:
        self.ends = 0
        """Where it may end, as bits."""
        self.back: dict[Place, int] = {}
        """The places to which it leads back, each with the beginnings of its rule."""
        self.empty: dict[Place, int] = {}
        """The same for when it has matched nothing."""


class Chart:
    """What is known after the words so far."""

    def __init__(self, networks: Networks) -> None:
        self.networks = networks
        self.root = networks.of(networks.root)
        self.words: list[str] = []
        self.length = 0
        self._calls: dict[tuple[Network, int], _Calls] = {}
        self._ranks: dict[tuple[Network, int, int], int] = {}
        self._here: dict[Place, int] = {}
        self._work: list[tuple[Place, int]] = []
        self._steps = 0
        self._word = ""
        if networks.facts.matches(networks.root):
            self._begin(self.root)
            self._run()

    @property
    def complete(self) -> bool:
        """Whether the words so far are right."""
        return bool(self.ends(self.root, 0) >> self.length & 1)

    @property
    def open(self) -> bool:
        """Whether more words may be right."""
        return any(self.networks.ahead(place).open for place in self._here)

    def wants(self, word: str) -> bool:
        """Whether a token goes on with this word here."""
        ahead = [self.networks.ahead(place) for place in self._here]
        return any(word in one.words or word in one.calls_on for one in ahead)

    def ends(self, network: Network, start: int) -> int:
        """Where `network` may end when it begins at `start`: bit 3 for position 3."""
        calls = self._calls.get((network, start))
        return 0 if calls is None else calls.ends

    def rank(self, network: Network, start: int, end: int) -> int:
        """A number for what a circular network has matched: it can be made of what has smaller ones."""
        return self._ranks[network, start, end]

    def feed(self, word: str) -> None:
        """One more word. GrammarError when it takes too long."""
        if self.length >= MAX_WORDS:
            raise GrammarError(f"more than {MAX_WORDS} words")
        self._word = word
        for place, starts in list(self._here.items()):
            self._call_ahead(place, starts)
        self._run()
        here, self._here = self._here, {}
        self._word = ""
        self.words.append(word)
        self.length += 1
        for place, starts in here.items():
            ahead = self.networks.ahead(place)
            for target in ahead.words.get(word, ()):
                self._add(target, starts)
            for target in ahead.any:
                self._add(target, starts)
        self._run()

    def _add(self, place: Place, starts: int) -> None:
        known = self._here.get(place, 0)
        new = starts & ~known
        if new:
            self._here[place] = known | new
            self._work.append((place, new))

    def _run(self) -> None:
        while self._work:
            place, starts = self._work.pop()
            self._spend(1)
            ahead = self.networks.ahead(place)
            for one in ahead.crossroads:
                self._add(one, starts)
            for move in ahead.calls:
                self._call(move, starts)
            if self._word:
                self._call_ahead(place, starts)
            if ahead.final:
                self._end(place.network, starts)

    def _call_ahead(self, place: Place, starts: int) -> None:
        """Call the rules that begin with the word that comes."""
        for move in self.networks.ahead(place).calls_on.get(self._word, ()):
            self._call(move, starts)

    def _begin(self, network: Network) -> _Calls:
        calls = self._calls[network, self.length] = _Calls()
        self._add(self.networks.start(network), 1 << self.length)
        return calls

    def _call(self, move: Move, starts: int) -> None:
        assert move.callee is not None
        self._spend(1)
        calls = self._calls.get((move.callee, self.length)) or self._begin(move.callee)
        calls.back[move.target] = calls.back.get(move.target, 0) | starts
        if move.empty is not None:
            calls.empty[move.empty] = calls.empty.get(move.empty, 0) | starts
            if calls.ends >> self.length & 1:
                self._add(move.empty, starts)

    def _end(self, network: Network, starts: int) -> None:
        at = self.length
        while starts:
            low = starts & -starts
            starts ^= low
            begun = low.bit_length() - 1
            calls = self._calls[network, begun]
            if calls.ends >> at & 1:
                continue
            calls.ends |= 1 << at
            if network.circular:
                self._ranks[network, begun, at] = len(self._ranks)
            back = calls.empty if begun == at else calls.back
            self._spend(len(back))
            for place, waiting in back.items():
                self._add(place, waiting)

    def _spend(self, steps: int) -> None:
        self._steps += steps
        limit = MAX_STEPS + self.length * STEPS_OF_A_WORD
        if self._steps > limit:
            raise GrammarError(f"a match takes more than {limit} steps")
