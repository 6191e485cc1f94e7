"""What must hold on the floor after every step, and what is wrong when it does not.

An empty list is the proof that nobody is stuck: every state that somebody cannot leave by themselves has
a deadline in the future or a live dialog, and no caller waits while an agent is free for it.
"""

from __future__ import annotations

from collections import Counter

from sipcc.acd.floor import Floor
from sipcc.acd.model import Agent, AgentState, Entry, EntryState, OfferState

OVERDUE = 1.0
"""Seconds that a deadline may be past before it counts as forgotten: timers fire a little late."""

_LEASED = (AgentState.RESERVED, AgentState.RINGING, AgentState.WRAP_UP, AgentState.QUARANTINED)
_OFFERED = (AgentState.RESERVED, AgentState.RINGING)


def violations(floor: Floor, *, now: float) -> list[str]:
    """Every broken rule, in words; empty when all is well."""
    found: list[str] = []
    live = Counter(offer.agent for offer in floor.offers.values())
    agents = floor.staff.agents
    if agents.ready != {name for name, agent in agents.items() if agent.state is AgentState.READY}:
        found.append("the count of those who are ready is wrong")
    for agent in agents.values():
        found += [f"agent {agent.name}: {fault}" for fault in _agent(floor, agent, live[agent.name], now)]
    for entry in floor.entries.values():
        found += [f"entry {entry.id}: {fault}" for fault in _entry(floor, entry, now)]
    for name, line in floor.lines.items():
        told = (entry for entry in floor.entries.values() if entry.queue == name and not entry.silent)
        inside = sum(1 for entry in told if entry.exit is None)
        if line.tally.joined != sum(line.tally.exits.values()) + inside:
            found.append(f"queue {name}: joins are not exits plus callers inside")
        waiting = {
            entry.id
            for entry in floor.entries.values()
            if entry.queue == name and entry.state in (EntryState.WAITING, EntryState.OFFERING)
        }
        if waiting != set(line.ids):
            found.append(f"queue {name}: the line and the entries differ")
    found += [
        f"entry {pick.entry}: waits while {pick.agents} could be rung" for pick in floor.possible(now=now)
    ]
    return found


def _agent(floor: Floor, agent: Agent, live: int, now: float) -> list[str]:
    found: list[str] = []
    if agent.state in _LEASED:
        if agent.deadline is None:
            found.append(f"is {agent.state} without a deadline")
        elif agent.deadline < now - OVERDUE:
            found.append(f"is {agent.state} beyond its deadline")
    if live != (1 if agent.state in _OFFERED else 0):
        found.append(f"is {agent.state} with {live} offers")
    if agent.state in _OFFERED and agent.offer not in floor.offers:
        found.append(f"is {agent.state} for an offer that is over")
    if agent.state is AgentState.TALKING:
        entry = floor.entries.get(agent.entry or "")
        talks = entry is not None and entry.state in (EntryState.CONNECTING, EntryState.CONNECTED)
        if entry is None or not talks or entry.agent != agent.name:
            found.append("is talking without a caller")
    if agent.state is AgentState.EXTERNAL and not agent.external:
        found.append("is external without a dialog")
    return found


def _entry(floor: Floor, entry: Entry, now: float) -> list[str]:
    found: list[str] = []
    live = {
        offer.id
        for offer in floor.offers.values()
        if offer.entry == entry.id and offer.state is not OfferState.CANCELLING
    }
    if live != entry.offers:
        found.append("knows other offers than there are")
    if (entry.state is EntryState.OFFERING) != bool(live):
        found.append(f"is {entry.state} with {len(live)} live offers")
    if entry.deadline is not None and entry.deadline < now - OVERDUE:
        found.append(f"is {entry.state} beyond its deadline")
    if entry.state is EntryState.CONNECTING and entry.deadline is None:
        found.append("is connecting without a deadline")
    if (entry.exit is not None) != (entry.state is EntryState.CONNECTED):
        found.append(f"is {entry.state} with exit {entry.exit}")
    taken = entry.state is EntryState.CONNECTED and entry.agent is None  # by somebody who is no agent
    if entry.state in (EntryState.CONNECTING, EntryState.CONNECTED) and not taken:
        agent = floor.staff.agents.get(entry.agent or "")
        if agent is None or agent.state is not AgentState.TALKING or agent.entry != entry.id:
            found.append(f"is {entry.state} without its agent")
    return found
