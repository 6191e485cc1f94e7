"""The floor at one moment, for wallboards."""

from __future__ import annotations

import msgspec

from sipcc.acd.floor import Floor
from sipcc.acd.model import Agent, AgentState, Entry, EntryState


class AgentSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One agent."""

    name: str
    display: str
    state: AgentState
    since: float
    reason: str
    pending: AgentState | None
    """The rest state after the present activity; None at rest."""
    deadline: float | None
    """When `state` ends by itself."""
    not_before: float | None
    """End of the back-off, None when there is none."""
    misses: int
    queues: tuple[str, ...]
    call: str | None
    """The call that the agent is rung for or talks with."""


class CallerSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One caller in a queue or in a talk that came from it."""

    entry: str
    call: str
    caller: str
    priority: int
    position: int
    """1 for the head of the line; 0 when answered."""
    state: EntryState
    joined: float
    waited: float
    talked: float
    agent: str | None
    callback: str = ""
    """The callback that stands here for a customer; empty for a caller."""


class QueueSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One queue."""

    name: str
    waiting: tuple[CallerSnapshot, ...]
    """Callers in line, best first."""
    talking: tuple[CallerSnapshot, ...]
    agents_present: int
    """Members that are neither offline nor quarantined."""
    agents_ready: int
    longest_wait: float
    """Seconds of whoever waits longest now; 0 for an empty line."""
    offered: int
    """Callers that joined."""
    answered: int
    abandoned: int
    """Without the short ones."""
    short_abandoned: int
    exits: dict[str, int]
    """All exits by name."""
    asa: float | None
    """Average speed of answer in seconds; None before the first answer."""
    answered_in_time: int
    """Answered within the queue's `service_level`."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All agents and queues. Counts are since the start of the ACD."""

    at: float
    agents: tuple[AgentSnapshot, ...]
    queues: tuple[QueueSnapshot, ...]


def take(floor: Floor, *, now: float) -> Snapshot:
    """The floor as it stands at `now`."""
    return Snapshot(
        at=now,
        agents=tuple(_agent(floor, agent, now) for agent in floor.staff.agents.values()),
        queues=tuple(_queue(floor, name, now) for name in floor.lines),
    )


def _agent(floor: Floor, agent: Agent, now: float) -> AgentSnapshot:
    offer = floor.offers.get(agent.offer or "")
    entry = floor.entries.get(agent.entry or "")
    with_ = offer or entry
    return AgentSnapshot(
        name=agent.name,
        display=agent.settings.display or agent.name,
        state=agent.state,
        since=agent.since,
        reason=agent.reason,
        pending=agent.pending,
        deadline=agent.deadline,
        not_before=agent.not_before if agent.not_before > now else None,
        misses=agent.misses,
        queues=agent.settings.queues,
        call=with_.call if with_ else None,
    )


def _queue(floor: Floor, name: str, now: float) -> QueueSnapshot:
    line = floor.lines[name]
    waiting = tuple(_caller(floor.entries[entry], place, now) for place, entry in enumerate(line.ids, 1))
    talking = tuple(
        _caller(entry, 0, now)
        for entry in floor.entries.values()
        if entry.queue == name and entry.state in (EntryState.CONNECTING, EntryState.CONNECTED)
    )
    members = [floor.staff.agents[member] for member in line.members]
    tally, exits = line.tally, line.tally.exits
    return QueueSnapshot(
        name=name,
        waiting=waiting,
        talking=talking,
        agents_present=sum(floor.staff.present((agent.name,)) for agent in members),
        agents_ready=sum(agent.state is AgentState.READY for agent in members),
        longest_wait=max((caller.waited for caller in waiting), default=0.0),
        offered=tally.joined,
        answered=exits["answered"],
        abandoned=exits["abandoned"],
        short_abandoned=exits["short_abandoned"],
        exits=dict(exits),
        asa=tally.answer_wait / exits["answered"] if exits["answered"] else None,
        answered_in_time=tally.answered_in_time,
    )


def _caller(entry: Entry, position: int, now: float) -> CallerSnapshot:
    waited_until = entry.answered_at if entry.answered_at is not None else now
    return CallerSnapshot(
        entry=entry.id,
        call=entry.call,
        caller=entry.caller,
        priority=entry.priority,
        position=position,
        state=entry.state,
        joined=entry.joined,
        waited=waited_until - entry.began,
        talked=entry.talked(now=now),
        agent=entry.agent,
        callback=entry.callback,
    )
