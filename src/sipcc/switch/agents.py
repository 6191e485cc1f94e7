"""Agents as the ACD sees them: how they are rung, and whether they are there."""

from __future__ import annotations

from sipcc.acd import RingOutcome
from sipcc.acd.settings import AgentSettings
from sipcc.call import Call, Leg
from sipcc.call.cause import cause_of_status
from sipcc.errors import CallEnded, CallRejected, TransactionTimeout
from sipcc.switch.places import Places


class AgentPhones:
    """Rings agents (the ACD's Dialer) and tells who can be rung (its Presence)."""

    def __init__(self, places: Places) -> None:
        self._places = places

    async def ring(self, call: Call, agent: AgentSettings, *, timeout: float) -> RingOutcome:
        """Ring every phone of `agent`; the first that answers is the leg of the outcome."""
        targets = self._places.locate(agent.uri or agent.user)
        if not targets:
            return RingOutcome("unreachable", 480)
        try:
            leg: Leg = await call.dial(*targets, timeout=timeout, agent=agent.name)
        except CallRejected as error:
            outcome = cause_of_status(error.status).outcome
            if error.rang and outcome in {"unreachable", "cancelled"}:
                outcome = "no_answer"  # it rang, so it was there; many phones say 480 when nobody picks up
            return RingOutcome(outcome, error.status)
        except TransactionTimeout as error:
            return RingOutcome("no_answer" if error.provisionals else "unreachable", 408)
        except CallEnded:
            # the caller left; the ACD learns of it from the call itself
            return RingOutcome("cancelled", 487)
        return RingOutcome("answered", 200, leg)

    def reachable(self, agent: AgentSettings) -> bool:
        """True for a fixed URI, and for a user with at least one registered phone."""
        return bool(agent.uri) or self._places.registered(agent.user)
