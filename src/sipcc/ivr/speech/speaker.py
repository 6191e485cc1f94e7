"""Speaks texts for everybody: with a cache, within limits, and each text once however many want it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Final

from sipcc import plugins
from sipcc.errors import ConfigError
from sipcc.ivr.speech.cache import SpeechCache, cache_name
from sipcc.ivr.speech.settings import SpeechSettings
from sipcc.ivr.speech.voice import GROUP, SpeechError, SpeechStream, Voice, wav_header
from sipcc.log import get_logger
from sipcc.tasks import SharedTasks, TaskScope

MAX_WAITING: Final = 200
"""Texts that wait for their turn; another one is refused."""

MAX_SECONDS: Final = 600
"""Of speech for one text; a voice that goes on is stopped."""

BUILT_IN: Final = {
    "espeak": "sipcc.ivr.speech.espeak:EspeakVoice",
    "http": "sipcc.ivr.speech.http:HttpVoice",
    "sherpa": "sipcc.ivr.speech.sherpa:SherpaVoice",
}
"""Our own engines; each is imported when it is wanted."""

VOICE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,63}", re.ASCII)
"""What may be the name of a voice."""

_log = get_logger("sipcc.speech")


class Speaker:
    """Reads texts by one voice. All that it raises is SpeechError."""

    def __init__(self, settings: SpeechSettings | None = None, *, voice: Voice | None = None) -> None:
        """Take the settings, and a voice in place of the one that they name.

        Raises:
            ConfigError: there is no such engine, or it cannot begin with these settings.
        """
        self.settings = settings or SpeechSettings()
        self._voice = voice or make_voice(self.settings)
        self._cache = SpeechCache(Path(self.settings.cache), limit_bytes=self.settings.cache_mb * 10**6)
        self._shared: SharedTasks[str] = SharedTasks()
        self._turns = asyncio.Semaphore(self.settings.at_once)
        self._waiting = 0
        self._background = TaskScope("speech")
        self.spoken = 0
        """How many texts the voice has read."""
        self.failed = 0
        """How many it has not."""

    def ready(self, text: str, *, language: str, voice: str = "") -> str | None:
        """The path of the sound of a text that was spoken before; None when it was not."""
        try:
            return self._cache.find(self._name(clean(text), language, voice))
        except SpeechError:
            return None

    async def speak(self, text: str, *, language: str, voice: str = "") -> str:
        """The path of the sound of a text, which is spoken now if it was not before.

        Who asks may be cancelled; the work goes on for others, and for the next time.

        Args:
            text: What to say; see `[speech] longest`.
            language: Such as ``zh-CN``.
            voice: A voice of the engine by its name; empty for the language's.

        Raises:
            SpeechError: the text is empty or too long, the voice has failed, or took too long.
        """
        text = self._checked(text, voice)
        name = self._name(text, language, voice)
        found = self._cache.find(name)
        if found is not None:
            return found
        return await self._shared.join(
            name,
            lambda: self._spoken(name, text, language, voice),
            name=f"speech/{name[:8]}",
            closed=lambda: SpeechError("speech was stopped"),
        )

    def begin(self, text: str, *, language: str, voice: str = "") -> None:
        """Have a text spoken in the background, for the next time; a failure is counted and logged."""

        async def attempt() -> None:
            with contextlib.suppress(SpeechError):
                await self.speak(text, language=language, voice=voice)

        if len(self._background) < MAX_WAITING:
            self._background.spawn(attempt(), name="text")

    async def stream(self, text: str, *, language: str, voice: str = "") -> SpeechStream:
        """A text as it is spoken, for `sipcc.call.Call.play_stream`: a long one is heard at once.

        It is not kept: a text that comes again belongs to `speak`.

        Raises:
            SpeechError: as `speak` does; later also from the pieces.
        """
        text = self._checked(text, voice)
        await self._turn()
        try:
            async with asyncio.timeout(self.settings.timeout):
                begun = await self._voice.begin(text, language=language, voice=voice)
        except TimeoutError:
            self._turns.release()
            raise self._late() from None
        except BaseException:
            self._turns.release()
            raise

        async def close() -> None:
            self._turns.release()
            await begun.__aexit__()

        return SpeechStream(begun.rate_hz, self._streamed(begun), close)

    async def prepare(self, texts: Iterable[tuple[str, str, str]]) -> list[SpeechError]:
        """Have texts spoken that are not, one after the other, and keep them whatever happens.

        Args:
            texts: (text, language, voice) of each. They take the place of those of the call before.

        Returns:
            Why some are not; after three in a row that the voice cannot say the rest is not tried.
        """
        wanted = list(dict.fromkeys(texts))
        pinned = set()
        errors: list[SpeechError] = []
        good = []
        for text, language, voice in wanted:
            try:
                pinned.add(self._name(self._checked(text, voice), language, voice))
                good.append((text, language, voice))
            except SpeechError as error:
                errors.append(error)
        self._cache.pin(pinned)
        failures = 0
        for text, language, voice in good:
            if self.ready(text, language=language, voice=voice) is None:
                try:
                    await self.speak(text, language=language, voice=voice)
                    failures = 0
                except SpeechError as error:
                    errors.append(error)
                    failures += 1
                    if failures == 3:
                        break
        return errors

    async def close(self) -> None:
        """Stop what is spoken, and the voice."""
        await self._background.close()
        await self._shared.close()
        await self._voice.close()

    def _checked(self, text: str, voice: str) -> str:
        text = clean(text)
        if len(text) > self.settings.longest:
            raise SpeechError(
                f"a text of {len(text)} characters is longer than {self.settings.longest}"
                " (cut it, or raise [speech] longest)"
            )
        if voice and not VOICE_NAME.fullmatch(voice):
            raise SpeechError(f"{voice[:64]!r} is no name of a voice")
        return text

    def _name(self, text: str, language: str, voice: str) -> str:
        chosen = self._voice.voice_of(language, voice)
        return cache_name(text, language=language, voice=chosen, key=self._voice.key)

    async def _turn(self) -> None:
        if self._waiting >= MAX_WAITING:
            raise SpeechError(f"{MAX_WAITING} texts wait to be spoken already")
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1

    async def _spoken(self, name: str, text: str, language: str, voice: str) -> str:
        await self._turn()
        try:
            async with asyncio.timeout(self.settings.timeout):
                begun = await self._voice.begin(text, language=language, voice=voice)
                samples = bytearray()
                async with begun:
                    async for piece in begun:
                        samples += piece
                        _check_length(len(samples), begun.rate_hz)
            del samples[len(samples) & ~1 :]
            if not samples:
                raise SpeechError("the voice said nothing")
            path = await self._cache.put(name, wav_header(begun.rate_hz, len(samples)) + samples)
        except TimeoutError:
            raise self._failed(self._late(), name) from None
        except SpeechError as error:
            raise self._failed(error, name) from error
        finally:
            self._turns.release()
        self.spoken += 1
        return path

    def _failed(self, error: SpeechError, name: str) -> SpeechError:
        self.failed += 1
        _log.warning("speech.failed", file=name, error=str(error))
        return error

    def _late(self) -> SpeechError:
        return SpeechError(
            f"the voice took longer than {self.settings.timeout:g} s"
            " (raise [speech] timeout, or shorten the text)"
        )

    async def _streamed(self, begun: SpeechStream) -> AsyncIterator[bytes]:
        size, pieces = 0, aiter(begun)
        while True:
            try:
                async with asyncio.timeout(self.settings.timeout):
                    piece = await anext(pieces)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise self._late() from None
            size += len(piece)
            _check_length(size, begun.rate_hz)
            yield piece


def engines() -> list[str]:
    """The names of all engines, ours and those of plug-ins."""
    return sorted({*BUILT_IN, *plugins.names(GROUP)})


def make_voice(settings: SpeechSettings) -> Voice:
    """The voice of the engine that `settings` name.

    Raises:
        ConfigError: nobody registered that engine, or it cannot begin with these settings.
    """
    place = BUILT_IN.get(settings.engine)
    if place is None:
        if settings.engine not in engines():  # looks at every package that is installed
            known = ", ".join(engines())
            raise ConfigError("speech.engine", f"unknown engine {settings.engine!r}", hint=f"known: {known}")
        engine: Callable[[SpeechSettings], Voice] = plugins.load(GROUP, settings.engine)
    else:
        module, _, name = place.partition(":")
        engine = getattr(import_module(module), name)
    return engine(settings)


def clean(text: str) -> str:
    """A text without control characters and without blanks that say nothing.

    Raises:
        SpeechError: nothing is left.
    """
    kept = (
        "".join(" " if unicodedata.category(mark) in ("Cc", "Cs", "Cn") else mark for mark in text)
    ).split()
    if not kept:
        raise SpeechError("the text is empty")
    return " ".join(kept)


def _check_length(size_bytes: int, rate_hz: int) -> None:
    if size_bytes > MAX_SECONDS * rate_hz * 2:
        raise SpeechError(f"the voice spoke for more than {MAX_SECONDS} s")
