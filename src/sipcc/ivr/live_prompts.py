"""Prompts as one thing to play: what is heard, where its marks lie, and from when on it may be cut."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from sipcc.call import Call
from sipcc.errors import SipccError
from sipcc.ivr.prompts import FALLBACK
from sipcc.ivr.services import Services
from sipcc.ivr.steps import Audio, Mark, Named, Prompt, Reached, Silence, Spoken, Text, Value, turns_of
from sipcc.log import get_logger
from sipcc.rtp.flow import PlayFile, PlayItem, PlaySilence, PlayTone

_log = get_logger("sipcc.ivr.live")


class Score(msgspec.Struct, kw_only=True):
    """All prompts of one step."""

    items: list[PlayItem] = []
    marks: list[tuple[str, float]] = []
    """Name and place of each mark, in seconds from the beginning."""
    keys_turns: tuple[float, ...] = (0.0,)
    """The seconds in which keys may cut, may not, and so on; none for never."""
    voice_turns: tuple[float, ...] = (0.0,)
    """The same for the voice."""
    hotword: bool = False

    def reached(self, seconds: float) -> Reached | None:
        """The last mark of those that lie within the first `seconds`, and how much was heard after it."""
        passed = [mark for mark in self.marks if mark[1] <= seconds]
        return Reached(passed[-1][0], round(seconds - passed[-1][1], 3)) if passed else None


async def compose(call: Call, services: Services, prompts: Sequence[Prompt]) -> Score:
    """Find, speak and fetch all that `prompts` say, in the language of `call`."""
    return await _Composer(call, services, prompts).run()


class _Composer:
    def __init__(self, call: Call, services: Services, prompts: Sequence[Prompt]) -> None:
        self._call = call
        self._services = services
        self._prompts = prompts
        marked = any(isinstance(item, Mark) for prompt in prompts for item in prompt.items)
        kinds = {prompt.bargein for prompt in prompts}
        self._timed = marked or len(kinds) > 1
        """Whether it matters how long things are."""
        self._at = 0.0
        self._score = Score()

    async def run(self) -> Score:
        score = self._score
        spoken = [prompt for prompt in self._prompts if prompt.items]
        starts: list[tuple[Prompt, float]] = []
        for prompt in spoken:
            starts.append((prompt, self._at))
            score.hotword = score.hotword or (prompt.hotword and prompt.bargein in ("speech", "any"))
            for item in prompt.items:
                await self._add(item)
        if starts:
            score.keys_turns, score.voice_turns = turns_of(starts, "keys"), turns_of(starts, "speech")
        return score

    async def _add(self, item: Spoken) -> None:
        if isinstance(item, Mark):
            self._score.marks.append((item.name, round(self._at, 3)))
            return
        played = await self._items(item)
        self._score.items += played
        if self._timed:
            loop = asyncio.get_running_loop()
            self._at += await loop.run_in_executor(None, lambda: sum(_seconds(each) for each in played))

    async def _items(self, item: Spoken) -> list[PlayItem]:
        call = self._call
        prompts = call.context.prompts
        match item:
            case Named():
                return await call.prompt_items((item.name,), item.language)
            case Value():
                return prompts.resolve((f"say:{item.kind}:{item.value}",), item.language or call.language)
            case Silence():
                return [PlaySilence(round(item.seconds * 1000))] if item.seconds > 0 else []
            case Text():
                return await self._speak(item)
            case Audio():
                return await self._sound(item)
            case Mark():
                return []

    async def _speak(self, item: Text) -> list[PlayItem]:
        voice = self._services.voice
        if not item.text.strip():
            return []
        if voice is not None:
            try:
                language = item.language or self._call.language
                return [PlayFile(await voice.speak(item.text, language=language, voice=item.voice))]
            except SipccError as error:
                _log.warning("ivr.voice_failed", call_id=self._call.id, error=str(error))
        return list(FALLBACK)

    async def _sound(self, item: Audio) -> list[PlayItem]:
        path = await self._fetched(item)
        if path is None:
            played: list[PlayItem] = []
            for each in item.fallback:
                played += await self._items(each)
            return played
        return [PlayFile(path, max(0, round(item.offset * 1000)))]

    async def _fetched(self, sound: Audio) -> str | None:
        """The file of a sound; None for one that cannot be had."""
        source = sound.source
        if source.startswith(("http://", "https://", "file://")):
            sounds = self._services.sounds
            try:
                return None if sounds is None else await sounds.path_of(sound)
            except SipccError as error:
                _log.warning("ivr.sound_missing", call_id=self._call.id, error=str(error))
                return None
        [item] = self._call.context.prompts.resolve((source,), self._call.language)[:1]
        return item.path if isinstance(item, PlayFile) else None


def _seconds(item: PlayItem) -> float:
    if isinstance(item, PlayTone | PlaySilence):
        return item.duration_ms / 1000
    if isinstance(item, PlayFile):
        from sipcc.rtp.files import seconds_of

        return seconds_of(item)
    return 0.0
