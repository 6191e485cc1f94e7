"""What is known of a linked grammar before any input: what matches at all, what may be nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

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


class Facts:
    """Facts of all nodes below a rule; nodes are told by their ids."""

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
                self._above.setdefault(id(child), []).append(node)
                stack.append(child)
        self.good = self._fixed(_matches)
        """What matches some input; VOID, say, matches none."""
        self.empty = self._fixed(_may_be_empty)
        """What may match nothing."""
        self.weighted = any(_has_weight(node) for node in self._nodes.values())
        """Whether there are weights or probabilities that make one parse likelier than another."""
        self.circular = self._circular()
        """Ids of the rules that may come back to themselves without any word in between."""

    def _fixed(self, test: Callable[[Node, set[int]], bool]) -> frozenset[int]:
        """The nodes that fulfil `test`, which knows those that do so far."""
        found: set[int] = set()
        work = list(self._nodes.values())
        while work:
            node = work.pop()
            if id(node) not in found and test(node, found):
                found.add(id(node))
                work += self._above.get(id(node), [])
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
                filled = [item for item in node.items if id(item) not in self.empty]
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


def size_of(node: Expansion, limit: int) -> int:
    """How many expansions there are in `node`, counted to `limit`."""
    found, stack = 0, [node]
    while stack and found < limit:
        one = stack.pop()
        found += 1
        if isinstance(one, Sequence | Choice):
            stack += one.items
        elif isinstance(one, Repeat):
            found += (one.low if one.high is None else one.high) * size_of(one.item, limit)
    return min(found, limit)


def _matches(node: Node, good: set[int]) -> bool:
    if isinstance(node, Special):
        return node.name != "VOID"
    if isinstance(node, Choice):
        return any(id(item) in good for item in node.items)
    if isinstance(node, Repeat) and node.low == 0:
        return True
    return all(id(child) in good for child in children(node))


def _may_be_empty(node: Node, empty: set[int]) -> bool:
    if isinstance(node, Token):
        return False
    if isinstance(node, Special):
        return node.name != "VOID"
    if isinstance(node, Choice):
        return any(id(item) in empty for item in node.items)
    if isinstance(node, Repeat) and node.low == 0:
        return True
    return all(id(child) in empty for child in children(node))


def _has_weight(node: Node) -> bool:
    if isinstance(node, Repeat):
        return node.probability is not None
    return isinstance(node, Choice) and any(weight not in (None, 1.0) for weight in node.weights)
