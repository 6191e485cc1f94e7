"""Callers who are taken out of a queue by another call: by a program whose caller speaks with them itself.

Agents serve queues; this is for a call that takes the first caller out of the line, however that one came
into it. For the queue it was answered, after its true wait, by nobody who is an agent. The two meet in a
conference of their own, which is over when either leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, cast

from sipcc.call import Call
from sipcc.call.conversation import BridgeResult
from sipcc.ivr.hooks.model import Take, Taken
from sipcc.ivr.live import LiveSession
from sipcc.ivr.steps import Conference

if TYPE_CHECKING:
    from sipcc.acd import Acd
    from sipcc.ivr.hooks.desk import Whisper
    from sipcc.ivr.services import Services
    from sipcc.ivr.session import Session

LOOK = 0.25
"""Seconds between two looks at a line in which nobody waits."""


class Meeting:
    """The conversation of two calls."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._over = asyncio.Event()

    async def join(self, session: Session) -> float:
        """Speak until either leaves, for the call that takes; seconds. Raises CallEnded when it is gone."""
        began = session.now()
        talking = asyncio.ensure_future(session.conference(Conference(name=self._name)))
        over = asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait({talking, over}, return_when=asyncio.FIRST_COMPLETED)
            if talking.done():
                talking.result()
            return session.now() - began
        finally:
            self._over.set()
            talking.cancel()
            over.cancel()
            await asyncio.wait({talking, over})

    async def receive(self, call: Call, before: Coroutine[Any, Any, None] | None) -> BridgeResult:
        """The same for the caller who waited, after `before`; it is recorded as its queue says."""
        try:
            if before is not None:
                await before
            return await call.taping.during(call, self._receive(call))
        finally:
            self._over.set()

    async def _receive(self, call: Call) -> BridgeResult:
        clock = call.context.clock
        began = clock.now()
        stay = await call.join(self._name)
        try:
            await call.unless_ended(self._over.wait())
        finally:
            stay.leave()
        return BridgeResult("callee", clock.now() - began)


class QueueDesk:
    """Takes callers out of the queues of a switch; a `sipcc.ivr.hooks.desk.Desk`."""

    def __init__(self, acd: Acd, services: Services) -> None:
        """`services` are for what a caller hears before it talks."""
        self._acd, self._services = acd, services

    async def take(self, session: Session, take: Take, whisper: Whisper | None = None) -> Taken:
        """Wait for the first of the line, and let the two speak."""
        until = None if take.timeout is None else session.now() + take.timeout
        meeting = Meeting(f"dequeue-{session.id}")

        async def meet(caller: Any, waited: float) -> BridgeResult:
            call = cast(Call, caller)
            before = None
            if whisper is not None:
                before = whisper(LiveSession(call, self._services), call.id, call.caller, waited)
            return await meeting.receive(call, before)

        while not self._acd.take(take.queue, meet, call=take.call):
            if until is not None and session.now() >= until:
                return Taken(take.queue, "timeout")
            await session.wait(LOOK)
        return Taken(take.queue, "complete", await meeting.join(session))
