"""Drives a core: the only code that turns a deadline into a timer of the loop.

A core decides and never waits: it says in `deadline` when it wants to be woken and in `expire` what it
does then. The driver keeps exactly one `call_at` armed for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class Timed(Protocol):
    """The part of the core contract that concerns time."""

    @property
    def deadline(self) -> float | None:
        """When `expire` wants to be called, in seconds of the loop's clock; None for never."""
        ...

    def expire(self, *, now: float) -> None:
        """Do all that is due at `now`."""
        ...


class Driver:
    """Arms one timer for one core, and flushes the core's output after each step."""

    def __init__(self, core: Timed, flush: Callable[[], None]) -> None:
        self._core = core
        self._flush = flush
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = 0.0  # uvloop's handle of a time that has come already has no `when`
        self._closed = False

    def pump(self) -> None:
        """Flush what the core has to say, then arm the timer for its next deadline.

        Call this after every input to the core.
        """
        self._flush()
        deadline = self._core.deadline
        if self._timer is not None:
            if not self._closed and deadline is not None and self._armed_for <= deadline:
                return  # an early wake-up is harmless and cheaper than re-arming at each input
            self._timer.cancel()
            self._timer = None
        if deadline is not None and not self._closed:
            self._timer = self._loop.call_at(deadline, self._fire)
            self._armed_for = deadline

    def close(self) -> None:
        """Disarm for good."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        now = self._loop.time()
        deadline = self._core.deadline
        if deadline is not None and deadline <= now:
            self._core.expire(now=now)
        self.pump()
