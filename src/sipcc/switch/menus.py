"""What the switch does with a call that is sent to a menu: it goes through the flow that the menus make."""

from __future__ import annotations

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
        return partial(self._go_through, flow)

    async def _go_through(self, flow: Flow, call: Call) -> None:
        bus = self._treatments.bus

        def tell(event: Event) -> None:
            shown = told(event, flow, str(run.result or ""))
            if shown is not None:
                bus.emit(shown)

        session = LiveSession(call, self._treatments.services)
        run = Run(session, FlowServices(tell=tell))
        menus = playable(flow)
        await session.answer()
        ending = await run.through(menus)
        await run.speak()
        await run.leave(menus, ending)
