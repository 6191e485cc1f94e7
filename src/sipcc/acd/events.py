"""What happens in queues and to agents, as events. `sipcc.records` folds them into queue outcomes."""

from __future__ import annotations

from typing import Final, Literal

from sipcc.events import Event

Exit = Literal[
    "answered",
    "abandoned",
    "short_abandoned",
    "timed_out",
    "overflowed",
    "key_exit",
    "callback_booked",
    "no_agent",
    "full",
    "closed",
    "withdrawn",
    "failed",
]
"""The ways out of a queue; each entry takes exactly one."""

GAVE_UP: Final[tuple[Exit, ...]] = ("abandoned", "short_abandoned")
"""The exits of callers who hang up while they wait."""

OfferOutcome = Literal["answered", "no_answer", "busy", "declined", "unreachable", "failed", "cancelled"]


class QueueJoined(Event, frozen=True, kw_only=True):
    """A caller entered a queue."""

    entry: str
    queue: str
    call: str
    caller: str
    priority: int
    position: int
    """1 for the head of the line."""
    requeued: bool = False
    """True for a caller whose agent's phone died in the talk: it has its old place again, and what it waits
    is counted from now."""
    callback: str = ""
    """The callback whose turn has come; empty for a caller."""


class OfferMade(Event, frozen=True, kw_only=True):
    """An agent was reserved for a caller and is being rung."""

    offer: str
    entry: str
    queue: str
    call: str
    agent: str


class OfferEnded(Event, frozen=True, kw_only=True):
    """The offer is over. `cancelled`: the caller left, or another agent of ring-all was faster."""

    offer: str
    entry: str
    queue: str
    call: str
    agent: str
    outcome: OfferOutcome
    sip_status: int


class RoutingFailed(Event, frozen=True, kw_only=True):
    """A router, a function or a service, failed for a call, which went to the default instead."""

    call: str
    router: str
    """Its name, or the number that the function is routed under."""
    reason: str
    to: str
    """The destination that the call went to."""
    off: bool = False
    """True when it was late too often: a function is not asked again, a service not for a while."""


class QueueLeft(Event, frozen=True, kw_only=True):
    """A caller left a queue by exactly one exit.

    `agent` stands only with ``answered``, and not when it was a program's caller who took it out of the line.
    """

    entry: str
    queue: str
    call: str
    exit: Exit
    waited: float
    """Seconds from QueueJoined to now."""
    agent: str | None = None
    to: str = ""
    """The destination that the caller goes on to; empty for none."""


class QueueResumed(Event, frozen=True, kw_only=True):
    """A stay in a queue, or the talk that came of it, goes on in another process than it began in."""

    entry: str
    queue: str
    call: str


class TalkEnded(Event, frozen=True, kw_only=True):
    """Agent and caller parted."""

    entry: str
    queue: str
    call: str
    agent: str
    """Empty for somebody who is none."""
    talked: float
    """Seconds of conversation, hold included."""
    lost: bool = False
    """True when the agent's phone died: silence, a lost connection, no answer to our requests."""


class AgentStateChanged(Event, frozen=True, kw_only=True):
    """An agent is in another state (names of `sipcc.acd.agents.AgentState`)."""

    agent: str
    before: str
    after: str
    reason: str = ""
    """The pause reason, or what moved the agent."""


class CallerMoved(Event, frozen=True, kw_only=True):
    """Somebody sent a waiting caller to another queue: one entry ends by ``withdrawn``, another begins."""

    entry: str
    queue: str
    call: str
    to: str
    """The other queue."""
    new: str
    """The entry there."""
    kept: bool
    """True when the caller stands there as if it had joined when it joined here."""
    by: str = ""
    """Who did it; empty for a program."""


class CallerPrioritised(Event, frozen=True, kw_only=True):
    """Somebody gave a waiting caller another priority."""

    entry: str
    queue: str
    call: str
    priority: int
    """The sum that counts, with the queue's."""
    position: int
    by: str = ""


class CallerAssigned(Event, frozen=True, kw_only=True):
    """Somebody reserved a waiting caller for one agent."""

    entry: str
    queue: str
    call: str
    agent: str
    by: str = ""


class PlaceRegained(Event, frozen=True, kw_only=True):
    """A caller who hung up while it waited called again in time, and stands where it stood."""

    entry: str
    queue: str
    call: str
    lost: str
    """The entry that it left."""
    credit: float
    """Seconds for which its place is older than its entry."""


class RecallOpened(Event, frozen=True, kw_only=True):
    """A number that gave up waiting stands in the list of those to be called back."""

    recall: str
    queue: str
    call: str
    number: str
    calls: int
    """How often it gave up in this window."""


class RecallClosed(Event, frozen=True, kw_only=True):
    """Nobody needs to call that number any more."""

    recall: str
    queue: str
    call: str
    number: str
    why: Literal["called_again", "callback", "done", "expired"]


class CallbackBooked(Event, frozen=True, kw_only=True):
    """A customer is to be called back, and has the place of a caller in line."""

    callback: str
    queue: str
    call: str
    """The call in which it was booked; empty for none."""
    number: str
    credit: float
    """Seconds for which its place is older than the booking."""


class CallbackTried(Event, frozen=True, kw_only=True):
    """A customer was called back, or could not be."""

    callback: str
    queue: str
    call: str
    """The call that was made."""
    agent: str
    """Who picked up for it; empty when nobody did."""
    outcome: str
    """``answered``, ``no_answer``, ``busy``, ``declined``, ``unreachable`` or ``failed``."""
    attempt: int


class CallbackEnded(Event, frozen=True, kw_only=True):
    """Nobody is called back any more."""

    callback: str
    queue: str
    call: str
    number: str
    outcome: Literal["served", "cancelled", "expired", "unreached", "called_again"]
    attempts: int
    """How often the customer was called."""
