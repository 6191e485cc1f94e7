"""Asterisk's WebSocket channel driver: audio in binary messages, commands and events in text ones. A core.

Source: https://docs.asterisk.org/Configuration/Channel-Drivers/WebSocket/. Events are JSON, or plain text as
in older Asterisks; commands are read in either form. `AsteriskPlatform` is the driver's side, `AsteriskBot`
that of its application. What an application says is framed and timed by us, whether or not it asked for that.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sipcc.call.digits import KEYS
from sipcc.ivr.bots import extension
from sipcc.ivr.bots.audiosocket import uuid_of
from sipcc.ivr.bots.words import (
    MAX_MESSAGE_BYTES,
    MAX_NAME,
    Ahead,
    Clear,
    Cleared,
    Counts,
    Facts,
    Form,
    FromBot,
    Heard,
    Key,
    Leave,
    Mark,
    Marked,
    Pause,
    PlatformSide,
    Played,
    Speak,
    Started,
    ToBot,
)

PROTOCOL = "media"
"""The subprotocol of the driver's connections."""
FORMATS = {12000: "slin12", 16000: "slin16", 24000: "slin24", 32000: "slin32", 48000: "slin48"}
"""Formats of 16-bit samples by their rate; with 8000 Hz it is mu-law."""
XON, XOFF = 800, 900
"""Below and above so many frames that wait an application may send, and must not."""

_RATES = {name: rate_hz for rate_hz, name in FORMATS.items()} | {"slin": 8000}
_LAWS = {"ulaw": "PCMU", "alaw": "PCMA"}
_encode = msgspec.json.Encoder().encode


class _Command(msgspec.Struct, frozen=True):
    command: str = ""
    correlation_id: str = ""
    direction: str = ""
    event: str = ""
    sipcc: extension.Extension | None = None


class _Event(msgspec.Struct, frozen=True):
    event: str
    connection_id: str = ""
    channel_id: str = ""
    format: str = ""
    digit: str = ""
    correlation_id: str = ""
    channel_variables: dict[str, str] = {}


_commands = msgspec.json.Decoder(_Command)
_events = msgspec.json.Decoder(_Event)


class AsteriskPlatform(PlatformSide):
    """The side that has the caller."""

    protocols: Sequence[str] = (PROTOCOL,)

    def __init__(self, facts: Facts, *, plain: bool = False, extended: bool = False) -> None:
        """`plain` writes events as plain text, as Asterisks before 20.18, 22.8 and 23.2 do."""
        self.facts = facts
        self.counts = Counts()
        self.extended = extended
        rate_hz = facts.form.rate_hz
        self.form = Form(rate_hz=rate_hz) if rate_hz in FORMATS else Form(law="PCMU")
        self._plain = plain
        self._direction = "both"
        self._ahead = Ahead(self.form)
        self._full = self._bulk = self._paused = False
        self._due: list[str | bytes] = []

    def begin(self) -> list[str | bytes]:
        """The message that opens the conversation."""
        facts = self.facts
        told: dict[str, object] = {
            "connection_id": str(uuid_of(facts.stream)),
            "channel": f"WebSocket/{facts.stream}",
            "channel_id": facts.call,
            "format": FORMATS[self.form.rate_hz] if self.form.law is None else "ulaw",
            "optimal_frame_size": self.form.rate_hz // 50 * (1 if self.form.law else 2),
            "ptime": 20,
        }
        if not self._plain:
            variables = {**facts.parameters, "CALLERID(num)": facts.caller, "EXTEN": facts.dialled}
            told["channel_variables"] = variables
        return [self._event("MEDIA_START", **told)]

    def hear(self, said: bytes, heard: bytes, at_ms: int) -> list[str | bytes]:
        """The message of 20 ms, and what was asked for since the last one."""
        self._ahead.pass_time(at_ms)
        return [*self._take_due(), *([said] if self._direction != "out" else [])]

    def tell(self, word: Key | Marked | Cleared | Played) -> list[str | bytes]:
        """The messages of something else."""
        match word:
            case Key():
                told = self._event("DTMF_END", **self._channel(always=True), digit=word.digit)
                return [*self._take_due(), told]
            case Marked():
                return [*self._take_due(), *self._marked(word)]
            case Cleared():
                self._ahead.clear()
                if not self.extended:
                    return self._take_due()
                return [*self._take_due(), _text({"event": "sipcc", "sipcc": extension.write_cleared(word)})]
            case Played():
                return []  # there are no clips on this wire

    def _marked(self, word: Marked) -> list[str | bytes]:
        """The answer to a mark, by what asked for it; only an emptied queue is told when it was flushed."""
        kind, name = word.name[:1], word.name[1:]
        given = {"correlation_id": name} if name else {}
        if kind == "q":
            return [self._event("QUEUE_DRAINED", **self._channel())]
        if not word.heard:
            return []
        if kind == "b":
            return [self._event("MEDIA_BUFFERING_COMPLETED", **self._channel(always=True), **given)]
        return [self._event("MEDIA_MARK_PROCESSED", **self._channel(), **given)]

    def end(self) -> list[str | bytes]:
        """The connection is closed without a word."""
        return []

    def room(self, full: bool) -> None:
        """Whether the application should wait before it sends more."""
        self._full = full
        self._due.append(self._event("MEDIA_XOFF" if full else "MEDIA_XON", **self._channel()))

    def receive(self, message: str | bytes) -> list[FromBot]:
        """What the application wants by a message."""
        if len(message) > MAX_MESSAGE_BYTES:
            self.counts.malformed += 1
            return []
        if isinstance(message, bytes):
            if self._direction == "in":
                return []
            self._ahead.say(len(message))
            return [Speak(message)]
        try:
            if message.lstrip()[:1] == "{":
                return self._obey(_commands.decode(message))
            command, _, rest = message.strip().partition(" ")
            return self._obey(_Command(command, rest.strip(), rest.strip()))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self.counts.malformed += 1
        return []

    def _obey(self, read: _Command) -> list[FromBot]:
        given = read.correlation_id[: MAX_NAME - 1]
        match read.command:
            case "ANSWER":
                return []  # it is
            case "HANGUP":
                return [Leave()]
            case "START_MEDIA_BUFFERING":
                self._bulk = True
                return []
            case "STOP_MEDIA_BUFFERING":
                self._bulk = False
                return [Mark(f"b{given}")]
            case "MARK_MEDIA":
                return [Mark(f"m{given}")]
            case "REPORT_QUEUE_DRAINED":
                return [Mark("q")]
            case "FLUSH_MEDIA":
                self._bulk = self._paused = False
                self._ahead.clear()
                return [Clear(), Pause(False)]
            case "PAUSE_MEDIA" | "CONTINUE_MEDIA":
                self._paused = read.command == "PAUSE_MEDIA"
                return [Pause(self._paused)]
            case "GET_STATUS":
                self._due.append(self._status())
                return []
            case "SET_MEDIA_DIRECTION" if read.direction in ("in", "out", "both"):
                self._direction = read.direction
                return []
            case command:
                known = ("SET_MEDIA_DIRECTION",)
                return extension.other(self, command or read.event, read.sipcc, known)

    def _status(self) -> str:
        told: dict[str, object] = {
            "queue_length": self._ahead.frames,
            "xon_level": XON,
            "xoff_level": XOFF,
            "queue_full": self._full,
            "bulk_media": self._bulk,
            "media_paused": self._paused,
        }
        return self._event("STATUS", **self._channel(always=True), **told)

    def _channel(self, *, always: bool = False) -> dict[str, object]:
        """The channel's id, which some events have only as JSON."""
        return {"channel_id": self.facts.call} if always or not self._plain else {}

    def _event(self, name: str, **told: object) -> str:
        if not self._plain:
            return _text({"event": name, **told})
        return " ".join([name, *(_plain(name, key, value) for key, value in told.items())])

    def _take_due(self) -> list[str | bytes]:
        due, self._due = self._due, []
        return due


class AsteriskBot:
    """The application's side: it is connected to, hears the caller, and speaks."""

    ahead, bundle, lingers = 5, 1, False

    def __init__(self) -> None:
        self.counts = Counts()
        self.facts: Facts | None = None
        self._plain = False
        self._heard = 0

    def receive(self, message: str | bytes) -> list[ToBot]:
        """What the driver tells by a message."""
        if len(message) > MAX_MESSAGE_BYTES:
            self.counts.malformed += 1
            return []
        if isinstance(message, bytes):
            return self._hear(message)
        try:
            plain = message.lstrip()[:1] != "{"
            words = self._take(_read_plain(message) if plain else _events.decode(message))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self.counts.malformed += 1
            return []
        if words and isinstance(words[0], Started):
            self._plain = plain  # it is answered as it speaks
        return words

    def _hear(self, audio: bytes) -> list[ToBot]:
        if self.facts is None:
            self.counts.malformed += 1
            return []
        form, at_ms = self.facts.form, self._heard
        self._heard += form.ms_of(len(audio))
        return [Heard(audio, at_ms)]

    def _take(self, read: _Event) -> list[ToBot]:
        match read.event:
            case "MEDIA_START" if self.facts is None:
                self.facts = _facts_of(read)
                return [Started(self.facts)]
            case "DTMF_END" if read.digit in KEYS:
                return [Key(read.digit)]
            case "MEDIA_MARK_PROCESSED":
                return [Marked(read.correlation_id[:MAX_NAME])]
            case "MEDIA_XOFF" | "MEDIA_XON" | "STATUS" | "QUEUE_DRAINED" | "MEDIA_BUFFERING_COMPLETED":
                return []  # we are never so far ahead, and ask for none of these
            case "MEDIA_START" | "DTMF_END":
                self.counts.malformed += 1
            case _:
                self.counts.unknown += 1
        return []

    def replies(self) -> list[str | bytes]:
        """The driver waits for no answer."""
        return []

    def speak(self, audio: bytes) -> bytes:
        """A message of audio in the form of the start."""
        return audio

    def mark(self, name: str) -> str:
        """A message that asks for an event when it is reached."""
        return self._command("MARK_MEDIA", name)

    def clear(self) -> str:
        """A message that drops what waits in the driver."""
        return self._command("FLUSH_MEDIA")

    def hang_up(self) -> str:
        """The last message."""
        return self._command("HANGUP")

    def _command(self, command: str, given: str = "") -> str:
        if self._plain:
            return f"{command} {given}".strip()
        return _text({"command": command, **({"correlation_id": given} if given else {})})


def _facts_of(read: _Event) -> Facts:
    law, rate_hz = _LAWS.get(read.format), _RATES.get(read.format, 8000)
    if law is None and read.format not in _RATES:
        raise ValueError(f"no such format: {read.format!r}")
    variables = read.channel_variables
    return Facts(
        call=read.channel_id or read.connection_id,
        stream=read.connection_id,
        caller=variables.get("CALLERID(num)", variables.get("from", "")),
        dialled=variables.get("EXTEN", variables.get("to", "")),
        parameters=variables,
        form=Form(law=law, rate_hz=rate_hz),  # type: ignore[arg-type]
    )


def _read_plain(message: str) -> _Event:
    """An event in plain text: its name, then ``name:value`` or one bare id."""
    name, *parts = message.split()
    given = dict(part.split(":", 1) for part in parts if ":" in part)
    bare = next((part for part in parts if ":" not in part), "")
    return msgspec.convert({"correlation_id": bare, **given, "event": name}, _Event)


def _plain(event: str, key: str, value: object) -> str:
    if key == "correlation_id" and event == "MEDIA_BUFFERING_COMPLETED":
        return str(value)
    return f"{key}:{str(value).lower() if isinstance(value, bool) else value}"


def _text(message: object) -> str:
    return _encode(message).decode()
