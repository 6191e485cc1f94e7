"""What a waiting caller hears: hold music, and now and then what it is told.

This runs beside the offers, in a task of its own, so it never delays one; an answer cuts it.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from sipcc.acd.comfort import Announcer
from sipcc.acd.protocols import Caller
from sipcc.acd.settings import QueueSettings
from sipcc.errors import CallEnded

CUT = 0.1
"""Longest time that an answer waits for an announcement to fall silent, in seconds."""


class Prospect(Protocol):
    """Knows how a waiting caller stands."""

    def now(self) -> float:
        """Seconds of the clock."""
        ...

    def position(self, entry_id: str) -> int:
        """The place of a waiting caller; 0 when it is not waiting."""
        ...

    def expected_wait(self, entry_id: str) -> float:
        """Seconds that a waiting caller is expected to wait from now; 0 when it is not waiting."""
        ...


async def entertain(call: Caller, settings: QueueSettings, entry_id: str, prospect: Prospect) -> None:
    """Play to a waiting caller until cancelled.

    Args:
        call: The caller.
        settings: The queue's.
        entry_id: Its entry.
        prospect: Tells its place and its wait.
    """
    try:
        _music(call, settings)
        announcer = Announcer(settings, now=prospect.now())
        while (deadline := announcer.deadline) is not None:
            await asyncio.sleep(max(0.0, deadline - prospect.now()))
            place, wait = prospect.position(entry_id), prospect.expected_wait(entry_id)
            parts = announcer.due(place, wait, now=prospect.now())
            if parts:
                call.stop_playing()
                for kind, value in parts:
                    await (call.play(str(value)) if kind == "prompt" else call.say(kind, value))
                announcer.spoken(now=prospect.now())
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
