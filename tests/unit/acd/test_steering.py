"""Callers in line who are moved, prioritised and assigned: on the floor, one input after another."""

from __future__ import annotations

import pytest
from tests.unit.acd.floor_desk import Desk, agents

from sipcc.acd.agents import AgentInput
from sipcc.acd.events import CallerAssigned, CallerMoved, CallerPrioritised, OfferEnded, OfferMade, QueueLeft
from sipcc.acd.model import EntryState
from sipcc.acd.settings import QueueSettings
from sipcc.errors import LocalProtocolError


def paused(**more: object) -> Desk:
    """Three callers in ``q``, whose two agents are paused; ``r`` is empty."""
    settings = [*agents("alice", "bob"), *agents("carol", queues=("r",))]
    queue = QueueSettings(name="q", strategy="linear", wrap_up=0.0, priority=2)
    it = Desk(settings, queue, QueueSettings(name="r", **more))  # type: ignore[arg-type]
    for agent in ("alice", "bob"):
        it.command(agent, AgentInput.PAUSE)
    for name in ("e1", "e2", "e3"):
        it.join(name)
    return it


def test_a_higher_priority_counts_at_the_next_offer() -> None:
    it = paused()
    entry = it.floor.prioritise("e3", 1, by="lisa", now=it.now)
    assert (entry.priority, it.floor.position("e3"), it.floor.position("e1")) == (3, 1, 2)
    told = it.floor.events()[0]
    assert told == CallerPrioritised(
        at=0.0, entry="e3", queue="q", call="call-e3", priority=3, position=1, by="lisa"
    )
    it.command("alice", AgentInput.MAKE_READY)
    assert [offer.entry for offer in it.of(OfferMade)] == ["e3"]


def test_who_is_being_rung_for_keeps_its_offer_when_its_priority_falls() -> None:
    it = paused()
    it.command("alice", AgentInput.MAKE_READY)
    it.floor.prioritise("e1", -5, by="", now=it.now)
    it.settle()
    assert it.floor.entries["e1"].state is EntryState.OFFERING
    it.ended("alice", "declined", 603)
    it.command("bob", AgentInput.MAKE_READY)
    assert [offer.entry for offer in it.of(OfferMade)] == ["e1", "e2"]


def test_an_assigned_caller_goes_to_its_agent_alone_and_the_trace_says_so() -> None:
    it = paused()
    it.floor.assign("e1", "bob", by="lisa", now=it.now)
    assert it.floor.events() == [
        CallerAssigned(at=0.0, entry="e1", queue="q", call="call-e1", agent="bob", by="lisa")
    ]
    it.command("alice", AgentInput.MAKE_READY)
    assert [(offer.entry, offer.agent) for offer in it.of(OfferMade)] == [("e2", "alice")]
    it.command("bob", AgentInput.MAKE_READY)
    offer = it.of(OfferMade)[1]
    assert (offer.entry, offer.agent) == ("e1", "bob")
    it.answer("alice")
    it.ended("bob", "declined", 603)
    it.talk("e2")
    it.part("e2")
    it.floor.assign("e3", "alice", by="", now=it.now)
    it.at(100.0)
    (alice, _) = it.floor.traces[it.of(OfferMade)[-1].offer].verdicts()
    assert alice.agent == "alice"
    trace = it.floor.traces[offer.offer].verdicts()
    assert [(each.agent, each.reason) for each in trace if not each.chosen] == [
        ("alice", "is ringing (ring)")
    ]


def test_the_trace_names_whom_a_caller_is_for() -> None:
    it = paused()
    it.floor.assign("e1", "bob", by="", now=it.now)
    for name in ("e2", "e3"):
        it.hang_up(name)
    it.command("alice", AgentInput.MAKE_READY)
    it.command("bob", AgentInput.MAKE_READY)
    (offer,) = it.of(OfferMade)
    reasons = {each.agent: each.reason for each in it.floor.traces[offer.offer].verdicts()}
    assert reasons == {"alice": "assigned: the caller is for bob", "bob": ""}


def test_others_may_have_an_assigned_caller_when_its_agent_is_gone() -> None:
    it = paused()
    it.floor.assign("e1", "bob", by="", now=it.now)
    it.command("alice", AgentInput.MAKE_READY)
    it.command("bob", AgentInput.LOGOUT)
    it.answer("alice")
    it.talk("e2")
    it.part("e2")
    assert [(offer.entry, offer.agent) for offer in it.of(OfferMade)] == [("e2", "alice"), ("e1", "alice")]


def test_a_moved_caller_leaves_by_one_exit_and_its_offers_are_cancelled() -> None:
    it = paused()
    it.command("alice", AgentInput.MAKE_READY)
    entry = it.floor.movable("e1", "r")
    it.floor.move(entry, "r", new="n1", kept=True, by="lisa", now=it.now)
    it.settle()
    left, moved = it.of(QueueLeft), it.of(CallerMoved)
    assert [(event.entry, event.exit, event.to) for event in left] == [("e1", "withdrawn", "queue:r")]
    assert [(event.entry, event.to, event.new, event.by) for event in moved] == [("e1", "r", "n1", "lisa")]
    assert [event.outcome for event in it.of(OfferEnded)] == ["cancelled"]
    assert it.released == {"e1": "withdrawn"}


@pytest.mark.parametrize(
    ("entry", "queue", "settings", "reason"),
    [
        ("e9", "r", {}, "no entry 'e9'"),
        ("e1", "x", {}, "no queue 'x'; known: q, r"),
        ("e1", "q", {}, "waits in queue 'q' already"),
        ("e1", "r", {"max_length": 1}, "'r' is full: 1 wait there"),
        ("e1", "r", {"no_agent": "leave"}, "no agent of queue 'r' is there"),
    ],
)
def test_what_speaks_against_a_move(entry: str, queue: str, settings: dict[str, object], reason: str) -> None:
    it = paused(**settings)
    if "max_length" in settings:
        it.command("carol", AgentInput.PAUSE)
        it.join("full", "r")
    if "no_agent" in settings:
        it.command("carol", AgentInput.LOGOUT)
    with pytest.raises(LocalProtocolError, match=reason):
        it.floor.movable(entry, queue)


def test_what_speaks_against_an_assignment() -> None:
    it = paused()
    for agent, reason in (("carol", "does not serve queue 'q'"), ("dave", "no agent 'dave'")):
        with pytest.raises(LocalProtocolError, match=reason):
            it.floor.assign("e1", agent, by="", now=it.now)
    it.command("bob", AgentInput.LOGOUT)
    with pytest.raises(LocalProtocolError, match="'bob' is offline"):
        it.floor.assign("e1", "bob", by="", now=it.now)


def test_who_has_an_agent_is_not_steered() -> None:
    it = paused()
    it.command("alice", AgentInput.MAKE_READY)
    it.answer("alice")
    for steer in (
        lambda: it.floor.movable("e1", "r"),
        lambda: it.floor.prioritise("e1", 1, by="", now=it.now),
        lambda: it.floor.assign("e1", "alice", by="", now=it.now),
    ):
        with pytest.raises(LocalProtocolError, match="has an agent"):
            steer()
    assert it.floor.events() == []
    it.floor.closed = True
    with pytest.raises(LocalProtocolError, match="nobody is let into a queue"):
        it.floor.movable("e2", "r")
