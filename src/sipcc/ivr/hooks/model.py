"""What webhook applications say, in the one form in which it is carried out, whatever they wrote it in.

jambonz verbs (`sipcc.ivr.hooks.jambonz`) and TwiML (`sipcc.ivr.hooks.twiml`) are only read into these; the
one runner is `sipcc.ivr.hooks.run`. Times are seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from sipcc.errors import SipccError
from sipcc.ivr import steps
from sipcc.ivr.steps import Prompt

MAX_VERBS = 200
"""Verbs in one answer; more are refused."""


class BadAnswer(SipccError):
    """An application's answer cannot be carried out.

    `where` is the place: a JSON path such as ``$[2].gather.input[0]``, or line and column of XML, ``3:14``.
    """

    def __init__(self, where: str, message: str) -> None:
        super().__init__(f"{where}: {message}")
        self.where = where
        self.message = message


class Hook(msgspec.Struct, frozen=True):
    """Whom the application wants to be asked, with the result of a verb, what comes next."""

    url: str
    """May be relative to the document that named it; for a WebSocket any name."""
    method: Literal["GET", "POST"] = "POST"
    username: str = ""
    password: str = ""
    again: bool = False
    """True where the document that is being carried out is asked for again: a verb without a URL."""


class Delay(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller hears while a hook takes its time, and what is done when it never answers."""

    after: float
    """Until the actions begin."""
    give_up: float | None = None
    """Until nothing is expected any more; None for as long as a hook is waited for at all."""
    retries: int = 0
    """How often the actions are repeated, each time after `after`."""
    actions: Program = ()
    give_up_actions: Program = ()


class Interrupting(msgspec.Struct, frozen=True, kw_only=True):
    """Keys or speech that break off whatever is played, and go to a hook."""

    keys: bool = False
    speech: bool = False
    hook: Hook | None = None
    sticky: bool = False
    """False: only until it has happened once."""


class Defaults(msgspec.Struct, frozen=True, kw_only=True):
    """What verbs of a call have that they do not say themselves."""

    language: str = ""
    """Of what is said."""
    voice: str = ""
    listen: steps.Listen = steps.Listen()
    interrupting: Interrupting | None = None
    delay: Delay | None = None
    early: bool = False
    """Whether things are played before the call is answered."""
    telling: bool = False
    """Whether the application is told when each verb begins and ends."""


# -- verbs -------------------------------------------------------------------------------------------------


class Answer(NamedTuple):
    """Answer the call."""


class Say(msgspec.Struct, frozen=True, kw_only=True):
    """Say or play something."""

    prompts: tuple[Prompt, ...]
    times: int = 1
    """0 for again and again."""
    early: bool = False
    """Without answering."""
    limit: float | None = None
    """The longest it may take."""
    hook: Hook | None = None


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for keys or speech. The prompts are said `times` times, before the time for an answer begins."""

    step: steps.Gather
    hook: Hook | None = None
    silence_too: bool = False
    """Whether the hook is also asked when nothing was typed or said."""
    delay: Delay | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Record the caller."""

    step: steps.Record
    hook: Hook | None = None
    status: Hook | None = None
    """Told as well when the recording is there; what it answers does not matter."""


CallEvent: TypeAlias = Literal["initiated", "ringing", "answered", "completed"]
"""What happens to a call that is made for a caller."""

CallStatus: TypeAlias = Literal[
    "initiated", "ringing", "in-progress", "completed", "busy", "no-answer", "failed", "canceled"
]
"""How such a call stands, in Twilio's words."""


class Watch(NamedTuple):
    """Who is told how a call goes on, and of what."""

    hook: Hook
    events: frozenset[CallEvent]


class Capture(NamedTuple):
    """Keys in a conversation of which a hook is told; what it answers does not matter."""

    hook: Hook
    caller: tuple[str, ...]
    """Those of the caller,"""
    party: tuple[str, ...]
    """and of whom it talks to."""


class Dial(msgspec.Struct, frozen=True, kw_only=True):
    """Connect the caller with somebody."""

    step: steps.Transfer
    hook: Hook | None = None
    answer_first: bool = True
    """False lets the call be answered only when somebody answers."""
    tags: dict[str, str] = {}
    confirm: dict[str, Hook] = {}
    """By target of the step: says what whoever answers there hears before the two talk."""
    capture: Capture | None = None
    watches: dict[str, Watch] = {}
    """By target of the step: is told how the call there goes on."""


class Refer(msgspec.Struct, frozen=True, kw_only=True):
    """Send the caller elsewhere, and leave: by SIP REFER, or through us where its phone knows none."""

    step: steps.Transfer
    hook: Hook | None = None


class Enqueue(msgspec.Struct, frozen=True, kw_only=True):
    """Let the caller wait in a queue."""

    step: steps.Enqueue
    at: str
    """Its place in the answer."""
    hook: Hook | None = None
    wait_hook: Hook | None = None
    """Says what the caller hears while it waits, again and again; without one it is the queue's music."""


class Take(msgspec.Struct, frozen=True, kw_only=True):
    """Let the caller speak with the first one who waits in a queue."""

    queue: str
    at: str
    """Its place in the answer."""
    timeout: float | None = None
    """How long to wait for one; None for ever."""
    call: str = ""
    """That of the one who is wanted; empty for whoever is first."""
    whisper: Hook | None = None
    """Says what the one who waited hears before the two talk."""
    hook: Hook | None = None


RoomEvent: TypeAlias = Literal["start", "end", "join", "leave"]
"""What happens in a conference."""


class Join(msgspec.Struct, frozen=True, kw_only=True):
    """Let the caller into a conference."""

    step: steps.Conference
    hook: Hook | None = None
    limit: float | None = None
    starts: bool = True
    """False waits for somebody with whom it begins."""
    ends: bool = False
    """Whether it is over for all when this caller leaves."""
    least: int = 1
    """With fewer it does not begin."""
    most: int | None = None
    """When so many are in it, the caller is not let in."""
    wait: Hook | None = None
    """Says what the caller hears until it begins, again and again; None for silence."""
    enter: Hook | None = None
    """Says what the caller hears just before it is let in."""
    status: Hook | None = None
    """Is told what happens in it,"""
    events: frozenset[RoomEvent] = frozenset()
    """of this."""


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """Let a program hear the caller and speak with it."""

    step: steps.Stream
    """Its URL may be relative."""
    hook: Hook | None = None


class Leave(NamedTuple):
    """Leave the queue: for what is carried out while the caller waits."""


class Pause(NamedTuple):
    """Let time pass."""

    seconds: float


class Press(NamedTuple):
    """Send the caller keys; ``w`` in them is half a second of silence, ``W`` a whole one."""

    keys: str


class Redirect(NamedTuple):
    """Ask somebody else."""

    hook: Hook


class Hangup(NamedTuple):
    """End the call."""


class Reject(NamedTuple):
    """Refuse the call with a SIP status."""

    status: int


class Tag(NamedTuple):
    """Put something into the call's record."""

    data: dict[str, str]


class Remark(NamedTuple):
    """Write something about the application to the log."""

    text: str


class Configure(NamedTuple):
    """Change what verbs have that do not say it themselves."""

    change: Callable[[Defaults], Defaults]
    tape: Literal["start", "stop", "pause", "resume"] | None = None
    """What is done with the recording of the call besides."""


Action: TypeAlias = (
    Answer | Say | Ask | Record | Dial | Refer | Press | Enqueue | Take | Join | Stream | Leave
    | Pause | Redirect | Hangup | Reject | Tag | Remark | Configure
)  # fmt: skip

Verb: TypeAlias = Callable[[Defaults], Action]
"""A verb that was read: it is made into what is done when its turn has come, by what holds then."""


class NamedVerb:
    """A verb of which the application may be told when it begins and ends."""

    __slots__ = ("id", "make", "name")

    def __init__(self, make: Verb, name: str, id: str) -> None:
        self.make, self.name, self.id = make, name, id

    def __call__(self, defaults: Defaults) -> Action:
        """What is done."""
        return self.make(defaults)


Program: TypeAlias = tuple[Verb, ...]
"""An application's answer."""


class Started(NamedTuple):
    """The call has come to the application: the first question."""


class Ended(NamedTuple):
    """The call is over, or its state is another."""


class Redirected(NamedTuple):
    """The application has sent the call to another place in it."""


class Joined(NamedTuple):
    """The caller has left a conference after `seconds`."""

    seconds: float
    full: bool = False
    """True when it was not let in."""


class InRoom(NamedTuple):
    """How a conference stands, for who is told of it, and for who says what is heard before it begins."""

    event: RoomEvent
    room: str
    call: str
    """Whom it is about."""
    members: int
    seconds: float
    """Since it began."""
    wall: float
    number: int
    """Counts what was told of this conference."""
    join: Join


class Taken(NamedTuple):
    """How it went with the first one of a line."""

    queue: str
    result: Literal["complete", "timeout"]
    seconds: float = 0.0
    """The conversation."""


class Dequeued(NamedTuple):
    """A caller is taken out of a queue by another call, after so many seconds."""

    queue: str
    seconds: float
    by: str


class Dialled(NamedTuple):
    """How dialling came out."""

    step: steps.Transfer
    result: steps.Transferred


class Captured(NamedTuple):
    """Keys that somebody has pressed in a conversation."""

    keys: str


class Called(NamedTuple):
    """How a call stands that was made for a caller."""

    leg: str
    target: str
    status: CallStatus
    seconds: float | None
    """The conversation, at its end."""
    wall: float
    number: int
    """Counts what was told of this dialling."""


class Referred(NamedTuple):
    """How sending the caller elsewhere came out."""

    result: steps.Transferred


class InQueue(NamedTuple):
    """How a caller waits, for who says what it hears."""

    queue: str
    position: int
    """From 1."""
    size: int
    seconds: float


class Queued(NamedTuple):
    """How the caller left a queue."""

    queue: str
    result: steps.Left | None
    """None for a caller who hung up in it."""


Report: TypeAlias = (
    Started | Ended | Redirected | Joined | InRoom | Taken | Dequeued | Dialled | Referred | Called
    | Captured | InQueue | Queued | steps.Gathered | steps.Played | steps.Recorded | steps.Streamed
)  # fmt: skip
"""What an application is told."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a call when an application is asked."""

    call: str
    caller: str
    dialled: str
    account: str
    application: str
    status: Literal["trying", "ringing", "in-progress", "completed"] = "trying"
    sip_status: int = 100
    seconds: int | None = None
    """How long the call lasted, at its end."""
    ended_by_caller: bool = False
    tags: dict[str, str] = {}
    parent: str = ""
    """The call of the caller, for a call to somebody who was called for it."""
