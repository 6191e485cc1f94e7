from __future__ import annotations

from typing import Any

import pytest

from sipcc.acd.agents import AgentInput
from sipcc.acd.events import OfferOutcome
from sipcc.acd.model import Agent, AgentState, Offer, OfferState
from sipcc.acd.offer import TABLE, OfferInput, diagram, judge, step
from sipcc.acd.settings import AgentSettings, QueueSettings
from sipcc.errors import LocalProtocolError

S, I = OfferState, OfferInput  # noqa: E741


def offer(state: OfferState = S.RESERVED) -> Offer:
    return Offer(id="o1", entry="e1", queue="q", call="c1", agent="alice", began=0.0, state=state)


def ringing_agent(**fields: Any) -> Agent:
    settings = fields.pop("settings", AgentSettings(name="alice", user="1001"))
    fields.setdefault("wish", AgentState.READY)
    return Agent(settings=settings, order=0, state=AgentState.RINGING, reachable=True, **fields)


@pytest.mark.parametrize(
    ("state", "given", "after"),
    [
        (S.RESERVED, I.RING, S.RINGING),
        (S.RESERVED, I.CANCEL, S.CANCELLING),
        (S.RESERVED, I.FINISH, S.ENDED),
        (S.RINGING, I.CANCEL, S.CANCELLING),
        (S.RINGING, I.FINISH, S.ENDED),
        (S.CANCELLING, I.FINISH, S.ENDED),
    ],
)
def test_rows(state: OfferState, given: OfferInput, after: OfferState) -> None:
    assert step(offer(state), given).state is after


@pytest.mark.parametrize(("state", "given"), [(s, i) for s in S for i in I if i not in TABLE[s]])
def test_unlisted_rows(state: OfferState, given: OfferInput) -> None:
    with pytest.raises(LocalProtocolError):
        step(offer(state), given)


def test_the_first_outcome_stays() -> None:
    it = step(offer(S.RINGING), I.CANCEL, outcome="cancelled", status=487)
    it = step(it, I.FINISH, outcome="answered", status=200)
    assert (it.outcome, it.sip_status) == ("cancelled", 487)


QUEUE = QueueSettings(
    name="q",
    reject_backoff=10,
    busy_backoff=5,
    failed_backoff=7,
    no_answer_backoff=3,
    max_misses=2,
    quarantine=60,
)


@pytest.mark.parametrize(
    ("outcome", "misses", "given", "deadline", "changes"),
    [
        ("cancelled", 1, AgentInput.RELEASE, None, {}),
        ("declined", 1, AgentInput.REFUSE, None, {"not_before": 130.0, "backoff_cause": "declined"}),
        ("busy", 1, AgentInput.REFUSE, None, {"not_before": 125.0, "backoff_cause": "busy"}),
        ("failed", 1, AgentInput.REFUSE, None, {"not_before": 127.0, "backoff_cause": "failed"}),
        ("unreachable", 0, AgentInput.UNREACHABLE, None, {}),
        (
            "no_answer",
            0,
            AgentInput.MISS,
            None,
            {"not_before": 123.0, "backoff_cause": "no_answer", "misses": 1},
        ),
        (
            "no_answer",
            1,
            AgentInput.QUARANTINE,
            180.0,
            {"not_before": 123.0, "backoff_cause": "no_answer", "misses": 0},
        ),
    ],
)
def test_each_outcome_has_its_consequence(
    outcome: OfferOutcome,
    misses: int,
    given: AgentInput,
    deadline: float | None,
    changes: dict[str, Any],
) -> None:
    found = judge(outcome, ringing_agent(misses=misses), QUEUE, began=100.0, now=120.0)
    assert (found.given, found.deadline, found.changes) == (given, deadline, changes)


def test_a_fixed_contact_that_cannot_be_reached_is_tried_again_after_quarantine() -> None:
    mobile = ringing_agent(settings=AgentSettings(name="bob", uri="carrier/13800138000"))
    found = judge("unreachable", mobile, QUEUE, began=100.0, now=120.0)
    assert (found.given, found.deadline) == (AgentInput.QUARANTINE, 180.0)


def test_an_unreachable_phone_may_be_tried_again_before_it_registers() -> None:
    queue = QueueSettings(name="q", unreachable="quarantine", quarantine=60)
    found = judge("unreachable", ringing_agent(), queue, began=100.0, now=120.0)
    assert (found.given, found.deadline) == (AgentInput.QUARANTINE, 180.0)


def test_no_quarantine_when_it_is_off_or_the_agent_wants_a_pause_anyway() -> None:
    off = QueueSettings(name="q", max_misses=0)
    assert judge("no_answer", ringing_agent(misses=50), off, began=0.0, now=20.0).given is AgentInput.MISS
    pausing = ringing_agent(misses=1, wish=AgentState.NOT_READY)
    assert judge("no_answer", pausing, QUEUE, began=0.0, now=20.0).given is AgentInput.MISS


def test_diagram() -> None:
    assert "    ringing --> cancelling: cancel\n" in diagram()
