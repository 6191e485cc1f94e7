"""Where callers are in flows and menus, written down: the next process goes on there with who is still up."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final

import msgspec

from sipcc.call.events import CallEndedEvent
from sipcc.events import Event
from sipcc.ivr.events import NodeEntered
from sipcc.ivr.flows.run import Playable

if TYPE_CHECKING:
    from sipcc.bus import Bus
    from sipcc.ivr.session import Session
    from sipcc.shelves import Shelves

LONGEST: Final = 1000
"""Characters of a variable that is kept."""

MOST: Final = 100
"""Variables that are kept for a call."""


class FlowPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A caller's place in a flow of nodes."""

    flow: str
    """The destination that leads there: ``flow:bank``, ``menu:main``."""
    version: str
    node: str
    language: str
    values: dict[str, str | int | float | bool]
    """The variables of the call; no secret is among them."""


class FlowPlaces:
    """The places of all calls."""

    def __init__(self, shelves: Shelves, bus: Bus) -> None:
        """Learn those that an earlier process has left; the shelves are open."""
        self._shelf = shelves.shelf("flow-places", FlowPlace)
        self.left = self._shelf.left
        """Those that an earlier process has left, by the calls' ids."""
        bus.on(CallEndedEvent, lambda event: self.over(event.call))

    def taken_up(self, calls: Collection[str]) -> None:
        """These calls of the earlier process are still up; what is left of others is over."""
        for call in self.left.keys() - set(calls):
            self.over(call)

    def over(self, call: str) -> None:
        """A call is in no flow any more."""
        self.left.pop(call, None)
        self._shelf.over(call)

    def watching(
        self, destination: str, flow: Playable, session: Session, tell: Callable[[Event], None]
    ) -> Callable[[Event], None]:
        """`tell`, which also writes down where the call is in `flow` when it comes to something that lasts.

        The nodes of flows that it calls are none of these: their caller begins the called flow anew.
        """
        graph = flow.flow
        if graph is None:
            return tell

        def told(event: Event) -> None:
            tell(event)
            if isinstance(event, NodeEntered) and event.flow == flow.name:
                node = graph.nodes[event.node]
                if node.asks or node.takes_time or node.calls:
                    self._note(destination, flow.version, event.node, session)

        return told

    def _note(self, destination: str, version: str, node: str, session: Session) -> None:
        values: dict[str, str | int | float | bool] = {}
        for name, value in session.variables.items():
            short = isinstance(value, int | float) or (isinstance(value, str) and len(value) <= LONGEST)
            if short and len(values) < MOST:
                values[name] = value  # type: ignore[assignment]  # it was looked at just now
        place = FlowPlace(
            flow=destination, version=version, node=node, language=session.language, values=values
        )
        self._shelf.note(session.id, place)


def fits(place: FlowPlace, flow: Playable | None) -> bool:
    """Whether a flow is still the one in which a caller has that place."""
    return (
        flow is not None
        and flow.flow is not None
        and flow.version == place.version
        and place.node in flow.flow.nodes
    )


def take_up(place: FlowPlace, session: Session) -> None:
    """Give a session what is known of its caller."""
    session.language = place.language
    session.variables.update(place.values)
