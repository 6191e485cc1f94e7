"""Callbacks on the floor: they stand in line, come forward in their turn, and nobody is overtaken."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.acd.floor_desk import Desk, agents

from sipcc.acd.agents import AgentInput
from sipcc.acd.callback import Callbacks, CallbackSettings, CallbackState, SavedCallback, revived
from sipcc.acd.events import (
    CallbackEnded,
    CallbackTried,
    OfferMade,
    QueueJoined,
    QueueLeft,
    TalkEnded,
)
from sipcc.acd.model import AgentState, EntryState
from sipcc.acd.queues import CONNECT_LEASE
from sipcc.acd.settings import OverflowRule, QueueSettings
from sipcc.acd.snapshot import take
from sipcc.errors import LocalProtocolError
from sipcc.records.kpi import KpiFold


class Centre(Desk):
    """A desk that calls back; its agents are paused."""

    def __init__(self, *names: str, callbacks: CallbackSettings | None = None, **queue: Any) -> None:
        settings = QueueSettings(name="q", **({"strategy": "linear", "wrap_up": 0.0} | queue))
        super().__init__(agents(*names), settings)
        floor, self.open = self.floor, True
        floor.callbacks = Callbacks(
            callbacks or CallbackSettings(),
            floor._events,
            new_id=floor._new_id,
            may_call=lambda now: self.open,
        )
        for name in names:
            self.command(name, AgentInput.PAUSE)

    def wait(self, entry: str, number: str) -> None:
        self.floor.join(entry, "q", call=f"call-{entry}", caller=number, priority=0, now=self.now)
        self.settle()

    def books(self, entry: str, number: str = "") -> None:
        caller = self.floor.entries[entry].caller
        assert self.floor.leave_for_callback(entry, number or caller, now=self.now)
        self.settle()

    def ready(self, agent: str) -> None:
        self.command(agent, AgentInput.MAKE_READY)

    def line(self) -> list[str]:
        return [self.floor.entries[name].caller for name in self.floor.line("q").ids]

    def rung(self) -> str:
        """The customer or caller whom the newest offer is for, and its entry."""
        return str(self.of(OfferMade)[-1].entry)

    def desk(self) -> Callbacks:
        assert self.floor.callbacks is not None
        return self.floor.callbacks


def three(**more: Any) -> Centre:
    it = Centre("alice", "bob", **more)
    for at, digit in ((0.0, 1), (10.0, 2), (20.0, 3)):
        it.at(at)
        it.wait(f"e{digit}", f"1380013800{digit}")
    return it


def test_a_callback_stands_where_its_caller_stood_and_nobody_is_told_of_it() -> None:
    it = three()
    it.at(30.0)
    it.books("e2")
    assert it.line() == ["13800138001", "13800138002", "13800138003"]
    left = it.of(QueueLeft)[-1]
    assert (left.entry, left.exit, left.waited) == ("e2", "callback_booked", 20.0)
    assert len(it.of(QueueJoined)) == 3
    (row,) = [caller for caller in take(it.floor, now=it.now).queues[0].waiting if caller.callback]
    assert (row.caller, row.position, row.waited) == ("13800138002", 2, 20.0)


def test_customers_are_served_in_the_order_of_joining() -> None:
    it = three()
    for entry in ("e3", "e1"):
        it.books(entry)
    served = []
    it.ready("alice")
    for _ in range(3):
        entry = it.rung()
        served.append(it.floor.entries[entry].caller)
        it.answer("alice")
        it.talk(entry)
        it.part(entry)
    assert served == ["13800138001", "13800138002", "13800138003"]
    assert [event.outcome for event in it.of(CallbackEnded)] == ["served", "served"]


def test_a_customer_is_called_when_an_agent_has_picked_up_and_never_more_than_agents_wait() -> None:
    it = three()
    for entry in ("e1", "e2", "e3"):
        it.books(entry)
    it.ready("alice")
    it.ready("bob")
    states = [one.state for one in it.desk().pending()]
    assert states == [CallbackState.IN_LINE] * 3
    it.answer("alice")
    it.answer("bob")
    states = [one.state for one in it.desk().pending()]
    assert states == [CallbackState.DIALLING, CallbackState.DIALLING, CallbackState.IN_LINE]
    assert [it.state(name) for name in ("alice", "bob")] == [AgentState.TALKING] * 2


def test_a_callback_is_told_from_its_turn_and_is_no_caller_in_the_figures() -> None:
    it = three()
    it.at(30.0)
    it.books("e1")
    for entry in ("e2", "e3"):
        it.hang_up(entry)
    it.at(1000.0)
    it.ready("alice")
    it.at(1004.0)
    entry = it.rung()
    it.answer("alice")
    it.at(1010.0)
    it.talk(entry)
    it.at(1070.0)
    it.part(entry)
    (joined,) = [event for event in it.of(QueueJoined) if event.callback]
    assert (joined.at, joined.requeued, joined.callback) == (1000.0, False, it.of(CallbackEnded)[0].callback)
    left = it.of(QueueLeft)[-1]
    assert (left.exit, left.waited, it.of(TalkEnded)[0].talked) == ("answered", 4.0, 66.0)
    fold = KpiFold({"q": 20.0})
    for event in it.events:
        fold.apply(event, event.at)
    figures = fold.queue("q")
    assert (figures.joined, figures.answered, figures.abandoned, figures.waiting) == (3, 0, 2, 0)
    assert take(it.floor, now=it.now).queues[0].answered_in_time == 1


def test_a_customer_who_is_not_reached_keeps_the_place_for_the_next_time() -> None:
    it = three(callbacks=CallbackSettings(retries=1, pause=60.0))
    it.books("e1")
    it.ready("alice")
    entry = it.rung()
    it.answer("alice")
    it.at(50.0)
    it.floor.customer_missed(entry, "no_answer", now=it.now)
    it.settle()
    assert it.of(QueueLeft)[-1].exit == "failed"
    assert it.of(CallbackTried)[-1].outcome == "no_answer"
    assert it.of(CallbackTried)[-1].agent == "alice"
    assert it.rung() == "e2"
    it.command("alice", AgentInput.PAUSE)
    it.ended("alice", "declined", 603)
    assert it.line() == ["13800138002", "13800138003"]
    it.at(110.0)
    assert it.line() == ["13800138001", "13800138002", "13800138003"]
    it.ready("bob")
    it.at(111.0)
    again = it.rung()
    assert it.floor.entries[again].caller == "13800138001"
    it.answer("bob")
    it.floor.customer_missed(again, "busy", now=it.now)
    it.settle()
    assert [(event.outcome, event.attempts) for event in it.of(CallbackEnded)] == [("unreached", 2)]
    it.at(500.0)
    assert "13800138001" not in it.line()


def test_an_agent_who_does_not_pick_up_costs_the_callback_nothing() -> None:
    it = three()
    it.books("e1")
    it.ready("alice")
    it.at(40.0)
    it.ended("alice")
    first, second = it.of(OfferMade)
    assert first.entry == second.entry
    assert it.of(CallbackTried) == []
    assert len([event for event in it.of(QueueJoined) if event.callback]) == 1


def test_a_customer_who_is_never_bridged_counts_as_missed() -> None:
    it = three(callbacks=CallbackSettings(ring_timeout=30.0))
    it.books("e1")
    it.ready("alice")
    it.answer("alice")
    it.at(20.0 + 30.0 + CONNECT_LEASE)
    assert it.of(CallbackTried)[0].outcome == "failed"
    assert it.desk().pending()[0].state is CallbackState.PARKED


def test_who_was_booked_while_it_waited_and_is_answered_is_not_called_back() -> None:
    it = three()
    it.hang_up("e1")
    it.hang_up("e3")
    it.floor.book("q", "13800138002", now=it.now)
    it.settle()
    it.ready("alice")
    it.answer("alice")
    it.talk("e2")
    assert [event.outcome for event in it.of(CallbackEnded)] == ["called_again"]
    assert it.line() == []


def test_who_calls_again_has_the_place_of_its_callback_which_is_over() -> None:
    it = three()
    it.at(30.0)
    it.books("e1")
    it.wait("e9", "13800138001")
    assert it.line() == ["13800138001", "13800138002", "13800138003"]
    entry = it.floor.entries["e9"]
    assert (entry.joined, entry.began, entry.callback, it.floor.position("e9")) == (0.0, 30.0, "", 1)
    assert [event.outcome for event in it.of(CallbackEnded)] == ["called_again"]
    it.ready("alice")
    assert it.rung() == "e9"
    assert it.desk().pending() == []


@pytest.mark.parametrize("booked", ["over HTTP", "rung for", "parked"])
def test_so_does_one_who_was_booked_tried_or_rung_for(booked: str) -> None:
    it = three(callbacks=CallbackSettings(pause=60.0))
    it.floor.book("q", "13800138008", priority=7, now=it.now)
    it.settle()
    if booked != "over HTTP":
        it.ready("alice")
    if booked == "parked":
        entry = it.rung()
        it.answer("alice")
        it.floor.customer_missed(entry, "busy", now=it.now)
        it.command("alice", AgentInput.PAUSE)
        it.settle()
    it.wait("e9", "13800138008")
    assert it.floor.entries["e9"].priority == 7
    assert [event.outcome for event in it.of(CallbackEnded)] == ["called_again"]
    assert it.line().count("13800138008") == 1
    it.at(200.0)
    assert it.line().count("13800138008") == 1


def test_so_does_one_whose_queue_was_renamed_since_the_booking() -> None:
    it = three()
    it.floor.aliases["sales"] = "q"
    booked = revived(
        SavedCallback(
            id="callback9",
            queue="sales",
            number="13800138008",
            call="",
            priority=0,
            joined=-50.0,
            order=0,
            booked=0.0,
            expires=900.0,
            attempts=0,
            not_before=0.0,
        ),
        now=it.now,
        wall=it.now,
    )
    it.floor.restore_callback(booked, now=it.now)
    it.wait("e9", "13800138008")
    assert it.line()[0] == "13800138008"
    assert [event.outcome for event in it.of(CallbackEnded)] == ["called_again"]


def test_whose_number_is_just_being_called_is_called() -> None:
    it = three()
    it.books("e1")
    it.ready("alice")
    it.answer("alice")
    it.wait("e9", "13800138001")
    assert it.line() == ["13800138002", "13800138003", "13800138001"]
    assert it.of(CallbackEnded) == []


def test_a_queue_that_lets_nobody_in_leaves_the_callback_as_it_is() -> None:
    it = three()
    it.books("e1")
    it.floor.closed = True
    it.wait("e9", "13800138001")
    assert it.of(QueueLeft)[-1].exit == "closed"
    assert it.of(CallbackEnded) == []


def test_a_caller_with_a_kept_place_and_a_callback_has_the_older_place() -> None:
    it = three(resume_within=600.0)
    it.hang_up("e1")
    it.at(30.0)
    it.floor.book("q", "13800138001", priority=5, now=it.now)
    it.settle()
    it.wait("e9", "13800138001")
    entry = it.floor.entries["e9"]
    assert (entry.joined, entry.number, entry.priority) == (0.0, 1, 5)
    assert [event.outcome for event in it.of(CallbackEnded)] == ["called_again"]


def test_a_callback_is_cancelled_but_not_while_the_customer_is_called() -> None:
    it = three()
    it.books("e1")
    (callback,) = it.desk().pending()
    it.ready("alice")
    entry = it.rung()
    it.answer("alice")
    with pytest.raises(LocalProtocolError, match="13800138001 is being called"):
        it.floor.cancel_callback(callback.id, now=it.now)
    it.floor.customer_missed(entry, "busy", now=it.now)
    it.settle()
    it.floor.cancel_callback(callback.id, now=it.now)
    it.settle()
    it.books("e3")
    (other,) = it.desk().pending()
    it.floor.cancel_callback(other.id, now=it.now)
    it.settle()
    assert [event.outcome for event in it.of(CallbackEnded)] == ["cancelled", "cancelled"]
    assert "13800138003" not in it.line()


def test_one_that_is_rung_for_can_be_cancelled_and_withdrawn() -> None:
    it = three()
    it.books("e1")
    it.books("e2")
    it.ready("alice")
    first = it.desk().pending()[0]
    it.floor.cancel_callback(first.id, now=it.now)
    it.settle()
    assert it.stopped == [it.of(OfferMade)[0].offer]
    it.ended("alice", "cancelled", 487)
    assert it.floor.leave(it.rung(), "withdrawn", now=it.now)
    it.settle()
    it.ended("alice", "cancelled", 487)
    assert [event.outcome for event in it.of(CallbackEnded)] == ["cancelled", "cancelled"]
    assert it.rung() == "e3"


def test_outside_the_hours_callbacks_stand_aside() -> None:
    it = three(callbacks=CallbackSettings(hours="office"))
    it.open = False
    it.books("e1")
    assert it.line() == ["13800138002", "13800138003"]
    it.open = True
    it.at(90.0)
    assert it.line()[0] == "13800138001"
    it.open = False
    it.at(160.0)
    assert it.line() == ["13800138002", "13800138003"]
    assert len(it.of(QueueJoined)) == 3


@pytest.mark.parametrize(
    ("queue", "released"),
    [
        ({"overflow": (OverflowRule(when="wait", to="callback", at=30.0),)}, "callback_booked"),
        ({"max_wait": 30.0, "then": "callback"}, "callback_booked"),
    ],
)
def test_who_overflows_to_a_callback_keeps_its_place(queue: dict[str, Any], released: str) -> None:
    it = Centre("alice", **queue)
    it.wait("e1", "13800138001")
    it.at(40.0)
    it.wait("e2", "13800138002")
    assert it.released["e1"] == released
    assert it.line() == ["13800138001", "13800138002"]
    it.at(200.0)
    assert it.released["e2"] == released
    assert it.line() == ["13800138001", "13800138002"]


def test_who_hides_stays_where_others_would_book() -> None:
    it = Centre("alice", overflow=(OverflowRule(when="size", to="callback", at=1.0),), max_wait=60.0)
    it.wait("e1", "13800138001")
    it.wait("e2", "anonymous")
    it.wait("e3", "13800138003")
    assert it.line() == ["13800138001", "anonymous", "13800138003"]
    assert it.released == {"e3": "callback_booked"}
    it.at(60.0)
    assert it.released["e2"] == "timed_out"


def test_nobody_books_where_nobody_can_be_called() -> None:
    it = Centre("alice")
    it.floor.callbacks = None
    it.wait("e1", "13800138001")
    assert not it.floor.leave_for_callback("e1", "13800138001", now=it.now)
    for act in (
        lambda: it.floor.book("q", "13800138001", now=it.now),
        lambda: it.floor.cancel_callback("callback1", now=it.now),
    ):
        with pytest.raises(LocalProtocolError, match="nobody is called back here"):
            act()


def test_callbacks_wait_where_callers_leave_for_want_of_agents() -> None:
    it = Centre("alice", no_agent="leave")
    it.wait("e1", "13800138001")
    it.books("e1")
    it.command("alice", AgentInput.LOGOUT)
    it.wait("e2", "13800138002")
    assert it.released["e2"] == "no_agent"
    assert it.line() == ["13800138001"]


def test_a_process_that_ends_keeps_its_callbacks_for_the_next() -> None:
    it = three()
    it.books("e1")
    it.books("e2")
    it.ready("alice")
    it.answer("alice")
    it.floor.park_callbacks(now=it.now)
    it.floor.close(now=it.now)
    it.settle()
    assert [one.state for one in it.desk().pending()] == [CallbackState.DIALLING, CallbackState.PARKED]
    fresh = Centre("alice")
    for one in it.desk().pending()[1:]:
        fresh.floor.restore_callback(one, now=fresh.now)
    assert fresh.line() == ["13800138002"]


def test_a_callback_is_booked_for_somebody_who_does_not_wait() -> None:
    it = three()
    callback = it.floor.book("q", "13800138009", priority=1, now=it.now)
    it.settle()
    assert it.line()[0] == "13800138009"
    assert callback.priority == 1
    entry = it.floor.entries[it.desk().pending()[0].entry]
    assert (entry.state, entry.silent) == (EntryState.WAITING, True)
    with pytest.raises(LocalProtocolError, match="is a callback"):
        it.floor.movable(entry.id, "q")
