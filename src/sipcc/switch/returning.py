"""Callers whose calls outlived their process: those of queues, flows and menus go on where they were."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from sipcc.acd.keeping import Keeping
from sipcc.call import Call, Handler, Leg
from sipcc.call.events import CallEndedEvent

if TYPE_CHECKING:
    from sipcc.switch.switch import Switch


class Returning:
    """What becomes of them."""

    def __init__(self, switch: Switch, *, programs: Collection[Handler]) -> None:
        """Build it, for a switch that has its ACD, its shelves (open) and its treatment of queues.

        Treatments of `programs` begin anew, and find the place when they come to the queue, because nobody
        knows what else they would have done.
        """
        self.keeping = Keeping(switch.acd, switch.shelves, bus=switch.bus, clock=switch.clock)
        self._acd, self._queueing, self._programs = switch.acd, switch.queueing, programs
        self._switch = switch
        switch.bus.on(CallEndedEvent, lambda event: self.keeping.call_over(event.call))

    def treatment(self, call: Call, peer: Leg | None, handler: Handler | None) -> Handler | None:
        """What a call that was taken up goes on with; None when neither a queue nor a flow had it.

        Args:
            call: The call.
            peer: Whom the caller talks to; None for nobody.
            handler: What calls for this number begin with.
        """
        if peer is not None:
            entry_id = self.keeping.talk_of(call.id)
            return self._talk(entry_id, peer) if entry_id else None
        if handler in self._programs:
            return None
        queue = self.keeping.queue_of(call.id)
        return self._queueing.handler(queue) if queue else self._in_flow(call)

    def _in_flow(self, call: Call) -> Handler | None:
        treatments = self._switch.treatments
        place = treatments.flows.places.left.get(call.id)
        if place is None:
            return None
        if place.flow.startswith("menu:"):
            return treatments.menus.resumed(place)
        return treatments.flows.resumed(place, call.id)

    def _talk(self, entry_id: str, peer: Leg) -> Handler:
        async def handler(call: Call) -> None:
            queue = await self._acd.go_on(call, entry_id, call.converse(peer, resumed=True))
            if queue:
                await self._queueing.handler(queue)(call)

        return handler
