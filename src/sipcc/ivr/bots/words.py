"""What a platform and a bot say to each other; the wires of this package read and write it.

The platform has the caller; the bot speaks with it. Audio is in the `Form` that was agreed at the start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from sipcc.rtp.flow import Law

MAX_MESSAGE_BYTES = 1024 * 1024
"""The longest message of a bot or a platform; clips of half a minute at 16 kHz fit."""
MAX_NAME = 256
"""The longest name of a mark, in characters; longer ones are cut."""
MAX_TEXT = 65_536
"""The longest transcript, in characters; a longer one is cut."""
MAX_CONTEXT = 64
"""The most entries of a context."""


class Form(msgspec.Struct, frozen=True):
    """How audio is written on a wire: G.711 of a law, else 16-bit little-endian samples."""

    law: Law | None = None
    rate_hz: int = 8000
    mix: Literal["mono", "stereo", "mixed"] = "mono"
    """What the bot hears: the caller; the caller left and what it hears right; both in one."""

    def ms_of(self, size_bytes: int) -> int:
        """How long so much of one channel is."""
        return size_bytes * 1000 // (self.rate_hz * (1 if self.law else 2))


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a bot is told of a call at its beginning."""

    call: str
    stream: str = ""
    caller: str = ""
    dialled: str = ""
    parameters: dict[str, str] = {}
    form: Form = Form()


# -- from the platform to the bot --------------------------------------------------------------------------


class Started(msgspec.Struct, frozen=True):
    """The conversation begins."""

    facts: Facts


class Heard(msgspec.Struct, frozen=True):
    """What the caller says."""

    audio: bytes
    at_ms: int = 0
    """Since the beginning."""


class Key(msgspec.Struct, frozen=True):
    """The caller pressed a key."""

    digit: str
    duration_ms: int = 0


class Marked(msgspec.Struct, frozen=True):
    """The caller has heard everything before a mark, or it was cleared."""

    name: str
    heard: bool = True
    ms: int | None = None
    """How much the caller has heard since the mark or the clearing before; None where that is not told."""


class Cleared(msgspec.Struct, frozen=True):
    """What waited was dropped."""

    ms: int
    """How much the caller heard since the last mark or clearing."""
    total_ms: int
    """How much it heard since the beginning."""


class Stopped(msgspec.Struct, frozen=True):
    """The conversation is over."""

    reason: str = ""


class Played(msgspec.Struct, frozen=True):
    """A clip is over: it was heard, or dropped."""

    id: str


ToBot: TypeAlias = Started | Heard | Key | Marked | Cleared | Played | Stopped


# -- from the bot to the platform --------------------------------------------------------------------------


class Speak(msgspec.Struct, frozen=True):
    """Let the caller hear this, behind what waits."""

    audio: bytes
    rate_hz: int = 0
    """Of 16-bit samples, where it is not that of the form."""


class Clip(msgspec.Struct, frozen=True):
    """Let the caller hear one piece, and tell when it was heard; it cuts what plays unless it is `queued`."""

    audio: bytes
    rate_hz: int
    id: str
    queued: bool = False


class Mark(msgspec.Struct, frozen=True):
    """Tell when all that was said so far was heard."""

    name: str


class Clear(msgspec.Struct, frozen=True):
    """Drop what was not heard yet."""


class Pause(msgspec.Struct, frozen=True):
    """Let the caller hear silence, and keep what waits; or go on."""

    paused: bool


class ClearMarks(msgspec.Struct, frozen=True):
    """Let no mark wait any more; what is said goes on."""


class SendKeys(msgspec.Struct, frozen=True):
    """Press keys towards the caller."""

    digits: str


class Say(msgspec.Struct, frozen=True):
    """Let a voice of the platform read a text, behind what waits."""

    text: str
    language: str = ""


class Note(msgspec.Struct, frozen=True):
    """What the bot knows by now, for whoever comes next, also when the bot is lost."""

    transcript: str = ""
    context: dict[str, str] = {}


class HandOver(msgspec.Struct, frozen=True):
    """Leave, and let the call go on at `to`, a destination; empty for the next step."""

    to: str = ""
    now: bool = False
    """True does not wait until what was said has been heard."""


class HangUp(msgspec.Struct, frozen=True):
    """End the call when what was said has been heard."""


class Leave(msgspec.Struct, frozen=True):
    """Leave the call to its next step, at once."""


class Failed(msgspec.Struct, frozen=True):
    """The bot says that it has failed."""

    reason: str = ""


FromBot: TypeAlias = (
    Speak
    | Clip
    | Mark
    | Clear
    | Pause
    | ClearMarks
    | SendKeys
    | Say
    | Note
    | HandOver
    | HangUp
    | Leave
    | Failed
)


class PlatformWire(Protocol):
    """The platform's side of a wire, as a core: what it sends, and what it reads."""

    facts: Facts
    protocols: Sequence[str]
    """The subprotocols that it asks for; some bots insist on one."""
    headers: Mapping[str, str]
    """Of the request that opens the connection."""
    lingers: bool
    """True after the end while the bot has the last word."""

    @property
    def form(self) -> Form:
        """The form of the audio, both ways."""
        ...

    @property
    def counts(self) -> Counts:
        """What could not be read."""
        ...

    def begin(self) -> Sequence[str | bytes]:
        """The messages that open the conversation."""
        ...

    def hear(self, said: bytes, heard: bytes, at_ms: int) -> Sequence[str | bytes]:
        """The messages of 20 ms."""
        ...

    def tell(self, word: Key | Marked | Cleared | Played) -> Sequence[str | bytes]:
        """The messages of something else."""
        ...

    def room(self, full: bool) -> None:
        """Whether the bot should wait before it says more."""
        ...

    def end(self) -> Sequence[str | bytes]:
        """The last messages."""
        ...

    def receive(self, message: Any) -> Sequence[FromBot]:
        """What the bot wants by a message, or by the next bytes."""
        ...


class PlatformSide:
    """What most wires have no words for; a base of the platform's sides."""

    protocols: Sequence[str] = ()
    headers: Mapping[str, str] = {}
    lingers = False

    def room(self, full: bool) -> None:
        """There is no word for it: what is too much is dropped."""


class BotWire(Protocol):
    """The bot's side of a wire, as a core."""

    facts: Facts | None
    counts: Counts
    ahead: int
    """So many frames more than what was heard a platform may have, where it can drop them and tell."""
    bundle: int
    """So many frames go in one message."""
    lingers: bool
    """True when the platform is to answer the last message before the connection is closed."""

    def receive(self, message: Any) -> Sequence[ToBot]:
        """What the platform tells by a message, or by the next bytes."""
        ...

    def replies(self) -> Sequence[str | bytes]:
        """What the platform waits for since the last `receive`."""
        ...

    def speak(self, audio: bytes) -> str | bytes:
        """A message of audio in the form of the start."""
        ...

    def mark(self, name: str) -> str | bytes | None:
        """A message that asks for an echo; None where there is no word for it."""
        ...

    def clear(self) -> str | bytes | None:
        """A message that drops what waits at the platform; None where nothing does."""
        ...

    def hang_up(self) -> str | bytes | None:
        """The last message; None where the connection is closed without a word."""
        ...


class Counts(msgspec.Struct):
    """What a wire could not read."""

    malformed: int = 0
    """Messages that were dropped because they were no such messages, or too long."""
    unknown: int = 0
    """Messages of kinds that mean nothing to us."""


class Ahead:
    """How much of what a bot said was not heard yet, by the clock: for wires that tell of it unasked."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._now_ms = self._until_ms = 0

    def say(self, size_bytes: int) -> None:
        """The bot said so much."""
        self._until_ms = max(self._until_ms, self._now_ms) + self._form.ms_of(size_bytes)

    def pass_time(self, at_ms: int) -> None:
        """It is `at_ms` since the beginning."""
        self._now_ms = at_ms

    def clear(self) -> None:
        """What was not heard is dropped."""
        self._until_ms = self._now_ms

    @property
    def frames(self) -> int:
        """Frames of 20 ms that wait."""
        return max(0, self._until_ms - self._now_ms) // 20

    @property
    def is_over(self) -> bool:
        """True when all was heard, and the frames that are on their way with it."""
        return self._now_ms >= self._until_ms + 40
