"""One offer: an agent asked to take a caller, and what comes of it for the agent.

An offer ends at once for the caller (`outcome` is set), but the agent is held until the phone has
stopped ringing, at most `CANCEL_LEASE` seconds: a phone that still answers our CANCEL would refuse the
next INVITE as busy.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec
from msgspec.structs import replace

from sipcc.acd import tables
from sipcc.acd.agents import AgentInput, backed_off
from sipcc.acd.events import OfferOutcome
from sipcc.acd.model import Agent, AgentState, Offer, OfferState
from sipcc.acd.settings import QueueSettings

RESERVE_LEASE = 5.0
"""Seconds within which a reserved agent must be rung."""
RING_GRACE = 5.0
"""Seconds that a dialer may overrun the ring time before the offer is taken from it."""
CANCEL_LEASE = 2.0
"""Seconds that a phone may take to stop ringing."""


class OfferInput(StrEnum):
    """What can happen to an offer."""

    RING = "ring"
    CANCEL = "cancel"
    FINISH = "finish"


_S, _I = OfferState, OfferInput

TABLE: dict[OfferState, dict[OfferInput, OfferState | None]] = {
    _S.RESERVED: {_I.RING: _S.RINGING, _I.CANCEL: _S.CANCELLING, _I.FINISH: _S.ENDED},
    _S.RINGING: {_I.CANCEL: _S.CANCELLING, _I.FINISH: _S.ENDED},
    _S.CANCELLING: {_I.FINISH: _S.ENDED},
    _S.ENDED: {},
}
"""Next state by state and input; what is not listed is refused with LocalProtocolError."""


def diagram() -> str:
    """The machine as a Mermaid state diagram, made from the table."""
    return tables.diagram(TABLE, free="")


def step(offer: Offer, given: OfferInput, *, outcome: OfferOutcome | None = None, status: int = 0) -> Offer:
    """The offer after `given`; the first outcome that is told stays."""
    target = tables.advance(TABLE, offer.state, given, who=f"offer {offer.id}")
    fields: dict[str, Any] = {"state": target}
    if offer.outcome is None and outcome is not None:
        fields |= {"outcome": outcome, "sip_status": status}
    return replace(offer, **fields)


class Consequence(msgspec.Struct, frozen=True):
    """What an offer that was not answered does to its agent."""

    given: AgentInput
    reason: str
    deadline: float | None
    changes: dict[str, Any]


def judge(
    outcome: OfferOutcome, agent: Agent, queue: QueueSettings, *, began: float, now: float
) -> Consequence:
    """How an agent fares after an offer that ended with `outcome`.

    Only silence counts as a miss: to decline is an act of somebody who is there. Misses are forgotten by an
    answer, by a login or registration, and when the agent says that it is ready. An agent that registers is
    offline until it registers again when its phone cannot be reached, unless `QueueSettings.unreachable`
    says otherwise; nobody registers for a fixed contact, so that one is tried again after a quarantine.
    """
    if outcome == "cancelled":
        return Consequence(AgentInput.RELEASE, "offer_cancelled", None, {})
    pause = {
        "no_answer": queue.no_answer_backoff,
        "declined": queue.reject_backoff,
        "busy": queue.busy_backoff,
        "failed": queue.failed_backoff,
    }.get(outcome, 0.0)
    changes = backed_off(agent, outcome, pause, began=began, now=now)
    if outcome == "unreachable":
        if agent.settings.registers and queue.unreachable == "offline":
            return Consequence(AgentInput.UNREACHABLE, outcome, None, changes)
        return Consequence(AgentInput.QUARANTINE, outcome, now + queue.quarantine, changes)
    if outcome != "no_answer":
        return Consequence(AgentInput.REFUSE, outcome, None, changes)
    misses = agent.misses + 1
    if queue.max_misses and misses >= queue.max_misses and agent.wish is AgentState.READY:
        return Consequence(AgentInput.QUARANTINE, outcome, now + queue.quarantine, changes | {"misses": 0})
    return Consequence(AgentInput.MISS, outcome, None, changes | {"misses": misses})
