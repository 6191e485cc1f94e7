"""Voices that tests make."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from sipcc.ivr.speech.voice import SpeechError, SpeechStream


class CountingVoice:
    """Says a sample for each character, and remembers what it said; slow, failing or endless when told so."""

    def __init__(self, *, key: str = "counting") -> None:
        self.key = key
        self.said: list[tuple[str, str, str]] = []
        self.open = 0
        self.most = 0
        self.seconds = 0.0
        self.error = ""
        self.endless = False
        self.closed = False

    def voice_of(self, language: str, voice: str) -> str:
        return voice or f"voice-of-{language}"

    async def begin(self, text: str, *, language: str, voice: str) -> SpeechStream:
        self.said.append((text, language, voice))
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            await asyncio.sleep(self.seconds)
            if self.error:
                raise SpeechError(self.error)
        except BaseException:
            self.open -= 1
            raise
        return SpeechStream(8000, self._pieces(text), self._end)

    async def _pieces(self, text: str) -> AsyncIterator[bytes]:
        yield b"\1\0" * len(text)
        while self.endless:
            await asyncio.sleep(0)
            yield b"\1\0" * 160_000

    async def _end(self) -> None:
        self.open -= 1

    async def close(self) -> None:
        self.closed = True
