"""The shell of the digit collector: prompts, keys, the voice and the clock together for one question."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from msgspec.structs import replace

from sipcc.call.digits import Answer, Collected, Collector, CollectSettings, Matcher
from sipcc.call.keybuffer import DigitBuffer
from sipcc.driver import Driver
from sipcc.rtp.events import DigitBegan, DigitEnded
from sipcc.rtp.flow import PlayItem

if TYPE_CHECKING:
    from sipcc.call.accepting import Party
    from sipcc.call.call import Call

H = TypeVar("H")


class NoKeys:
    """A matcher for questions that keys do not answer."""

    def check(self, digits: str) -> Answer:
        """Nothing is right."""
        return Answer.NO


@dataclass(frozen=True, kw_only=True)
class Question(Generic[H]):
    """What is asked, and how it may be answered."""

    items: Sequence[PlayItem] = ()
    """What is played first, in one piece."""
    matcher: Matcher | None = None
    """Which keys are right. With None keys answer nothing, and are kept for whoever asks next."""
    settings: CollectSettings = field(default_factory=CollectSettings)
    """Its `bargein` is not looked at."""
    keys_turns: tuple[float, ...] = (0.0,)
    """The seconds of the prompt in which it opens to keys, closes again, and so on; none for never."""
    voice_turns: tuple[float, ...] = (0.0,)
    """The same for the voice: while it is closed, the caller is not listened to."""
    listen: Callable[[Callable[[], None]], Coroutine[None, None, H]] | None = None
    """Waits for what the caller says; it calls what it is given when the caller begins to speak."""
    hotword: bool = False
    """True lets the prompt go on until `listen` has returned."""


class Asked(NamedTuple, Generic[H]):
    """What came of a question: `collected` is None when `heard` was first."""

    collected: Collected | None
    heard: H | None
    barged: bool
    """True when the prompt was cut, or was not even begun because of what had been typed."""
    seconds: float
    """How much of the prompt was heard."""


async def ask(
    call: Call, items: Sequence[PlayItem], matcher: Matcher, settings: CollectSettings
) -> Collected:
    """Play `items` to the caller of `call` and collect keys until `matcher` or a timer has decided."""
    question: Question[None] = Question(
        items=items, matcher=matcher, settings=settings, keys_turns=(0.0,) if settings.bargein else ()
    )
    collected = (await ask_for(call, question)).collected
    assert collected is not None  # nothing else can answer
    return collected


async def ask_for(call: Call | Party, question: Question[H]) -> Asked[H]:
    """Ask `question`: whichever of keys and voice is complete first is the answer."""
    return await _Asking(call, question).run()


class _Asking(Generic[H]):
    """One question on its way: feeds the collector, and stops the prompt when a key or the voice cuts it."""

    def __init__(self, call: Call | Party, question: Question[H]) -> None:
        self._call = call
        self._question = question
        self._now = call.context.clock.now
        self._by_keys = question.matcher is not None
        self._collector = Collector(
            replace(question.settings, bargein=bool(question.keys_turns)),
            question.matcher or NoKeys(),
            call.digits if self._by_keys else DigitBuffer(),
        )
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._heard: H | None = None
        self._ear: asyncio.Task[None] | None = None
        self._ear_timer: asyncio.TimerHandle | None = None
        self._ear_turns: list[float] = []
        """When the ear opens or closes after that, the next moment last."""
        self._playing = self._cut = self._deaf = False
        self._driver = Driver(self._collector, self._flush)

    async def run(self) -> Asked[H]:
        call, question = self._call, self._question
        if self._by_keys:
            call.listen_keys(self._on_key)
        try:
            self._start(question.items)
            self._driver.pump()
            await self._done
        finally:
            self._driver.close()
            self._deafen()
            if self._by_keys:
                call.unlisten_keys(self._on_key)
            if not call.ended:
                call.player.stop()
            del self._driver  # it knows `_flush`: a ring of the two would wait for the garbage collector
        seconds = await call.player.halt() if self._playing else 0.0
        barged = self._collector.barged or self._cut
        collected = None if self._heard is not None else self._collector.result
        return Asked(collected, self._heard, barged, seconds)

    def _start(self, items: Sequence[PlayItem]) -> None:
        collector, question = self._collector, self._question
        opens_after, *turns = question.keys_turns or (0.0,)
        collector.start(prompt_playing=bool(items), now=self._now(), opens_after=opens_after, turns=turns)
        if items and collector.result is None and not collector.barged:
            self._playing = True
            self._call.player.start(items, on_end=self._prompt_ended)
            began = self._loop.time()
            self._ear_turns = [began + after for after in reversed(question.voice_turns)]
            self._plan_ear()
            return
        if items:
            collector.prompt_ended(now=self._now())  # typed ahead: nothing is played at all
        self._open_ear()

    def _prompt_ended(self) -> None:
        if not self._done.done():
            self._collector.prompt_ended(now=self._now())
            self._open_ear()
            self._driver.pump()

    def _on_key(self, event: DigitBegan | DigitEnded) -> None:
        if isinstance(event, DigitBegan):
            self._collector.key_began(event.digit, now=self._now())
        else:
            self._collector.key_ended(event.digit, now=self._now())
        if self._collector.touched:  # and not dropped
            self._deafen()
        self._driver.pump()

    def _flush(self) -> None:
        collector = self._collector
        if collector.result is not None:
            if not self._done.done():
                self._done.set_result(None)
        elif collector.barged:
            self._call.player.stop()

    # -- the voice ----------------------------------------------------------------------------------

    def _plan_ear(self) -> None:
        """Open or close the ear when the prompt says so next."""
        if self._ear_turns and not self._deaf:
            self._ear_timer = self._loop.call_at(self._ear_turns.pop(), self._turn_ear)

    def _turn_ear(self) -> None:
        if self._ear is None:
            self._listen_now()
        else:
            self._ear.cancel()
            self._ear = None
        self._plan_ear()

    def _open_ear(self) -> None:
        """Listen from now on: the prompt is over."""
        if self._ear_timer is not None:
            self._ear_timer.cancel()
        self._listen_now()

    def _listen_now(self) -> None:
        """Listen, unless a key is the answer already."""
        listen = self._question.listen
        if listen is not None and self._ear is None and not self._deaf and not self._collector.touched:
            self._ear = asyncio.ensure_future(self._listen(listen))

    def _deafen(self) -> None:
        """Listen no more: whoever types does not answer by voice."""
        if self._ear_timer is not None:
            self._ear_timer.cancel()
        self._deaf = True
        if self._ear is not None:
            self._ear.cancel()
            self._ear = None  # a cancelled task knows its frames, and those know us

    async def _listen(self, listen: Callable[[Callable[[], None]], Coroutine[None, None, H]]) -> None:
        heard = await listen(self._voice_began)
        if not self._done.done():
            self._heard = heard
            self._cut_prompt()
            self._done.set_result(None)

    def _voice_began(self) -> None:
        if self._done.done() or self._question.hotword:
            return
        self._collector.voice_began(now=self._now())
        self._cut_prompt()
        self._driver.pump()

    def _cut_prompt(self) -> None:
        if self._playing and self._call.player.playing and not self._collector.barged:
            self._cut = True
            self._call.player.stop()
