"""Playing to one port: one thing at a time, awaited or in the background."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence

from sipcc.rtp.flow import MediaEvent, MediaPort, PlayEnded, PlayItem, PromptMissing

_tokens = itertools.count(1)
"""Each play has a number of its own: a party that changes calls brings the ends of old plays along."""


class Player:
    """Starts and stops what a port plays, and knows when it is over.

    Each play has a token, so that the end of a play that was replaced is not taken for the end of the
    one that replaced it.
    """

    def __init__(self, port: MediaPort) -> None:
        self._port = port
        self._token = 0
        self._on_end: Callable[[], None] | None = None
        self._now: tuple[Sequence[PlayItem], bool, bool] = ((), False, False)
        self.missing: list[str] = []
        """Prompts that could not be played, as paths."""

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
        self._on_end = on_end or _nothing
        self._now = items, loop, shared
        self._port.play(items, loop=loop, shared=shared, token=self._token)

    async def play(self, items: Sequence[PlayItem], *, loop: bool = False, shared: bool = False) -> None:
        """Play `items` to their end; cancelled, it stops the sound."""
        over = asyncio.Event()
        self.start(items, loop=loop, shared=shared, on_end=over.set)
        token = self._token
        try:
            await over.wait()
        except asyncio.CancelledError:
            if token == self._token:
                self.stop()
            raise

    def stop(self) -> None:
        """End what plays; nothing happens when nothing does."""
        if self._on_end is not None:
            self._port.stop_playing()
            self._finish()

    def move(self, port: MediaPort) -> None:
        """Another party takes the place of this one: what plays begins anew at its port."""
        old, self._port = self._port, port
        if self._on_end is not None:
            old.stop_playing()
            items, loop, shared = self._now
            self._token = next(_tokens)
            port.play(items, loop=loop, shared=shared, token=self._token)

    def closed(self) -> None:
        """The port is gone: whoever waits is told."""
        self._finish()

    def on_event(self, event: MediaEvent) -> None:
        """Take an event of the port."""
        if isinstance(event, PlayEnded) and event.token == self._token:
            self._finish()
        elif isinstance(event, PromptMissing):
            self.missing.append(event.path)

    def _finish(self) -> None:
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end()


def _nothing() -> None:
    """Nobody waits for this play."""
