"""What the switch does with a caller that is sent to a queue: let it wait, and send it on afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sipcc.acd import QueueHandle, QueueResult
from sipcc.acd.callback import HERE
from sipcc.call import Call, Destination, Handler
from sipcc.errors import ConfigError, LocalProtocolError
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
        self.booked_prompt = ""
        """What a caller hears who has booked a callback; empty for nothing."""
        self.after_talk: Callable[[Call, QueueResult], Awaitable[None]] | None = None
        """What follows a conversation with an agent, such as a survey."""

    def handler(self, name: str) -> Handler:
        """The treatment of calls that are sent to the queue called `name`, if it is there still."""

        async def handler(call: Call) -> None:
            await self.wait(call, lambda: self._queue(name).enter(call))

        return handler

    async def wait(self, call: Call, enter: Callable[[], Awaitable[QueueResult]]) -> None:
        """Answer `call`, let it wait by `enter`, and send it on to where that leads."""
        first = call.id not in self._hops
        self._hops.setdefault(call.id, 0)
        try:
            await call.answer()
            try:
                result = await enter()
            except LocalProtocolError as error:  # a reload took the queue away while the call was on its way
                _log.warning("queue.gone", call_id=call.id, error=str(error))
                result = QueueResult(exit="closed", waited=0.0)
            await self._go_on(call, result)
        finally:
            if first:
                self._hops.pop(call.id, None)

    async def _go_on(self, call: Call, result: QueueResult) -> None:
        if result.exit == "answered" and self.after_talk is not None:
            await self.after_talk(call, result)
        if result.exit == "answered" or call.ended:
            return
        if result.exit == "callback_booked":
            if self.booked_prompt:
                await call.play(self.booked_prompt)
            return
        handler = None
        if result.to not in ("", HERE) and (result.exit == "key_exit" or self._may_hop(call, result)):
            handler = self._handler_to(call, result.to)
        if handler is not None:
            await handler(call)
        else:
            await call.play("no_agents")

    def _handler_to(self, call: Call, to: str) -> Handler | None:
        """The treatment behind a destination; None for one that a reload took away."""
        try:
            return self._handler_of(Destination.parse(to))
        except (ConfigError, LocalProtocolError) as error:
            _log.warning("queue.leads_nowhere", call_id=call.id, to=to, error=str(error))
            return None

    def _may_hop(self, call: Call, result: QueueResult) -> bool:
        """Count a hop; False for one too many, as when queues overflow into each other."""
        hops = self._hops.get(call.id, 0)  # a transfer out of a queue ends the handler that counted
        if hops >= MAX_HOPS:
            _log.warning("queue.too_many_hops", call_id=call.id, exit=result.exit, to=result.to)
            return False
        self._hops[call.id] = hops + 1
        return True
