"""The types of nodes in which a caller meets somebody, is recorded, or leaves the flow."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from sipcc.ivr.flows.model import Edge, Node, Phrase, Read, Seconds, Set, reads_of
from sipcc.ivr.flows.nodes import sent_names
from sipcc.ivr.steps import Wire
from sipcc.reading.lines import Path


class Record(Node, frozen=True, kw_only=True, tag="record"):
    """What the caller says becomes a file."""

    takes_time: ClassVar[bool] = True

    prompt: Phrase = ()
    """What is heard before."""
    into: str
    """The variable that has the file's name; ``INTO.seconds`` has its length."""
    beep: bool = True
    """Whether a beep is heard before."""
    max_time: Seconds = 60.0
    """Seconds at most."""
    final_silence: Seconds | None = 5.0
    """Seconds of silence that end it."""
    terminators: str = "#"
    """Keys that end it."""
    then: str = ""
    """Where the call goes on."""
    empty: str = ""
    """The target when nothing was recorded; that of `then` when not given."""

    def edges(self) -> tuple[Edge, ...]:
        """On, with a file or without."""
        empty = (Edge("empty", self.empty, ("empty",), "empty"),) if self.empty else ()
        return (Edge("then", self.then, ("then",)), *empty)

    def sets(self) -> tuple[Set, ...]:
        """The file and its length."""
        return (Set(self.into, ("into",), whole=True),)

    def says(self) -> tuple[tuple[Path, Phrase], ...]:
        """What is heard before."""
        return ((("prompt",), self.prompt),)


class Queue(Node, frozen=True, kw_only=True, tag="queue"):
    """The caller waits for an agent."""

    takes_time: ClassVar[bool] = True
    human: ClassVar[bool] = True

    queue: str
    """A queue of ``[[queues]]``."""
    priority: int | None = None
    """The higher, the sooner; the queue's when not given."""
    skills: tuple[str, ...] = ()
    """What the agent must be able to do, besides what the queue asks."""
    context: dict[str, str] = field(default_factory=dict)
    """What the agent is shown: ``{"balance" = "{account.balance}"}``."""
    then: str = "hangup"
    """Where the call goes after the conversation."""
    exits: dict[str, str] = field(default_factory=dict)
    """Targets for callers who leave the queue otherwise, by the exit: ``{"no_agent" = "voicemail"}``."""
    unserved: str = ""
    """The target of those whom no agent spoke to, and whose exit does not stand in `exits`. When not given it
    is where the queue itself sends them, and else the flow's `fallback`. Whoever has booked a callback is
    hung up."""

    def edges(self) -> tuple[Edge, ...]:
        """After the conversation, and without one."""
        exits = (Edge(f"exits.{name}", to, ("exits", name), name) for name, to in self.exits.items())
        unserved = Edge("unserved", self.unserved, ("unserved",), "no agent")
        return (Edge("then", self.then, ("then",)), *exits, unserved)

    def reads(self) -> tuple[Read, ...]:
        """What the agent is shown."""
        return tuple(sent_names(self.context, "stored", "context"))

    def leads_to(self) -> tuple[tuple[Path, str], ...]:
        """The queue."""
        return ((("queue",), f"queue:{self.queue}"),)


class Dial(Node, frozen=True, kw_only=True, tag="dial"):
    """Somebody is called, and the flow goes on after the conversation."""

    takes_time: ClassVar[bool] = True
    human: ClassVar[bool] = True

    to: str | tuple[str, ...]
    """A user, ``TRUNK/NUMBER`` or a SIP URI; of several, the first that answers has the caller."""
    timeout: Seconds = 30.0
    """Seconds of ringing."""
    max_time: Seconds | None = None
    """Seconds of conversation; no end when not given."""
    waiting: Phrase = ()
    """What the caller hears until somebody answers; nothing for the ringing."""
    accept: Phrase = ()
    """What whoever answers hears, and must press 1 then."""
    record: bool = False
    """Whether the conversation is recorded."""
    caller: str = ""
    """The number that is shown; that of the caller when not given."""
    then: str = "hangup"
    """Where the caller goes after the conversation."""
    busy: str = ""
    """The target when it is busy; that of `failed` when not given."""
    noanswer: str = ""
    """The target when nobody answers; that of `failed` when not given."""
    failed: str = ""
    """The target when nobody was reached."""

    def edges(self) -> tuple[Edge, ...]:
        """After the conversation, and without one."""
        return (Edge("then", self.then, ("then",)), *_unreached(self.busy, self.noanswer, self.failed))

    def reads(self) -> tuple[Read, ...]:
        """The names in who is called, and what is heard."""
        return (*super().reads(), *_called_names(self.to))

    def says(self) -> tuple[tuple[Path, Phrase], ...]:
        """What is heard before the conversation."""
        heard = ((("waiting",), self.waiting), (("accept",), self.accept))
        return tuple((path, phrase) for path, phrase in heard if phrase)

    def leads_to(self) -> tuple[tuple[Path, str], ...]:
        """Who is called, where no name stands in it."""
        return _called(self.to)


class Transfer(Node, frozen=True, kw_only=True, tag="transfer"):
    """The caller is sent to somebody, and leaves us when that goes well."""

    takes_time: ClassVar[bool] = True
    human: ClassVar[bool] = True

    to: str
    """A user, ``TRUNK/NUMBER`` or a SIP URI."""
    mode: Literal["blind", "consultation"] = "blind"
    """``consultation`` sends it once it is sure that somebody answers."""
    timeout: Seconds = 30.0
    """Seconds of ringing."""
    busy: str = ""
    """The target when it is busy; that of `failed` when not given."""
    noanswer: str = ""
    """The target when nobody answers; that of `failed` when not given."""
    failed: str = ""
    """The target when it did not go well."""

    def edges(self) -> tuple[Edge, ...]:
        """The ways on when it did not go well."""
        return _unreached(self.busy, self.noanswer, self.failed)

    def reads(self) -> tuple[Read, ...]:
        """The names in who it is sent to."""
        return tuple(_called_names(self.to))

    def leads_to(self) -> tuple[tuple[Path, str], ...]:
        """Who it is sent to, where no name stands in it."""
        return _called(self.to)


def _unreached(busy: str, noanswer: str, failed: str) -> tuple[Edge, ...]:
    named = (("busy", busy), ("noanswer", noanswer))
    given = tuple(Edge(name, to, (name,), name) for name, to in named if to)
    return (*given, Edge("failed", failed, ("failed",), "failed"))


def _called(to: str | tuple[str, ...]) -> tuple[tuple[Path, str], ...]:
    if isinstance(to, str):
        return () if "{" in to else ((("to",), f"dial:{to}"),)
    return tuple((("to", index), f"dial:{one}") for index, one in enumerate(to) if "{" not in one)


def _called_names(to: str | tuple[str, ...]) -> tuple[Read, ...]:
    if isinstance(to, str):
        return tuple(reads_of(to, "stored", ("to",)))
    return tuple(read for index, one in enumerate(to) for read in reads_of(one, "stored", ("to", index)))


class Voicemail(Node, frozen=True, kw_only=True, tag="voicemail"):
    """The caller leaves a message."""

    takes_time: ClassVar[bool] = True
    human: ClassVar[bool] = True

    box: str
    """The mailbox."""
    then: str = "hangup"
    """Where the call goes on."""

    def edges(self) -> tuple[Edge, ...]:
        """On."""
        return (Edge("then", self.then, ("then",)),)

    def leads_to(self) -> tuple[tuple[Path, str], ...]:
        """The mailbox."""
        return ((("box",), f"voicemail:{self.box}"),)


class Bot(Node, frozen=True, kw_only=True, tag="bot"):
    """A program speaks with the caller."""

    takes_time: ClassVar[bool] = True

    bot: str = ""
    """A bot of ``[[bots]]``, which says how it is reached; or `url`."""
    url: str = ""
    """``ws://``, ``wss://``, or ``tcp://HOST:PORT`` for AudioSocket; in place of `bot`."""
    wire: Wire = "twilio"
    """What it speaks, as in ``[[bots]]``."""
    send: dict[str, str] = field(default_factory=dict)
    """What the program is told at the start."""
    both_ways: bool = True
    """False only lets it listen."""
    timeout: Annotated[float, Meta(gt=0, le=60)] = 5.0
    """Seconds for the connection."""
    into: str = "bot"
    """``INTO.transcript`` has the conversation, ``INTO.NAME`` what else the program found out."""
    ways: dict[str, str] = field(default_factory=dict)
    """Targets by what the program asks for: ``{"pay" = "payments"}``; for anything else it is `then`."""
    then: str = ""
    """Where the call goes when the program is done."""
    failed: str = ""
    """The target when the program cannot be reached, or is lost."""

    def edges(self) -> tuple[Edge, ...]:
        """As the program asks, on, and without it."""
        ways = (Edge(f"ways.{name}", to, ("ways", name), name) for name, to in self.ways.items())
        return (*ways, Edge("then", self.then, ("then",)), Edge("failed", self.failed, ("failed",), "failed"))

    def reads(self) -> tuple[Read, ...]:
        """What the program is told."""
        return tuple(sent_names(self.send, "stored"))

    def leads_to(self) -> tuple[tuple[Path, str], ...]:
        """The bot."""
        return ((("bot",), f"bot:{self.bot}"),) if self.bot else ()

    def sets(self) -> tuple[Set, ...]:
        """What the program found out."""
        return (Set(self.into, ("into",), whole=True),)


class Call(Node, frozen=True, kw_only=True, tag="call"):
    """Another flow is gone through; then this one goes on."""

    flow: str
    """The flow."""
    then: str = ""
    """Where the call goes on."""
    exits: dict[str, str] = field(default_factory=dict)
    """Targets by the `exit` with which the other flow returns; others go to `then`."""
    sets_too: tuple[str, ...] = ()
    """Variables that the other flow sets, so that they may be used after it."""

    def edges(self) -> tuple[Edge, ...]:
        """On, by how the other flow came out."""
        exits = (Edge(f"exits.{name}", to, ("exits", name), name) for name, to in self.exits.items())
        return (Edge("then", self.then, ("then",)), *exits)

    def sets(self) -> tuple[Set, ...]:
        """What the other flow sets."""
        return tuple(Set(name, ("sets_too", index), whole=True) for index, name in enumerate(self.sets_too))

    @property
    def calls(self) -> str:
        """The flow."""
        return self.flow


class Return(Node, frozen=True, kw_only=True, tag="return"):
    """The flow that called this one goes on; where nobody called it, the call is hung up."""

    leaves: ClassVar[bool] = True

    exit: str = ""
    """How it came out."""


class Goto(Node, frozen=True, kw_only=True, tag="goto"):
    """The call goes somewhere else, and does not come back."""

    to: str
    """A target, such as ``queue:service`` or the name of a node."""

    def edges(self) -> tuple[Edge, ...]:
        """There."""
        return (Edge("to", self.to, ("to",)),)


class Hangup(Node, frozen=True, kw_only=True, tag="hangup"):
    """The call ends."""

    leaves: ClassVar[bool] = True

    prompt: Phrase = ()
    """What is heard before."""
    cause: str = "normal"
    """The cause, in the words of call records."""

    def says(self) -> tuple[tuple[Path, Phrase], ...]:
        """What is heard before."""
        return ((("prompt",), self.prompt),) if self.prompt else ()
