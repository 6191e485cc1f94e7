from __future__ import annotations

import pytest
from tests.unit.acd.floor_desk import Desk, agents, desk

from sipcc.acd.agents import AgentInput
from sipcc.acd.events import OfferEnded, OfferMade, QueueJoined, QueueLeft, TalkEnded
from sipcc.acd.floor import TRACES_KEPT
from sipcc.acd.invariants import violations
from sipcc.acd.model import AgentState, EntryState
from sipcc.acd.offer import CANCEL_LEASE, RING_GRACE
from sipcc.acd.queues import CONNECT_LEASE
from sipcc.acd.settings import QueueSettings
from sipcc.acd.snapshot import take
from sipcc.errors import ConfigError, LocalProtocolError


def test_a_whole_visit() -> None:
    it = desk("alice")
    it.join("e")
    assert it.state("alice") is AgentState.RINGING
    it.at(4.0)
    assert it.answer("alice")
    it.talk("e")
    it.at(64.0)
    assert it.part("e") == 60.0
    assert (it.state("alice"), it.floor.entries, it.floor.offers) == (AgentState.WRAP_UP, {}, {})
    it.at(79.0)
    assert it.state("alice") is AgentState.READY
    assert [type(event) for event in it.events if "Agent" not in type(event).__name__] == [
        QueueJoined,
        OfferMade,
        OfferEnded,
        QueueLeft,
        TalkEnded,
    ]
    left = it.of(QueueLeft)[0]
    assert (left.exit, left.waited, left.agent) == ("answered", 4.0, "alice")
    assert it.of(TalkEnded)[0].talked == 60.0


def test_the_next_agent_is_offered_at_once_whatever_the_first_did() -> None:
    for outcome in ("no_answer", "busy", "declined", "unreachable", "failed"):
        it = desk("alice", "bob")
        it.join("e")
        it.at(2.0)
        it.ended("alice", outcome, 486)
        assert [offer.agent for offer in it.of(OfferMade)] == ["alice", "bob"]
        assert it.of(OfferMade)[1].at == 2.0
        assert it.of(OfferEnded)[0].outcome == outcome


def test_who_declines_is_left_alone_for_the_back_off() -> None:
    it = desk("alice")
    it.join("e")
    it.at(3.0)
    it.ended("alice", "declined", 603)
    assert it.state("alice") is AgentState.READY
    it.at(12.9)
    assert not it.rings
    it.at(13.0)
    assert it.rings == {"alice": it.of(OfferMade)[1].offer}


def test_a_phone_that_fails_at_once_is_not_tried_in_a_busy_loop() -> None:
    it = desk("alice", busy_backoff=0.0)
    it.join("e")
    it.ended("alice", "busy", 486)
    assert not it.rings
    it.at(1.0)
    assert it.rings


def test_misses_lead_to_quarantine_and_back() -> None:
    it = desk("alice")
    it.join("e")
    it.at(20.0)
    it.ended("alice")
    assert it.state("alice") is AgentState.RINGING
    it.at(40.0)
    it.ended("alice")
    assert it.state("alice") is AgentState.QUARANTINED
    it.at(99.9)
    assert it.state("alice") is AgentState.QUARANTINED
    it.at(100.0)
    assert it.state("alice") is AgentState.RINGING
    assert it.floor.staff.get("alice").misses == 0


def test_an_answer_forgets_misses() -> None:
    it = desk("alice", wrap_up=0.0)
    it.join("e")
    it.at(20.0)
    it.ended("alice")
    it.answer("alice")
    it.talk("e")
    it.part("e")
    assert (it.state("alice"), it.floor.staff.get("alice").misses) == (AgentState.READY, 0)


def test_a_caller_who_hangs_up_while_being_offered_costs_the_agent_nothing() -> None:
    it = desk("alice")
    it.join("e")
    it.at(6.0)
    it.hang_up("e")
    assert it.stopped == [it.rings["alice"]]
    assert it.of(OfferEnded)[0].outcome == "cancelled"
    assert it.released == {"e": "abandoned"}
    it.ended("alice", "cancelled", 487)
    alice = it.floor.staff.get("alice")
    assert (alice.state, alice.misses, alice.not_before) == (AgentState.READY, 0, 0.0)
    assert len(it.of(OfferEnded)) == 1


def test_an_agent_gets_the_next_offer_only_when_the_phone_is_silent() -> None:
    it = desk("alice")
    it.join("e1")
    it.join("e2")
    it.hang_up("e1")
    assert len(it.of(OfferMade)) == 1
    it.ended("alice", "cancelled", 487)
    assert [offer.entry for offer in it.of(OfferMade)] == ["e1", "e2"]


def test_a_phone_that_does_not_stop_ringing_is_not_waited_for() -> None:
    it = desk("alice")
    it.join("e1")
    it.hang_up("e1")
    first = it.rings.pop("alice")
    it.at(CANCEL_LEASE)
    assert it.state("alice") is AgentState.READY
    it.join("e2")
    it.floor.ring_ended(first, "cancelled", 487, now=it.now)
    assert not it.floor.answered(first, now=it.now)
    it.settle()
    assert it.state("alice") is AgentState.RINGING


def test_the_answer_that_comes_after_the_caller_left_is_hung_up_without_blame() -> None:
    it = desk("alice")
    it.join("e")
    it.at(6.0)
    it.hang_up("e")
    assert not it.answer("alice")
    alice = it.floor.staff.get("alice")
    assert (alice.state, alice.misses, alice.not_before) == (AgentState.READY, 0, 0.0)
    assert it.released == {"e": "abandoned"}


def test_a_caller_who_leaves_between_answer_and_bridge_has_abandoned() -> None:
    it = desk("alice")
    it.join("e")
    it.at(6.0)
    assert it.answer("alice")
    assert it.floor.entries["e"].state is EntryState.CONNECTING
    it.hang_up("e")
    assert it.floor.bridged("e", now=it.now) is None
    assert it.released == {"e": "abandoned"}
    assert it.state("alice") is AgentState.READY
    assert [event.exit for event in it.of(QueueLeft)] == ["abandoned"]


def test_connecting_has_a_lease() -> None:
    it = desk("alice")
    it.join("e")
    it.answer("alice")
    it.at(CONNECT_LEASE)
    assert it.released == {"e": "failed"}
    assert it.state("alice") is AgentState.READY


def test_a_dialer_that_never_returns_loses_the_offer() -> None:
    it = desk("alice", "bob")
    it.join("e")
    offer = it.rings["alice"]
    it.at(20.0 + RING_GRACE)
    assert it.stopped == [offer]
    assert it.of(OfferEnded)[0].outcome == "failed"
    assert it.of(OfferMade)[1].agent == "bob"
    assert not it.floor.answered(offer, now=it.now)


def test_ring_all_first_answer_wins_and_the_second_is_hung_up() -> None:
    it = desk("alice", "bob", "carol", strategy="ring-all")
    it.join("e")
    assert set(it.rings) == {"alice", "bob", "carol"}
    assert it.answer("bob")
    assert not it.answer("alice")
    it.ended("carol", "cancelled", 487)
    it.talk("e")
    assert [it.state(name) for name in ("alice", "bob", "carol")] == ["ready", "talking", "ready"]
    assert sorted(event.outcome for event in it.of(OfferEnded)) == ["answered", "cancelled", "cancelled"]
    assert [event.exit for event in it.of(QueueLeft)] == ["answered"]


def test_ring_all_adds_who_becomes_ready_and_begins_a_new_round_when_all_have_failed() -> None:
    it = desk("alice", "bob", strategy="ring-all", max_misses=0)
    it.command("bob", AgentInput.PAUSE)
    it.join("e")
    it.at(5.0)
    it.command("bob", AgentInput.MAKE_READY)
    assert set(it.rings) == {"alice", "bob"}
    it.at(20.0)
    it.ended("alice")
    assert set(it.rings) == {"bob"}
    it.at(25.0)
    it.ended("bob")
    assert set(it.rings) == {"alice", "bob"}


def test_one_agent_and_two_hundred_callers() -> None:
    it = desk("alice", wrap_up=0.0, max_wait=0.0)
    for number in range(200):
        it.join(f"e{number}")
    for number in range(200):
        assert list(it.rings) == ["alice"]
        assert it.answer("alice")
        it.talk(f"e{number}")
        it.part(f"e{number}")
    assert it.floor.lines["q"].tally.exits == {"answered": 200}


def test_an_agent_in_two_queues_serves_the_higher_priority() -> None:
    queues = [QueueSettings(name="low"), QueueSettings(name="high", priority=10)]
    it = Desk(agents("alice", queues=("low", "high")), *queues)
    it.command("alice", AgentInput.PAUSE)
    it.join("e1", "low")
    it.join("e2", "high")
    it.join("e3", "low", priority=11)
    it.command("alice", AgentInput.MAKE_READY)
    assert it.of(OfferMade)[0].entry == "e3"
    assert [event.priority for event in it.of(QueueJoined)] == [0, 10, 11]


def test_full_closed_and_no_agent_are_exits() -> None:
    it = desk("alice", max_length=1, no_agent="leave")
    it.command("alice", AgentInput.PAUSE)
    it.join("e1")
    it.join("e2")
    assert it.released == {"e2": "full"}
    it.command("alice", AgentInput.LOGOUT)
    assert it.released == {"e2": "full", "e1": "no_agent"}
    it.join("e3")
    assert it.released["e3"] == "no_agent"
    it.floor.close(now=it.now)
    it.join("e4")
    assert it.released["e4"] == "closed"
    assert len(it.of(QueueJoined)) == len(it.of(QueueLeft)) == 4


def test_the_longest_wait_ends_even_a_ringing() -> None:
    it = desk("alice", max_wait=30.0, max_misses=0)
    it.join("e")
    it.at(20.0)
    it.ended("alice")
    it.at(30.0)
    assert it.released == {"e": "timed_out"}
    it.ended("alice", "cancelled", 487)
    assert it.state("alice") is AgentState.READY


def test_closing_withdraws_who_waits_and_leaves_talks_alone() -> None:
    it = desk("alice")
    it.join("e1")
    it.answer("alice")
    it.talk("e1")
    it.join("e2")
    it.floor.close(now=it.now)
    it.settle()
    assert it.released == {"e2": "withdrawn"}
    it.part("e1")
    assert it.state("alice") is AgentState.WRAP_UP


def test_an_agents_own_wrap_up_goes_before_the_queues() -> None:
    it = Desk(
        [*agents("alice", wrap_up=3.0), *agents("bob", wrap_up=0.0)],
        QueueSettings(name="q", strategy="ring-all"),
    )
    for agent, after in (("alice", AgentState.WRAP_UP), ("bob", AgentState.READY)):
        it.join(agent)
        it.answer(agent)
        for other in list(it.rings):
            it.ended(other, "cancelled", 487)
        it.talk(agent)
        it.part(agent)
        assert it.state(agent) is after
        it.at(it.now + 3.0)
        assert it.state(agent) is AgentState.READY


def test_a_queue_caps_the_wrap_up() -> None:
    it = Desk(agents("alice", wrap_up=30.0), QueueSettings(name="q", max_wrap_up=20.0))
    it.join("e1")
    it.answer("alice")
    it.talk("e1")
    it.part("e1")
    it.at(it.now + 10.0)
    assert it.floor.staff.extend_wrap_up("alice", 60.0, now=it.now).deadline == it.now + 10.0
    it.at(it.now + 10.0)
    assert it.state("alice") is AgentState.READY


def test_an_unreachable_phone_is_offered_once() -> None:
    it = desk("alice")
    it.join("e1")
    it.ended("alice", "unreachable", 480)
    it.at(250.0)
    assert len(it.of(OfferMade)) == 1
    assert it.state("alice") is AgentState.OFFLINE
    it.floor.staff.registration("alice", True, now=it.now)
    it.settle()
    assert it.state("alice") is AgentState.RINGING


def test_late_and_unknown_news_changes_nothing() -> None:
    it = desk("alice")
    assert not it.floor.ringing("nothing", now=0.0)
    assert not it.floor.answered("nothing", now=0.0)
    it.floor.ring_ended("nothing", "busy", 486, now=0.0)
    it.floor.hung_up("nothing", now=0.0)
    assert not it.floor.leave("nothing", "withdrawn", now=0.0)
    assert it.floor.bridged("nothing", now=0.0) is None
    assert it.floor.talk_ended("nothing", now=0.0) == 0.0
    assert it.floor.position("nothing") == 0


def test_positions() -> None:
    it = desk("alice")
    for name in ("e1", "e2", "e3"):
        it.join(name)
    assert [it.floor.position(name) for name in ("e1", "e2", "e3")] == [0, 2, 3]
    assert [event.position for event in it.of(QueueJoined)] == [1, 2, 3]


def test_traces_are_kept_for_a_while() -> None:
    it = desk("alice", wrap_up=0.0)
    for number in range(TRACES_KEPT + 2):
        it.join(f"e{number}")
        it.answer("alice")
        it.talk(f"e{number}")
        it.part(f"e{number}")
    assert len(it.floor.traces) == TRACES_KEPT
    assert it.of(OfferMade)[-1].offer in it.floor.traces


def test_wrong_names() -> None:
    with pytest.raises(ConfigError, match="known: q"):
        Desk(agents("a", queues=("x",)), QueueSettings(name="q"))
    with pytest.raises(ConfigError, match="given twice"):
        Desk([], QueueSettings(name="q"), QueueSettings(name="q"))
    with pytest.raises(LocalProtocolError, match="known: q"):
        desk().floor.line("x")


def test_the_snapshot_shows_the_floor() -> None:
    it = desk("alice", "bob")
    it.join("e1")
    it.at(10.0)
    it.answer("alice")
    it.talk("e1")
    it.join("e2")
    it.join("e3")
    it.at(15.0)
    shot = take(it.floor, now=15.0)
    queue = shot.queues[0]
    assert [(agent.name, agent.state, agent.call) for agent in shot.agents] == [
        ("alice", "talking", "call-e1"),
        ("bob", "ringing", "call-e2"),
    ]
    assert [(each.entry, each.position, each.waited) for each in queue.waiting] == [
        ("e2", 1, 5),
        ("e3", 2, 5),
    ]
    assert [(each.entry, each.waited, each.talked) for each in queue.talking] == [("e1", 10, 5)]
    assert (queue.offered, queue.answered, queue.abandoned, queue.asa) == (3, 1, 0, 10.0)
    assert (queue.agents_present, queue.agents_ready, queue.longest_wait) == (2, 0, 5.0)
    assert queue.answered_in_time == 1


def test_violations_are_found() -> None:
    it = desk("alice", "bob")
    it.join("e1")
    it.answer("alice")
    it.join("e2")
    del it.floor.entries["e1"]
    it.floor.offers.clear()
    found = "\n".join(violations(it.floor, now=1000.0))
    for fault in (
        "agent alice: is talking without a caller",
        "agent bob: is ringing beyond its deadline",
        "agent bob: is ringing with 0 offers",
        "agent bob: is ringing for an offer that is over",
        "entry e2: knows other offers",
        "entry e2: is offering with 0 live offers",
        "entry e2: is offering beyond its deadline",
        "queue q: joins are not exits",
    ):
        assert fault in found
