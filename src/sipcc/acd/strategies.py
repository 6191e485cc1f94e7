"""The built-in strategies: who is asked first among the agents that could take a call.

Each is pure and breaks ties by member order, so the same agents in the same state always give the same
choice. They are registered under their names in the entry-point group ``sipcc.strategies``, like
anybody else's.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from sipcc import plugins
from sipcc.acd.model import Agent, Strategy, Turn
from sipcc.errors import ConfigError

GROUP = "sipcc.strategies"

_LONGEST_IDLE = attrgetter("idle_since", "order")


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
        following = next((agent for agent in agents if agent.order > turn.last), agents[0])
        return (following.name,)


class Random:
    """Any free agent, all with the same chance."""

    rings_all: Final = False

    def choose(self, agents: Sequence[Agent], turn: Turn) -> Sequence[str]:
        """The agent that `Turn.bits` points at; with 64 bits the modulo bias is below 2**-50."""
        return (agents[turn.bits % len(agents)].name,)


class LongestIdle:
    """The agent that has been without a queue call for the longest time.

    Idle time counts from becoming ready after the last queue call, or from login for somebody new, so
    neither a pause nor a missed offer changes an agent's place.
    """

    rings_all: Final = False

    def choose(self, agents: Sequence[Agent], turn: Turn) -> Sequence[str]:
        """The agent with the smallest `Agent.idle_since`."""
        return (min(agents, key=_LONGEST_IDLE).name,)


class RingAll:
    """Every free agent at once; the first answer wins."""

    rings_all: Final = True

    def choose(self, agents: Sequence[Agent], turn: Turn) -> Sequence[str]:
        """All of `agents`."""
        return tuple(agent.name for agent in agents)


BUILT_IN: dict[str, type[Strategy]] = {
    "longest-idle": LongestIdle,
    "round-robin": RoundRobin,
    "linear": Linear,
    "random": Random,
    "ring-all": RingAll,
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
