"""The agents of a centre: their present state, their deadlines, and the events that tell of changes."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from sipcc.acd import agents
from sipcc.acd.agents import AgentInput
from sipcc.acd.effort import Crew, spent
from sipcc.acd.events import AgentStateChanged
from sipcc.acd.model import Agent, AgentState
from sipcc.acd.plan import ABSENT
from sipcc.acd.settings import AgentSettings
from sipcc.errors import ConfigError, LocalProtocolError
from sipcc.events import Event


class Alarms:
    """Times to be woken at. A time is never taken back: an early wake-up finds nothing to do."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []

    @property
    def next(self) -> float | None:
        """The earliest time, or None."""
        return self._heap[0][0] if self._heap else None

    def add(self, at: float, key: str) -> None:
        """Wake at `at` for `key`."""
        heapq.heappush(self._heap, (at, key))

    def due(self, *, now: float) -> list[str]:
        """Take out the keys whose time has come, in the order of time, each once."""
        keys: dict[str, None] = {}
        while self._heap and self._heap[0][0] <= now:
            keys[heapq.heappop(self._heap)[1]] = None
        return list(keys)


class Roster(dict[str, Agent]):
    """Agents by name, in member order. Put in and delete one at a time: that is how `ready` keeps up."""

    def __init__(self, agents: Mapping[str, Agent]) -> None:
        super().__init__(agents)
        self.ready = {name for name, agent in agents.items() if agent.state is AgentState.READY}
        """Who is ready, so that nobody looks through all of them for each caller."""
        self.touched: set[str] = set()
        """Who has changed since somebody looked and emptied this."""
        self.version = object()
        """Another one after each change."""

    def __setitem__(self, name: str, agent: Agent) -> None:
        self.version = object()
        super().__setitem__(name, agent)
        self.touched.add(name)
        if agent.state is AgentState.READY:
            self.ready.add(name)
        else:
            self.ready.discard(name)

    def __delitem__(self, name: str) -> None:
        self.version = object()
        super().__delitem__(name)
        self.ready.discard(name)


class Staff:
    """Owns the agents."""

    def __init__(self, settings: Sequence[AgentSettings], alarms: Alarms, events: list[Event]) -> None:
        self._agents = Roster({})
        for order, agent in enumerate(settings):
            if agent.name in self.agents:
                raise ConfigError(f"agents[{order}].name", f"{agent.name!r} is given twice")
            self.agents[agent.name] = Agent(settings=agent, order=order)
        self._alarms = alarms
        self._events = events
        self._crew = Crew()

    @property
    def agents(self) -> Roster:
        """The present agents."""
        return self._agents

    @agents.setter
    def agents(self, agents: Mapping[str, Agent]) -> None:
        self._agents = Roster(agents)

    def open(self, *, now: float) -> None:
        """Count the time of everybody's first state from now."""
        self.agents = {name: replace(agent, since=now) for name, agent in self.agents.items()}

    def get(self, name: str) -> Agent:
        """The agent of that name.

        Raises:
            LocalProtocolError: there is none.
        """
        try:
            return self.agents[name]
        except KeyError:
            raise LocalProtocolError(f"there is no agent {name!r}") from None

    def apply(self, name: str, given: AgentInput, *, now: float, reason: str = "", **more: Any) -> Agent:
        """Step the machine of one agent, tell the change, and set its alarms."""
        before = self.get(name)
        after = agents.step(before, given, now=now, reason=reason, **more)
        after = self._counted(before, after, bool(more.get("worked")), now=now)
        self.agents[name] = after
        if after.deadline is not None and after.deadline != before.deadline:
            self._alarms.add(after.deadline, f"agent:{name}")
        if after.not_before > max(before.not_before, now):
            self._alarms.add(after.not_before, "wake")
        if after.state is not before.state:
            self._tell(before, after, now=now)
        return after

    def restore(self, agent: Agent, *, now: float) -> None:
        """Put an agent as another process has left it in the place of one that has just been opened."""
        before = self.get(agent.name)
        self.agents[agent.name] = agent
        if _logged_in(agent):
            self._crew.add(agent.effort)
        if agent.deadline is not None:
            self._alarms.add(agent.deadline, f"agent:{agent.name}")
        if agent.not_before > now:
            self._alarms.add(agent.not_before, "wake")
        if agent.state is not before.state:
            self._tell(before, agent, now=now)

    def _tell(self, before: Agent, after: Agent, *, now: float) -> None:
        self._events.append(
            AgentStateChanged(
                at=now,
                agent=after.name,
                before=before.state.value,
                after=after.state.value,
                reason=after.reason,
            )
        )

    def _counted(self, before: Agent, after: Agent, talked: bool, *, now: float) -> Agent:
        """`after` with what was done in the state of `before`; see `sipcc.acd.effort`."""
        was, is_ = _logged_in(before), _logged_in(after)
        if after.state is before.state and was is is_:
            return after
        effort = before.effort
        if not was:
            effort = self._crew.newcomer(now=now)
        else:
            self._crew.drop(effort)
            if after.state is not before.state:
                effort = spent(effort, before.state, now - before.since)
            if talked:
                effort = replace(effort, calls=effort.calls + 1)
        if is_:
            self._crew.add(effort)
        return replace(after, effort=effort)

    def hold(self, name: str, *, until: float) -> None:
        """Bring the lease of a reserved or ringing agent forward to `until`."""
        agent = self.get(name)
        if agent.deadline is None or agent.deadline > until:
            self.agents[name] = replace(agent, deadline=until)
            self._alarms.add(until, f"agent:{name}")

    def present(self, members: Sequence[str]) -> bool:
        """True when at least one of `members` is there: neither offline nor quarantined."""
        return any(self.agents[name].state not in ABSENT for name in members)

    def command(self, name: str, given: AgentInput, *, now: float, reason: str = "") -> Agent:
        """An agent's or supervisor's command: login, logout, ready, pause, end_wrap_up.

        Raises:
            LocalProtocolError: unknown agent, or not possible in its present state.
        """
        return self.apply(name, given, now=now, reason=reason)

    def force(self, name: str, state: str, *, now: float, reason: str = "") -> Agent:
        """Put an agent into a rest state, a value of `AgentState`, whatever it does that is no call.

        An offer, a talk or a call of the agent's own goes on, and `state` follows it. A wrap-up or quarantine
        ends now. Who is offline is logged in for ``not_ready`` and ``ready``.

        Raises:
            LocalProtocolError: unknown agent, or `state` is no rest state.
        """
        given = _FORCED.get(state)
        if given is None:
            known = ", ".join(sorted(_FORCED))
            raise LocalProtocolError(f"agent {name} cannot be forced into {state}: only into {known}")
        agent = self.get(name)
        if agent.state is AgentState.OFFLINE and state != AgentState.OFFLINE:
            self.apply(name, AgentInput.LOGIN, now=now, reason=reason)
        agent = self.apply(name, given, now=now, reason=reason)
        if agent.state is AgentState.WRAP_UP:
            agent = self.apply(name, AgentInput.END_WRAP_UP, now=now, reason=reason)
        return agent

    def extend_wrap_up(self, name: str, seconds: float, *, now: float) -> Agent:
        """Move the end of the wrap-up by `seconds`, but not beyond the limit of its queue."""
        agent = self.get(name)
        end = max(now, (agent.deadline or now) + seconds)
        if agent.wrap_up_limit is not None:
            end = min(end, agent.wrap_up_limit)
        return self.apply(name, AgentInput.EXTEND_WRAP_UP, now=now, deadline=end)

    def registration(self, name: str, reachable: bool, *, now: float, reason: str = "") -> Agent:
        """The phone of an agent is registered, or is not any more, for `reason`. May be told again."""
        given = AgentInput.REGISTERED if reachable else AgentInput.LOST
        return self.apply(name, given, now=now, reason="" if reachable else reason)

    def external(self, name: str, dialog: str, began: bool, *, now: float) -> Agent:
        """A call of the agent's own, outside any queue, began or ended; may be told again."""
        agent = self.get(name)
        dialogs = agent.external | {dialog} if began else agent.external - {dialog}
        given = AgentInput.EXTERNAL_BEGAN if began else AgentInput.EXTERNAL_ENDED
        return self.apply(name, given, now=now, external=dialogs)


def _logged_in(agent: Agent) -> bool:
    """A phone that is lost is no logout, and who logs out in a call is there until its end."""
    return agent.wish is not AgentState.OFFLINE or agent.state is not AgentState.OFFLINE


_FORCED: dict[str, AgentInput] = {
    AgentState.OFFLINE: AgentInput.LOGOUT,
    AgentState.NOT_READY: AgentInput.PAUSE,
    AgentState.READY: AgentInput.MAKE_READY,
}
"""The rest states that a supervisor may force, and the command of the agent's own that leads there."""
