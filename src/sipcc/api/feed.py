"""Brings the events of the bus to those who follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from sipcc.api.ring import EventRing, Told
from sipcc.bus import Bus
from sipcc.clock import Clock
from sipcc.events import Event
from sipcc.records.eventlog import Scribe

BATCH = 100
"""Events that a reader gets at once."""

KEEP_ALIVE = 15.0
"""Seconds of silence after which a reader gets an empty batch, so that proxies keep its connection."""


class Feed:
    """Listens to a bus until it is closed."""

    def __init__(self, bus: Bus, clock: Clock, ring: EventRing, scribe: Scribe | None = None) -> None:
        """Follow `bus`; `scribe` is that of the records, so that each event is written once for both."""
        self.ring = ring
        self._scribe = scribe or Scribe()
        self._bus = bus
        self._clock = clock
        self._news = asyncio.Event()
        self.closed = False
        bus.on_all(self._take)

    def close(self) -> None:
        """Listen no more; all who follow come to their end."""
        if not self.closed:
            self.closed = True
            self._bus.off_all(self._take)
            self._news.set()

    async def follow(self, place: int) -> AsyncGenerator[list[Told], None]:
        """All events behind `place`, as they come, each once and in order.

        Raises:
            Gone: the reader is so slow that it has lost its place.
        """
        while not self.closed:
            batch = self.ring.after(place, BATCH)
            if batch:
                place = batch[-1].seq
                yield batch
                continue
            try:
                async with asyncio.timeout(KEEP_ALIVE):
                    await self._news.wait()
            except TimeoutError:
                yield []

    def _take(self, event: Event) -> None:
        _, body = self._scribe.write(event)
        self.ring.add(body, wall=self._clock.wall_of(event.at))
        self._news.set()
        self._news = asyncio.Event()
