"""The one place that reads clocks.

Everything that decides takes `now`, seconds of a monotonic clock, as an argument. Wall time exists only
for records and calendars, and is derived from the monotonic clock, so that a step of the system clock
in the middle of a call does not bend its record.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Where shells take the time from."""

    def now(self) -> float:
        """Seconds of the monotonic clock."""
        ...

    def wall_of(self, at: float) -> float:
        """The Unix time (seconds) at which `now` was `at`."""
        ...


class LoopClock:
    """The clock of an asyncio loop, anchored to wall time when it is made."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None, *, wall: float | None = None) -> None:
        self._loop = loop or asyncio.get_running_loop()
        self._offset = (time.time() if wall is None else wall) - self._loop.time()

    def now(self) -> float:
        """Seconds of the loop's clock."""
        return self._loop.time()

    def wall_of(self, at: float) -> float:
        """The Unix time (seconds) at which the loop's clock showed `at`."""
        return at + self._offset
