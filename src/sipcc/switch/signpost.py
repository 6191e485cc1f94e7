"""Where transfers lead that name something of ours: agents, queues, menus, and numbers that we answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from sipcc.call import Destination, Handler, NumberSettings, Route, Routes, Target
from sipcc.call.context import Waypoint
from sipcc.call.destination import KINDS
from sipcc.config import Config
from sipcc.errors import ConfigError, LocalProtocolError
from sipcc.numbers import Plan
from sipcc.switch.contacts import places_at
from sipcc.switch.missing import missing
from sipcc.switch.places import Places

_BY_NAME = ("queue", "menu")
"""Kinds of destinations that are found by their plain name as well, in this order."""


class Signpost:
    """Reads what transfers name.

    | written | leads to |
    |---|---|
    | ``queue:NAME``, ``menu:NAME``, ``app:NAME`` ... | that destination |
    | ``dial:PLACE`` | that place |
    | ``agent:NAME`` | all places of that agent, with the key that is asked for there |
    | a number of ``[[numbers]]``, without ``*`` | what callers of it get; its screening is for callers |
    | the plain name of an agent, queue or menu, in this order | that; a user of the same name goes first |
    """

    def __init__(
        self,
        config: Config,
        places: Places,
        *,
        plan: Plan,
        handler_of: Callable[[Destination], Handler],
        treatment_of: Callable[[NumberSettings], Handler],
        routed: Iterable[tuple[str, str, Handler]] = (),
    ) -> None:
        """Build it.

        Args:
            config: Names agents, users, queues, menus and numbers.
            places: Finds places.
            plan: How numbers are written here.
            handler_of: Finds the treatment behind a destination.
            treatment_of: Finds that behind a number, its hours included.
            routed: The numbers of a program, as (number, trunk, handler).
        """
        self._places = places
        self._plan = plan
        self._handler_of = handler_of
        self._treatment_of = treatment_of
        self._routed = tuple(routed)
        self.load(config)

    def load(self, config: Config) -> None:
        """Go by the names and numbers of another configuration from now on."""
        self._users = frozenset(user.name for user in config.users)
        self._agents = {agent.name: agent for agent in config.agents}
        self._agent_at: dict[str, str] = {}
        for agent in config.agents:
            for user in agent.users:
                self._agent_at.setdefault(user, agent.name)
        self._named = {
            "queue": frozenset(queue.name for queue in config.queues),
            "menu": frozenset(menu.name for menu in config.menus),
        }
        self._numbers: Routes[Handler | NumberSettings] = Routes(plan=self._plan)
        for number, _, handler in self._routed:
            self._add(number, handler)
        for settings in config.numbers:
            self._add(settings.number, settings)

    def _add(self, number: str, treatment: Handler | NumberSettings) -> None:
        if "*" not in number and self._numbers.find(number, None) is None:
            self._numbers.add(Route(number, treatment))

    def agent_of(self, user: str) -> str:
        """The agent at the phones of `user`, the first if there are several; empty for none."""
        return self._agent_at.get(user, "")

    def find(self, target: str) -> Waypoint | None:
        """See `sipcc.call.context.Signpost`."""
        kind, colon, name = target.partition(":")
        if kind == "agent" and colon:
            return self._agent(name)
        if target in self._users:
            return None
        route = self._numbers.find(target, None)
        if route is not None:
            treatment = route.handler
            return (
                self._number(treatment)
                if isinstance(treatment, NumberSettings)
                else Waypoint(handler=treatment)
            )
        if target in self._agents:
            return self._agent(target)
        if colon and kind in KINDS:
            return self._destination(target)
        found = next((kind for kind in _BY_NAME if target in self._named[kind]), "")
        return self._destination(f"{found}:{target}") if found else None

    def _agent(self, name: str) -> Waypoint:
        if name not in self._agents:
            raise missing("agent", name, self._agents)
        agent = self._agents[name]
        places: list[Target] = []
        for contact in agent.places:
            places += places_at(contact, agent, self._places)
        return Waypoint(places=tuple(msgspec.structs.replace(place, agent=name) for place in places))

    def _number(self, settings: NumberSettings) -> Waypoint:
        if not settings.hours and not settings.regions and settings.to.startswith("dial:"):
            return self._destination(settings.to)
        return Waypoint(handler=self._treatment_of(settings))

    def _destination(self, text: str) -> Waypoint:
        try:
            destination = Destination.parse(text)
            if destination.kind == "dial":
                return Waypoint(places=tuple(self._places.locate(destination.argument)))
            return Waypoint(handler=self._handler_of(destination))
        except (ValueError, ConfigError) as error:
            raise LocalProtocolError(str(error)) from error
