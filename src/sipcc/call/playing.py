"""Playing to one port: one thing at a time, awaited or in the background."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterable, Callable, Sequence

from sipcc.call.openstream import OnNews, OpenStream
from sipcc.rtp.events import MediaEvent, PlayCleared, PlayEnded, PlayFlow, PlayMarked, PromptMissing
from sipcc.rtp.flow import MediaPort, PlayItem, PlayStream

_tokens = itertools.count(1)
"""Each play has a number of its own: a party that changes calls brings the ends of old plays along."""

PIECE_BYTES = 32_000
"""A stream is fed in pieces of a third of a second at 48 kHz, so that a producer can be stopped in time."""


class Player:
    """Starts and stops what a port plays, and knows when it is over.

    Each play has a token, so that the end of a play that was replaced is not taken for the end of the
    one that replaced it.
    """

    def __init__(self, port: MediaPort) -> None:
        self._port = port
        self._token = 0
        self._on_end: Callable[[], None] | None = None
        self._whole = 0
        """The play that was heard to its end last."""
        self._spoilt = False
        """True when a prompt of the play that is on cannot be heard."""
        self._now: tuple[Sequence[PlayItem], bool, bool] = ((), False, False)
        self._on_news: OnNews | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._told = asyncio.Event()
        self._told.set()
        self.played_s = 0.0
        """How much was heard of the last play that is known to be over, in seconds; see `halt`."""

    @property
    def playing(self) -> bool:
        """True while something that ends by itself, or loops, was started and is not over."""
        return self._on_end is not None

    def start(
        self,
        items: Sequence[PlayItem],
        *,
        loop: bool = False,
        shared: bool = False,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        """Play `items`, replacing what plays; `on_end` is called once when it is over for any reason."""
        self._finish()
        self._token = next(_tokens)
        self._spoilt = False
        self._on_end = on_end or _nothing
        self._now = items, loop, shared
        self._told.clear()
        self.played_s = 0.0
        self._port.play(items, loop=loop, shared=shared, token=self._token)

    async def play(self, items: Sequence[PlayItem], *, loop: bool = False, shared: bool = False) -> bool:
        """Play `items` to their end; cancelled, it stops the sound.

        True when all of them were heard: nothing else has replaced or stopped them, and none was missing.
        """
        over = asyncio.Event()
        self.start(items, loop=loop, shared=shared, on_end=over.set)
        token = self._token
        try:
            await over.wait()
        except asyncio.CancelledError:
            if token == self._token:
                self.stop()
            raise
        return self._whole == token

    async def play_stream(self, chunks: AsyncIterable[bytes], *, rate_hz: int = 8000) -> None:
        """Play speech as it is made, to its end: 16-bit mono samples, little-endian, in any pieces.

        A producer that is ahead of the play by ten seconds is not asked for more until it is not; one that is
        late is waited for in silence. Cancelled, or when the producer raises, it stops the sound.

        Raises:
            ValueError: nobody speaks at such a rate.
        """
        from sipcc.rtp.streaming import SpeechFeed  # numpy, for who has speech made

        feed = SpeechFeed(rate_hz)
        over = asyncio.Event()
        on_end = over.set
        self.start([PlayStream()], on_end=on_end)
        try:
            async for chunk in chunks:
                for start in range(0, len(chunk), PIECE_BYTES):
                    await self._room.wait()
                    if over.is_set():
                        return  # something else plays
                    self._port.feed(self._token, feed.push(chunk[start : start + PIECE_BYTES]))
            if not over.is_set():
                self._port.feed(self._token, feed.finish(), last=True)
            await over.wait()
        finally:
            if self._on_end is on_end:
                self.stop()

    def open_stream(self, stream: PlayStream, *, on_news: OnNews, on_end: Callable[[], None]) -> OpenStream:
        """Let a stream play until it is closed, or something else plays; then `on_end` is called.

        What the port tells of it goes to `on_news`.
        """
        self.start([stream], on_end=on_end)
        self._on_news = on_news
        return OpenStream(self._port, self._token)

    def close_stream(self, stream: OpenStream) -> None:
        """End a stream, unless something else plays already."""
        if stream.token == self._token:
            self.stop()

    def pause(self, paused: bool) -> None:
        """Let what plays be silent, or go on where it was."""
        if self._on_end is not None:
            self._port.pause_playing(paused)

    def seek(self, seconds: float) -> None:
        """Go to a place in what plays, counted from its beginning."""
        if self._on_end is not None:
            self._port.seek_playing(round(seconds * 1000))

    def stop(self) -> None:
        """End what plays; nothing happens when nothing does."""
        if self._on_end is not None:
            self._port.stop_playing()
            self._finish()

    async def halt(self) -> float:
        """End what plays, and tell how many seconds of it were heard; of one that is over, the same."""
        self.stop()
        await self._told.wait()
        return self.played_s

    def move(self, port: MediaPort) -> None:
        """Another party takes the place of this one: what plays begins anew at its port."""
        old, self._port = self._port, port
        if self._on_end is not None:
            old.stop_playing()
            if self._on_news is not None:
                self._finish()  # what was fed is lost, and so whoever feeds it begins anew
                return
            items, loop, shared = self._now
            self._token = next(_tokens)
            port.play(items, loop=loop, shared=shared, token=self._token)

    def closed(self) -> None:
        """The port is gone: whoever waits is told."""
        self._told.set()
        self._finish()

    def on_event(self, event: MediaEvent) -> None:
        """Take an event of the port."""
        if isinstance(event, PlayEnded) and event.token == self._token:
            self.played_s = event.played_ms / 1000
            self._told.set()
            if event.reason == "done" and not self._spoilt:
                self._whole = event.token
            self._finish()
        elif isinstance(event, PromptMissing):
            self._spoilt = True
        elif isinstance(event, PlayFlow | PlayMarked | PlayCleared) and self._on_news is not None:
            if event.token == self._token:
                self._on_news(event)
        elif isinstance(event, PlayFlow) and event.token == self._token:
            if event.full:
                self._room.clear()
            else:
                self._room.set()

    def _finish(self) -> None:
        self._room.set()
        self._on_news = None
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end()


def _nothing() -> None:
    """Nobody waits for this play."""
