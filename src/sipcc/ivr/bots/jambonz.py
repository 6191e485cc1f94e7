"""jambonz ``listen``: a WebSocket with 16-bit samples in binary messages and JSON in text ones. A core.

Source: https://docs.jambonz.org/verbs/verbs/listen. The platform connects with one of `PROTOCOLS`
and tells of the call in its first message. The bot answers with samples, or with whole clips as
``playAudio``; ``killAudio`` drops what waits, and what is left of marks is told as ``cleared``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import msgspec

from sipcc.ivr.bots import extension
from sipcc.ivr.bots.words import (
    MAX_MESSAGE_BYTES,
    MAX_NAME,
    Clear,
    Cleared,
    ClearMarks,
    Clip,
    Counts,
    Facts,
    FromBot,
    Key,
    Leave,
    Mark,
    Marked,
    PlatformSide,
    Played,
    Speak,
)

PROTOCOLS = ("audio.jambonz.org", "audio.drachtio.org")
"""The subprotocol of the documentation, and the one that jambonz itself and its libraries have."""


class _Data(msgspec.Struct, frozen=True, rename="camel"):
    audio_content: str = ""
    audio_content_type: str = "raw"
    sample_rate: int | str = 0
    id: str = ""
    queue_play: bool = False
    name: str = ""


class _Message(msgspec.Struct, frozen=True):
    type: str = ""
    event: str = ""
    data: _Data = _Data()
    sipcc: extension.Extension | None = None


_decoder = msgspec.json.Decoder(_Message, strict=False)
_encode = msgspec.json.Encoder().encode


class JambonzPlatform(PlatformSide):
    """The side that has the caller."""

    protocols: Sequence[str] = PROTOCOLS

    def __init__(self, facts: Facts, *, extended: bool = False) -> None:
        self.facts = facts
        self.form = facts.form
        self.counts = Counts()
        self.extended = extended

    def begin(self) -> list[str | bytes]:
        """The message that opens the conversation."""
        facts = self.facts
        told: dict[str, object] = {
            **facts.parameters,
            "callSid": facts.call,
            "callId": facts.call,
            "direction": "inbound",
            "from": facts.caller,
            "to": facts.dialled,
            "sampleRate": self.form.rate_hz,
            "mixType": self.form.mix,
            "metadata": facts.parameters,
        }
        return [_encode(told).decode()]

    def hear(self, said: bytes, heard: bytes, at_ms: int) -> list[str | bytes]:
        """The message of 20 ms; `said` is mixed or interleaved already."""
        return [said]

    def tell(self, word: Key | Marked | Cleared | Played) -> list[str | bytes]:
        """The messages of something else."""
        match word:
            case Key():
                return self._key(word)
            case Marked():
                return self._marked(word)
            case Cleared():
                return self._cleared(word)
            case Played():
                return [_text({"type": "playDone", "data": {"id": word.id}})]

    def _key(self, word: Key) -> list[str | bytes]:
        """The message of a key."""
        return [_text({"event": "dtmf", "dtmf": word.digit, "duration": str(word.duration_ms)})]

    def _marked(self, word: Marked) -> list[str | bytes]:
        """The answer to a mark."""
        data: dict[str, object] = {"name": word.name, "event": "playout" if word.heard else "cleared"}
        if self.extended and word.ms is not None:
            data["heardMs"] = word.ms
        return [_text({"type": "mark", "data": data})]

    def _cleared(self, word: Cleared) -> list[str | bytes]:
        """How much was heard, for a bot that may be told."""
        return [_text({"type": "sipcc", "sipcc": extension.write_cleared(word)})] if self.extended else []

    def end(self) -> list[str | bytes]:
        """The connection is closed without a word."""
        return []

    def receive(self, message: str | bytes) -> list[FromBot]:
        """What the bot wants by a message."""
        if len(message) > MAX_MESSAGE_BYTES:
            self.counts.malformed += 1
            return []
        if isinstance(message, bytes):
            return [Speak(message)]
        try:
            return self._take(_decoder.decode(message))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self.counts.malformed += 1
            return []

    def _take(self, read: _Message) -> list[FromBot]:
        data = read.data
        match read.type or read.event:
            case "playAudio":
                return [self._clip(data)]
            case "killAudio":
                return [Clear()]
            case "mark" if data.name:
                return [Mark(data.name[:MAX_NAME])]
            case "clearMarks":
                return [ClearMarks()]
            case "disconnect":
                return [Leave()]
            case event:
                return extension.other(self, event, read.sipcc, ("mark",))

    def _clip(self, data: _Data) -> Clip:
        try:
            audio = base64.b64decode(data.audio_content, validate=True)
        except binascii.Error as error:
            raise ValueError("no base64") from error
        rate_hz = int(data.sample_rate) or self.form.rate_hz
        if data.audio_content_type in ("wav", "wave"):
            rate_hz, audio = _of_wave(audio)
        elif data.audio_content_type != "raw":
            raise ValueError(f"no such type: {data.audio_content_type!r}")
        if not 4000 <= rate_hz <= 96_000:
            raise ValueError(f"no such rate: {rate_hz}")
        return Clip(audio, rate_hz, data.id[:MAX_NAME], data.queue_play)


def _of_wave(audio: bytes) -> tuple[int, bytes]:
    """Rate and samples of a plain WAV: PCM, 16 bits, mono."""
    if audio[:4] != b"RIFF" or audio[8:12] != b"WAVE":
        raise ValueError("no WAV")
    rate_hz, at = 0, 12
    while at + 8 <= len(audio):
        name, size = audio[at : at + 4], int.from_bytes(audio[at + 4 : at + 8], "little")
        content = audio[at + 8 : at + 8 + size]
        if name == b"fmt ":
            kind, channels = content[:2], content[2:4]
            rate_hz = int.from_bytes(content[4:8], "little")
            if (kind, channels, content[14:16]) != (b"\1\0", b"\1\0", b"\x10\0"):
                raise ValueError("only PCM of 16 bits in mono")
        elif name == b"data" and rate_hz:
            return rate_hz, content
        at += 8 + size + size % 2
    raise ValueError("a WAV without samples")


def _text(message: object) -> str:
    return _encode(message).decode()
