"""Agents as the ACD sees them: how they are rung, and whether they are there."""

from __future__ import annotations

from collections.abc import Callable

from sipcc.acd import RingOutcome
from sipcc.acd.settings import AgentSettings
from sipcc.call import Call
from sipcc.sip.session_api import HeaderList
from sipcc.switch.contacts import ContactRace
from sipcc.switch.liveness import Liveness
from sipcc.switch.places import Places


class AgentPhones:
    """Rings agents (the ACD's Dialer) and tells who can be rung (its Presence)."""

    def __init__(
        self, places: Places, liveness: Liveness, *, tell: Callable[[Call], HeaderList] = lambda call: ()
    ) -> None:
        """`tell` makes headers of what is known of a caller; only phones of ours get them."""
        self._places, self._liveness, self._tell = places, liveness, tell

    async def ring(self, call: Call, agent: AgentSettings, *, timeout: float) -> RingOutcome:
        """Ring `agent` at all its places, each after its delay; the first that answers is the leg."""
        return await ContactRace(self._places, call, agent, told=self._tell(call)).run(timeout=timeout)

    def reachable(self, agent: AgentSettings) -> bool:
        """True for an agent with a fixed contact, and for one with a registered phone that is alive."""
        return not agent.registers or any(self._liveness.alive(user) for user in agent.users)
