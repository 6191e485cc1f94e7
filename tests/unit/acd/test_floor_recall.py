"""Callers who hang up while they wait: on the floor, with the figures that are folded from its events."""

from __future__ import annotations

import pytest
from tests.unit.acd.floor_desk import Desk, desk

from sipcc.acd.agents import AgentInput
from sipcc.acd.events import OfferMade, PlaceRegained, QueueJoined, QueueLeft, RecallClosed, RecallOpened
from sipcc.records.kpi import KpiFold


def busy(**queue: float) -> Desk:
    it = desk("alice", **queue)
    it.command("alice", AgentInput.PAUSE)
    return it


def join(it: Desk, entry: str, caller: str) -> None:
    it.floor.join(entry, "q", call=f"call-{entry}", caller=caller, priority=0, now=it.now)
    it.settle()


def test_who_calls_again_in_time_stands_where_it_stood() -> None:
    it = busy(resume_within=60.0)
    join(it, "e1", "13800138000")
    it.at(10.0)
    join(it, "e2", "13800138001")
    it.at(20.0)
    it.hang_up("e1")
    it.at(80.0)
    join(it, "e3", "13800138000")
    entry = it.floor.entries["e3"]
    assert (entry.joined, entry.began, it.floor.position("e3")) == (0.0, 80.0, 1)
    (told,) = it.of(PlaceRegained)
    assert (told.entry, told.lost, told.credit) == ("e3", "e1", 80.0)
    assert [event.requeued for event in it.of(QueueJoined)] == [False] * 3
    it.command("alice", AgentInput.MAKE_READY)
    assert it.of(OfferMade)[0].entry == "e3"


@pytest.mark.parametrize(("settings", "again"), [({}, 30.0), ({"resume_within": 60.0}, 80.5)])
def test_who_is_too_late_or_whose_queue_keeps_no_place_stands_behind(
    settings: dict[str, float], again: float
) -> None:
    it = busy(**settings)
    join(it, "e1", "13800138000")
    join(it, "e2", "13800138001")
    it.at(20.0)
    it.hang_up("e1")
    it.at(again)
    join(it, "e3", "13800138000")
    assert it.floor.position("e3") == 2
    assert it.of(PlaceRegained) == []


def test_a_full_queue_has_room_for_who_was_in_it() -> None:
    it = busy(resume_within=60.0, max_length=1)
    join(it, "e1", "13800138000")
    it.hang_up("e1")
    join(it, "e2", "13800138001")
    join(it, "e3", "13800138000")
    assert it.floor.position("e3") == 1
    join(it, "e4", "13800138002")
    assert it.released["e4"] == "full"


def test_each_entry_has_one_exit_and_the_waits_are_counted_once() -> None:
    it = busy(resume_within=60.0, short_abandon=0.0, wrap_up=0.0)
    join(it, "e1", "13800138000")
    it.at(20.0)
    it.hang_up("e1")
    it.at(50.0)
    join(it, "e2", "13800138000")
    it.at(55.0)
    it.command("alice", AgentInput.MAKE_READY)
    it.answer("alice")
    it.talk("e2")
    it.at(65.0)
    it.part("e2")
    assert [(event.exit, event.waited) for event in it.of(QueueLeft)] == [
        ("abandoned", 20.0),
        ("answered", 5.0),
    ]
    fold = KpiFold({"q": 20.0})
    for event in it.events:
        fold.apply(event, event.at)
    figures = fold.queue("q")
    assert (figures.joined, figures.answered, figures.abandoned, figures.waiting) == (2, 1, 1, 0)


def test_numbers_that_give_up_are_listed_until_they_call_again() -> None:
    it = busy(recall_window=3600.0)
    join(it, "e1", "13800138000")
    join(it, "e2", "13800138001")
    join(it, "e3", "13800138001")
    it.at(2.0)
    it.hang_up("e1")
    it.at(10.0)
    it.hang_up("e2")
    it.hang_up("e3")
    (task,) = it.floor.recalls.open(now=it.now)
    assert (task.number, task.calls, task.queue, task.call) == ("13800138001", 2, "q", "call-e3")
    it.at(20.0)
    join(it, "e4", "13800138001")
    assert it.floor.recalls.open(now=it.now) == []
    assert [event.calls for event in it.of(RecallOpened)] == [1, 2]
    assert [event.why for event in it.of(RecallClosed)] == ["called_again"]
