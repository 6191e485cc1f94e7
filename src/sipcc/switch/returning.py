"""Callers of queues whose calls outlived their process: they go on where they were."""

from __future__ import annotations

from collections.abc import Collection

from sipcc.acd import Acd
from sipcc.acd.keeping import Keeping
from sipcc.bus import Bus
from sipcc.call import Call, Handler, Leg
from sipcc.call.events import CallEndedEvent
from sipcc.clock import Clock
from sipcc.shelves import Shelves
from sipcc.switch.queueing import Queueing


class Returning:
    """What becomes of them."""

    def __init__(
        self,
        acd: Acd,
        shelves: Shelves,
        queueing: Queueing,
        *,
        bus: Bus,
        clock: Clock,
        programs: Collection[Handler],
    ) -> None:
        """Build it.

        Args:
            acd: Whose agents and callers are kept.
            shelves: Where they are kept; open.
            queueing: The treatment of callers in queues.
            bus: Tells when calls end.
            clock: For times.
            programs: Treatments that a program wrote: they begin anew, and find the place when they come to
                the queue, because nobody knows what else they would have done.
        """
        self.keeping = Keeping(acd, shelves, bus=bus, clock=clock)
        self._acd, self._queueing, self._programs = acd, queueing, programs
        bus.on(CallEndedEvent, lambda event: self.keeping.call_over(event.call))

    def treatment(self, call: Call, peer: Leg | None, handler: Handler | None) -> Handler | None:
        """What a call that was taken up goes on with; None when no queue had it.

        Args:
            call: The call.
            peer: Whom the caller talks to; None for nobody.
            handler: What calls for this number begin with.
        """
        if peer is not None:
            entry_id = self.keeping.talk_of(call.id)
            return self._talk(entry_id, peer) if entry_id else None
        queue = self.keeping.queue_of(call.id)
        return self._queueing.handler(queue) if queue and handler not in self._programs else None

    def _talk(self, entry_id: str, peer: Leg) -> Handler:
        async def handler(call: Call) -> None:
            queue = await self._acd.go_on(call, entry_id, call.converse(peer, resumed=True))
            if queue:
                await self._queueing.handler(queue)(call)

        return handler
