"""Agents and entries as they are written down for another process, and how they are read back.

Times are Unix seconds there, because the monotonic clock of another process is another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

from sipcc.acd.agents import settled
from sipcc.acd.effort import Effort
from sipcc.acd.model import Agent, AgentState, Entry, EntryState, Offer, Place

WallOf = Callable[[float], float]
"""Takes a time of our clock to Unix seconds."""

LASTING = frozenset({AgentState.WRAP_UP, AgentState.QUARANTINED})
"""States that go on in another process until their deadline."""


class KeptAgent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One agent; the fields are those of `sipcc.acd.model.Agent` and `sipcc.acd.effort.Effort`."""

    state: AgentState
    since: float
    reason: str = ""
    wish: AgentState
    wish_reason: str = ""
    reachable: bool = False
    deadline: float | None = None
    wrap_up_limit: float | None = None
    idle_since: float = 0.0
    worked: bool = False
    not_before: float | None = None
    backoff_cause: str = ""
    misses: int = 0
    entry: str = ""
    """The entry that the agent talks with."""
    calls: int = 0
    talked: float = 0.0
    handled: float = 0.0
    login: float = 0.0
    away: float = 0.0


class KeptEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A caller who waits or talks; the fields are those of `sipcc.acd.model.Entry`."""

    queue: str
    call: str
    caller: str
    priority: int
    number: int
    joined: float
    back_at: float | None = None
    agent: str = ""
    """Who answered; empty for one who waits."""
    answered_at: float = 0.0
    on_journey: bool = False
    """True for a stay that is a part of a way through several queues."""
    offers: tuple[tuple[str, str], ...] = ()
    """Offer and agent of those who were being rung."""
    told_as: str = ""

    @property
    def told_queue(self) -> str:
        """The name of the queue in events."""
        return self.told_as or self.queue

    def called(self, queue: str) -> KeptEntry:
        """The same, in a queue whose name is `queue` now."""
        return self if queue == self.queue else replace(self, queue=queue, told_as=self.told_queue)


class KeptTalk(msgspec.Struct, frozen=True, kw_only=True):
    """Who talked with a caller last."""

    agent: str
    at: float


def saved_agent(agent: Agent, *, wall_of: WallOf) -> KeptAgent:
    """An agent, to be written down."""

    def wall(at: float) -> float:
        return round(wall_of(at), 3)

    def until(at: float | None) -> float | None:
        return None if at is None else wall(at)

    effort = agent.effort
    return KeptAgent(
        state=agent.state,
        since=wall(agent.since),
        reason=agent.reason,
        wish=agent.wish,
        wish_reason=agent.wish_reason,
        reachable=agent.reachable,
        deadline=until(agent.deadline),
        wrap_up_limit=until(agent.wrap_up_limit),
        idle_since=wall(agent.idle_since),
        worked=agent.worked,
        not_before=wall(agent.not_before) if agent.not_before else None,
        backoff_cause=agent.backoff_cause,
        misses=agent.misses,
        entry=agent.entry or "",
        calls=effort.calls,
        talked=effort.talked,
        handled=effort.handled,
        login=wall(effort.login),
        away=effort.away,
    )


def restored_agent(agent: Agent, kept: KeptAgent, *, ages: float, now: float) -> Agent:
    """`agent`, as it is at the start of a process, as the process before has left it.

    A rest state, a wrap-up and a quarantine go on as they were; an offer has died with its process, and so
    has what was due meanwhile: then the agent settles by its wish. A talk goes on only if its call does:
    then its agent is talking.

    Args:
        agent: With its settings, which may be other ones now.
        kept: What was written down.
        ages: Takes Unix seconds to our clock.
        now: When.
    """

    def here(wall: float) -> float:
        return wall + ages

    def until(wall: float | None) -> float | None:
        return None if wall is None else here(wall)

    fields: dict[str, Any] = {
        "wish": kept.wish,
        "wish_reason": kept.wish_reason,
        "reachable": kept.reachable or not agent.settings.registers,
        "wrap_up_limit": until(kept.wrap_up_limit),
        "idle_since": here(kept.idle_since),
        "worked": kept.worked,
        "not_before": until(kept.not_before) or 0.0,
        "backoff_cause": kept.backoff_cause,
        "misses": kept.misses,
        "effort": Effort(
            calls=kept.calls,
            talked=kept.talked,
            handled=kept.handled,
            login=here(kept.login),
            away=kept.away,
        ),
    }
    agent = replace(agent, **fields)
    deadline = until(kept.deadline)
    lasts = kept.state in LASTING and deadline is not None and deadline > now
    if lasts or kept.state is AgentState.TALKING:
        return replace(
            agent,
            state=kept.state,
            since=here(kept.since),
            reason=kept.reason,
            deadline=deadline if lasts else None,
            entry=kept.entry or None,
        )
    state = settled(agent)
    same = state is kept.state
    agent = replace(
        agent,
        state=state,
        since=here(kept.since) if same else now,
        reason=kept.reason if same else (agent.wish_reason if state is AgentState.NOT_READY else "restarted"),
    )
    if state is AgentState.READY and agent.worked:
        return replace(agent, idle_since=now, worked=False)
    return agent


def saved_entry(entry: Entry, offers: Iterable[Offer], *, wall_of: WallOf) -> KeptEntry:
    """An entry that has not ended, with its live offers, to be written down."""
    return KeptEntry(
        queue=entry.queue,
        call=entry.call,
        caller=entry.caller,
        priority=entry.priority,
        number=entry.number,
        joined=round(wall_of(entry.joined), 3),
        back_at=None if entry.back_at is None else round(wall_of(entry.back_at), 3),
        agent=(entry.agent or "") if entry.state is EntryState.CONNECTED else "",
        answered_at=0.0 if entry.answered_at is None else round(wall_of(entry.answered_at), 3),
        on_journey=entry.journey is not None,
        offers=tuple((offer.id, offer.agent) for offer in offers),
        told_as=entry.told_as,
    )


def restored_place(entry_id: str, kept: KeptEntry, *, ages: float) -> Place:
    """The place of a caller who has waited since before this process, as the same entry."""
    began = kept.joined if kept.back_at is None else kept.back_at
    return Place(
        joined=kept.joined + ages,
        number=kept.number,
        priority=kept.priority,
        queue=kept.queue,
        entry=entry_id,
        began=began + ages,
        back_why="restarted",
        told_as=kept.told_as,
    )


def restored_entry(entry_id: str, kept: KeptEntry, *, ages: float) -> Entry:
    """The entry of a caller who has waited, or talked, since before this process."""
    answered_at = kept.answered_at + ages if kept.agent else None
    return Entry(
        id=entry_id,
        number=kept.number,
        queue=kept.queue,
        call=kept.call,
        caller=kept.caller,
        priority=kept.priority,
        joined=kept.joined + ages,
        back_at=None if kept.back_at is None else kept.back_at + ages,
        state=EntryState.CONNECTED if kept.agent else EntryState.WAITING,
        agent=kept.agent or None,
        answered_at=answered_at,
        exit="answered" if kept.agent else None,
        left_at=answered_at,
        told_as=kept.told_as,
    )
