"""Voices of espeak-ng: a program for each text, fed by a pipe and heard by another. No shell is involved."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from typing import Final

from sipcc.ivr.say import base_language
from sipcc.ivr.speech.settings import SpeechSettings
from sipcc.ivr.speech.voice import SpeechError, SpeechStream, Voice, WavReader, chosen_voice

WORDS_A_MINUTE: Final = {"en": 170, "zh": 190}
"""The pace at speed 1.0, by language."""

VOICES: Final = {"en": "en-us", "zh": "cmn-latn-pinyin"}
"""The voices of languages. The Chinese one reads characters; the voice ``cmn`` of many builds spells them."""

AMPLITUDE: Final = 60
"""Of 200: as loud as the recorded prompts, -24 dB of full scale; the program's own 100 is at the brink."""

_PIECE = 16_384
_MISSING = (
    "the program {program!r} is not there, nor the package espeakng-loader (install espeak-ng, or the extra:"
    " pip install 'sipcc[speech]', or name another engine as [speech] engine)"
)


class EspeakVoice:
    """Speaks by espeak-ng, or by its library from the package ``espeakng-loader``."""

    def __init__(self, settings: SpeechSettings) -> None:
        self._settings = settings
        self.key = f"espeak {settings.speed:g} {AMPLITUDE}"

    def voice_of(self, language: str, voice: str) -> str:
        """The name of a voice of espeak-ng; it knows most languages by their codes."""
        chosen = chosen_voice(language, voice, self._settings.voices, VOICES)
        return chosen or base_language(language) or VOICES["en"]

    async def begin(self, text: str, *, language: str, voice: str) -> SpeechStream:
        """Start the program, and wait for the head of what it says."""
        name = self.voice_of(language, voice)
        pace = round(WORDS_A_MINUTE.get(base_language(language), 170) * self._settings.speed)
        process = await self._start(name, pace)
        reader = WavReader()
        try:
            assert process.stdin is not None
            with contextlib.suppress(ConnectionError):  # it has given up; what it says of that is told below
                process.stdin.write(text.encode("utf-8", "replace"))
                await process.stdin.drain()
                process.stdin.close()
            first = b""
            while not first:
                first = reader.feed(await _read(process, name))
        except BaseException:
            await _end(process)
            raise
        return SpeechStream(reader.rate_hz, _pieces(process, reader, first), lambda: _end(process))

    async def close(self) -> None:
        """Nothing is kept between texts."""

    async def _start(self, voice: str, pace: int) -> Process:
        program = shutil.which(self._settings.espeak.program)
        if program is not None:
            arguments = [program, "-v", voice, "-s", str(pace), "-a", str(AMPLITUDE)]
            arguments += ["-b", "1", "--stdin", "--stdout"]
        elif importlib.util.find_spec("espeakng_loader") is not None:
            arguments = [sys.executable, "-m", "sipcc.ivr.speech.espeaklib", voice]
            arguments += [str(pace), str(AMPLITUDE)]
        else:
            raise SpeechError(_MISSING.format(program=self._settings.espeak.program))
        try:
            return await asyncio.create_subprocess_exec(*arguments, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
        except OSError as error:
            raise SpeechError(f"cannot start {arguments[0]}: {error.strerror}") from error


async def _read(process: Process, voice: str) -> bytes:
    assert process.stdout is not None
    piece = await process.stdout.read(_PIECE)
    if not piece:
        raise SpeechError(
            f"espeak-ng said nothing with the voice {voice!r} (espeak-ng --voices lists those that it has)"
        )
    return piece


async def _pieces(process: Process, reader: WavReader, first: bytes) -> AsyncIterator[bytes]:
    assert process.stdout is not None
    yield first
    while piece := await process.stdout.read(_PIECE):
        yield reader.feed(piece)
    status = await process.wait()
    if status:
        raise SpeechError(f"espeak-ng ended with the status {status}")


async def _end(process: Process) -> None:
    """Kill the program if it still runs, and reap it."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    while await process.stdout.read(_PIECE):  # to its end, else the transport stays open
        pass
    await process.wait()


_: type[Voice] = EspeakVoice
