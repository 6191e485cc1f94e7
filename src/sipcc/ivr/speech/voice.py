"""What a voice is: something that turns a text into samples, piece by piece.

An engine is an entry point of the group ``sipcc.speech``: a callable that takes `SpeechSettings` and returns
a `Voice`. What it need not care for: the cache, how many speak at once, how long a text may be or take. All
that is done by `sipcc.ivr.speech.speaker.Speaker`, which is what everybody else uses.
"""

from __future__ import annotations

import struct
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from typing import Final, Protocol

from sipcc.errors import SipccError
from sipcc.ivr.say import base_language

GROUP: Final = "sipcc.speech"
"""The group of entry points of engines."""

MAX_HEADER: Final = 65_536
"""Bytes before the samples of a WAV; more is junk."""

_PCM, _EXTENSIBLE = 1, 0xFFFE


class SpeechError(SipccError):
    """A text could not be spoken, or a voice could not be heard. The message never holds the text."""


class SpeechStream:
    """Speech as it is made: ``async with`` it, and iterate over its pieces inside.

    A piece is of any length: 16-bit mono samples, little-endian. Iterating raises SpeechError when the rest
    cannot be had. Leaving it early ends the work for it.
    """

    def __init__(
        self, rate_hz: int, pieces: AsyncIterable[bytes], close: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Take the rate, the pieces, and what frees all that is behind them, which is called once."""
        self.rate_hz = rate_hz
        self._pieces = pieces
        self._close = close

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._pieces)

    async def __aenter__(self) -> SpeechStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        close, self._close = self._close, None
        if close is not None:
            await close()


class Voice(Protocol):
    """Reads texts."""

    @property
    def key(self) -> str:
        """All that makes the same text sound otherwise, other than language and voice: a cache goes by it."""
        ...

    def voice_of(self, language: str, voice: str) -> str:
        """The name of the voice that reads `language`; `voice` if that is not empty."""
        ...

    async def begin(self, text: str, *, language: str, voice: str) -> SpeechStream:
        """Begin to speak.

        Args:
            text: At least one character, without control characters.
            language: Such as ``zh-CN``.
            voice: The engine's name of a voice; empty for that of the language.

        Raises:
            SpeechError: it cannot be done; with the cure where one is known.
        """
        ...

    async def close(self) -> None:
        """Free what is kept between texts."""
        ...


def chosen_voice(language: str, voice: str, wanted: Mapping[str, str], own: Mapping[str, str]) -> str:
    """The voice for a language: `voice`, else what the settings want, else an engine's own, else empty."""
    if voice:
        return voice
    base = base_language(language)
    for table in (wanted, own):
        for step in (language, language.replace("_", "-"), base):
            if table.get(step):
                return table[step]
    return ""


class WavReader:
    """Cuts the head off a WAV that comes in pieces; a size in it that is not true is passed over.

    Raises:
        SpeechError: from `feed`: this is no WAV of 16-bit mono samples.
    """

    def __init__(self) -> None:
        self.rate_hz = 0
        """Known from the first samples on."""
        self._head = b""
        self._left: int | None = None

    def feed(self, piece: bytes) -> bytes:
        """The samples in `piece`; empty while the head is not complete."""
        if self._left is not None:
            samples, self._left = piece[: self._left], max(0, self._left - len(piece))
            return samples
        self._head += piece
        start = self._samples_at()
        if start is None:
            if len(self._head) > MAX_HEADER:
                raise SpeechError("the answer is no WAV: no samples come")
            return b""
        assert self._left is not None
        head, self._head = self._head, b""
        return self.feed(head[start:])

    def _samples_at(self) -> int | None:
        head = self._head
        if len(head) < 12:
            return None
        if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
            raise SpeechError("the answer is no WAV")
        at = 12
        while at + 8 <= len(head):
            (size,) = struct.unpack_from("<I", head, at + 4)
            if head[at : at + 4] == b"data":
                if not self.rate_hz:
                    raise SpeechError("the answer is no WAV: it has samples before their format")
                # a program that writes to a pipe does not know the size, and writes one that is huge, or none
                self._left = size if 0 < size < 0x7FFF0000 else 1 << 62
                return at + 8
            if head[at : at + 4] == b"fmt " and at + 24 <= len(head):
                self._read_format(head, at + 8)
            at += 8 + size + size % 2
        return None

    def _read_format(self, head: bytes, at: int) -> None:
        coding, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", head, at)
        if coding not in (_PCM, _EXTENSIBLE) or channels != 1 or bits != 16:
            raise SpeechError(
                f"the answer is a WAV of coding {coding}, {channels} channels, {bits} bits; "
                "16-bit mono PCM is needed"
            )
        if not 4000 <= rate_hz <= 192_000:
            raise SpeechError(f"the answer is a WAV of {rate_hz} Hz")
        self.rate_hz = rate_hz


def wav_header(rate_hz: int, size_bytes: int) -> bytes:
    """The head of a WAV of 16-bit mono samples."""
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", 36 + size_bytes, b"WAVE", b"fmt ", 16, _PCM, 1, rate_hz, rate_hz * 2, 2, 16),
        *(b"data", size_bytes),
    )
