"""How input was parsed: of all ways, the first in the document's order, with repeats as long as they go.

A tree has the rules, and below them tokens, tags and further rules, as SRGS 1.0 has it in appendix H
("logical parse structure"): what a rule refers to stands in it, sequences and brackets do not.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import msgspec

from sipcc.ivr.grammar.chart import MAX_STEPS, STEPS_OF_A_WORD, Chart, Node
from sipcc.ivr.grammar.model import (
    Choice,
    Document,
    GrammarError,
    Reference,
    Repeat,
    Rule,
    Sequence,
    Special,
    Tag,
    Token,
)


class Word(msgspec.Struct, frozen=True):
    """A token that was matched, as the grammar writes it."""

    text: str
    language: str = ""


class Mark(msgspec.Struct, frozen=True):
    """A tag on the way."""

    text: str


@dataclass(frozen=True, slots=True)
class Branch:
    """A rule that was matched."""

    rule: str
    children: tuple[Word | Mark | Branch, ...]
    document: Document = field(compare=False, repr=False)
    """The grammar that has the rule."""
    uri: str = ""
    """Where that is, when another grammar refers to it; empty within one grammar."""

    @property
    def text(self) -> str:
        """What was matched: tokens with spaces between them, keys without."""
        return ("" if self.document.mode == "dtmf" else " ").join(self.words)

    @property
    def words(self) -> tuple[str, ...]:
        """All tokens below."""
        return tuple(child.text for child in _leaves(self) if isinstance(child, Word))

    @property
    def tags(self) -> tuple[str, ...]:
        """All tags below."""
        return tuple(child.text for child in _leaves(self) if isinstance(child, Mark))

    def __str__(self) -> str:
        """As in ``$order["I", "want", $drink["tea", {out = 1}]]``."""
        written: list[str] = []
        stack: list[Word | Mark | Branch | str] = [self]
        while stack:
            one = stack.pop()
            if isinstance(one, str):
                written.append(one)
            elif isinstance(one, Word):
                written.append(f'"{one.text}"')
            elif isinstance(one, Mark):
                written.append("{" + one.text + "}")
            else:
                written.append(f"$<{one.uri}#{one.rule}>[" if one.uri else f"${one.rule}[")
                stack.append("]")
                for number, child in enumerate(reversed(one.children)):
                    stack += [", ", child] if number else [child]
        return "".join(written)


def _leaves(branch: Branch) -> Iterator[Word | Mark]:
    stack: list[Word | Mark | Branch] = [branch]
    while stack:
        one = stack.pop()
        if isinstance(one, Branch):
            stack += reversed(one.children)
        else:
            yield one


_Work: TypeAlias = Generator[Any, Any, Any]


def _walk(work: _Work) -> Any:
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


def tree_of(chart: Chart) -> Branch:
    """The tree of what `chart` has matched; it must be complete."""
    try:
        (branch,) = _walk(_Tree(chart).build(chart.root, 0, chart.length))
    except _Circle:
        (branch,) = _walk(_Tree(chart, ranked=True).build(chart.root, 0, chart.length))
    assert isinstance(branch, Branch)
    return branch


MAX_TREE_STEPS = 10 * MAX_STEPS
TREE_STEPS_OF_A_WORD = 2 * STEPS_OF_A_WORD
"""These steps are shorter."""


class _Circle(Exception):
    """A rule comes back to itself without any input in between: the preferred way has no end."""


class _Tree:
    def __init__(self, chart: Chart, *, ranked: bool = False) -> None:
        """With `ranked`, everything is built of what was known before it; that always has an end."""
        self._chart = chart
        self._ranked = ranked
        self._under_way: set[tuple[int, int, int]] = set()
        self._steps = 0
        self._orders: dict[tuple[int, int], list[int]] = {}

    def _spend(self, steps: int) -> None:
        self._steps += steps
        limit = MAX_TREE_STEPS + self._chart.length * TREE_STEPS_OF_A_WORD
        if self._steps > limit:
            raise GrammarError(f"a tree takes more than {limit} steps")

    def _order(self, node: Node, start: int) -> _Work:
        """Where `node` may end, the preferred place first."""
        key = id(node), start
        known = self._orders.get(key)
        if known is not None:
            return known
        found = list(self._chart.ends(node, start))
        self._spend(len(found))
        if isinstance(node, Special):
            self._orders[key] = sorted(found)
            return self._orders[key]
        if len(found) < 2 or isinstance(node, Token):
            self._orders[key] = found
            return found
        self._orders[key] = sorted(found, reverse=True)  # for a rule that comes back to itself
        order: list[int] = []
        if isinstance(node, Choice):
            for item in node.items:
                if self._chart.ends(item, start):
                    order += yield self._order(item, start)
            order = list(dict.fromkeys(order))
        elif isinstance(node, Repeat):
            order = yield self._ends_of_rounds(node, start)
        else:
            order = yield self._ends_of_parts(_parts(node), start)
        self._orders[key] = [end for end in order if end in found]
        return self._orders[key]

    def _ends_of_parts(self, parts: tuple[Node, ...], start: int) -> _Work:
        order: list[int] = []
        seen = set()
        stack = [(0, start)]
        while stack:
            done, at = stack.pop()
            if (done, at) in seen:
                continue
            seen.add((done, at))
            if done == len(parts):
                order.append(at)
            else:
                ends = yield self._order(parts[done], at)
                self._spend(len(ends))
                stack += [(done + 1, end) for end in reversed(ends)]
        return order

    def _ends_of_rounds(self, node: Repeat, start: int) -> _Work:
        order: list[int] = []
        seen = set()
        stack = [(0, start, False)]
        while stack:
            count, at, over = stack.pop()
            if over:
                order.append(at)
                continue
            if (count, at) in seen:
                continue
            seen.add((count, at))
            if count >= node.low or at in self._chart.ends(node.item, at):
                stack.append((count, at, True))
            if node.high is None or count < node.high:
                ends = yield self._order(node.item, at)
                self._spend(len(ends))
                after = count + 1 if node.high is not None else min(count + 1, node.low)
                stack += [(after, end, False) for end in reversed(ends) if end > at]
        return list(dict.fromkeys(order))

    def build(self, node: Node, start: int, end: int) -> _Work:
        """What stands in the tree for `node` from `start` to `end`."""
        if isinstance(node, Token):
            return [Word(node.text, node.language)]
        if isinstance(node, Tag):
            return [Mark(node.text)]
        if isinstance(node, Special):
            return []
        self._spend(1)
        limit = self._chart.ends(node, start)[end]
        if isinstance(node, Choice):
            item = next(item for item in node.items if self._known(item, start, end, limit))
            return (yield self.build(item, start, end))
        if isinstance(node, Rule):
            key = id(node), start, end
            if key in self._under_way:
                raise _Circle
            self._under_way.add(key)
            children = yield self.build(node.body, start, end)
            self._under_way.discard(key)
            return [Branch(node.name, tuple(children), node.document)]
        if isinstance(node, Reference):
            assert node.rule is not None
            (branch,) = yield self.build(node.rule, start, end)
            if node.uri:
                branch = replace(branch, uri=node.rule.document.url or node.uri)
            return [branch]
        if isinstance(node, Repeat):
            cuts = yield self._rounds(node, start, end, limit)
            parts: tuple[Node, ...] = (node.item,) * (len(cuts) - 1)
        else:
            parts = _parts(node)
            cuts = yield self._cuts(parts, start, end, limit)
        built: list[Word | Mark | Branch] = []
        for part, begins, ends in zip(parts, cuts, cuts[1:], strict=False):
            built += yield self.build(part, begins, ends)
        if isinstance(node, Repeat) and len(parts) < node.low:
            nothing = yield self.build(node.item, end, end)
            self._spend(len(nothing) * node.low)
            built += nothing * (node.low - len(parts))
        return built

    def _known(self, node: Node, start: int, end: int, limit: int) -> bool:
        rank = self._chart.ends(node, start).get(end)
        return rank is not None and (rank < limit or not self._ranked)

    def _cuts(self, parts: tuple[Node, ...], start: int, end: int, limit: int) -> _Work:
        """Where each part begins, and where the last ends."""
        seen = set()
        stack: list[tuple[int, tuple[int, ...]]] = [(0, (start,))]
        while stack:
            done, cuts = stack.pop()
            if (done, cuts[-1]) in seen:
                continue
            seen.add((done, cuts[-1]))
            if done == len(parts):
                if cuts[-1] == end:
                    return cuts
                continue
            part, begins = parts[done], cuts[-1]
            ends = yield self._order(part, begins)
            self._spend(len(ends))
            good = (at for at in reversed(ends) if at <= end and self._known(part, begins, at, limit))
            stack += [(done + 1, (*cuts, at)) for at in good]
        raise AssertionError("the chart knows a way")

    def _rounds(self, node: Repeat, start: int, end: int, limit: int) -> _Work:
        """Where each round begins, and where the last ends; one round of nothing stands for all of them."""
        seen = set()
        stack: list[tuple[int, ...]] = [(start,)]
        while stack:
            cuts = stack.pop()
            count = len(cuts) - 1
            if (count, cuts[-1]) in seen:
                continue
            seen.add((count, cuts[-1]))
            if cuts[-1] == end:
                if count >= node.low:
                    return cuts
                if self._known(node.item, end, end, limit):
                    return (*cuts, end)
            if node.high is None or count < node.high:
                begins = cuts[-1]
                ends = yield self._order(node.item, begins)
                self._spend(len(ends))
                good = (at for at in reversed(ends) if begins < at <= end)
                stack += [(*cuts, at) for at in good if self._known(node.item, begins, at, limit)]
        raise AssertionError("the chart knows a way")


def _parts(node: Node) -> tuple[Node, ...]:
    if isinstance(node, Rule):
        return (node.body,)
    if isinstance(node, Reference):
        assert node.rule is not None
        return (node.rule,)
    return node.items if isinstance(node, Sequence) else ()
