"""Genesys AudioHook, as Audio Connector speaks it: mu-law in binary messages, JSON in text ones. A core.

Source: https://developer.genesys.cloud/devapps/audiohook. Its client is the side that has the caller, here
`GenesysPlatform`; its server is the bot, `GenesysBot`. No audio goes before the server has opened the
session, and the last word, too, is the server's.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sipcc.call.digits import KEYS
from sipcc.ivr.bots import extension
from sipcc.ivr.bots.audiosocket import uuid_of
from sipcc.ivr.bots.words import (
    MAX_CONTEXT,
    MAX_MESSAGE_BYTES,
    Ahead,
    Clear,
    Cleared,
    Counts,
    Facts,
    Failed,
    Form,
    FromBot,
    HandOver,
    Heard,
    Key,
    Marked,
    Note,
    PlatformSide,
    Played,
    Speak,
    Started,
    Stopped,
    ToBot,
)

VERSION = "2"
PING_MS = 5000
"""So often a server is asked whether it lives."""

_encode = msgspec.json.Encoder().encode


class _Media(msgspec.Struct, frozen=True):
    channels: list[str] = []
    format: str = "PCMU"
    type: str = "audio"
    rate: int = 8000


class _Entity(msgspec.Struct, frozen=True):
    type: str = ""


class _Server(msgspec.Struct, frozen=True):
    media: list[_Media] = []
    start_paused: bool = msgspec.field(name="startPaused", default=False)
    entities: list[_Entity] = []
    reason: str = ""
    info: str = ""
    output: dict[str, Any] = msgspec.field(name="outputVariables", default={})


class _FromServer(msgspec.Struct, frozen=True):
    type: str
    seq: int = 0
    parameters: _Server = _Server()
    sipcc: extension.Extension | None = None


class _Participant(msgspec.Struct, frozen=True):
    ani: str = ""
    dnis: str = ""


class _Client(msgspec.Struct, frozen=True):
    conversation: str = msgspec.field(name="conversationId", default="")
    participant: _Participant = _Participant()
    media: list[_Media] = []
    input: dict[str, Any] = msgspec.field(name="inputVariables", default={})
    digit: str = ""
    reason: str = ""


class _FromClient(msgspec.Struct, frozen=True):
    type: str
    id: str = ""
    seq: int = 0
    parameters: _Client = _Client()


_server = msgspec.json.Decoder(_FromServer)
_client = msgspec.json.Decoder(_FromClient)


class GenesysPlatform(PlatformSide):
    """The side that has the caller: the client of AudioHook."""

    def __init__(self, facts: Facts, *, extended: bool = False) -> None:
        self.facts = facts
        self.counts = Counts()
        self.extended = extended
        self.form = Form(law="PCMU", mix="mono" if facts.form.mix == "mono" else "stereo")
        self.session = str(uuid_of(facts.stream))
        self.headers = {
            "Audiohook-Organization-Id": self._organization,
            "Audiohook-Correlation-Id": str(uuid_of(facts.call)),
            "Audiohook-Session-Id": self.session,
        }
        self._channels: list[str] | None = None
        """What the server wants to hear; None until it has opened the session."""
        self._sent = self._got = self._at_ms = self._pinged_ms = 0
        self._paused = self._disconnected = self._playing = False
        self._ahead = Ahead(self.form)
        self._due: list[str | bytes] = []

    @property
    def _organization(self) -> str:
        return str(uuid_of(self.facts.parameters.get("organizationId", "sipcc")))

    def begin(self) -> list[str | bytes]:
        """The message that asks for a session."""
        facts, both = self.facts, ["external", "internal"]
        wanted = [["external"]] if self.form.mix == "mono" else [both, ["external"]]
        participant = {
            "id": str(uuid_of(f"{facts.call}/caller")),
            "ani": facts.caller,
            "aniName": "",
            "dnis": facts.dialled,
        }
        return [
            self._message(
                "open",
                organizationId=self._organization,
                conversationId=str(uuid_of(facts.call)),
                participant=participant,
                media=[
                    {"type": "audio", "format": "PCMU", "channels": channels, "rate": 8000}
                    for channels in wanted
                ],
                inputVariables=facts.parameters,
            )
        ]

    def hear(self, said: bytes, heard: bytes, at_ms: int) -> list[str | bytes]:
        """The message of 20 ms, and what is due."""
        self._at_ms = at_ms
        self._ahead.pass_time(at_ms)
        messages = self._take_due()
        if self._playing and self._ahead.is_over:
            messages += self._played()
        if self._channels is None:
            return messages
        if at_ms - self._pinged_ms >= PING_MS:
            self._pinged_ms = at_ms
            messages.append(self._message("ping"))
        if self._paused or not self._channels:
            return messages
        sides = {"external": said, "internal": heard}
        audio = bytearray(len(said) * len(self._channels))
        for place, channel in enumerate(self._channels):
            audio[place :: len(self._channels)] = sides[channel]
        return [*messages, bytes(audio)]

    def tell(self, word: Key | Marked | Cleared | Played) -> list[str | bytes]:
        """The messages of something else; there are no marks on this wire."""
        messages = self._take_due()
        match word:
            case Key():
                messages.append(self._message("dtmf", digit=word.digit))
            case Cleared():
                self._ahead.clear()
                messages += self._played() if self._playing else []
                if self.extended:
                    told = {"type": "sipcc", "sipcc": extension.write_cleared(word)}
                    messages.append(_encode(told).decode())
            case _:
                pass
        return messages

    def end(self) -> list[str | bytes]:
        """The message that asks the server to close the session."""
        self.lingers = self._channels is not None
        reason = "disconnect" if self._disconnected else "end"
        return [*self._take_due(), self._message("close", reason=reason)]

    def receive(self, message: str | bytes) -> list[FromBot]:
        """What the bot wants by a message."""
        if len(message) > MAX_MESSAGE_BYTES:
            self.counts.malformed += 1
            return []
        if isinstance(message, bytes):
            return self._speak(message)
        try:
            return self._take(_server.decode(message))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self.counts.malformed += 1
        return []

    def _speak(self, audio: bytes) -> list[FromBot]:
        if not self._playing:
            self._playing = True
            self._due.append(self._message("playback_started"))
        self._ahead.say(len(audio))
        return [Speak(audio)]

    def _played(self) -> list[str | bytes]:
        self._playing = False
        return [self._message("playback_completed")]

    def _take(self, read: _FromServer) -> list[FromBot]:
        told, self._got = read.parameters, max(self._got, read.seq)
        match read.type:
            case "opened" if self._channels is None:
                channels = told.media[0].channels if told.media else []
                if not set(channels) <= {"external", "internal"}:
                    raise ValueError("no such channels")
                self._channels, self._paused = channels, told.start_paused
            case "closed":
                self.lingers = False
            case "pause" | "resume":
                self._pause(read.type == "pause")
            case "event":
                return [Clear() for entity in told.entities if entity.type == "barge_in"]
            case "disconnect":
                self._disconnected = True
                return _left(told)
            case "pong" | "updated":
                pass
            case event:
                return extension.other(self, event, read.sipcc, ("opened",))
        return []

    def _pause(self, paused: bool) -> None:
        """Send no audio, or go on; nothing is kept meanwhile."""
        at = _position(self._at_ms)
        told = {} if paused else {"start": at, "discarded": _position(0)}
        self._paused = paused
        self._due.append(self._message("paused" if paused else "resumed", **told))

    def _message(self, kind: str, **parameters: object) -> str:
        self._sent += 1
        head = {"version": VERSION, "id": self.session, "type": kind, "seq": self._sent}
        place = {"serverseq": self._got, "position": _position(self._at_ms)}
        return _encode({**head, **place, "parameters": parameters}).decode()

    def _take_due(self) -> list[str | bytes]:
        due, self._due = self._due, []
        return due


class GenesysBot:
    """The bot's side: the server of AudioHook."""

    ahead, bundle, lingers = 18, 12, True
    """A client takes five messages a second, so 240 ms go in one, and a little more are ahead of it."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.facts: Facts | None = None
        self._session = ""
        self._sent = self._got = self._heard = 0
        self._width = 1
        self._due: list[str | bytes] = []

    def receive(self, message: str | bytes) -> list[ToBot]:
        """What the client tells by a message."""
        if len(message) > MAX_MESSAGE_BYTES:
            self.counts.malformed += 1
            return []
        if isinstance(message, bytes):
            return self._hear(message)
        try:
            return self._take(_client.decode(message))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self.counts.malformed += 1
        return []

    def _hear(self, audio: bytes) -> list[ToBot]:
        if self.facts is None:
            self.counts.malformed += 1
            return []
        audio, at_ms = audio[:: self._width], self._heard
        self._heard += self.facts.form.ms_of(len(audio))
        return [Heard(audio, at_ms)]

    def _take(self, read: _FromClient) -> list[ToBot]:
        told, self._got = read.parameters, max(self._got, read.seq)
        match read.type:
            case "open" if self.facts is None:
                return [Started(self._open(read))]
            case "ping":
                self._due.append(self._message("pong"))
            case "close":
                self._due.append(self._message("closed"))
                return [Stopped(told.reason)]
            case "dtmf" if told.digit in KEYS:
                return [Key(told.digit)]
            case "paused" | "resumed" | "discarded" | "playback_started" | "playback_completed" | "update":
                pass
            case "open" | "dtmf":
                self.counts.malformed += 1
            case _:
                self.counts.unknown += 1
        return []

    def _open(self, read: _FromClient) -> Facts:
        told = read.parameters
        offers = [media for media in told.media if media.format == "PCMU" and "external" in media.channels]
        if not offers:
            raise ValueError("no sound that we know is offered")
        media = min(offers, key=lambda offer: len(offer.channels))  # the caller alone, if that is offered
        self._width, self._session = len(media.channels), read.id
        self._due.append(self._message("opened", startPaused=False, media=[msgspec.to_builtins(media)]))
        people = told.participant
        self.facts = Facts(
            call=told.conversation,
            stream=read.id,
            caller=people.ani,
            dialled=people.dnis,
            parameters=_texts(told.input),
            form=Form(law="PCMU"),
        )
        return self.facts

    def replies(self) -> list[str | bytes]:
        """What the client waits for."""
        due, self._due = self._due, []
        return due

    def speak(self, audio: bytes) -> bytes:
        """A message of audio."""
        return audio

    def mark(self, name: str) -> None:
        """There is no word for it."""

    def clear(self) -> str:
        """A message that drops what waits at the client."""
        return self._message("event", entities=[{"type": "barge_in", "data": {}}])

    def hang_up(self) -> str:
        """A message that asks the client to close."""
        return self._message("disconnect", reason="completed")

    def _message(self, kind: str, **parameters: object) -> str:
        self._sent += 1
        head = {"version": VERSION, "id": self._session, "type": kind, "seq": self._sent}
        return _encode({**head, "clientseq": self._got, "parameters": parameters}).decode()


def _left(told: _Server) -> list[FromBot]:
    """The bot wants to leave; what it has found out may come along."""
    if told.reason in ("error", "unauthorized"):
        return [Failed(told.info or told.reason)]
    context = _texts(told.output)
    return [*([Note(context=context)] if context else []), HandOver()]


def _texts(values: dict[str, Any]) -> dict[str, str]:
    """Variables as texts; what is none is written as JSON."""
    first = list(values.items())[:MAX_CONTEXT]
    return {name: value if isinstance(value, str) else _encode(value).decode() for name, value in first}


def _position(at_ms: int) -> str:
    """A duration of ISO 8601."""
    return f"PT{at_ms / 1000:.3f}S"
