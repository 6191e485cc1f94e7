"""What the switch does with a call that is sent to a menu: it goes through the flow that the menus make."""

from __future__ import annotations

import weakref
from functools import partial
from typing import TYPE_CHECKING

from sipcc.call import Call, Handler
from sipcc.errors import ConfigError
from sipcc.events import Event
from sipcc.ivr.check import find_faults
from sipcc.ivr.flows.menus import PREFIX, flows_of_menus, told
from sipcc.ivr.flows.model import Flow
from sipcc.ivr.flows.run import FlowServices, Run, playable
from sipcc.ivr.live import LiveSession
from sipcc.switch.flowplaces import FlowPlace, fits, take_up
from sipcc.switch.missing import missing

if TYPE_CHECKING:
    from sipcc.switch.treatments import Treatments


class Menus:
    """The menus of one configuration."""

    def __init__(self, treatments: Treatments) -> None:
        """Read them.

        Raises:
            ConfigError: one is wrong, or leads to a menu that is not there.
        """
        self._treatments = treatments
        config = treatments.config
        for finding in find_faults(config.menus):
            if finding.severity == "error":
                raise ConfigError(finding.path, finding.message, hint=finding.hint)
        self._flows = flows_of_menus(config.menus, config.ivr)

    def handler(self, name: str) -> Handler:
        """The treatment of calls that are sent to the menu called `name`.

        Raises:
            ConfigError: there is none.
        """
        flow = self._flows.get(PREFIX + name)
        if flow is None:
            raise missing("menu", name, [known.removeprefix(PREFIX) for known in self._flows])
        return partial(self._go_through, flow, None)

    def resumed(self, place: FlowPlace) -> Handler | None:
        """The treatment of a call with a place from an earlier process; None when that is not there now."""
        flow = self._flows.get(place.flow)
        if flow is None or not fits(place, playable(flow)):
            return None
        return partial(self._go_through, flow, place)

    async def _go_through(self, flow: Flow, place: FlowPlace | None, call: Call) -> None:
        bus = self._treatments.bus
        session = LiveSession(call, self._treatments.services)
        places, menus = self._treatments.flows.places, playable(flow)
        services = FlowServices()
        run = Run(session, services)
        seen = weakref.proxy(run)  # a run that is known by what it tells would wait for the garbage collector

        def tell(event: Event) -> None:
            shown = told(event, flow, str(seen.result or ""))
            if shown is not None:
                bus.emit(shown)

        services.tell = places.watching(flow.name, menus, session, tell)
        if place is not None:
            take_up(place, session)
        await session.answer()
        ending = await run.through(menus, place.node if place is not None else "")
        await run.speak()
        places.over(call.id)
        await run.leave(menus, ending)
