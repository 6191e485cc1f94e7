"""The frozen data of the ACD: agents, entries, offers and lines.

Each change makes a new struct, so whatever the router has seen stays as it was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Literal, Protocol

import msgspec
from msgspec.structs import replace

from sipcc.acd.effort import Effort
from sipcc.acd.events import Exit, OfferOutcome
from sipcc.acd.settings import AgentSettings


class AgentState(StrEnum):
    """What an agent does; see `sipcc.acd.agents.TABLE` for how it changes."""

    OFFLINE = "offline"
    NOT_READY = "not_ready"
    READY = "ready"
    RESERVED = "reserved"
    RINGING = "ringing"
    TALKING = "talking"
    WRAP_UP = "wrap_up"
    EXTERNAL = "external"
    QUARANTINED = "quarantined"


class EntryState(StrEnum):
    """Where a caller stands; see `sipcc.acd.queues.TABLE`."""

    JOINED = "joined"
    WAITING = "waiting"
    OFFERING = "offering"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    ENDED = "ended"


class OfferState(StrEnum):
    """Where an offer stands; see `sipcc.acd.offer.TABLE`."""

    RESERVED = "reserved"
    RINGING = "ringing"
    CANCELLING = "cancelling"
    ENDED = "ended"


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """One agent at one moment."""

    settings: AgentSettings
    order: int
    """Place in the configuration, from 0: the last tie-break of every strategy."""
    state: AgentState = AgentState.OFFLINE
    since: float = 0.0
    """When `state` was entered."""
    reason: str = ""
    """The pause reason, or what moved the agent into `state`."""
    wish: AgentState = AgentState.OFFLINE
    """The rest state (offline, not_ready, ready) that the agent asked for last. While the agent is busy
    this is the pending next state."""
    wish_reason: str = ""
    reachable: bool = False
    """False while the phone is not registered or could not be reached."""
    deadline: float | None = None
    """When `state` ends by itself: lease, wrap-up, quarantine."""
    wrap_up_limit: float | None = None
    """The latest end of the wrap-up, by `QueueSettings.max_wrap_up` of the queue of the last talk."""
    idle_since: float = 0.0
    """When the agent became ready after its last queue call, or logged in. Pauses and missed offers do
    not change it, so neither costs nor wins a place in the line of idle agents."""
    worked: bool = False
    """True from the end of a queue call until the agent is ready again."""
    not_before: float = 0.0
    """No offer before this time: the back-off after a failed one."""
    backoff_cause: str = ""
    misses: int = 0
    """Unanswered offers in a row."""
    offer: str | None = None
    """The live offer, when reserved or ringing."""
    entry: str | None = None
    """The entry that this agent talks with."""
    external: frozenset[str] = frozenset()
    """Dialogs of the agent's own calls outside any queue."""
    effort: Effort = Effort()
    """Calls and time since login; see `sipcc.acd.effort`."""

    @property
    def name(self) -> str:
        """The name of the settings."""
        return self.settings.name

    @property
    def pending(self) -> AgentState | None:
        """The rest state that follows the present activity; None when the agent is at rest."""
        at_rest = self.state in (AgentState.OFFLINE, AgentState.NOT_READY, AgentState.READY)
        return None if at_rest else self.wish


class Want(Protocol):
    """Which agents a caller may have. Pure: same agent, same answer.

    One that wants a certain agent may have an attribute ``only`` with its name, so that the others are not
    asked about; empty for no such agent.
    """

    def why_not(self, agent: Agent) -> str:
        """The first thing that speaks against `agent`, in words; empty when it is admitted."""
        ...


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a caller may have from some time of its wait on."""

    after: float
    """Seconds since the caller joined."""
    want: Want
    label: str
    """What the stage is, for the decision trace: ``skills``, ``last agent``."""
    skip_absent: bool = False
    """True: passed over while nobody whom it admits is there; waiting for them would be in vain."""
    order: Callable[[Agent], tuple[float, ...]] | None = None
    """A sort key: those of the admitted whose key is less are asked first; ties go by the strategy."""


class Journey(msgspec.Struct, frozen=True, kw_only=True):
    """A way through several queues of which a stay is a part; all times are of the monotonic clock."""

    began: float
    """When it began: in each of its lines the caller is as old as that."""
    until: float | None = None
    """When the caller goes on, if no agent is being rung for it; None stays."""
    to: str = ""
    """Where to; empty for where the queue's `then` leads, with the exit ``timed_out``."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One caller's visit to one queue."""

    id: str
    number: int
    """Counts joins over all queues: the order among equals."""
    queue: str
    call: str
    caller: str
    priority: int
    """Queue priority plus caller priority; the higher goes first."""
    joined: float
    back_at: float | None = None
    """When the caller got back a place that it had had, by `Place`; None for one who joined anew."""
    back_why: BackWhy = "lost"
    """Why it has that place."""
    callback: str = ""
    """The callback that stands here for a customer; empty for a caller."""
    silent: bool = False
    """True for a callback whose turn has not come: no event and no figure knows of it."""
    plan: tuple[Stage, ...] = ()
    """Whom this caller may have, and when, by `Stage.after`; before the first stage, and without any: every
    member of the queue."""
    journey: Journey | None = None
    """The way that this visit is a part of."""
    moved_at: float | None = None
    """When the caller came to this line on its journey, which may be later than `joined`."""
    state: EntryState = EntryState.JOINED
    deadline: float | None = None
    """End of the longest wait, or of the time allowed for connecting."""
    tried: frozenset[str] = frozenset()
    """Agents that did not take this caller in the present round."""
    offers: frozenset[str] = frozenset()
    """Live offers, without those that are being cancelled."""
    offered_at: float = 0.0
    """When the newest offer was made."""
    agent: str | None = None
    """Who answered."""
    answered_at: float | None = None
    exit: Exit | None = None
    """The one way out; set when the caller has left the line."""
    left_at: float | None = None
    to: str = ""
    """The destination of a caller that goes on to somewhere else; empty otherwise."""
    told_as: str = ""
    """The name of the queue in events, when it was called otherwise as the caller joined."""

    @property
    def began(self) -> float:
        """When this wait began. A place that was got back is as old as `joined`, but no wait."""
        if self.back_at is not None:
            return self.back_at
        return self.joined if self.moved_at is None else self.moved_at

    def waited(self, *, now: float) -> float:
        """Seconds in line until now, or until the exit."""
        return (now if self.left_at is None else self.left_at) - self.began

    def talked(self, *, now: float) -> float:
        """Seconds since the agent answered; 0 before."""
        return 0.0 if self.answered_at is None else now - self.answered_at


BackWhy = Literal["lost", "moved", "resumed", "restarted", "callback"]
"""Why a caller has a place older than its entry: its agent's phone died, somebody moved it here, it hung up
and called again in time, it waits since before this process, or it is called back."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A place in the line of a queue that a caller has had, and may get back."""

    joined: float
    number: int
    """Both as in `Entry`: what the order in the line goes by."""
    priority: int | None = None
    """The priority that it had there, with the queue's; None for that of a newcomer."""
    tried: frozenset[str] = frozenset()
    """Agents that this caller is not offered to in the first round."""
    back_why: BackWhy = "lost"
    queue: str = ""
    """Where this place is; empty for the queue that the caller is just in."""
    entry: str = ""
    """The entry that goes on, of a process before this one: it is no new one; empty for a new one."""
    began: float | None = None
    """When the wait began that goes on; None for one that begins."""
    told_as: str = ""
    """As in `Entry`, of an entry that goes on."""

    def given_to(self, entry: Entry, *, now: float) -> Entry:
        """A new entry that stands here."""
        began = now if self.began is None else self.began
        return replace(
            entry,
            joined=self.joined,
            number=self.number,
            priority=entry.priority if self.priority is None else self.priority,
            tried=self.tried,
            back_at=began,
            back_why=self.back_why,
            told_as=self.told_as,
        )


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One agent being asked to take one caller."""

    id: str
    entry: str
    queue: str
    call: str
    agent: str
    began: float
    state: OfferState = OfferState.RESERVED
    outcome: OfferOutcome | None = None
    sip_status: int = 0
    told_as: str = ""
    """As in `Entry`."""


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy may know beside the agents."""

    entry: Entry
    last: int
    """`Agent.order` of the agent this queue offered last, -1 before the first."""
    bits: int
    """64 random bits, fresh for each choice."""
    now: float


class Strategy(Protocol):
    """Chooses agents for the caller whose turn it is. Pure: same arguments, same choice.

    One that always takes the least by some measure may have a method ``key(agent, *, now)`` with a sort key
    that is different for each agent, and must not raise: then the free agents are sorted once for a whole
    decision, and `choose` is not asked. One that draws may have a method ``share(agent)`` with a number, 0 or
    more, that is the same for the whole decision: then the router draws in proportion to it, with equal
    chances where all have 0, and `choose` is not asked either.
    """

    @property
    def rings_all(self) -> bool:
        """True when further agents may join the ringing of the same caller, as they become ready.

        A strategy with an attribute ``paced`` that is true is asked for them only every
        `QueueSettings.ring_step` seconds.
        """
        ...

    def choose(self, agents: Sequence[Agent], turn: Turn) -> Sequence[str]:
        """The names of the agents to ring at once, from `agents` (never empty, in member order).

        `agents` is a view that is good until the choice is made.

        An empty answer keeps the caller waiting and lets the next one in line be considered.
        """
        ...


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One queue as the router sees it."""

    queue: str
    strategy: Strategy
    strategy_name: str
    members: tuple[str, ...]
    """Agent names in member order."""
    entries: Sequence[Entry]
    """Those that wait or are being offered, best first."""
    last: int = -1
    """`Agent.order` of the agent offered last."""
    ring_step: float = 0.0
    """Seconds between two additions to the ringing of one caller."""
    ageing: float = 0.0
    """Seconds of waiting that are worth one point of priority; 0: priority is strict."""
    weight: float = 1.0
    """How fast the waits of this queue's callers count against those of other queues."""
    team: frozenset[str] = frozenset()
    """The members as a set, where somebody keeps one; empty is no harm."""


class Verdict(msgspec.Struct, frozen=True):
    """What the router thought of one agent for one offer."""

    agent: str
    chosen: bool
    reason: str
    """The first predicate that failed; empty for the chosen."""


class QueueResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a caller's visit to a queue went."""

    exit: Exit
    waited: float
    """Seconds in line."""
    talked: float = 0.0
    """Seconds of conversation."""
    agent: str | None = None
    """Who answered."""
    ended_by: str = ""
    """Who ended the conversation: ``caller``, ``callee`` (the agent), ``us``, ``network``."""
    to: str = ""
    """The destination that the queue's settings name for this exit; empty for none."""
    lost: bool = False
    """True when the conversation ended because the agent's phone died, and the queue has no `requeue`."""
    queue: str = ""
    """The queue that it left: another one than it entered when somebody has moved it."""


class Ring(msgspec.Struct, frozen=True):
    """Order: ring this agent, then tell `ringing` and at last `answered` or `ring_ended`."""

    offer: Offer
    timeout: float


class StopRinging(msgspec.Struct, frozen=True):
    """Order: cancel the ringing of this offer, then tell `ring_ended`."""

    offer: str


class Release(msgspec.Struct, frozen=True):
    """Order: this entry has left the line by `Entry.exit`; let its caller go."""

    entry: Entry


Order = Ring | StopRinging | Release
