"""Twilio Media Streams: JSON in text messages of a WebSocket, with base64 of mu-law at 8 kHz. A core.

Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages. `TwilioPlatform` is the side that
has the caller and connects; `TwilioBot` is the side that is connected to. What is malformed is counted and
dropped, as that page's platforms do, and the conversation goes on.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, ClassVar

import msgspec

from sipcc.call.digits import KEYS
from sipcc.ivr.bots import extension
from sipcc.ivr.bots.words import (
    MAX_MESSAGE_BYTES,
    MAX_NAME,
    Clear,
    Cleared,
    Counts,
    Facts,
    Form,
    FromBot,
    Heard,
    Key,
    Mark,
    Marked,
    PlatformSide,
    Played,
    Speak,
    Started,
    Stopped,
    ToBot,
)

FORM = Form(law="PCMU")
_ENCODINGS = {"audio/x-mulaw": "PCMU", "audio/x-alaw": "PCMA", "audio/x-l16": None}


class MediaPart(msgspec.Struct, frozen=True):
    """What stands under ``media``; others' wires have the same."""

    payload: str
    track: str = "inbound"
    timestamp: str | int = 0


class MarkPart(msgspec.Struct, frozen=True):
    """What stands under ``mark``."""

    name: str
    heardMs: int | None = None  # as it is written


class DtmfPart(msgspec.Struct, frozen=True):
    """What stands under ``dtmf``."""

    digit: str


class _Format(msgspec.Struct, frozen=True, rename="camel"):
    encoding: str = "audio/x-mulaw"
    sample_rate: int = 8000
    channels: int = 1


class _Start(msgspec.Struct, frozen=True, rename="camel"):
    call_sid: str = ""
    stream_sid: str = ""
    custom_parameters: dict[str, str] = {}
    media_format: _Format = _Format()


class _FromBot(msgspec.Struct, frozen=True):
    event: str
    media: MediaPart | None = None
    mark: MarkPart | None = None
    sipcc: extension.Extension | None = None


class _Told(msgspec.Struct, frozen=True, rename="camel"):
    type: str
    heard_ms: int = 0
    total_ms: int = 0


class _FromPlatform(msgspec.Struct, frozen=True, rename="camel"):
    event: str
    start: _Start | None = None
    media: MediaPart | None = None
    mark: MarkPart | None = None
    dtmf: DtmfPart | None = None
    sipcc: _Told | None = None


_bot_decoder = msgspec.json.Decoder(_FromBot)
_platform_decoder = msgspec.json.Decoder(_FromPlatform)
_encode = msgspec.json.Encoder().encode


class TwilioPlatform(PlatformSide):
    """The side that has the caller."""

    def __init__(self, facts: Facts, *, account: str = "", extended: bool = False) -> None:
        """`extended` tells how much was heard from the start, and not only to a bot that asks."""
        self.facts = facts
        self.counts = Counts()
        self.form = msgspec.structs.replace(FORM, mix=facts.form.mix)
        self.extended = extended
        self.account = account
        self._sequence = 0
        self._chunk = 0

    def begin(self) -> list[str]:
        """The messages that open the conversation."""
        facts = self.facts
        connected = {"event": "connected", "protocol": "Call", "version": "1.0.0"}
        start = {
            "accountSid": self.account,
            "streamSid": facts.stream,
            "callSid": facts.call,
            "tracks": ["inbound"] if self.form.mix == "mono" else ["inbound", "outbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": facts.parameters,
        }
        return [_encode(connected).decode(), self.message("start", start=start)]

    def hear(self, said: bytes, heard: bytes, at_ms: int) -> list[str]:
        """The messages of 20 ms: what the caller says, and what it hears where that is wanted."""
        messages = [self._media("inbound", said, at_ms)]
        if self.form.mix != "mono":
            messages.append(self._media("outbound", heard, at_ms))
        return messages

    def _media(self, track: str, audio: bytes, at_ms: int) -> str:
        self._chunk += 1
        payload = base64.b64encode(audio).decode()
        media = {"track": track, "chunk": str(self._chunk), "timestamp": str(at_ms), "payload": payload}
        return self.message("media", media=media)

    def tell(self, word: Key | Marked | Cleared | Played) -> list[str]:
        """The messages of something else."""
        match word:
            case Key():
                return self.key(word)
            case Marked():
                return self.marked(word)
            case Cleared():
                return self.cleared(word)
            case Played():
                return []  # there are no clips on this wire

    def key(self, word: Key) -> list[str]:
        """The message of a key."""
        return [self.message("dtmf", dtmf={"track": "inbound_track", "digit": word.digit})]

    def marked(self, word: Marked) -> list[str]:
        """The echo of a mark; it comes for a cleared one too."""
        mark: dict[str, object] = {"name": word.name}
        if self.extended and word.ms is not None:
            mark["heardMs"] = word.ms
        return [self.message("mark", mark=mark)]

    def cleared(self, word: Cleared) -> list[str]:
        """How much was heard, for a bot that may be told."""
        if not self.extended:
            return []
        return [self.message("sipcc", sipcc=extension.write_cleared(word))]

    def end(self) -> list[str]:
        """The last message."""
        return [self.message("stop", stop={"accountSid": self.account, "callSid": self.facts.call})]

    def message(self, event: str, **content: object) -> str:
        """One message with its number."""
        head = {"event": event, "sequenceNumber": str(self.next_sequence())}
        return _encode({**head, **content, "streamSid": self.facts.stream}).decode()

    def next_sequence(self) -> int:
        """The number of the next message, from 1."""
        self._sequence += 1
        return self._sequence

    def receive(self, message: str | bytes) -> list[FromBot]:
        """What the bot wants by a message."""
        if isinstance(message, bytes) or len(message) > MAX_MESSAGE_BYTES:
            self.counts.malformed += 1
            return []
        try:
            return self.read(message)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self.counts.malformed += 1
        return []

    def read(self, message: str) -> list[FromBot]:
        """What the bot wants by a text; ValueError or msgspec's errors for one that is malformed."""
        read = _bot_decoder.decode(message)
        match read.event:
            case "media" if read.media is not None:
                return [Speak(unpacked(read.media.payload))]
            case "mark" if read.mark is not None:
                return [Mark(read.mark.name[:MAX_NAME])]
            case "clear":
                return [Clear()]
            case event:
                return extension.other(self, event, read.sipcc, ("media", "mark"))


class TwilioBot:
    """The side that is connected to: it hears the caller, and speaks."""

    ahead, bundle, lingers = 5, 1, False
    decoder: ClassVar[msgspec.json.Decoder[Any]] = _platform_decoder
    """Of what the platform tells; dialects have others."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.facts: Facts | None = None

    def receive(self, message: str | bytes) -> list[ToBot]:
        """What the platform tells by a message."""
        if isinstance(message, bytes) or len(message) > MAX_MESSAGE_BYTES:
            self.counts.malformed += 1
            return []
        try:
            return self.take(self.decoder.decode(message))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self.counts.malformed += 1
            return []

    def take(self, read: Any) -> list[ToBot]:
        """What a message tells; ValueError for one that is malformed."""
        match read.event:
            case "connected":
                return []
            case "start" if read.start is not None and self.facts is None:
                self.facts = self.begin(read)
                return [Started(self.facts)]
            case "media" if read.media is not None and self.facts is not None:
                if read.media.track != "inbound":
                    return []
                return [Heard(unpacked(read.media.payload), int(read.media.timestamp))]
            case "dtmf" if read.dtmf is not None and read.dtmf.digit in KEYS:
                return [Key(read.dtmf.digit)]
            case "mark" if read.mark is not None:
                return [Marked(read.mark.name[:MAX_NAME], ms=read.mark.heardMs)]
            case "stop":
                return [Stopped()]
            case "sipcc" if read.sipcc is not None and read.sipcc.type == "cleared":
                return [Cleared(read.sipcc.heard_ms, read.sipcc.total_ms)]
            case "start" | "media" | "dtmf" | "mark":
                self.counts.malformed += 1
            case _:
                self.counts.unknown += 1
        return []

    def replies(self) -> list[str | bytes]:
        """The platform waits for no answer."""
        return []

    def begin(self, read: Any) -> Facts:
        """What a message of a start tells; ValueError for a form that we do not know."""
        return _facts_of(read.start)

    def speak(self, audio: bytes) -> str:
        """A message of audio in the form of the start."""
        return self.message("media", media={"payload": base64.b64encode(audio).decode()})

    def mark(self, name: str) -> str:
        """A message that asks for an echo."""
        return self.message("mark", mark={"name": name})

    def clear(self) -> str:
        """A message that drops what waits at the platform."""
        return self.message("clear")

    def hang_up(self) -> None:
        """The connection is closed without a word."""

    def message(self, event: str, **content: object) -> str:
        """One message."""
        stream = self.facts.stream if self.facts is not None else ""
        return _encode({"event": event, "streamSid": stream, **content}).decode()


def _facts_of(start: _Start) -> Facts:
    encoding = start.media_format.encoding
    if encoding not in _ENCODINGS:
        raise ValueError(f"no such encoding: {encoding!r}")
    law = _ENCODINGS[encoding]
    parameters = start.custom_parameters
    return Facts(
        call=start.call_sid,
        stream=start.stream_sid,
        caller=parameters.get("from", ""),
        dialled=parameters.get("to", ""),
        parameters=parameters,
        form=Form(law=law, rate_hz=start.media_format.sample_rate),  # type: ignore[arg-type]
    )


def unpacked(payload: str) -> bytes:
    """Bytes of base64; ValueError for what is none."""
    try:
        return base64.b64decode(payload, validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error
