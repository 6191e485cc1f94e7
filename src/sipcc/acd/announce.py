"""What a waiting caller hears: hold music, and now and then its place in the line.

This runs beside the offers, in a task of its own, so it never delays one; an answer cuts it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sipcc.acd.protocols import Caller
from sipcc.acd.settings import QueueSettings
from sipcc.errors import CallEnded

MIN_GAP = 15.0
"""Shortest silence between two announcements of a changed position, in seconds."""
CUT = 0.1
"""Longest time that an answer waits for an announcement to fall silent, in seconds."""
PROMPT = "queue_position"


class PositionPlan:
    """Decides when the position is spoken: at once, when it changed, and every so often."""

    def __init__(self, every: float, *, now: float) -> None:
        self._every = every
        self._spoken_at: float | None = None
        self._spoken = 0
        self.deadline = now
        """When to ask `due` next."""

    def due(self, position: int, *, now: float) -> bool:
        """True when `position` shall be spoken now; 0, for a caller not waiting, never is."""
        gap = min(MIN_GAP, self._every)
        if position == 0:
            self.deadline = now + gap
            return False
        if self._spoken_at is None or position != self._spoken or now >= self._spoken_at + self._every:
            return True
        self.deadline = self._spoken_at + self._every
        return False

    def spoken(self, position: int, *, now: float) -> None:
        """The announcement of `position` has ended."""
        self._spoken, self._spoken_at = position, now
        self.deadline = now + min(MIN_GAP, self._every)


async def entertain(
    call: Caller, settings: QueueSettings, position: Callable[[], int], now: Callable[[], float]
) -> None:
    """Play to a waiting caller until cancelled.

    Args:
        call: The caller.
        settings: The queue's.
        position: Its place now; 0 when it is not waiting.
        now: The clock.
    """
    try:
        _music(call, settings)
        if not settings.announce_position:
            return
        plan = PositionPlan(settings.announce_every, now=now())
        while True:
            await asyncio.sleep(max(0.0, plan.deadline - now()))
            place = position()
            if plan.due(place, now=now()):
                call.stop_playing()
                await call.play(PROMPT)
                await call.say("number", place)
                plan.spoken(place, now=now())
                _music(call, settings)
    except CallEnded:
        return


async def cut(task: asyncio.Task[None], call: Caller) -> None:
    """Silence the caller's side for an answer; takes `CUT` seconds at most."""
    task.cancel()
    await asyncio.wait({task}, timeout=CUT)
    call.stop_playing()


def _music(call: Caller, settings: QueueSettings) -> None:
    if settings.music:
        call.start_playing(settings.music, loop=True, shared=True)
