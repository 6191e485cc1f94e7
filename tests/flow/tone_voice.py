"""A voice that says each text as a tone by which it is known."""

from __future__ import annotations

import math
import struct
from collections.abc import AsyncIterator, Mapping

from sipcc.ivr.speech import SpeechError, SpeechStream


class ToneVoice:
    """Says the texts that it knows, for two seconds each; others it cannot say."""

    key = "tones"

    def __init__(self, words: Mapping[str, float]) -> None:
        self.words = dict(words)
        self.said: list[tuple[str, str]] = []

    def voice_of(self, language: str, voice: str) -> str:
        return voice or language

    async def begin(self, text: str, *, language: str, voice: str) -> SpeechStream:
        if text not in self.words:
            raise SpeechError("that word is not known")
        self.said.append((text, language))
        return SpeechStream(8000, self._pieces(self.words[text]))

    async def _pieces(self, hz: float) -> AsyncIterator[bytes]:
        for second in range(2):
            samples = range(second * 8000, second * 8000 + 8000)
            yield b"".join(
                struct.pack("<h", round(8000 * math.sin(n / 8000 * hz * math.tau))) for n in samples
            )

    async def close(self) -> None:
        pass
