"""What callers hear before somebody answers, by number: a prompt or a text, changed while calls go on.

It is early audio (183): the caller is not answered, and pays nothing. Whoever answers ends it. What operators
and programs set outlives the process; it goes before what the configuration says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from sipcc.bus import Bus
from sipcc.call import Call, Handler, NumberSettings
from sipcc.clock import Clock
from sipcc.errors import LocalProtocolError
from sipcc.ivr.events import RingbackChanged
from sipcc.ivr.ringback import Ringback, RingbackView, UnknownNumber
from sipcc.log import get_logger
from sipcc.numbers import bare
from sipcc.rtp.flow import PlayFile, PlayItem
from sipcc.shelves import Shelves

if TYPE_CHECKING:
    from sipcc.ivr.prompts import PromptCatalogue

WAIT_S: Final = 2.0
"""Seconds that a caller waits at most for a text that is not spoken yet; then it rings as usual."""

_log = get_logger("sipcc.switch.ringback")


class Ringbacks:
    """The ringback of each number of a switch."""

    def __init__(
        self,
        numbers: Callable[[], Sequence[NumberSettings]],
        prompts: Callable[[], PromptCatalogue],
        shelves: Shelves,
        *,
        language: Callable[[], str],
        bus: Bus,
        clock: Clock,
    ) -> None:
        """Take what gives the numbers, prompts and default language in force, and what was set before."""
        self._numbers, self._prompts, self._language = numbers, prompts, language
        self._bus, self._clock = bus, clock
        self._shelf = shelves.shelf("ringback", Ringback)
        self._set = dict(self._shelf.left)
        self.reloaded()

    def views(self) -> list[RingbackView]:
        """All numbers, in the order of the configuration; one that several trunks have stands there once."""
        found: dict[str, RingbackView] = {}
        for settings in self._numbers():
            found.setdefault(settings.number, self._view(settings))
        return list(found.values())

    def of(self, settings: NumberSettings) -> str:
        """The prompt that callers of a number hear now; empty for the ordinary ringing."""
        wanted = self._set.get(settings.number)
        return settings.ringback if wanted is None else wanted.prompt

    async def set(self, number: str, prompt: str, *, by: str = "") -> RingbackView:
        """Let the next callers of `number` hear `prompt`; a text is spoken first, so that they need not wait.

        Args:
            number: One of ``[[numbers]]``, with or without separators.
            prompt: A prompt's name, a file in the folder of prompts, ``text:...``, or empty for the ordinary
                ringing, whatever the configuration says.
            by: Who does it; empty for a program.

        Raises:
            UnknownNumber: there is none; the known ones are listed.
            LocalProtocolError: the prompt is not there, or the text cannot be spoken.
        """
        entries = self._entries(number)
        if prompt:
            for language in {entry.language or self._language() for entry in entries}:
                await self._check(prompt, language)
        wanted = Ringback(prompt=prompt, by=by, set_wall=round(self._wall(), 3))
        name = entries[0].number
        self._set[name] = wanted
        self._shelf.note(name, wanted)
        self._tell(name, prompt, by)
        return self._view(entries[0])

    def clear(self, number: str, *, by: str = "") -> RingbackView:
        """Go by the configuration again; where nothing was set, nothing happens.

        Raises:
            UnknownNumber: there is none; the known ones are listed.
        """
        entries = self._entries(number)
        name = entries[0].number
        if self._set.pop(name, None) is not None:
            self._shelf.over(name)
            self._tell(name, entries[0].ringback, by)
        return self._view(entries[0])

    def reloaded(self) -> None:
        """Forget what was set for numbers that are gone."""
        for number in self._set.keys() - {entry.number for entry in self._numbers()}:
            del self._set[number]
            self._shelf.over(number)

    def texts(self) -> Iterable[tuple[str, str, str]]:
        """(text, language, voice) of every text that is heard now."""
        for settings in self._numbers():
            prompt = self.of(settings)
            if prompt.startswith("text:"):
                yield prompt.removeprefix("text:"), settings.language or self._language(), ""

    def sounding(self, settings: NumberSettings, handler: Handler) -> Handler:
        """`handler` for calls that hear the ringback of their number until somebody answers."""

        async def treat(call: Call) -> None:
            prompt = self.of(settings)
            if prompt and not call.answered and await _begin(call, prompt) and settings.ringback_for:
                await call.wait(settings.ringback_for)
            await handler(call)

        return treat

    async def _check(self, prompt: str, language: str) -> None:
        prompts = self._prompts()
        late = prompts.prepare((prompt,), language)
        if late is not None:
            await late
        missing = prompts.missing((prompt,), language)
        if missing:
            raise LocalProtocolError(missing[0].message)
        if not _is_sound(prompts.resolve((prompt,), language)):
            raise LocalProtocolError("the text cannot be spoken: sipccd check tells what the voice lacks")

    def _view(self, settings: NumberSettings) -> RingbackView:
        return RingbackView(
            number=settings.number,
            ringback=self.of(settings),
            configured=settings.ringback,
            seconds=settings.ringback_for,
            set=self._set.get(settings.number),
        )

    def _entries(self, number: str) -> list[NumberSettings]:
        entries = [entry for entry in self._numbers() if bare(entry.number) == bare(number)]
        if not entries:
            known = ", ".join(dict.fromkeys(entry.number for entry in self._numbers())) or "none"
            raise UnknownNumber(f"there is no number {number!r}; known: {known}")
        return entries

    def _tell(self, number: str, prompt: str, by: str) -> None:
        self._bus.emit(RingbackChanged(at=self._clock.now(), number=number, ringback=prompt, by=by))

    def _wall(self) -> float:
        return self._clock.wall_of(self._clock.now())


async def _begin(call: Call, prompt: str) -> bool:
    """Let a caller hear `prompt` again and again until it is answered; False when it rings as usual."""
    try:
        async with asyncio.timeout(WAIT_S):
            items = await call.prompt_items((prompt,))
    except TimeoutError:
        items = []
    if not _is_sound(items):
        _log.warning("ringback.missing", call_id=call.id, number=call.called)
        return False
    try:
        await call.ring(183, early=True)
    except LocalProtocolError:  # an INVITE without a description: nobody can be heard before the answer
        return False
    call.sound_until_answered(items)
    return True


def _is_sound(items: Sequence[PlayItem]) -> bool:
    return any(isinstance(item, PlayFile) for item in items)
