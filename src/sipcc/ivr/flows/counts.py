"""What callers did in the nodes of flows, folded from events.

A visit to a node counts where it was entered, and ends in one way: by one of the node's edges, or because the
call was over there. So entries = sum of edges + ended + still there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec

from sipcc.events import Event
from sipcc.ivr.events import NodeEntered, NodeLeft

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
    """Visits in which nothing came in time, at least once."""
    mistaken: int = 0
    """Visits in which something wrong came, at least once."""

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

    def apply(self, event: Event, wall: float = 0.0) -> None:
        """Take in `event`, which happened at the Unix time `wall`."""
        if isinstance(event, NodeEntered):
            self._of(event).entries += 1
            self._inside.add((event.call, event.flow, event.node))
        elif isinstance(event, NodeLeft) and (event.call, event.flow, event.node) in self._inside:
            self._inside.discard((event.call, event.flow, event.node))
            counts = self._of(event)
            counts.timed_out += event.noinput > 0
            counts.mistaken += event.nomatch > 0
            if event.edge == "ended":
                counts.ended += 1
            else:
                counts.edges[event.edge] = counts.edges.get(event.edge, 0) + 1

    def counts(self) -> Counts:
        """What was counted so far."""
        return dict(self._counts)

    def _of(self, event: NodeEntered | NodeLeft) -> NodeCounts:
        key = (event.flow, event.node)
        if key not in self._counts:
            self._counts[key] = NodeCounts(flow=event.flow, node=event.node)
        return self._counts[key]
