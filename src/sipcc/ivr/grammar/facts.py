"""What is known of a linked grammar before any input: what matches at all, what may be nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from sipcc.ivr.grammar.model import (
    Choice,
    Expansion,
    Reference,
    Repeat,
    Rule,
    Sequence,
    Special,
    Tag,
    Token,
)

Node: TypeAlias = Expansion | Rule


NEVER: Final = 1 << 60
"""So many of its parts a node needs that cannot be what is asked."""


class Facts:
    """Facts of all nodes below a rule, which are told by their ids."""

    def __init__(self, root: Rule) -> None:
        self._nodes: dict[int, Node] = {}
        self._above: dict[int, list[Node]] = {}
        stack: list[Node] = [root]
        while stack:
            node = stack.pop()
            if id(node) in self._nodes:
                continue
            self._nodes[id(node)] = node
            for child in children(node):
                if not is_plain(child):
                    self._above.setdefault(id(child), []).append(node)
                    stack.append(child)
        self._good = self._fulfilled(_needs_to_match)
        self._empty = self._fulfilled(_needs_to_be_empty)
        self.weighted = any(_has_weight(node) for node in self._nodes.values())
        """Whether there are weights or probabilities that make one parse likelier than another."""
        self.circular = self._circular()
        """Ids of the rules that may come back to themselves without any word in between."""

    def matches(self, node: Node) -> bool:
        """Whether `node` matches some input; VOID, say, matches none."""
        return id(node) in self._good or is_plain(node)

    def may_be_empty(self, node: Node) -> bool:
        """Whether `node` may match nothing."""
        return id(node) in self._empty

    def size(self, node: Expansion, limit: int) -> int:
        """How many expansions `node` is when its repeats are written out, counted to `limit`."""
        found, stack = 0, [node]
        while stack and found < limit:
            one = stack.pop()
            found += 1
            if isinstance(one, Sequence | Choice):
                stack += one.items
            elif isinstance(one, Repeat):
                copies = copies_of(one.low, one.high, self.may_be_empty(one.item))
                found += copies * self.size(one.item, limit)
        return min(found, limit)

    def _fulfilled(self, needs: Callable[[Node], int]) -> frozenset[int]:
        """The nodes of which as many parts are fulfilled as `needs` says."""
        left = {key: needs(node) for key, node in self._nodes.items()}
        found = [key for key, count in left.items() if not count]
        for key in found:  # it grows
            for node in self._above.get(key, ()):
                left[id(node)] -= 1
                if not left[id(node)]:
                    found.append(id(node))
        return frozenset(found)

    def _circular(self) -> frozenset[int]:
        """Rules that lead to others without end, and are led to so: those on circles and between circles."""
        rules = [node for node in self._nodes.values() if isinstance(node, Rule)]
        onward = {id(rule): self._alone(rule) for rule in rules}
        back: dict[int, set[int]] = {id(rule): set() for rule in rules}
        for one, others in onward.items():
            for other in others:
                back[other].add(one)
        return frozenset(_without_dead_ends(onward, back) & _without_dead_ends(back, onward))

    def _alone(self, rule: Rule) -> set[int]:
        """The rules of which `rule` may consist, with nothing besides that has words."""
        found: set[int] = set()
        stack: list[Node] = [rule.body]
        while stack:
            node = stack.pop()
            if isinstance(node, Reference):
                assert node.rule is not None, "the grammar is not linked"
                found.add(id(node.rule))
            elif isinstance(node, Sequence):
                filled = [item for item in node.items if not self.may_be_empty(item)]
                if len(filled) < 2:
                    stack += filled or node.items
            elif isinstance(node, Choice | Repeat):
                stack += children(node)
        return found


def _without_dead_ends(onward: dict[int, set[int]], back: dict[int, set[int]]) -> set[int]:
    """Those from which one can go on for ever."""
    left = {one: len(others) for one, others in onward.items()}
    work = [one for one, count in left.items() if not count]
    while work:
        one = work.pop()
        for before in back[one]:
            left[before] -= 1
            if not left[before]:
                work.append(before)
    return {one for one, count in left.items() if count}


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


def is_seen(node: Expansion) -> bool:
    """Whether a tree shows something of `node` even when it matches nothing: a tag, or a rule."""
    stack: list[Node] = [node]
    while stack:
        one = stack.pop()
        if isinstance(one, Tag | Reference):
            return True
        stack += children(one)
    return False


def copies_of(low: int, high: int | None, may_be_empty: bool) -> int:
    """How often what is repeated is written out; once more for what may be nothing, where it must not be."""
    if high is not None:
        return high
    return low + 1 if may_be_empty else max(low, 1)


def is_plain(node: Node) -> bool:
    """Whether it is a token, or a sequence of tokens: long lists have thousands of these."""
    if isinstance(node, Token):
        return True
    return (
        isinstance(node, Sequence) and bool(node.items) and all(isinstance(one, Token) for one in node.items)
    )


def _needs_to_match(node: Node) -> int:
    if isinstance(node, Special):
        return NEVER if node.name == "VOID" else 0
    if isinstance(node, Choice):
        return 0 if any(is_plain(item) for item in node.items) else 1
    if isinstance(node, Repeat) and node.low == 0:
        return 0
    return sum(not is_plain(child) for child in children(node))


def _needs_to_be_empty(node: Node) -> int:
    if isinstance(node, Token):
        return NEVER
    if isinstance(node, Special):
        return NEVER if node.name == "VOID" else 0
    if isinstance(node, Choice):
        return 1
    if isinstance(node, Repeat) and node.low == 0:
        return 0
    below = children(node)
    return NEVER if any(is_plain(child) for child in below) else len(below)


def _has_weight(node: Node) -> bool:
    if isinstance(node, Repeat):
        return node.probability is not None
    return isinstance(node, Choice) and any(weight not in (None, 1.0) for weight in node.weights)
