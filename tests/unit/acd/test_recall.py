"""Callers who gave up: places that are kept, and the list of those to be called back."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from sipcc.acd.events import RecallClosed, RecallOpened
from sipcc.acd.model import Entry
from sipcc.acd.recall import KeptPlaces, RecallList, is_dialable
from sipcc.errors import LocalProtocolError

CALLER = "13800138000"


def entry(name: str = "e1", caller: str = CALLER, joined: float = 10.0) -> Entry:
    return Entry(id=name, number=7, queue="q", call="c", caller=caller, priority=0, joined=joined)


@pytest.mark.parametrize(
    ("queue", "caller", "now", "found"),
    [
        ("q", CALLER, 80.0, True),
        ("q", CALLER, 80.5, False),
        ("other", CALLER, 30.0, False),
        ("q", "13800138001", 30.0, False),
    ],
)
def test_a_place_is_regained_in_its_queue_by_its_caller_in_time(
    queue: str, caller: str, now: float, found: bool
) -> None:
    places = KeptPlaces()
    places.lost(entry(), caller=CALLER, until=80.0)
    regained = places.regain(queue, caller, now=now)
    assert (regained is not None) is found
    if regained is not None:
        place, lost = regained
        assert (place.joined, place.number, lost) == (10.0, 7, "e1")
        assert places.regain(queue, caller, now=now) is None, "once"


@pytest.mark.parametrize("caller", ["", "anonymous", "Anonymous", "unknown"])
def test_callers_who_hide_are_not_one_person(caller: str) -> None:
    places = KeptPlaces()
    places.lost(entry(caller=caller), caller=caller, until=80.0)
    assert len(places) == 0


def test_the_oldest_place_is_forgotten_first() -> None:
    places = KeptPlaces(kept=2)
    for number in range(3):
        places.lost(entry(caller=f"1380013800{number}"), caller=f"1380013800{number}", until=80.0)
    assert len(places) == 2
    assert places.regain("q", "13800138000", now=20.0) is None
    assert places.regain("q", "13800138002", now=20.0) is not None


class Book:
    def __init__(self, **more: Any) -> None:
        ids = count(1)
        self.events: list[Any] = []
        self.list = RecallList(self.events, new_id=lambda prefix: f"{prefix}{next(ids)}", **more)

    def gave_up(self, now: float, queue: str = "q", number: str = CALLER) -> None:
        window = {"q": 100.0, "r": 50.0}.get(queue, 0.0)
        self.list.gave_up(queue, number, call=f"call{now:g}", window=window, now=now)

    def told(self) -> list[tuple[str, str]]:
        return [
            (event.recall, event.why if isinstance(event, RecallClosed) else f"opened {event.calls}")
            for event in self.events
            if isinstance(event, RecallOpened | RecallClosed)
        ]


def test_one_task_for_a_number_in_a_window() -> None:
    book = Book()
    for now in (0.0, 30.0, 99.0):
        book.gave_up(now)
    book.gave_up(40.0, number="13800138001")
    first, second = book.list.open(now=99.5)
    assert (first.calls, first.first, first.last, first.call) == (3, 0.0, 99.0, "call99")
    assert second.number == "13800138001"
    book.gave_up(100.0)
    assert [task.calls for task in book.list.open(now=100.0) if task.number == CALLER] == [1]
    assert book.told() == [
        ("recall1", "opened 1"),
        ("recall1", "opened 2"),
        ("recall1", "opened 3"),
        ("recall2", "opened 1"),
        ("recall1", "expired"),
        ("recall3", "opened 1"),
    ]


def test_who_calls_again_closes_its_task_and_who_gives_up_again_opens_the_same_one() -> None:
    book = Book()
    book.gave_up(0.0)
    book.list.called(CALLER, now=10.0)
    assert book.list.open(now=10.0) == []
    book.list.called(CALLER, now=11.0)
    book.list.called("13800138009", now=11.0)
    book.gave_up(20.0, queue="r")
    (task,) = book.list.open(now=20.0)
    assert (task.id, task.calls, task.queue, task.expires) == ("recall1", 2, "r", 100.0)
    assert book.told() == [("recall1", "opened 1"), ("recall1", "called_again"), ("recall1", "opened 2")]


def test_a_task_is_closed_once() -> None:
    book = Book()
    book.gave_up(0.0)
    assert book.list.close("recall1", "done", now=1.0).closed == "done"
    with pytest.raises(LocalProtocolError, match="closed: done"):
        book.list.close("recall1", "callback", now=2.0)
    with pytest.raises(LocalProtocolError, match="no recall 'recall9'"):
        book.list.close("recall9", "done", now=2.0)
    known = book.list.known("recall1")
    assert known is not None
    assert known.closed == "done"


@pytest.mark.parametrize(("queue", "number"), [("unlisted", CALLER), ("q", "anonymous"), ("q", "alice")])
def test_nobody_is_listed_who_cannot_be_called_or_whose_queue_keeps_no_list(queue: str, number: str) -> None:
    book = Book()
    book.gave_up(0.0, queue=queue, number=number)
    assert book.list.open(now=0.0) == []
    assert book.told() == []


def test_the_list_has_an_end() -> None:
    book = Book(kept=2)
    for number in range(3):
        book.gave_up(float(number), number=f"1380013800{number}")
    assert [task.number for task in book.list.open(now=3.0)] == ["13800138001", "13800138002"]
    assert book.told()[2] == ("recall1", "expired")


@pytest.mark.parametrize(
    ("number", "dialable"),
    [
        ("13800138000", True),
        ("+8613800138000", True),
        ("10086", True),
        ("12", False),
        ("+", False),
        ("alice", False),
        ("1380013800\u0663", False),
        ("1" * 16, False),
    ],
)
def test_what_can_be_dialled(number: str, dialable: bool) -> None:
    assert is_dialable(number) is dialable


def test_what_has_changed_of_the_kept_places_is_told_once() -> None:
    places = KeptPlaces(kept=2)
    for name, caller in (("e1", CALLER), ("e2", "13800138001"), ("e3", "13800138002")):
        places.lost(entry(name, caller), caller=caller, until=80.0)
    told = {key: kept and kept.entry for key, kept in places.changed()}
    assert told == {("q", CALLER): None, ("q", "13800138001"): "e2", ("q", "13800138002"): "e3"}
    places.rename("q", "orders")
    places.regain("orders", "13800138001", now=90.0)
    told = {key: kept and kept.entry for key, kept in places.changed()}
    assert told == {
        ("q", "13800138001"): None,
        ("q", "13800138002"): None,
        ("orders", "13800138001"): None,
        ("orders", "13800138002"): "e3",
    }
    assert places.changed() == []
