"""The audio of a call as a stream: for recognisers, bots and recorders of your own."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from sipcc.rtp.events import AudioTapped

if TYPE_CHECKING:
    from sipcc.call.leg import Leg

KEPT = 250
"""Frames that wait for a reader who is slow: five seconds. The oldest are let go first."""


class AudioTap:
    """What one party says and hears, 20 ms at a time; iterate over it, and `close` it.

    Each `AudioTapped` has signed 16-bit little-endian samples at 8 kHz, 320 bytes a side, and ``b""`` for
    silence. The iteration ends with the leg, or with `close`.
    """

    def __init__(self, leg: Leg) -> None:
        self.dropped = 0
        """Frames that were let go because nobody read them in time."""
        self._leg = leg
        self._frames: deque[AudioTapped] = deque()
        self._news = asyncio.Event()
        self._closed = False
        leg.taps.append(self)
        leg.media.tap(True)

    def __aiter__(self) -> AudioTap:
        return self

    async def __anext__(self) -> AudioTapped:
        while not self._frames:
            if self._closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._frames.popleft()

    def __enter__(self) -> AudioTap:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def put(self, frame: AudioTapped) -> None:
        """Take a frame; for the leg."""
        self._frames.append(frame)
        if len(self._frames) > KEPT:
            self._frames.popleft()
            self.dropped += 1
        self._news.set()

    def close(self) -> None:
        """Listen no more; what has come already can still be read. Closing twice does nothing."""
        if self._closed:
            return
        self._closed = True
        self._news.set()
        leg = self._leg
        leg.taps.remove(self)
        if not leg.taps and not leg.ended:
            leg.media.tap(False)
