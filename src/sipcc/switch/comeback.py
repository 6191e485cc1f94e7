"""Agents whose browser was reloaded in a talk: the page that registers again gets the same call back.

The connection of the page has closed, its audio has stopped, and the new page knows nothing of the dialog. So
it is rung, and takes the place of the leg that is dead; the caller's leg is not touched. A page that has only
lost its connection goes on by itself (`sipcc.switch.registrations`): its audio still comes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sipcc.call.events import TransferCompleted
from sipcc.errors import SipccError
from sipcc.log import get_logger
from sipcc.tasks import TaskScope

if TYPE_CHECKING:
    from sipcc.call import Call, Leg
    from sipcc.sip import Flow
    from sipcc.switch.switch import Switch

SILENCE_S = 0.5
"""A leg whose audio comes within so many seconds is alive."""

RING_S = 15.0
"""So long the new page is rung."""

_log = get_logger("sipcc.comeback")


class Comeback:
    """Brings calls back to agents."""

    def __init__(self, switch: Switch) -> None:
        """Build it, for a switch that is going to have its calls."""
        self._switch = switch
        self._scope = TaskScope("comeback")
        self._adrift: dict[str, str] = {}
        """Legs whose connection has closed, by id, and their users."""

    async def stop(self) -> None:
        """Bring back no more."""
        await self._scope.close()

    def closed(self, flow: Flow) -> None:
        """A connection has closed over which somebody had registered."""
        users = {user for user, binding in self._switch.registrar.all_bindings() if binding.flow is flow}
        talks = {leg.id: leg.user for _, leg in self._talks() if leg.user in users}
        live = {leg.id for _, leg in self._talks()}
        self._adrift = {name: user for name, user in self._adrift.items() if name in live} | talks

    def heard(self, user: str) -> None:
        """A phone of `user` has registered."""
        for call, leg in self._talks():
            if self._adrift.get(leg.id) == user:
                del self._adrift[leg.id]
                self._scope.spawn(self._bring_back(call, leg), name=call.id)

    def _talks(self) -> list[tuple[Call, Leg]]:
        calls = self._switch.calls.live() if self._adrift or len(self._switch.calls) else []
        return [(call, call.peer) for call in calls if call.peer is not None and call.peer.agent is not None]

    async def _bring_back(self, call: Call, leg: Leg) -> None:
        heard = leg.media.read_stats().packets_received
        await asyncio.sleep(SILENCE_S)
        if call.peer is not leg or leg.media.read_stats().packets_received != heard:
            return
        answers = ("Call-Info", f"<sip:{self._switch.domain}>;answer-after=0")
        targets = [
            replace(target, headers=(*target.headers, answers))
            for target in self._switch.places.locate(leg.user)
        ]
        _log.info("agent.comes_back", call_id=call.id, agent=leg.agent)
        try:
            new = await call.dial(*targets, timeout=RING_S, agent=leg.agent)
        except SipccError as error:
            _log.warning("agent.not_back", call_id=call.id, agent=leg.agent, error=str(error))
            return
        if call.ended or call.peer is not leg:
            new.hangup("cancelled")
            return
        call.replace_peer(new)
        at = self._switch.clock.now()
        self._switch.bus.emit(TransferCompleted(at=at, call=call.id, leg=leg.id, kind="takeover", new=new.id))
        leg.hangup("transferred")
