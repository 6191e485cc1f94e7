"""Recognises input by a linked grammar, word by word.

A node is an expansion or a rule. For each node and each place where it may begin, the chart knows where it
may end, and who waits for that; so left recursion ends, and everything takes a time that is bounded by the
number of nodes and the cube of the length. `MAX_STEPS` and `STEPS_OF_A_WORD` bound it for good.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

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

Node: TypeAlias = Expansion | Rule

MAX_STEPS = 30_000
"""Steps of one match; a step takes some microseconds."""
STEPS_OF_A_WORD = 1_000
"""Steps more for each word: what a rule that ends with itself takes grows with the square of the words."""
MAX_WORDS = 500
"""Words or keys of one input."""
LONG = 16
"""Items from which on a choice looks at those only that begin with the word that comes."""

MAX_LOOKS = 8
"""Brackets and references that are looked behind for the first word of an item; a choice counts as three."""

_Waiter: TypeAlias = tuple[Node, int, int, int]
"""Who goes on: the node, where it began, how far it had come, and where its part began."""


class _Span:
    __slots__ = ("ends", "waiters")

    def __init__(self) -> None:
        self.ends: dict[int, int] = {}
        self.waiters: list[_Waiter] = []


def productive(root: Rule) -> frozenset[int]:
    """The ids of all nodes below `root` that match some input; VOID, say, matches none."""
    nodes: dict[int, Node] = {}
    above: dict[int, list[Node]] = {}
    stack: list[Node] = [root]
    while stack:
        node = stack.pop()
        if id(node) in nodes:
            continue
        nodes[id(node)] = node
        for child in children(node):
            above.setdefault(id(child), []).append(node)
            stack.append(child)
    good: set[int] = set()
    work = list(nodes.values())
    while work:
        node = work.pop()
        if id(node) not in good and _matches_some(node, good):
            good.add(id(node))
            work += above.get(id(node), [])
    return frozenset(good)


def children(node: Node) -> tuple[Node, ...]:
    """The nodes right below."""
    if isinstance(node, Rule):
        return (node.body,)
    if isinstance(node, Reference):
        assert node.rule is not None, "the grammar is not linked"
        return (node.rule,)
    if isinstance(node, Sequence | Choice):
        return node.items
    if isinstance(node, Repeat):
        return (node.item,)
    return ()


def _matches_some(node: Node, good: set[int]) -> bool:
    if isinstance(node, Special):
        return node.name != "VOID"
    if isinstance(node, Choice):
        return any(id(item) in good for item in node.items)
    if isinstance(node, Repeat) and node.low == 0:
        return True
    return all(id(child) in good for child in children(node))


class Chart:
    """What is known after the words so far."""

    def __init__(self, root: Rule, good: frozenset[int]) -> None:
        self.root = root
        self.length = 0
        self.words: list[str] = []
        self._good = good
        self._spans: dict[tuple[int, int], _Span] = {}
        self._steps = 0
        self._facts = 0
        self._waiting: list[tuple[Node, int, int]] = []
        self._work: list[tuple[_Waiter, int]] = []
        self._seen: set[tuple[int, int, int, int]] = set()
        if id(root) in good:
            self._call(root, None)
            self._run()

    @property
    def complete(self) -> bool:
        """Whether the words so far are right."""
        return self.length in self.ends(self.root, 0)

    @property
    def open(self) -> bool:
        """Whether more words may be right."""
        return bool(self._waiting)

    def wants(self, word: str) -> bool:
        """Whether a token goes on with this word here."""
        for node, _, progress in self._waiting:
            if isinstance(node, Token) and node.words[progress] == word:
                return True
            if isinstance(node, Choice) and word in _sorted(node, self._good)[0]:
                return True
        return False

    def ends(self, node: Node, start: int) -> Mapping[int, int]:
        """Where `node` may end when it begins at `start`, with numbers: the smaller, the earlier known."""
        span = self._spans.get((id(node), start))
        return {} if span is None else span.ends

    def feed(self, word: str) -> None:
        """One more word. GrammarError when it takes too long."""
        for node, start, _ in self._waiting[:]:
            if isinstance(node, Choice):
                for item in reversed(_sorted(node, self._good)[0].get(word, ())):
                    self._call(item, (node, start, 1, start))
        self._run()
        waiting, self._waiting = self._waiting, []
        self.words.append(word)
        self.length += 1
        if self.length > MAX_WORDS:
            raise GrammarError(f"more than {MAX_WORDS} words")
        self._seen.clear()
        for node, start, progress in waiting:
            if isinstance(node, Token):
                if node.words[progress] == word:
                    self._word(node, start, progress + 1)
            elif isinstance(node, Special):  # GARBAGE
                self._end(node, start, self.length)
                self._waiting.append((node, start, 0))
        self._run()

    def _word(self, token: Token, start: int, progress: int) -> None:
        if progress == len(token.words):
            self._end(token, start, self.length)
        else:
            self._waiting.append((token, start, progress))

    def _end(self, node: Node, start: int, end: int) -> None:
        span = self._spans[id(node), start]
        if end not in span.ends:
            self._facts += 1
            span.ends[end] = self._facts
            self._spend(len(span.waiters))
            self._work += [(waiter, end) for waiter in span.waiters]

    def _run(self) -> None:
        while self._work:
            waiter, at = self._work.pop()
            self._go(*waiter, at)

    def _call(self, node: Node, waiter: _Waiter | None) -> None:
        """Begin `node` here; `waiter` goes on behind each of its ends."""
        start = self.length
        if id(node) not in self._good:
            return
        self._spend(1)
        span = self._spans.get((id(node), start))
        if span is not None:
            assert waiter is not None
            span.waiters.append(waiter)
            self._spend(len(span.ends))
            self._work += [(waiter, end) for end in span.ends]
            return
        span = self._spans[id(node), start] = _Span()
        if waiter is not None:
            span.waiters.append(waiter)
        if isinstance(node, Token):
            self._word(node, start, 0)
        elif isinstance(node, Special):
            self._end(node, start, start)
            if node.name == "GARBAGE":
                self._waiting.append((node, start, 0))
        elif isinstance(node, Tag):
            self._end(node, start, start)
        else:
            self._work.append(((node, start, 0, start), start))

    def _spend(self, steps: int) -> None:
        self._steps += steps
        limit = MAX_STEPS + self.length * STEPS_OF_A_WORD
        if self._steps > limit:
            raise GrammarError(f"a match takes more than {limit} steps")

    def _go(self, node: Node, start: int, progress: int, part: int, at: int) -> None:
        """`node`, begun at `start`, has come to `at`: `progress` parts are done, the last begun at `part`."""
        if isinstance(node, Repeat):
            self._go_round(node, start, progress, part, at)
            return
        key = (id(node), start, progress, at)
        if key in self._seen:
            return
        self._seen.add(key)
        parts = 1 if isinstance(node, Choice) else len(children(node))
        if progress == parts:
            self._end(node, start, at)
        elif isinstance(node, Choice):
            items = node.items
            if len(items) >= LONG:
                by_word, items = _sorted(node, self._good)
                if by_word:
                    self._waiting.append((node, start, 0))
            for item in reversed(items):  # the work is done from its end
                self._call(item, (node, start, 1, at))
        else:
            self._call(children(node)[progress], (node, start, progress + 1, at))

    def _go_round(self, node: Repeat, start: int, count: int, part: int, at: int) -> None:
        if count and at == part:  # a round of nothing: all that are needed may be like it
            self._end(node, start, at)
            return
        key = (id(node), start, count, at)
        if key in self._seen:
            return
        self._seen.add(key)
        if count >= node.low:
            self._end(node, start, at)
        if node.high is None:
            count = min(count, node.low)
        elif count >= node.high:
            return
        self._call(node.item, (node, start, count + 1, at))


def _firsts(item: Expansion, looks: int = MAX_LOOKS) -> frozenset[str]:
    """The words that an item of a choice begins with; none when that is not known from its look."""
    nothing: frozenset[str] = frozenset()
    if isinstance(item, Token):
        return frozenset(item.words[:1])
    if looks <= 0:
        return nothing
    if isinstance(item, Sequence):
        first = next((one for one in item.items if not isinstance(one, Tag)), None)
        return nothing if first is None else _firsts(first, looks - 1)
    if isinstance(item, Reference) and item.rule is not None:
        return _firsts(item.rule.body, looks - 1)
    if isinstance(item, Choice) and len(item.items) < LONG:
        found = [_firsts(one, looks - 3) for one in item.items]
        return frozenset().union(*found) if all(found) else nothing
    return nothing


def _sorted(
    node: Choice, good: frozenset[int]
) -> tuple[dict[str, tuple[Expansion, ...]], tuple[Expansion, ...]]:
    """The items by the words that they begin with, and those of which that is not known."""
    if node.sorted is None:
        by_word: dict[str, list[Expansion]] = {}
        others = []
        for item in node.items:
            firsts = _firsts(item)
            if not firsts:
                others.append(item)
            elif id(item) in good:
                for word in firsts:
                    by_word.setdefault(word, []).append(item)
        node.sorted = {word: tuple(items) for word, items in by_word.items()}, tuple(others)
    return node.sorted
