"""The built-in strategies: who is asked first among the agents that could take a call.

Each is pure, and what it says of order and ties is all there is: the same agents in the same state always
give the same choice. Ties go to the agent that has been idle longest where the order is by work done, and
at last to the first in member order, which is the order of the configuration. They are registered under
their names in the entry-point group ``sipcc.strategies``, like anybody else's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from functools import partial
from operator import attrgetter
from typing import Final

from sipcc import plugins
from sipcc.acd.bench import draw
from sipcc.acd.model import Agent, Strategy, Turn
from sipcc.errors import ConfigError

GROUP = "sipcc.strategies"


class Linear:
    """The first free agent in member order, every time."""

    rings_all: Final = False

    def choose(self, agents: Sequence[Agent], turn: Turn) -> Sequence[str]:
        """The first of `agents`."""
        return (agents[0].name,)


class RoundRobin:
    """The first free agent after the one that this queue offered last, and round again."""

    rings_all: Final = False

    def choose(self, agents: Sequence[Agent], turn: Turn) -> Sequence[str]:
        """The agent that follows `Turn.last`."""
        following = bisect_right(agents, turn.last, key=attrgetter("order"))
        return (agents[following % len(agents)].name,)


class Random:
    """Any free agent, all with the same chance."""

    rings_all: Final = False

    def choose(self, agents: Sequence[Agent], turn: Turn) -> Sequence[str]:
        """The agent that `Turn.bits` points at; with 64 bits the modulo bias is below 2**-50."""
        return (agents[turn.bits % len(agents)].name,)


class Weighted:
    """Any free agent, each with a chance in proportion to its weight.

    An agent of weight 2 gets twice the calls of one of weight 1 while both are free. Weight 0 is asked
    only when all that are free have 0; then all have the same chance.
    """

    rings_all: Final = False

    def choose(self, agents: Sequence[Agent], turn: Turn) -> Sequence[str]:
        """The agent in whose part of the summed `AgentSettings.weight` `Turn.bits` falls."""
        return (agents[draw([self.share(agent) for agent in agents], turn.bits)].name,)

    @staticmethod
    def share(agent: Agent) -> float:
        """`AgentSettings.weight`."""
        return agent.settings.weight


class Least(ABC):
    """A strategy that takes the agent who is least by some measure; a subclass says by which."""

    rings_all: Final = False

    def choose(self, agents: Sequence[Agent], turn: Turn) -> Sequence[str]:
        """The agent with the smallest key."""
        return (min(agents, key=partial(self.key, now=turn.now)).name,)

    @staticmethod
    @abstractmethod
    def key(agent: Agent, *, now: float) -> tuple[float, ...]:
        """The measure, and what breaks its ties; different for each agent."""


class LongestIdle(Least):
    """The agent that has been without a queue call for the longest time.

    Idle time counts from becoming ready after the last queue call, or from login for somebody new, so
    neither a pause nor a missed offer changes an agent's place.
    """

    @staticmethod
    def key(agent: Agent, *, now: float) -> tuple[float, int]:
        """Idle since, then member order."""
        return (agent.idle_since, agent.order)


class FewestCalls(Least):
    """The agent that has taken the fewest queue calls since login; then the longest idle.

    `sipcc.acd.effort` tells what counts, and why somebody new is not flooded.
    """

    @staticmethod
    def key(agent: Agent, *, now: float) -> tuple[int, float, int]:
        """Calls, then idle since, then member order."""
        return (agent.effort.calls, agent.idle_since, agent.order)


class LeastTalk(Least):
    """The agent that has talked the fewest seconds with queue callers since login; then the longest idle."""

    @staticmethod
    def key(agent: Agent, *, now: float) -> tuple[float, float, int]:
        """Seconds talked, then idle since, then member order."""
        return (agent.effort.talked, agent.idle_since, agent.order)


class LeastOccupied(Least):
    """The agent with the lowest occupancy since login; then the longest idle.

    Occupancy is the part of its time at work, pauses left out, that an agent has talked or wrapped up.
    """

    @staticmethod
    def key(agent: Agent, *, now: float) -> tuple[float, float, int]:
        """Occupancy, then idle since, then member order."""
        return (agent.effort.occupancy(now=now), agent.idle_since, agent.order)


class RingAll:
    """Every free agent at once; the first answer wins."""

    rings_all: Final = True

    def choose(self, agents: Sequence[Agent], turn: Turn) -> Sequence[str]:
        """All of `agents`."""
        return tuple(agent.name for agent in agents)


class RingProgressive:
    """The first free agent in member order, and every `QueueSettings.ring_step` seconds the next one too.

    Those that were asked before ring on until their time is over; the first answer wins. When the last
    phone that rings is silent, the next agent is asked at once.
    """

    rings_all: Final = True
    paced: Final = True

    def choose(self, agents: Sequence[Agent], turn: Turn) -> Sequence[str]:
        """The first of `agents`."""
        return (agents[0].name,)


BUILT_IN: dict[str, type[Strategy]] = {
    "longest-idle": LongestIdle,
    "round-robin": RoundRobin,
    "linear": Linear,
    "random": Random,
    "weighted": Weighted,
    "ring-all": RingAll,
    "ring-progressive": RingProgressive,
    "fewest-calls": FewestCalls,
    "least-talk": LeastTalk,
    "least-occupied": LeastOccupied,
}
"""Our own, so that they work in a source tree that is not installed."""


def load(name: str) -> Strategy:
    """A strategy by its name.

    Raises:
        ConfigError: nobody registered that name.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]()
    try:
        made: Strategy = plugins.load(GROUP, name)()
    except ConfigError as error:
        known = ", ".join(sorted({*BUILT_IN, *plugins.names(GROUP)}))
        raise ConfigError(GROUP, f"unknown strategy {name!r}", hint=f"known: {known}") from error
    return made
