"""The audio of a call as a stream: for recognisers, bots and recorders of your own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sipcc.rtp.events import AudioTapped

if TYPE_CHECKING:
    from sipcc.call.leg import Leg
    from sipcc.rtp.flow import Law, MediaPort

KEPT = 250
"""Frames that wait for a reader who is slow: five seconds. The oldest are let go first."""


def tap_port(port: MediaPort, taps: Sequence[AudioTap]) -> None:
    """Have `port` told to all of `taps`, in the form that suits them."""
    port.tap(bool(taps), coded=bool(taps) and all(tap.coded for tap in taps))


class AudioTap:
    """What one party says and hears, 20 ms at a time; iterate over it, and `close` it.

    Each `AudioTapped` has signed 16-bit little-endian samples at 8 kHz, 320 bytes a side, and ``b""`` for
    silence. The iteration ends with the leg, or with `close`. Who takes them `coded` may have the bytes of
    G.711 instead, when its `law` says so, and must be able to take both.
    """

    def __init__(self, leg: Leg, *, coded: bool = False) -> None:
        self.coded = coded
        self.dropped = 0
        """Frames that were let go because nobody read them in time."""
        self._leg = leg
        self._frames: deque[AudioTapped] = deque()
        self._news = asyncio.Event()
        self._closed = False
        leg.taps.append(self)
        tap_port(leg.media, leg.taps)

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
        if frame.law and not self.coded:  # from before this one listened
            frame = _decoded(frame)
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
        if not leg.ended:
            tap_port(leg.media, leg.taps)


def _decoded(frame: AudioTapped) -> AudioTapped:
    from sipcc.rtp.codec import g711  # numpy, which is there when audio is

    law: Law = "PCMA" if frame.law == "PCMA" else "PCMU"
    said, heard = (g711.decode(side, law).tobytes() for side in (frame.said, frame.heard))
    return AudioTapped(frame.port, said, heard)
