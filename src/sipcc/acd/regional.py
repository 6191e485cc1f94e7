"""Agents of a caller's own region first: whom a region means, and who is nearest to it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from sipcc.acd.model import Agent
from sipcc.acd.settings import AgentSettings

RegionOf = Callable[[str], str]
"""Tells the region of a number; an empty text for none."""


class Homes:
    """The regions of agents: those of the settings, else that of the outside number that is rung."""

    def __init__(self, region_of: RegionOf) -> None:
        self._region_of = region_of
        self._of_contacts: dict[str, tuple[str, ...]] = {}

    def of(self, agent: AgentSettings) -> tuple[str, ...]:
        """The regions of `agent`, the nearest first."""
        if agent.regions or not agent.uri:
            return agent.regions
        known = self._of_contacts.get(agent.uri)
        if known is None:
            _, slash, number = agent.uri.partition("/")
            region = self._region_of(number) if slash else ""
            known = self._of_contacts[agent.uri] = (region,) if region else ()
        return known


class Regional(msgspec.Struct, frozen=True):
    """Wants agents of one region; see `sipcc.acd.model.Want`."""

    region: str
    homes: Homes

    def why_not(self, agent: Agent) -> str:
        """Empty for an agent of that region."""
        homes = self.homes.of(agent.settings)
        if self.region in homes:
            return ""
        return f"the caller is of {self.region}, the agent of {', '.join(homes) or 'no region'}"

    def distance(self, agent: Agent) -> tuple[float, ...]:
        """A sort key: an agent who names the region before others is nearer to it."""
        return (float(self.homes.of(agent.settings).index(self.region)),)
