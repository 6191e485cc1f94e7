"""How late the loop of the switch is: whatever keeps it busy delays calls as much as this."""

from __future__ import annotations

import asyncio
from collections import deque

STEP_S = 0.25
WINDOW_S = 15.0
"""What a scrape sees; Prometheus comes at least as often as a rule."""


class LagWatch:
    """Measures from `start` to `stop`."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def worst(self) -> float:
        """Seconds that the loop was late at worst within `WINDOW_S`; 0 before the first look."""
        return max((late for _, late in self._seen), default=0.0)

    def note(self, late: float, *, now: float) -> None:
        """A timer that was due came `late` seconds after its time."""
        self._seen.append((now, late))
        while self._seen[0][0] < now - WINDOW_S:
            self._seen.popleft()

    def start(self) -> None:
        """Look at the loop that runs."""
        self._arm(asyncio.get_running_loop())

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        due = loop.time() + STEP_S
        self._timer = loop.call_at(due, self._look, loop, due)

    def _look(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        now = loop.time()
        self.note(now - due, now=now)
        self._arm(loop)
