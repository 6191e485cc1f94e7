"""What callers did in the nodes of flows, folded from events.

A visit to a node counts where it was entered, and ends in one way: by one of the node's edges, or because the
call was over there. So entries = sum of edges + ended + still there.

A menu counts as the one node of a flow of its own, ``menu:NAME`` with the node NAME, its edges by the keys
that were typed. `sipcc.ivr.flows.menus.counts_in` puts these to the nodes of a flow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec

from sipcc.call.events import CallEndedEvent
from sipcc.events import Event
from sipcc.ivr.events import MenuEntered, MenuLeft, NodeEntered, NodeLeft

CONFUSING: Final = 0.1
"""A node is marked when more than this part of its callers is lost or says nothing."""


class NodeCounts(msgspec.Struct, kw_only=True):
    """What callers did in one node."""

    flow: str
    node: str
    entries: int = 0
    edges: dict[str, int] = msgspec.field(default_factory=dict)
    """How often each way was taken, by its name."""
    ended: int = 0
    """Calls that were over here: the caller hung up."""
    timed_out: int = 0
    """Visits in which nothing came in time, at least once; for menus, that ended so."""
    mistaken: int = 0
    """Visits in which something wrong came, at least once; for menus, that ended so."""

    @property
    def lost(self) -> float:
        """The part of the callers who hung up here, from 0 to 1."""
        return self.ended / self.entries if self.entries else 0.0

    @property
    def silent(self) -> float:
        """The part of the callers who let the time run out, from 0 to 1."""
        return self.timed_out / self.entries if self.entries else 0.0

    @property
    def confusing(self) -> bool:
        """Whether more than `CONFUSING` of the callers were lost or silent."""
        return max(self.lost, self.silent) > CONFUSING


Counts: TypeAlias = Mapping[tuple[str, str], NodeCounts]
"""By flow and node."""


class CountsFold:
    """Folds events into counts."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], NodeCounts] = {}
        self._inside: set[tuple[str, str, str]] = set()
        """Calls in nodes into which they were seen to go: an earlier visit does not count by halves."""
        self._menus: dict[str, str] = {}
        """The same for menus: the menu of each call."""

    def apply(self, event: Event, wall: float = 0.0) -> None:
        """Take in `event`, which happened at the Unix time `wall`."""
        if isinstance(event, NodeEntered):
            self._of(event.flow, event.node).entries += 1
            self._inside.add((event.call, event.flow, event.node))
        elif isinstance(event, NodeLeft) and (event.call, event.flow, event.node) in self._inside:
            self._inside.discard((event.call, event.flow, event.node))
            counts = self._of(event.flow, event.node)
            counts.timed_out += event.noinput > 0
            counts.mistaken += event.nomatch > 0
            if event.edge == "ended":
                counts.ended += 1
            else:
                counts.edges[event.edge] = counts.edges.get(event.edge, 0) + 1
        elif isinstance(event, MenuEntered):
            self._menu(event.menu).entries += 1
            self._menus[event.call] = event.menu
        elif isinstance(event, MenuLeft) and self._menus.get(event.call) == event.menu:
            del self._menus[event.call]
            counts = self._menu(event.menu)
            counts.timed_out += event.reason == "noinput"
            counts.mistaken += event.reason == "nomatch"
            edge = f"options.{event.keys}" if event.reason == "option" else "retry"
            counts.edges[edge] = counts.edges.get(edge, 0) + 1
        elif isinstance(event, CallEndedEvent) and event.call in self._menus:
            self._menu(self._menus.pop(event.call)).ended += 1

    def counts(self) -> Counts:
        """What was counted so far."""
        return dict(self._counts)

    def _menu(self, name: str) -> NodeCounts:
        return self._of(f"menu:{name}", name)

    def _of(self, flow: str, node: str) -> NodeCounts:
        key = (flow, node)
        if key not in self._counts:
            self._counts[key] = NodeCounts(flow=flow, node=node)
        return self._counts[key]
