"""The ways through a flow, worked out once for whoever checks, draws or walks it."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from sipcc.ivr.flows.model import Edge, Flow, Node, Target
from sipcc.ivr.flows.nodes import Menu

NO_HUMAN = frozenset({"hangup", "busy", "reject", "play", "echo", "ring", "survey"})
"""Kinds of destinations behind which nobody is; every other one leads on."""


class Way(NamedTuple):
    """One way out of a node."""

    source: str
    edge: Edge
    target: Target

    @property
    def following(self) -> str:
        """The node that it leads to; empty for none in this flow that can be told beforehand."""
        return self.target.node


class Ways:
    """All ways of one flow."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.of: dict[str, tuple[Way, ...]] = {
            name: tuple(_way(flow, name, edge) for edge in flow.edges_of(name)) for name in flow.nodes
        }
        """The ways out of each node."""
        self.depths = self._depths()
        """The menus on the shortest way from the start to each node that can be reached, itself counted."""

    @property
    def all(self) -> list[Way]:
        """Every way, in the order of the file."""
        return [way for ways in self.of.values() for way in ways]

    def node(self, name: str) -> Node:
        """A node by its name."""
        return self.flow.nodes[name]

    def to_human(self, flow_has_human: set[str]) -> bool:
        """Whether a way from the start leads to a person or a mailbox.

        Args:
            flow_has_human: The flows of which that is known.
        """
        for name in self.depths:
            node = self.node(name)
            if node.human or (node.calls and node.calls in flow_has_human):
                return True
            for way in self.of[name]:
                to = way.target.destination
                if to is None or to.kind in NO_HUMAN:
                    continue
                if str(to.kind) != "flow" or to.argument in flow_has_human:
                    return True
        return False

    @property
    def returns(self) -> bool:
        """Whether it is made to be called by other flows."""
        nodes = (self.node(name).kind == "return" for name in self.depths)
        return any(nodes) or any(
            way.target.special == "return" for name in self.depths for way in self.of[name]
        )

    def _depths(self) -> dict[str, int]:
        flow = self.flow
        depths: dict[str, int] = {}
        todo = deque([(flow.start, 0)])
        while todo:
            name, above = todo.popleft()
            deep = above + isinstance(flow.nodes[name], Menu)
            if depths.get(name, deep + 1) <= deep:
                continue
            depths[name] = deep
            for way in self.of[name]:
                if way.following:
                    todo.append((way.following, deep))
        return depths


def _way(flow: Flow, name: str, edge: Edge) -> Way:
    target = flow.resolve(edge.target) if edge.target else Target()
    if target.special == "top":
        target = Target(node=flow.start)
    return Way(name, edge, target)
