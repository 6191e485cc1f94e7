"""The wires of Telnyx, Exotel, Plivo and Vonage from the platform's side: Twilio's in other words. A core.

Sources: https://developers.telnyx.com/docs/voice/programmable-voice/media-streaming,
https://developer.exotel.com/docs/agentstream/websocket-protocol,
https://docs.plivo.com/docs/voice/xml/audiostream, and
https://developer.vonage.com/voice/voice-api/concepts/websockets. What is malformed is counted and dropped.
"""

from __future__ import annotations

import msgspec

from sipcc.ivr.bots import extension
from sipcc.ivr.bots.twilio import TwilioPlatform, unpacked
from sipcc.ivr.bots.words import (
    MAX_MESSAGE_BYTES,
    MAX_NAME,
    Clear,
    Cleared,
    Counts,
    Facts,
    Form,
    FromBot,
    Key,
    Mark,
    Marked,
    PlatformSide,
    Played,
    Speak,
)

_encode = msgspec.json.Encoder().encode


class TelnyxPlatform(TwilioPlatform):
    """Telnyx media streaming: mu-law in JSON, names with underscores."""

    def begin(self) -> list[str]:
        """The messages that open the conversation."""
        facts = self.facts
        start = {
            "user_id": self.account,
            "call_control_id": facts.call,
            "from": facts.caller,
            "to": facts.dialled,
            "custom_parameters": facts.parameters,
            "media_format": {"encoding": "PCMU", "sample_rate": 8000, "channels": 1},
        }
        connected = _encode({"event": "connected", "version": "1.0.0"}).decode()
        return [connected, self.message("start", start=start)]

    def end(self) -> list[str]:
        """The last message."""
        return [self.message("stop", stop={"user_id": self.account, "call_control_id": self.facts.call})]

    def key(self, word: Key) -> list[str]:
        """The message of a key."""
        return [self.message("dtmf", dtmf={"digit": word.digit})]

    def message(self, event: str, **content: object) -> str:
        """One message with its number."""
        head = {"event": event, "sequence_number": str(self.next_sequence())}
        return _encode({**head, **content, "stream_id": self.facts.stream}).decode()


class ExotelPlatform(TwilioPlatform):
    """Exotel's Voicebot applet: base64 of 16-bit samples in JSON, names with underscores."""

    def __init__(self, facts: Facts, *, account: str = "", extended: bool = False) -> None:
        super().__init__(facts, account=account, extended=extended)
        self.form = Form(rate_hz=facts.form.rate_hz)

    def begin(self) -> list[str]:
        """The messages that open the conversation."""
        facts = self.facts
        start = {
            "stream_sid": facts.stream,
            "call_sid": facts.call,
            "account_sid": self.account,
            "from": facts.caller,
            "to": facts.dialled,
            "custom_parameters": facts.parameters,
            "media_format": {
                "encoding": "audio/x-raw",
                "sample_rate": str(self.form.rate_hz),
                "bit_rate": "16",
            },
        }
        return [_encode({"event": "connected"}).decode(), self.message("start", start=start)]

    def end(self) -> list[str]:
        """The last message."""
        stop = {"call_sid": self.facts.call, "account_sid": self.account, "reason": "callended"}
        return [self.message("stop", stop=stop)]

    def key(self, word: Key) -> list[str]:
        """The message of a key."""
        return [self.message("dtmf", dtmf={"digit": word.digit, "duration": str(word.duration_ms)})]

    def message(self, event: str, **content: object) -> str:
        """One message with its number."""
        head = {"event": event, "sequence_number": str(self.next_sequence())}
        return _encode({**head, **content, "stream_sid": self.facts.stream}).decode()


class _PlivoMedia(msgspec.Struct, frozen=True, rename="camel"):
    payload: str
    content_type: str = "audio/x-mulaw"
    sample_rate: int | str = 8000


class _FromPlivoBot(msgspec.Struct, frozen=True):
    event: str
    media: _PlivoMedia | None = None
    name: str = ""
    sipcc: extension.Extension | None = None


_plivo = msgspec.json.Decoder(_FromPlivoBot)


class PlivoPlatform(TwilioPlatform):
    """Plivo's audio streams: mu-law to the bot, mu-law or 16-bit samples from it."""

    def begin(self) -> list[str]:
        """The message that opens the conversation."""
        facts = self.facts
        start = {
            "callId": facts.call,
            "streamId": facts.stream,
            "accountId": self.account,
            "tracks": ["inbound"] if self.form.mix == "mono" else ["inbound", "outbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000},
        }
        return [self.message("start", start=start, extra_headers=_encode(facts.parameters).decode())]

    def end(self) -> list[str]:
        """The last message."""
        return [self.message("stop", stop={"callId": self.facts.call, "streamId": self.facts.stream})]

    def key(self, word: Key) -> list[str]:
        """The message of a key."""
        return [self.message("dtmf", dtmf={"track": "inbound", "digit": word.digit})]

    def marked(self, word: Marked) -> list[str]:
        """A checkpoint was heard; of one that was cleared nothing is told."""
        return [self.message("playedStream", name=word.name)] if word.heard else []

    def cleared(self, word: Cleared) -> list[str]:
        """What waited was dropped."""
        heard = {"sipcc": extension.write_cleared(word)} if self.extended else {}
        return [self.message("clearedAudio", **heard)]

    def message(self, event: str, **content: object) -> str:
        """One message with its number, from 0."""
        head = {"event": event, "sequenceNumber": self.next_sequence() - 1}
        return _encode({**head, **content, "streamId": self.facts.stream}).decode()

    def read(self, message: str) -> list[FromBot]:
        """What the bot wants by a message."""
        read = _plivo.decode(message)
        match read.event:
            case "playAudio" if read.media is not None:
                return [_plivo_speech(read.media)]
            case "checkpoint" if read.name:
                return [Mark(read.name[:MAX_NAME])]
            case "clearAudio":
                return [Clear()]
            case event:
                return extension.other(self, event, read.sipcc, ("playAudio", "checkpoint"))


def _plivo_speech(media: _PlivoMedia) -> Speak:
    audio, rate_hz = unpacked(media.payload), int(media.sample_rate)
    if media.content_type == "audio/x-mulaw" and rate_hz == 8000:
        return Speak(audio)
    if media.content_type == "audio/x-l16" and rate_hz in (8000, 16000, 24000):
        return Speak(audio, rate_hz)
    raise ValueError(f"no such sound: {media.content_type!r} of {rate_hz} Hz")


class _FromVonageBot(msgspec.Struct, frozen=True):
    action: str = ""
    event: str = ""
    payload: msgspec.Raw = msgspec.Raw(b"{}")
    sipcc: extension.Extension | None = None


_vonage = msgspec.json.Decoder(_FromVonageBot)


class VonagePlatform(PlatformSide):
    """Vonage's WebSockets: 16-bit samples in binary messages, JSON in text ones."""

    def __init__(self, facts: Facts, *, extended: bool = False) -> None:
        self.facts = facts
        self.form = Form(rate_hz=facts.form.rate_hz)
        self.counts = Counts()
        self.extended = extended

    def begin(self) -> list[str | bytes]:
        """The message that opens the conversation."""
        connected = {
            **self.facts.parameters,
            "event": "websocket:connected",
            "content-type": f"audio/l16;rate={self.form.rate_hz}",
        }
        return [_encode(connected).decode()]

    def hear(self, said: bytes, heard: bytes, at_ms: int) -> list[str | bytes]:
        """The message of 20 ms."""
        return [said]

    def tell(self, word: Key | Marked | Cleared | Played) -> list[str | bytes]:
        """The messages of something else."""
        match word:
            case Key():
                told: dict[str, object] = {"digit": word.digit, "duration": word.duration_ms}
                return [_encode({"event": "websocket:dtmf", **told}).decode()]
            case Marked() if word.heard:
                return [
                    _encode(
                        {"event": "websocket:notify", "payload": msgspec.Raw(word.name.encode())}
                    ).decode()
                ]
            case Cleared():
                heard = {"sipcc": extension.write_cleared(word)} if self.extended else {}
                return [_encode({"event": "websocket:cleared", **heard}).decode()]
            case _:
                return []

    def end(self) -> list[str | bytes]:
        """The connection is closed without a word."""
        return []

    def receive(self, message: str | bytes) -> list[FromBot]:
        """What the bot wants by a message."""
        if isinstance(message, bytes) and len(message) <= MAX_MESSAGE_BYTES:
            return [Speak(message)]
        try:
            if len(message) > MAX_MESSAGE_BYTES:
                raise ValueError("too long")
            return self._read(_vonage.decode(message))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self.counts.malformed += 1
        return []

    def _read(self, read: _FromVonageBot) -> list[FromBot]:
        match read.action or read.event:
            case "clear":
                return [Clear()]
            case "notify" if len(payload := bytes(read.payload)) <= MAX_NAME:
                return [Mark(payload.decode())]  # told as it came
            case event:
                return extension.other(self, event, read.sipcc, ("notify",))
