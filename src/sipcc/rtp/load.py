"""How loaded an engine is, and whether it may take another call (a core: the shell measures).

An engine that takes more calls than it can carry harms all of them. So each tick says how late it began and
how long it took, and while the last two whole seconds were too busy or too late, no new port is opened: the
call is refused with 503, and the carrier tries elsewhere. One late tick is no reason: on a shared machine
they happen with nothing wrong.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Protocol, runtime_checkable

import msgspec

SECOND = 1.0
STALE_S = 3.0
"""An engine that did not tick for so long has nothing to do."""
_EDGES_MS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)
LATE_SHARE = 0.05
"""More than this share of late ticks in a second counts."""


@runtime_checkable
class CountsOverflows(Protocol):
    """Sockets that know what they had no room for."""

    def overflows(self, handle: int) -> int:
        """Datagrams that were dropped on `handle`, because nobody took them in time."""
        ...


class EngineLoad(msgspec.Struct, frozen=True, kw_only=True):
    """What one engine, or one worker, has done in its last whole second."""

    ports: int = 0
    """Ports that are open."""
    busy: float = 0.0
    """Share of one core, 0..1."""
    late_ms: float = 0.0
    """Lateness that 95 % of the ticks did not exceed, rounded up to 1, 2, 5, 10, 20, 50, 100 or 200 ms."""
    packets: int = 0
    """Datagrams taken in."""
    overflows: int = 0
    """Datagrams that the kernel dropped since the start, because nobody took them in time."""
    crashes: int = 0
    """Faults of ours since the start, each kept to the leg that it happened to."""
    refused: int = 0
    """Ports refused since the start, because the engine was at its limit."""


class LoadMeter:
    """Measures one engine, second by second."""

    def __init__(self, *, max_busy: float, max_late_ms: float) -> None:
        """`max_busy` is a share of a core; `max_late_ms` the lateness that 5 % of the ticks may exceed."""
        self._max_busy = max_busy
        self._max_late_ms = max_late_ms
        self._began_at: float | None = None
        self._busy = 0.0
        self._packets = 0
        self._late = [0] * (len(_EDGES_MS) + 1)
        self._last = EngineLoad()
        self._bad_before = self._bad = ""
        self.refused = 0

    def note(self, *, late: float, busy: float, packets: int, now: float) -> None:
        """Take one tick: it began `late` seconds after its time, lasted `busy` and took in `packets`."""
        if self._began_at is None or now - self._began_at > STALE_S:
            self._restart(now)
            self._bad = self._bad_before = ""
        elif now - self._began_at >= SECOND:
            self._close(now)
        self._busy += busy
        self._packets += packets
        self._late[bisect_left(_EDGES_MS, late * 1000)] += 1

    def _restart(self, now: float) -> None:
        self._began_at = now
        self._busy = 0.0
        self._packets = 0
        self._late = [0] * len(self._late)

    def _close(self, now: float) -> None:
        """A second is over."""
        assert self._began_at is not None
        busy = min(1.0, self._busy / (now - self._began_at))
        late_ms = self._usual_late_ms()
        self._last = EngineLoad(busy=busy, late_ms=late_ms, packets=self._packets)
        self._bad_before, self._bad = self._bad, ""
        if busy > self._max_busy:
            self._bad = f"busy for {busy:.0%} of the time"
        elif late_ms > self._max_late_ms:
            self._bad = f"late by up to {late_ms:.0f} ms"
        self._restart(now)

    def _usual_late_ms(self) -> float:
        ticks = sum(self._late)
        beyond = 0
        for index in reversed(range(len(self._late))):
            beyond += self._late[index]
            if beyond > ticks * LATE_SHARE:
                return _EDGES_MS[min(index, len(_EDGES_MS) - 1)]
        return 0.0

    def read(self, *, now: float, ports: int = 0, overflows: int = 0, crashes: int = 0) -> EngineLoad:
        """The figures of the last whole second."""
        last = EngineLoad() if self._stale(now) else self._last
        return msgspec.structs.replace(
            last, ports=ports, overflows=overflows, crashes=crashes, refused=self.refused
        )

    def refusal(self, *, now: float) -> str:
        """Why no port may be opened now; empty when one may."""
        if self._bad and self._bad_before and not self._stale(now):
            self.refused += 1
            return f"media is at its limit: {self._bad}"
        return ""

    def _stale(self, now: float) -> bool:
        return self._began_at is None or now - self._began_at > STALE_S
