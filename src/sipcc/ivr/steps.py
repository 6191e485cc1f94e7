"""The steps of an IVR: what may be done with a caller, as data, and who does it.

Flows, VoiceXML documents, jambonz verbs, TwiML and Python programs all come down to these. A step says what
is wanted and never how; `sipcc.ivr.session.Session` says who carries it out: a live call, or a made-up caller
in virtual time. Times are seconds, unless a name says ``_ms``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import msgspec

from sipcc.call.digits import CollectSettings, Matcher

if TYPE_CHECKING:
    from sipcc.ivr.session import Speaker

# -- what is said ------------------------------------------------------------------------------------------


class Named(msgspec.Struct, frozen=True, tag="prompt"):
    """A prompt of the catalogue by its name; also ``silence:500`` and ``say:number:12``."""

    name: str
    language: str = ""
    """Empty for the language of the call, here and below."""


class Text(msgspec.Struct, frozen=True, tag="text"):
    """A text that a voice reads."""

    text: str
    language: str = ""
    voice: str = ""
    """The name of a voice; empty for the one of the language."""


class Value(msgspec.Struct, frozen=True, tag="value"):
    """A value that is said as a ``number``, a ``date`` and the like; see `sipcc.ivr.say.say`."""

    kind: str
    value: str
    language: str = ""


class Audio(msgspec.Struct, frozen=True, tag="audio"):
    """Sound from a file or an ``http(s)`` URL; where it cannot be had, `fallback` is heard in its place."""

    source: str
    fallback: tuple[Spoken, ...] = ()
    offset: float = 0.0
    """Where in the sound to begin."""
    timeout: float | None = None
    """Seconds in which a URL must have been fetched; None for the usual."""
    max_age: float | None = None
    """The oldest kept copy that will do; None for any that is fresh."""
    max_stale: float | None = None
    """How far beyond its freshness a kept copy may be; None not at all."""


class Silence(msgspec.Struct, frozen=True, tag="silence"):
    """Silence of a known length."""

    seconds: float


class Mark(msgspec.Struct, frozen=True, tag="mark"):
    """A place in what is said; whether the caller heard that far is told afterwards."""

    name: str


Spoken: TypeAlias = Named | Text | Value | Audio | Silence | Mark

BargeIn: TypeAlias = Literal["off", "keys", "speech", "any"]
"""What may cut a prompt: nothing, a key, the caller's voice, or both."""


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """What is said in one piece. Prompts of one step follow each other without a gap.

    Each is cut, or not, as it says itself; what cuts one cuts all that come after it.
    """

    items: tuple[Spoken, ...]
    bargein: BargeIn = "any"
    hotword: bool = False
    """True: the voice cuts only when what was said is one of the answers that are waited for."""


def turns_of(starts: Iterable[tuple[Prompt, float]], by: Literal["keys", "speech"]) -> tuple[float, ...]:
    """When prompts that start at some moments open to keys or to the voice, close again, and so on."""
    turns: list[float] = []
    for prompt, at in starts:
        if (prompt.bargein in (by, "any")) is not bool(len(turns) % 2):
            turns.append(at)
    return tuple(turns)


def prompts(items: Iterable[Spoken], *, bargein: BargeIn = "any") -> tuple[Prompt, ...]:
    """One prompt of all items, or none for no items."""
    said = tuple(items)
    return (Prompt(items=said, bargein=bargein),) if said else ()


def named(*names: str, bargein: BargeIn = "any") -> tuple[Prompt, ...]:
    """One prompt of names in the catalogue, or none for no names."""
    return prompts(map(Named, names), bargein=bargein)


def spoken(text: str, *, bargein: BargeIn = "any") -> tuple[Prompt, ...]:
    """One prompt of a text to be read, or none for an empty text."""
    return prompts([Text(text)] if text else [], bargein=bargein)


class Reached(msgspec.Struct, frozen=True):
    """The last mark that was heard, and how much was heard after it."""

    mark: str
    seconds: float


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What came of playing."""

    complete: bool
    """True when all of it was heard."""
    seconds: float = 0.0
    """How much was heard."""
    reached: Reached | None = None


# -- what is asked -----------------------------------------------------------------------------------------


class Listen(msgspec.Struct, frozen=True, kw_only=True):
    """What a recogniser is told about an answer in speech; the times are those of MRCPv2 (RFC 6787 §9.4)."""

    language: str = ""
    hints: tuple[str, ...] = ()
    """Words and phrases that are likely."""
    accepts: Callable[[str], bool] | None = None
    """Whether a text is one of the answers; None takes any text."""
    complete_timeout: float = 0.6
    """Silence after speech that is an answer."""
    incomplete_timeout: float = 1.0
    """Silence after speech that is none yet."""
    max_time: float = 20.0
    """The longest speech."""
    best: int = 1
    """How many alternatives are wanted."""
    confidence: float = 0.0
    """What is surer than this counts, from 0 to 1."""
    record: bool = False
    """Whether what is said is wanted as a file."""
    coding: Coding = "wav"
    """How that is written."""

    def takes(self, heard: Heard) -> bool:
        """Whether this is sure enough, and one of the answers."""
        return heard.confidence >= self.confidence and (self.accepts is None or self.accepts(heard.text))


class Gather(msgspec.Struct, frozen=True, kw_only=True):
    """Play prompts, and wait for keys, speech or both. Whichever is complete first is the answer."""

    prompts: tuple[Prompt, ...] = ()
    keys: Matcher | None = None
    """Which keys are right; None takes none."""
    collect: CollectSettings = CollectSettings()
    """Timers, terminators, and whether the keys are secret. Its `bargein` is unused: prompts have theirs."""
    listen: Listen | None = None
    """What may be said; None takes no speech."""
    label: str = ""
    """For events: which question this is."""


class Heard(msgspec.Struct, frozen=True):
    """One alternative of what was understood."""

    text: str
    confidence: float = 1.0


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a question.

    ``keys`` and ``speech`` are right answers; ``nomatch`` is a wrong one, which stands in `keys` or `heard`.
    ``toolong`` is speech without an end (VoiceXML's maxspeechtimeout).
    """

    outcome: Literal["keys", "speech", "noinput", "nomatch", "toolong"]
    keys: str = ""
    ended_with: str = ""
    """The terminator that ended the keys, or empty."""
    heard: tuple[Heard, ...] = ()
    """The best first."""
    barged: bool = False
    """True when the answer cut the prompt."""
    played: Played = Played(complete=True)
    recording: str = ""
    """A file of what was said, if the recogniser keeps one."""
    secret: bool = False
    """Whether the answer is a secret, which no text about this shows."""

    def __repr__(self) -> str:
        keys = "*" * len(self.keys) if self.secret else self.keys
        heard = f"{len(self.heard)} texts" if self.secret else repr(self.heard)
        return f"Gathered({self.outcome}, {keys!r}, heard={heard}, barged={self.barged})"


# -- what else is done -------------------------------------------------------------------------------------


Coding: TypeAlias = Literal["wav", "ulaw", "alaw"]
"""How a recording is written: as WAV, or as bare G.711 of 8 kHz; also the ending of its file's name."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Record what the caller says, alone. What was typed ahead is forgotten."""

    prompts: tuple[Prompt, ...] = ()
    beep: bool = True
    max_time: float = 60.0
    final_silence: float | None = None
    """Silence after which it ends; None never ends it."""
    timeout: float | None = None
    """Silence at the beginning after which it ends as ``noinput``; None never ends it."""
    terminators: str = "#"
    """Keys that end it; they are not in the file."""
    path: str = ""
    """The file; empty for one of its own."""
    speech: bool = False
    """Whether nothing is kept, however it ends, when nobody has spoken."""
    early: bool = False
    """Whether a terminator in the prompts ends it, with nothing recorded; else keys only cut them."""
    coding: Coding = "wav"
    listen: Listen | None = None
    """What the caller may say to end it; None listens to no words."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What was recorded; also what a caller left who hung up in it."""

    ended_by: Literal["key", "speech", "silence", "max_time", "noinput", "hangup", "failed"]
    path: str = ""
    """Empty when there is nothing to hear."""
    seconds: float = 0.0
    size_bytes: int = 0
    key: str = ""
    heard: tuple[Heard, ...] = ()
    """The words that ended it, the best first."""


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """Connect the caller with somebody.

    ``blind`` sends the caller there and leaves; ``consultation`` sends it there once it is sure that somebody
    answers; ``bridge`` stays between the two, until one of them goes or something in `keys` is typed.
    """

    targets: tuple[str, ...]
    """Users, numbers, SIP URIs; several ring at once, and the first that answers has the caller."""
    mode: Literal["blind", "bridge", "consultation"] = "bridge"
    prompts: tuple[Prompt, ...] = ()
    """What the caller hears first; `keys` and `listen` cut them where they allow, and end it all."""
    timeout: float = 30.0
    """For ringing."""
    max_time: float | None = None
    """The longest conversation, from the answer; None for no end."""
    waiting: tuple[Prompt, ...] = ()
    """What the caller hears, again and again, until somebody answers; nothing for the ringing."""
    accept: tuple[Prompt, ...] = ()
    """What whoever answers hears; it must press 1 then before it has the caller."""
    screen: Callable[[Speaker, str], Coroutine[Any, Any, bool]] | None = None
    """Speaks with whoever answers, as which of `targets`, in place of `accept`; False refuses the caller."""
    keys: Matcher | None = None
    """Keys of the caller that part the two in a bridge, and call off what rings, but for a blind one."""
    listen: Listen | None = None
    """What the caller may say for the same."""
    record: bool = False
    caller: str = ""
    """The number that is shown; empty for the caller's."""
    data: str = ""
    """What the application of the other side is told, as ``User-to-User`` (RFC 7433) of INVITE or REFER."""


class Transferred(msgspec.Struct, frozen=True, kw_only=True):
    """How a transfer came out, in the words of VoiceXML 2.1 §2.3.7.

    `near_end` means that the caller wanted an end by keys or words; a caller who hangs up is `CallEnded`, as
    always.
    ``sent`` is the good end of the two kinds in which we leave.
    """

    outcome: Literal["busy", "noanswer", "network_busy", "failed", "far_end", "near_end", "max_time", "sent"]
    seconds: float = 0.0
    """How long the two talked."""
    status: int = 0
    """The SIP status of a failure."""
    keys: str = ""
    heard: tuple[Heard, ...] = ()


_BUSY = frozenset({486, 600})
_NO_ANSWER = frozenset({408, 480, 487})
_NETWORK_BUSY = frozenset({500, 502, 503, 504})


def failure_of(status: int) -> Literal["busy", "noanswer", "network_busy", "failed"]:
    """What a SIP status says of a transfer, in the words of VoiceXML 2.1 §2.3.7.

    | status | outcome |
    |---|---|
    | 486, 600 | busy |
    | 408, 480, 487 | noanswer |
    | 500, 502, 503, 504 | network_busy |
    | any other | failed |
    """
    if status in _BUSY:
        return "busy"
    if status in _NO_ANSWER:
        return "noanswer"
    return "network_busy" if status in _NETWORK_BUSY else "failed"


class Waiting(Protocol):
    """A caller's wait in a queue."""

    @property
    def position(self) -> int:
        """The caller's place, from 1; 0 when it waits no more."""
        ...

    @property
    def size(self) -> int:
        """How many wait."""
        ...

    @property
    def seconds(self) -> float:
        """How long the caller has waited."""
        ...

    def leave(self) -> None:
        """Take the caller out, unless an agent has it already; the exit is ``withdrawn``."""
        ...


class Enqueue(msgspec.Struct, frozen=True, kw_only=True):
    """Let the caller wait in a queue until an agent has spoken with it, or it leaves the queue otherwise."""

    queue: str
    priority: int | None = None
    skills: tuple[str, ...] = ()
    context: dict[str, str] = {}
    """What agents are shown, such as what a bot has found out."""
    waiting: Callable[[Waiting], Awaitable[None]] | None = None
    """Lets the caller hear something of its own while it waits, by the session's verbs; cancelled when an
    agent answers. None, and what comes when it returns, is the queue's own music."""
    survey: bool = True
    """Whether the survey that the queue has in its settings is asked after the conversation."""


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """How the caller left a queue: the exit's name, as `sipcc.acd` has it."""

    exit: str
    seconds: float = 0.0
    """The wait."""
    agent: str = ""
    """Who answered."""
    ended_by: Literal["agent", "caller", ""] = ""
    """Whose side ended the conversation."""
    to: str = ""
    """Where the queue's settings send whoever leaves it thus, as a destination; empty for nowhere. For a flow
    that names no way of its own for the exit."""


class Conference(msgspec.Struct, frozen=True, kw_only=True):
    """Let the caller into a conference until it leaves or the conference ends."""

    name: str
    muted: bool = False


Wire: TypeAlias = Literal[
    "twilio",
    "telnyx",
    "exotel",
    "plivo",
    "vonage",
    "genesys",
    "jambonz",
    "asterisk",
    "asterisk-text",
    "audiosocket",
]
"""What a program speaks that gets the caller's sound; `sipcc.ivr.bots` knows them."""


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """Give the caller's sound to a program, and let it hear what the program says."""

    url: str
    """``ws://``, ``wss://`` or, for AudioSocket, ``tcp://HOST:PORT``."""
    wire: Wire = "twilio"
    both_ways: bool = True
    """False only lets it listen."""
    parameters: dict[str, str] = {}
    """What the program is told at the start."""
    timeout: float = 5.0
    """How long to wait for the connection."""
    name: str = ""
    """What it is called in events; empty for its URL."""
    headers: dict[str, str] = {}
    """Of the request that opens the connection, such as ``Authorization``."""
    rate_hz: int = 8000
    """Of the samples on wires that have samples: 8000, 16000, 24000 ..."""
    mix: Literal["mono", "stereo", "mixed"] = "mono"
    """What it hears: the caller; the caller and what the caller hears, apart; or both in one."""
    lead_ms: int = 20
    """How much of what it says must be there before it sounds."""
    limit_s: float = 300.0
    """How much it may be ahead of the caller's ear."""
    max_time: float | None = None
    """After so long it is treated as lost; None for no end."""
    extended: bool = False
    """Whether it is told more than its platform's documentation has, without asking."""


class Streamed(msgspec.Struct, frozen=True, kw_only=True):
    """How the program's part of the call ended."""

    ended_by: Literal["program", "lost", "unreachable"]
    transcript: str = ""
    """What the program says of the conversation, for whoever speaks to the caller next."""
    context: dict[str, str] = {}
    to: str = ""
    """Where the program wants the call to go, as a destination; empty for the next step."""


Step: TypeAlias = Gather | Record | Transfer | Enqueue | Conference | Stream
"""The steps that have results of their own."""
