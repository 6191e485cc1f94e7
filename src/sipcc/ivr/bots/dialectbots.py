"""The wires of Telnyx, Exotel, Plivo and Vonage from the bot's side. A core.

These platforms connect to it. The sources are those of `sipcc.ivr.bots.dialects`. What is malformed is
counted and dropped.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from sipcc.call.digits import KEYS
from sipcc.ivr.bots.twilio import DtmfPart, MarkPart, MediaPart, TwilioBot
from sipcc.ivr.bots.words import (
    MAX_MESSAGE_BYTES,
    MAX_NAME,
    Counts,
    Facts,
    Form,
    Heard,
    Key,
    Marked,
    Started,
    ToBot,
)
from sipcc.rtp.flow import Law

_LAWS: dict[str, Law] = {
    "PCMU": "PCMU",
    "PCMA": "PCMA",
    "audio/x-mulaw": "PCMU",
    "audio/x-alaw": "PCMA",
    "mulaw": "PCMU",
}
_SAMPLES = frozenset({"L16", "audio/x-raw", "audio/x-l16", "raw/slin", "base64"})
_encode = msgspec.json.Encoder().encode


class _Format(msgspec.Struct, frozen=True):
    encoding: str = "PCMU"
    sample_rate: int | str = 8000


class _Start(msgspec.Struct, frozen=True):
    call_control_id: str = ""
    call_sid: str = ""
    stream_sid: str = ""
    caller: str = msgspec.field(name="from", default="")
    to: str = ""
    custom_parameters: dict[str, str] = {}
    media_format: _Format = _Format()


class _Snake(msgspec.Struct, frozen=True):
    event: str
    start: _Start | None = None
    media: MediaPart | None = None
    mark: MarkPart | None = None
    dtmf: DtmfPart | None = None
    stream_id: str = ""
    stream_sid: str = ""
    sipcc: Any = None


class TelnyxBot(TwilioBot):
    """Telnyx media streaming, and what has its names with underscores."""

    decoder = msgspec.json.Decoder(_Snake)

    def begin(self, read: _Snake) -> Facts:
        """What a message of a start tells."""
        start = read.start
        assert start is not None
        form = start.media_format
        return Facts(
            call=start.call_control_id or start.call_sid,
            stream=read.stream_id or read.stream_sid or start.stream_sid,
            caller=start.caller,
            dialled=start.to,
            parameters=start.custom_parameters,
            form=_form(form.encoding, form.sample_rate),
        )

    def message(self, event: str, **content: object) -> str:
        """One message."""
        stream = self.facts.stream if self.facts is not None else ""
        return _encode({"event": event, "stream_id": stream, **content}).decode()


class ExotelBot(TelnyxBot):
    """Exotel's Voicebot applet."""

    def message(self, event: str, **content: object) -> str:
        """One message."""
        stream = self.facts.stream if self.facts is not None else ""
        return _encode({"event": event, "stream_sid": stream, **content}).decode()


class _PlivoFormat(msgspec.Struct, frozen=True, rename="camel"):
    encoding: str = "audio/x-mulaw"
    sample_rate: int | str = 8000


class _PlivoStart(msgspec.Struct, frozen=True, rename="camel"):
    call_id: str = ""
    stream_id: str = ""
    media_format: _PlivoFormat = _PlivoFormat()


class _FromPlivo(msgspec.Struct, frozen=True):
    event: str
    start: _PlivoStart | None = None
    media: MediaPart | None = None
    dtmf: DtmfPart | None = None
    mark: None = None
    name: str = ""
    extra_headers: str = ""
    sipcc: Any = None


class PlivoBot(TwilioBot):
    """Plivo's audio streams."""

    decoder = msgspec.json.Decoder(_FromPlivo)

    def begin(self, read: _FromPlivo) -> Facts:
        """What a message of a start tells."""
        start = read.start
        assert start is not None
        told = msgspec.json.decode(read.extra_headers or "{}", type=dict[str, str])
        return Facts(
            call=start.call_id,
            stream=start.stream_id,
            caller=told.get("from", ""),
            dialled=told.get("to", ""),
            parameters=told,
            form=_form(start.media_format.encoding, start.media_format.sample_rate),
        )

    def take(self, read: _FromPlivo) -> list[ToBot]:
        """What a message tells."""
        if read.event == "playedStream":
            return [Marked(read.name[:MAX_NAME])]
        return [] if read.event == "clearedAudio" else super().take(read)

    def speak(self, audio: bytes) -> str:
        """A message of audio in the form of the start."""
        form = self.facts.form if self.facts is not None else Form(law="PCMU")
        kind = "audio/x-l16" if form.law is None else "audio/x-mulaw"
        media = {"contentType": kind, "sampleRate": form.rate_hz, "payload": base64.b64encode(audio).decode()}
        return self.message("playAudio", media=media)

    def mark(self, name: str) -> str:
        """A message that asks for an echo."""
        return self.message("checkpoint", name=name)

    def clear(self) -> str:
        """A message that drops what waits at the platform."""
        return self.message("clearAudio")

    def message(self, event: str, **content: object) -> str:
        """One message."""
        stream = self.facts.stream if self.facts is not None else ""
        return _encode({"event": event, "streamId": stream, **content}).decode()


class _NamedMark(msgspec.Struct, frozen=True):
    mark: str = ""


class _FromVonage(msgspec.Struct, frozen=True):
    event: str
    content_type: str = msgspec.field(name="content-type", default="audio/l16;rate=16000")
    digit: str = ""
    payload: _NamedMark = _NamedMark()


_vonage = msgspec.json.Decoder(_FromVonage)
_VONAGE_KEYS = frozenset({"event", "content-type"})


class VonageBot:
    """Vonage's WebSockets: 16-bit samples in binary messages, JSON in text ones."""

    ahead, bundle, lingers = 5, 1, False

    def __init__(self) -> None:
        self.counts = Counts()
        self.facts: Facts | None = None
        self._heard_ms = 0

    def receive(self, message: str | bytes) -> list[ToBot]:
        """What the platform tells by a message."""
        try:
            if len(message) > MAX_MESSAGE_BYTES:
                raise ValueError("too long")
            return self._hear(message) if isinstance(message, bytes) else self._take(message)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self.counts.malformed += 1
        return []

    def _hear(self, audio: bytes) -> list[ToBot]:
        if self.facts is None:
            raise ValueError("nothing has begun")
        at_ms = self._heard_ms
        self._heard_ms += self.facts.form.ms_of(len(audio))
        return [Heard(audio, at_ms)]

    def _take(self, message: str) -> list[ToBot]:
        read = _vonage.decode(message)
        match read.event:
            case "websocket:connected" if self.facts is None:
                kind, _, rate_hz = read.content_type.partition(";rate=")
                told = msgspec.json.decode(message, type=dict[str, Any])
                texts = {
                    key: text
                    for key, text in told.items()
                    if isinstance(text, str) and key not in _VONAGE_KEYS
                }
                self.facts = Facts(
                    call=texts.get("uuid", ""),
                    caller=texts.get("from", ""),
                    dialled=texts.get("to", ""),
                    parameters=texts,
                    form=_form("L16" if kind == "audio/l16" else kind, rate_hz),
                )
                return [Started(self.facts)]
            case "websocket:dtmf" if read.digit in KEYS:
                return [Key(read.digit)]
            case "websocket:notify" if read.payload.mark:
                return [Marked(read.payload.mark[:MAX_NAME])]
            case "websocket:cleared" | "websocket:notify":
                return []
            case "websocket:connected" | "websocket:dtmf":
                raise ValueError("nothing is in it")
            case _:
                self.counts.unknown += 1
        return []

    def replies(self) -> list[str | bytes]:
        """The platform waits for no answer."""
        return []

    def speak(self, audio: bytes) -> bytes:
        """A message of samples."""
        return audio

    def mark(self, name: str) -> str:
        """A message that asks for an echo."""
        return _encode({"action": "notify", "payload": {"mark": name}}).decode()

    def clear(self) -> str:
        """A message that drops what waits at the platform."""
        return _encode({"action": "clear"}).decode()

    def hang_up(self) -> None:
        """The connection is closed without a word."""


def _form(encoding: str, rate_hz: int | str) -> Form:
    law = _LAWS.get(encoding)
    if law is None and encoding not in _SAMPLES:
        raise ValueError(f"no such encoding: {encoding!r}")
    return Form(law=law, rate_hz=int(rate_hz))
