"""What the switch does with a caller that is sent to a queue: let it wait, and send it on afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sipcc.acd import QueueHandle, QueueResult
from sipcc.call import Call, Destination, Handler
from sipcc.log import get_logger

_log = get_logger("sipcc.switch.queueing")

MAX_HOPS = 5
"""So often a call goes on by itself from one queue to somewhere else; then it ends."""


class Queueing:
    """The handlers of queues; they count how often each call has gone on."""

    def __init__(
        self, queue: Callable[[str], QueueHandle], handler_of: Callable[[Destination], Handler]
    ) -> None:
        """Build it.

        Args:
            queue: Finds a queue by its name.
            handler_of: Finds the treatment behind a destination.
        """
        self._queue, self._handler_of = queue, handler_of
        self._hops: dict[str, int] = {}

    def handler(self, name: str) -> Handler:
        """The treatment of calls that are sent to the queue called `name`.

        Raises:
            LocalProtocolError: there is none.
        """
        queue = self._queue(name)

        async def handler(call: Call) -> None:
            await self.wait(call, lambda: queue.enter(call))

        return handler

    async def wait(self, call: Call, enter: Callable[[], Awaitable[QueueResult]]) -> None:
        """Answer `call`, let it wait by `enter`, and send it on to where that leads."""
        first = call.id not in self._hops
        self._hops.setdefault(call.id, 0)
        try:
            await call.answer()
            await self._go_on(call, await enter())
        finally:
            if first:
                self._hops.pop(call.id, None)

    async def _go_on(self, call: Call, result: QueueResult) -> None:
        if result.exit == "answered" or call.ended:
            return
        if result.to and (result.exit == "key_exit" or self._may_hop(call, result)):
            await self._handler_of(Destination.parse(result.to))(call)
        else:
            await call.play("no_agents")

    def _may_hop(self, call: Call, result: QueueResult) -> bool:
        """Count a hop; False for one too many, as when queues overflow into each other."""
        hops = self._hops.get(call.id, 0)  # a transfer out of a queue ends the handler that counted
        if hops >= MAX_HOPS:
            _log.warning("queue.too_many_hops", call_id=call.id, exit=result.exit, to=result.to)
            return False
        self._hops[call.id] = hops + 1
        return True
