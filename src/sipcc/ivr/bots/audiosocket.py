"""Asterisk's AudioSocket: messages on a TCP stream, each with a type, a length and a payload. A core.

Source: https://docs.asterisk.org/Configuration/Channel-Drivers/AudioSocket/. Whoever has the caller connects
and says which call it is by a UUID; then both send 16-bit little-endian samples, a type for each rate. There
is no word for dropping what waits: who speaks on this wire must not be ahead.
"""

from __future__ import annotations

import struct
import uuid

from sipcc.call.digits import KEYS
from sipcc.ivr.bots.words import (
    Cleared,
    Counts,
    Facts,
    Failed,
    Form,
    FromBot,
    Heard,
    Key,
    Leave,
    Marked,
    PlatformSide,
    Played,
    SendKeys,
    Speak,
    Started,
    Stopped,
    ToBot,
)

HANGUP, UUID, DTMF, ERROR = 0x00, 0x01, 0x03, 0xFF
RATES_HZ = {
    0x10: 8000,
    0x11: 12000,
    0x12: 16000,
    0x13: 24000,
    0x14: 32000,
    0x15: 44100,
    0x16: 48000,
    0x17: 96000,
    0x18: 192000,
}
"""The rate of the samples by the type of their message."""
TYPES = {rate_hz: kind for kind, rate_hz in RATES_HZ.items()}

_HEAD = struct.Struct(">BH")


def frame(kind: int, payload: bytes = b"") -> bytes:
    """One message; a payload beyond 65,535 bytes is an error of ours."""
    return _HEAD.pack(kind, len(payload)) + payload


class Frames:
    """Cuts a stream into messages; it never holds more than one of them."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive(self, data: bytes) -> list[tuple[int, bytes]]:
        """The messages that `data` completes, as (type, payload)."""
        buffer, found, at = self._buffer, [], 0
        buffer += data
        while len(buffer) - at >= _HEAD.size:
            kind, size = _HEAD.unpack_from(buffer, at)
            end = at + _HEAD.size + size
            if len(buffer) < end:
                break
            found.append((kind, bytes(buffer[at + _HEAD.size : end])))
            at = end
        del buffer[:at]
        return found


class AudioSocketPlatform(PlatformSide):
    """The side that has the caller."""

    def __init__(self, facts: Facts) -> None:
        """The UUID is the parameter ``uuid``, or made of the call's id."""
        self.facts = facts
        self.counts = Counts()
        self.form = Form(rate_hz=facts.form.rate_hz if facts.form.rate_hz in TYPES else 8000)
        self._frames = Frames()
        given = facts.parameters.get("uuid", "")
        self.uuid = uuid_of(given or facts.call)

    def begin(self) -> list[bytes]:
        """Which call it is."""
        return [frame(UUID, self.uuid.bytes)]

    def hear(self, said: bytes, heard: bytes, at_ms: int) -> list[bytes]:
        """20 ms of what the caller says."""
        return [frame(TYPES[self.form.rate_hz], said)]

    def tell(self, word: Key | Marked | Cleared | Played) -> list[bytes]:
        """A key; there is no word for anything else."""
        return [frame(DTMF, word.digit.encode())] if isinstance(word, Key) else []

    def end(self) -> list[bytes]:
        """The call is over."""
        return [frame(HANGUP)]

    def receive(self, data: bytes) -> list[FromBot]:
        """What the bot wants by the next bytes."""
        words: list[FromBot] = []
        for kind, payload in self._frames.receive(data):
            if kind in RATES_HZ and not len(payload) % 2:
                words.append(Speak(payload, RATES_HZ[kind]))
            elif kind == HANGUP:
                words.append(Leave())
            elif kind == DTMF and _key(payload):
                words.append(SendKeys(_key(payload)))
            elif kind == ERROR:
                words.append(Failed(f"error {payload.hex()}"))
            elif kind in RATES_HZ or kind == DTMF:
                self.counts.malformed += 1
            else:
                self.counts.unknown += 1
        return words


class AudioSocketBot:
    """The side that is connected to."""

    ahead, bundle, lingers = 0, 1, False

    def __init__(self) -> None:
        self.counts = Counts()
        self.facts: Facts | None = None
        self._frames = Frames()
        self._form = Form()
        self._id = ""
        self._heard_ms = 0

    def receive(self, data: bytes) -> list[ToBot]:
        """What the platform tells by the next bytes; it begins with the first audio, which tells the rate."""
        words: list[ToBot] = []
        for kind, payload in self._frames.receive(data):
            if kind == UUID and len(payload) == 16:
                self._id = str(uuid.UUID(bytes=payload))
            elif kind in RATES_HZ and not len(payload) % 2:
                words += self._hear(RATES_HZ[kind], payload)
            elif kind == DTMF and _key(payload):
                words.append(Key(_key(payload)))
            elif kind == HANGUP:
                words.append(Stopped())
            elif kind == ERROR:
                words.append(Stopped(f"error {payload.hex()}"))
            elif kind in RATES_HZ or kind in (UUID, DTMF):
                self.counts.malformed += 1
            else:
                self.counts.unknown += 1
        return words

    def _hear(self, rate_hz: int, payload: bytes) -> list[ToBot]:
        words: list[ToBot] = []
        if self.facts is None:
            self._form = Form(rate_hz=rate_hz)
            self.facts = Facts(call=self._id, stream=self._id, form=self._form)
            words.append(Started(self.facts))
        elif rate_hz != self._form.rate_hz:
            self.counts.malformed += 1
            return []
        words.append(Heard(payload, self._heard_ms))
        self._heard_ms += len(payload) * 500 // rate_hz
        return words

    def speak(self, audio: bytes) -> bytes:
        """The message of some samples, at most 65,534 bytes of them."""
        return frame(TYPES[self._form.rate_hz], audio)

    def replies(self) -> list[str | bytes]:
        """The platform waits for no answer."""
        return []

    def mark(self, name: str) -> None:
        """There is no word for it."""

    def clear(self) -> None:
        """Nothing waits at the platform."""

    def hang_up(self) -> bytes:
        """The last message."""
        return frame(HANGUP)


def uuid_of(text: str) -> uuid.UUID:
    """`text` if it is a UUID, else one that is made of it and always the same."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.uuid5(uuid.NAMESPACE_URL, text)


def _key(payload: bytes) -> str:
    text = payload.decode("ascii", "replace")
    return text if text in KEYS and len(text) == 1 else ""
