"""The shell of the digit collector: prompts, keys and the clock brought together for one question."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sipcc.call.digits import Collected, Collector, CollectSettings, Matcher
from sipcc.driver import Driver
from sipcc.rtp.events import DigitBegan, DigitEnded
from sipcc.rtp.flow import PlayItem

if TYPE_CHECKING:
    from sipcc.call.call import Call


async def ask(
    call: Call, items: Sequence[PlayItem], matcher: Matcher, settings: CollectSettings
) -> Collected:
    """Play `items` to the caller of `call` and collect keys until `matcher` or a timer has decided."""
    return await _Asking(call, Collector(settings, matcher, call.digits)).run(items)


class _Asking:
    """One question on its way: feeds the collector, and stops the prompt when a key cuts it."""

    def __init__(self, call: Call, collector: Collector) -> None:
        self._call = call
        self._collector = collector
        self._now = call.context.clock.now
        self._done: asyncio.Future[Collected] = asyncio.get_running_loop().create_future()
        self._driver = Driver(collector, self._flush)

    async def run(self, items: Sequence[PlayItem]) -> Collected:
        call, collector = self._call, self._collector
        call.listen_keys(self._on_key)
        try:
            collector.start(prompt_playing=bool(items), now=self._now())
            if items and collector.result is None and not collector.barged:
                call.player.start(items, on_end=self._prompt_ended)
            elif items:
                collector.prompt_ended(now=self._now())  # typed ahead: nothing is played at all
            self._driver.pump()
            return await self._done
        finally:
            self._driver.close()
            call.unlisten_keys(self._on_key)
            if not call.ended:
                call.player.stop()
            del self._driver  # it knows `_flush`: a ring of the two would wait for the garbage collector

    def _prompt_ended(self) -> None:
        if not self._done.done():
            self._collector.prompt_ended(now=self._now())
            self._driver.pump()

    def _on_key(self, event: DigitBegan | DigitEnded) -> None:
        if isinstance(event, DigitBegan):
            self._collector.key_began(event.digit, now=self._now())
        else:
            self._collector.key_ended(event.digit, now=self._now())
        self._driver.pump()

    def _flush(self) -> None:
        collector = self._collector
        if collector.result is not None:
            if not self._done.done():
                self._done.set_result(collector.result)
        elif collector.barged:
            self._call.player.stop()
