"""New agents and queues for a floor on which calls go on: nobody loses a place, a state or a call.

A queue that is changed keeps its callers in their order, by the rules under which they came. One that is gone
serves those who are in it with what agents it has left; without any they leave with ``no_agent``. An agent
that is changed keeps state, pause, wrap-up, back-off and counters. One that is gone ends its call and its
wrap-up first.

A queue that is called otherwise (`QueueSettings.was`) stays the same queue: events tell of callers who are
in it under the name under which they joined, so that no figure is torn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from sipcc.acd import overflow
from sipcc.acd.agents import AgentInput
from sipcc.acd.ground import Ground
from sipcc.acd.model import Agent, AgentState, Entry
from sipcc.acd.queues import WaitingLine

_BUSY = frozenset({AgentState.RESERVED, AgentState.RINGING, AgentState.TALKING, AgentState.WRAP_UP})
"""States of an agent with a queue call, its wrap-up included."""


class Renewable(Ground):
    """A floor whose agents and queues can be changed."""

    def renew(self, fresh: Ground, *, now: float) -> list[str]:
        """Take the agents and queues of `fresh`, which was built from the new settings and is used up.

        Returns the agents that are new or are rung at other places than before: whether they are there is to
        be found out anew.
        """
        names = sorted(self.staff.agents.values(), key=lambda agent: agent.order)
        changed = self._renew_staff(fresh, now=now)
        self._renew_lines(fresh, [agent.name for agent in names], now=now)
        self.tidy(now=now)
        return changed

    def tidy(self, *, now: float) -> bool:
        """Drop removed queues that are empty and removed agents who are done; True when there was one."""
        tidied = False
        for name in list(self.leaving):
            agent = self.staff.agents[name]
            if agent.state in _BUSY or any(offer.agent == name for offer in self.offers.values()):
                continue
            if agent.state is not AgentState.OFFLINE:
                self.staff.apply(name, AgentInput.LOGOUT, now=now, reason="removed")
            del self.staff.agents[name], self.leaving[name]
            for line in self.lines.values():
                line.members = tuple(member for member in line.members if member != name)
            tidied = True
        if self.retired:
            inside = {entry.queue for entry in self.entries.values()}
            for name in self.retired - inside:
                del self.lines[name]
                self.retired.discard(name)
                tidied = True
        return tidied

    # Agents

    def _renew_staff(self, fresh: Ground, *, now: float) -> list[str]:
        before, staff = self.staff.agents, self.staff
        changed = [
            name
            for name, agent in fresh.staff.agents.items()
            if name not in before or before[name].settings.places != agent.settings.places
        ]
        gone = [agent for name, agent in before.items() if name not in fresh.staff.agents]
        staff.agents = {
            name: _kept(before[name], agent) if name in before else replace(agent, since=now)
            for name, agent in fresh.staff.agents.items()
        }
        for order, agent in enumerate(gone, len(staff.agents)):
            staff.agents[agent.name] = replace(agent, order=order)
            if agent.name not in self.leaving:
                self.leaving[agent.name] = (agent.wish, agent.wish_reason)
                staff.apply(agent.name, AgentInput.LOGOUT, now=now, reason="removed")
        for name in [name for name in self.leaving if name in fresh.staff.agents]:
            wish, reason = self.leaving.pop(name)  # back before it had gone
            staff.agents[name] = replace(staff.agents[name], wish=wish, wish_reason=reason)
        return changed

    # Queues

    def _renew_lines(self, fresh: Ground, order: Sequence[str], *, now: float) -> None:
        """Go over to the lines of `fresh`; `order` are the agents in the order in which they stood."""
        old = self.lines
        names = {
            line.settings.was: name
            for name, line in fresh.lines.items()
            if line.settings.was in old and line.settings.was not in fresh.lines and name not in old
        }
        for was, name in names.items():
            self._rename(was, name)
        self.lines = {**fresh.lines}
        self.retired.clear()
        for was, before in old.items():
            name = names.get(was, was)
            if name not in fresh.lines:
                if any(entry.queue == was for entry in self.entries.values()):
                    self.lines[was] = self._retired(before)
                    self.retired.add(was)
                continue
            self._go_on(before, self.lines[name], order, now=now)
        self.aliases = {was: names.get(name, name) for was, name in self.aliases.items()} | fresh.aliases
        self.aliases |= names

    def _rename(self, was: str, name: str) -> None:
        for entry in [entry for entry in self.entries.values() if entry.queue == was]:
            self.entries[entry.id] = replace(entry, queue=name, told_as=entry.told_as or was)
        for offer in [offer for offer in self.offers.values() if offer.queue == was]:
            self.offers[offer.id] = replace(offer, queue=name, told_as=offer.told_as or was)
        self.kept.rename(was, name)
        self.recalls.rename(was, name)

    def _retired(self, before: WaitingLine) -> WaitingLine:
        """A line that is not configured any more, for those who are in it."""
        members = tuple(name for name in before.members if name not in self.leaving)
        settings = replace(before.settings, no_agent="leave")
        line = WaitingLine(settings, before.view(self.entries).strategy, members)
        line.tally, line.last = before.tally, before.last
        self._insert(line, before.ids)
        return line

    def _go_on(self, before: WaitingLine, line: WaitingLine, order: Sequence[str], *, now: float) -> None:
        """Give `line` the callers and the figures of the line that it follows."""
        known = line.tally.handle_time
        line.tally = before.tally
        if line.settings.handle_time != before.settings.handle_time:
            line.tally.handle_time = known
        line.last = self._last(order[: before.last + 1])
        for entry in self._insert(line, before.ids):
            for at in overflow.alarms(line.settings, joined=entry.began):
                if at > now:
                    self._alarms.add(at, "wake")
        if line.ring_step:
            self._alarms.add(now + line.ring_step, "wake")

    def _insert(self, line: WaitingLine, ids: Iterable[str]) -> list[Entry]:
        entries = [self.entries[name] for name in ids]
        for entry in entries:
            line.insert(entry)
        return entries

    def _last(self, upto: Sequence[str]) -> int:
        """Where round-robin goes on: behind whom it offered to last, wherever that one stands now."""
        there = [name for name in upto if name in self.staff.agents and name not in self.leaving]
        return self.staff.agents[there[-1]].order if there else -1


def _kept(before: Agent, fresh: Agent) -> Agent:
    """The agent as it is, with new settings."""
    return replace(before, settings=fresh.settings, order=fresh.order)
