"""Callbacks: who may have one, when it is tried, how often, and what becomes of it."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from sipcc.acd import tables
from sipcc.acd.callback import (
    LOOK_EVERY,
    TABLE,
    Callback,
    CallbackInput,
    Callbacks,
    CallbackSettings,
    CallbackState,
    diagram,
    revived,
    saved,
)
from sipcc.acd.events import CallbackBooked, CallbackEnded, CallbackTried
from sipcc.errors import LocalProtocolError

NUMBER = "13800138000"


class Desk:
    def __init__(self, **settings: Any) -> None:
        ids = count(1)
        self.events: list[Any] = []
        self.open = True
        self.desk = Callbacks(
            CallbackSettings(**settings),
            self.events,
            new_id=lambda prefix: f"{prefix}{next(ids)}",
            may_call=lambda now: self.open,
            objection=lambda number: "listed" if number.startswith("400") else "",
        )

    def book(self, number: str = NUMBER, *, now: float = 100.0, joined: float = 40.0) -> Callback:
        return self.desk.book("sales", number, call="c1", priority=3, joined=joined, order=7, now=now)

    def dial(self, name: str, *, now: float) -> None:
        ups, _ = self.desk.due(now=now)
        assert name in [one.id for one in ups]
        self.desk.lined_up(name, f"entry-{now:g}")
        self.desk.dialling(name)

    def outcomes(self) -> list[tuple[str, int]]:
        return [(event.outcome, event.attempts) for event in self.events if type(event) is CallbackEnded]


def test_a_callback_keeps_place_and_priority() -> None:
    it = Desk()
    callback = it.book()
    assert (callback.joined, callback.order, callback.priority) == (40.0, 7, 3)
    assert (callback.state, callback.expires) == (CallbackState.PARKED, 100.0 + 86400.0)
    assert it.events == [
        CallbackBooked(at=100.0, callback="callback1", queue="sales", call="c1", number=NUMBER, credit=60.0)
    ]
    assert it.desk.due(now=100.0) == ([callback], [])


def test_a_number_has_one_callback_and_the_older_place() -> None:
    it = Desk()
    first = it.book()
    assert it.book(now=200.0, joined=190.0) is first
    assert len(it.desk) == 1


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("anonymous", "'anonymous' is no number that can be called"),
        ("", "'' is no number"),
        ("4008123456", "'4008123456' must not be called"),
    ],
)
def test_who_is_not_called_back(number: str, why: str) -> None:
    it = Desk()
    with pytest.raises(LocalProtocolError, match=why):
        it.book(number)
    assert it.events == []


def test_who_is_not_reached_is_called_again_after_a_pause_and_at_last_no_more() -> None:
    it = Desk(retries=2, pause=300.0)
    name = it.book().id
    now = 100.0
    for attempt in (1, 2, 3):
        it.dial(name, now=now)
        it.desk.missed(name, "no_answer", agent="alice", call=f"try{attempt}", now=now + 45.0)
        assert it.desk.due(now=now + 344.9) == ([], [])
        now += 345.0
    assert it.outcomes() == [("unreached", 3)]
    tried = [event for event in it.events if type(event) is CallbackTried]
    assert [(event.attempt, event.outcome, event.call) for event in tried] == [
        (1, "no_answer", "try1"),
        (2, "no_answer", "try2"),
        (3, "no_answer", "try3"),
    ]
    assert it.desk.pending() == []


def test_a_customer_who_is_reached_is_served() -> None:
    it = Desk()
    name = it.book().id
    it.dial(name, now=100.0)
    it.desk.served(name, agent="alice", call="try1", now=120.0)
    assert it.outcomes() == [("served", 1)]
    again = it.book(now=130.0)
    assert again.id != name


def test_one_that_is_too_old_ends_wherever_it_stands_but_not_while_it_is_tried() -> None:
    it = Desk(expiry=50.0)
    parked, waiting, tried = (it.book(f"1380013800{digit}") for digit in range(3))
    for one in (waiting, tried):
        it.desk.lined_up(one.id, f"entry-{one.id}")
    it.desk.dialling(tried.id)
    _, outs = it.desk.due(now=150.0)
    assert [one.id for one in outs] == [parked.id, waiting.id]
    assert it.outcomes() == [("expired", 0), ("expired", 0)]
    assert [one.id for one in it.desk.pending()] == [tried.id]


def test_nobody_is_called_outside_the_hours() -> None:
    it = Desk(hours="office")
    it.open = False
    name = it.book().id
    assert it.desk.due(now=100.0) == ([], [])
    assert it.desk.next_look(now=100.0) == 100.0 + LOOK_EVERY
    it.open = True
    ups, _ = it.desk.due(now=160.0)
    assert [one.id for one in ups] == [name]
    it.desk.lined_up(name, "e1")
    it.open = False
    _, outs = it.desk.due(now=220.0)
    assert [(one.id, one.entry) for one in outs] == [(name, "e1")]
    assert it.desk.get(name).state is CallbackState.PARKED
    assert it.desk.get(name).joined == 40.0


def test_when_to_look_again() -> None:
    it = Desk(expiry=1000.0, pause=300.0)
    assert it.desk.next_look(now=0.0) is None
    name = it.book().id
    assert it.desk.next_look(now=100.0) == 1100.0
    it.dial(name, now=100.0)
    it.desk.missed(name, "busy", agent="", call="t", now=150.0)
    assert it.desk.next_look(now=150.0) == 450.0
    assert it.desk.next_look(now=450.0) == 1100.0


@pytest.mark.parametrize("state", list(CallbackState))
@pytest.mark.parametrize("given", list(CallbackInput))
def test_what_the_table_does_not_list_is_refused(state: CallbackState, given: CallbackInput) -> None:
    if given in TABLE[state]:
        assert tables.advance(TABLE, state, given, who="x") is TABLE[state][given]
    else:
        with pytest.raises(LocalProtocolError, match="is not possible now"):
            tables.advance(TABLE, state, given, who="x")


def test_the_diagram_has_every_state() -> None:
    assert all(f"{state}" in diagram() for state in CallbackState)


def test_an_ended_one_is_unknown() -> None:
    it = Desk()
    name = it.book().id
    it.desk.end(name, "cancelled", now=101.0)
    with pytest.raises(LocalProtocolError, match="no callback 'callback1'"):
        it.desk.get(name)
    assert it.outcomes() == [("cancelled", 0)]


def test_the_next_process_goes_on_with_the_same_places() -> None:
    it = Desk()
    name = it.book().id
    it.dial(name, now=100.0)
    it.desk.missed(name, "no_answer", agent="", call="t", now=110.0)
    ((changed, callback),) = it.desk.changed()
    assert changed == name
    assert callback is not None
    kept = saved(callback, wall_of=lambda now: now + 1_000_000.0)
    assert kept.joined == 1_000_040.0
    fresh = Desk()
    fresh.desk.restore(revived(kept, now=5.0, wall=1_000_120.0))
    (back,) = fresh.desk.pending()
    assert (back.joined, back.not_before, back.attempts) == (-75.0, 295.0, 1)
    assert (back.number, back.queue, back.priority, back.order) == (NUMBER, "sales", 3, 7)
    fresh.desk.restore(revived(kept, now=5.0, wall=1_000_120.0))
    assert len(fresh.desk) == 1
    it.desk.end(name, "cancelled", now=120.0)
    assert it.desk.changed() == [(name, None)]
    assert it.desk.changed() == []
