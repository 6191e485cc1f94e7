"""Interval reports: golden figures, boundaries, and the same numbers live, replayed and after a kill."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcc.acd.events import AgentStateChanged, OfferEnded, OfferMade, QueueJoined, QueueLeft, TalkEnded
from sipcc.call.events import CallAnswered, CallEndedEvent, CallStarted, LegStarted
from sipcc.events import Event
from sipcc.records.alerts import AlertFold, AlertSettings
from sipcc.records.eventlog import REGISTRY
from sipcc.records.events import AlertRaised
from sipcc.records.heatmap import heat_map
from sipcc.records.kpi import KpiFold
from sipcc.records.report import By, ReportFold, ReportRow, row_of, totals

DAY = datetime(2026, 11, 23, tzinfo=UTC).timestamp()
"""A Monday."""
END = DAY + 86_400
KINDS: tuple[By, ...] = ("queue", "agent", "number", "trunk")


def call(at: float, name: str, *, trunk: str | None = "carrier") -> CallStarted:
    return CallStarted(
        at=at,
        call=name,
        caller="13800138000",
        called="4008123456",
        trunk=trunk,
        sip_call_id="x",
        source="127.0.0.2:5060",
    )


def joined(at: float, entry: str, *, call: str = "c1", queue: str = "sales") -> QueueJoined:
    return QueueJoined(at=at, entry=entry, queue=queue, call=call, caller="x", priority=0, position=1)


def left(at: float, entry: str, exit_: str, waited: float, *, agent: str | None = None) -> QueueLeft:
    return QueueLeft(
        at=at,
        entry=entry,
        queue="sales",
        call="c1",
        exit=exit_,  # type: ignore[arg-type]
        waited=waited,
        agent=agent,
    )


def talk(at: float, entry: str, talked: float, *, agent: str = "alice") -> TalkEnded:
    return TalkEnded(at=at, entry=entry, queue="sales", call="c1", agent=agent, talked=talked)


def state(at: float, before: str, after: str, *, agent: str = "alice", reason: str = "") -> AgentStateChanged:
    return AgentStateChanged(at=at, agent=agent, before=before, after=after, reason=reason)


def folded(events: list[Event], by: By, *, step: float = 900.0) -> ReportFold:
    fold = ReportFold(by, step=step, zone=UTC)
    for event in events:
        fold.apply(event, DAY + event.at)
    return fold


def day(events: list[Event], by: By = "queue", *, step: float = 900.0, now: float = END) -> list[ReportRow]:
    return folded(events, by, step=step).rows(since=DAY, until=END, now=now)


def test_golden_vector() -> None:
    waits = [("answered", 20.0)] * 70 + [("answered", 20.001)] * 15
    waits += [("abandoned", 20.0)] * 10 + [("abandoned", 21.0)] * 5
    events: list[Event] = []
    for number, (exit_, waited) in enumerate(waits):
        events.append(joined(0.0, f"e{number}"))
        events.append(left(waited, f"e{number}", exit_, waited, agent="alice"))
    (row,) = day(events)
    levels = (row.sl_f1, row.sl_f2, row.sl_f3, row.sl_f4)
    assert [round(100 * (level or 0), 2) for level in levels] == [80.00, 82.35, 70.00, 77.78]
    assert (row.offered, row.answered, row.abandoned) == (100, 85, 15)
    assert (row.agent_rate, row.within_rate) == (0.85, 0.70)
    assert (row.answered_within[15], row.answered_within[20], row.answered_within[30]) == (0, 70, 85)
    assert row.longest_wait == 21.0


def test_a_call_over_a_boundary_counts_once_where_it_joined() -> None:
    events: list[Event] = [
        state(0.0, "offline", "ready"),
        joined(890.0, "e1"),
        state(895.0, "ready", "ringing"),
        state(905.0, "ringing", "talking"),
        left(905.0, "e1", "answered", 15.0, agent="alice"),
        talk(1000.0, "e1", 95.0),
        state(1000.0, "talking", "wrap_up"),
        state(1015.0, "wrap_up", "not_ready", reason="lunch"),
    ]
    (row,) = day(events)
    assert (row.start, row.key, row.joined, row.answered, row.handled) == (DAY, "sales", 1, 1, 1)
    assert (row.asa, row.talk, row.wrap_up, row.aht) == (15.0, 95.0, 15.0, 110.0)
    first, second = day(events, "agent", now=DAY + 1100.0)
    assert (first.start, first.key, first.answered, first.handled) == (DAY, "alice", 1, 1)
    assert first.times == {"ready": 895.0, "ringing": 5.0}
    assert second.answered == 0
    assert second.times == {"ringing": 5.0, "talking": 95.0, "wrap_up": 15.0, "not_ready:lunch": 85.0}
    assert (first.occupancy, second.occupancy) == (0.0, 1.0)


def test_numbers_and_trunks_have_the_system_rate() -> None:
    events: list[Event] = [
        call(0.0, "c1"),
        CallAnswered(at=1.0, call="c1"),
        CallAnswered(at=1.5, call="c1"),
        joined(2.0, "e1"),
        left(9.0, "e1", "answered", 7.0, agent="alice"),
        CallEndedEvent(at=20.0, call="c1", cause="normal", sip_status=200, ended_by="caller"),
        call(30.0, "c2", trunk=None),
        CallEndedEvent(at=31.0, call="c2", cause="busy", sip_status=486, ended_by="us"),
    ]
    (row,) = day(events, "number")
    assert (row.key, row.attempts, row.reached, row.system_rate) == ("4008123456", 2, 1, 0.5)
    assert (row.answered, row.agent_rate) == (1, 1.0)
    assert [(row.key, row.system_rate) for row in day(events, "trunk")] == [("", 0.0), ("carrier", 1.0)]


def test_an_agent_has_offers_and_misses() -> None:
    names = {"entry": "e1", "queue": "sales", "call": "c1"}
    events: list[Event] = [joined(0.0, "e1")]
    for offer, agent, outcome in (("o1", "bob", "no_answer"), ("o2", "bob", "cancelled")):
        events.append(OfferMade(at=1.0, offer=offer, agent=agent, **names))
        end = OfferEnded(at=9.0, offer=offer, agent=agent, outcome=outcome, sip_status=0, **names)  # type: ignore[arg-type]
        events += [end, end]
    events.append(left(10.0, "e1", "abandoned", 10.0))
    (row,) = day(events, "agent")
    assert (row.key, row.offers, row.missed, row.joined, row.abandoned) == ("bob", 2, 1, 0, 0)


def test_a_run_that_died_does_not_let_its_agents_work_on() -> None:
    events: list[Event] = [
        state(0.0, "offline", "ready"),
        state(0.0, "offline", "ready", agent="bob"),
        call(100.0, "c1"),
        state(500.0, "offline", "ready"),
    ]
    rows = {row.key: row for row in day(events, "agent", now=DAY + 600.0)}
    assert rows["alice"].times == {"ready": 200.0}
    assert rows["bob"].times == {"ready": 100.0}


def test_a_second_queue_is_a_second_entry_and_nothing_counts_twice() -> None:
    events: list[Event] = [
        joined(0.0, "e1"),
        left(5.0, "e1", "answered", 5.0, agent="alice"),
        left(5.0, "e1", "answered", 5.0, agent="alice"),
        talk(60.0, "e1", 55.0),
        talk(60.0, "e1", 55.0),
        joined(61.0, "e2", queue="help"),
        left(70.0, "e2", "timed_out", 9.0),
    ]
    rows = {row.key: row for row in day(events)}
    assert (rows["sales"].answered, rows["sales"].handled) == (1, 1)
    assert (rows["help"].offered, rows["help"].other_exits) == (0, {"timed_out": 1})


@pytest.mark.parametrize("hours", [8.0, 5.5, -3.5])
def test_intervals_begin_at_local_midnight(hours: float) -> None:
    zone = timezone(timedelta(hours=hours))
    fold = ReportFold("queue", step=3600.0, zone=zone)
    start = datetime.fromtimestamp(fold.start_of(DAY + 1234.5), zone)
    assert (start.minute, start.second) == (0, 0)


def test_the_heat_map_has_every_hour_of_the_week() -> None:
    events: list[Event] = [joined(9 * 3600.0, "e1"), left(9 * 3600.0 + 8.0, "e1", "abandoned", 8.0)]
    spots = heat_map(folded(events, "queue").cells(since=DAY, until=END, now=END), zone=UTC)
    assert len(spots) == 168
    assert [(spot.weekday, spot.hour, spot.abandoned) for spot in spots if spot.joined] == [(0, 9, 1)]


@st.composite
def days(draw: st.DrawFn) -> list[Event]:
    """A day of calls through two queues with two agents, in the order of time."""
    events: list[Event] = []
    for number in range(draw(st.integers(1, 12))):
        at = draw(st.floats(0.0, 80_000.0).map(lambda value: round(value, 3)))
        name, entry = f"call-{number}", f"entry-{number}"
        queue = draw(st.sampled_from(["sales", "help"]))
        agent = draw(st.sampled_from(["alice", "bob"]))
        exit_ = draw(st.sampled_from(["answered", "abandoned", "short_abandoned", "timed_out", "key_exit"]))
        waited, talked = (round(draw(st.floats(0.0, 2000.0)), 3) for _ in range(2))
        trunk = draw(st.sampled_from(["carrier", None]))
        events += [call(at, name, trunk=trunk), CallAnswered(at=at, call=name)]
        events.append(joined(at, entry, call=name, queue=queue))
        who = agent if exit_ == "answered" else None
        exit_event = left(at + waited, entry, exit_, waited, agent=who)
        events.append(msgspec.structs.replace(exit_event, queue=queue, call=name))
        if who:
            end = at + waited + talked
            events.append(TalkEnded(at=end, entry=entry, queue=queue, call=name, agent=who, talked=talked))
    for agent in ("alice", "bob"):
        before, at = "offline", 0.0
        for after in draw(st.lists(st.sampled_from(["ready", "ringing", "talking", "wrap_up", "not_ready"]))):
            at = round(at + draw(st.floats(1.0, 4000.0)), 3)
            events.append(state(at, before, after, agent=agent, reason="lunch"))
            before = after
    return sorted(events, key=lambda event: event.at)


@settings(max_examples=60, deadline=None)
@given(events=days(), cut=st.integers(0, 100), by=st.sampled_from(KINDS), step=st.sampled_from([900, 3600]))
def test_live_and_replayed_after_a_kill_are_one(events: list[Event], cut: int, by: By, step: int) -> None:
    live = folded(events, by, step=step)
    rows = [(REGISTRY.encode(event, wall=DAY + event.at), event) for event in events]
    after = ReportFold(by, step=step, zone=UTC)
    for row, event in rows[:cut]:  # a new process reads what the one before has written
        read = REGISTRY.decode(row.type, row.json)
        assert read == event
        after.apply(read, row.wall)
    for event in events[cut:]:
        after.apply(event, DAY + event.at)
    span = {"since": DAY, "until": END, "now": END}
    assert after.rows(**span) == live.rows(**span)


@settings(max_examples=60, deadline=None)
@given(events=days(), by=st.sampled_from(KINDS))
def test_the_sum_of_the_intervals_is_the_total(events: list[Event], by: By) -> None:
    span = {"since": DAY, "until": END, "now": END}
    sums = totals(folded(events, by, step=900).cells(**span))
    whole = {key: cell for (_, key), cell in folded(events, by, step=86_400).cells(**span).items()}
    assert sums.keys() == whole.keys()
    for key, total in whole.items():
        one, other = row_of(None, key, sums[key]), row_of(None, key, total)
        for name in ReportRow.__struct_fields__:
            expected = getattr(other, name)
            numeric = isinstance(expected, float | dict) and name != "other_exits"
            assert getattr(one, name) == (pytest.approx(expected, abs=0.01) if numeric else expected), name


def test_a_callback_stands_under_the_trunk_that_it_went_over() -> None:
    def called_back(at: float, name: str, *, over: str, exit_: str) -> list[Event]:
        placed = msgspec.structs.replace(call(at, name, trunk=None), sip_call_id="", source="callback")
        entry = msgspec.structs.replace(joined(at, name, call=name), callback=f"b-{name}")
        ringing: list[Event] = [
            LegStarted(at=at + 1, call=name, leg="l1", target="sip:x", agent="alice", trunk="phones")
        ]
        if over:
            ringing.append(LegStarted(at=at + 2, call=name, leg="l2", target="sip:x", trunk=over))
        end = left(at + 9, name, exit_, 9.0, agent="alice" if exit_ == "answered" else None)
        return [placed, entry, *ringing, end, talk(at + 60, name, 51.0)]

    events: list[Event] = [
        call(0.0, "c1"),
        CallAnswered(at=1.0, call="c1"),
        *called_back(10.0, "c2", over="carrier", exit_="answered"),
        *called_back(100.0, "c3", over="cells", exit_="failed"),
        *called_back(200.0, "c4", over="", exit_="failed"),
    ]
    rows = {
        row.key: (row.attempts, row.system_rate, row.callbacks, row.callbacks_served, row.handled)
        for row in day(events, "trunk")
    }
    assert rows == {"carrier": (1, 1.0, 1, 1, 1), "cells": (0, None, 1, 0, 0)}


def test_who_is_called_back_is_no_caller() -> None:
    names = {"queue": "sales", "caller": "x", "priority": 0, "position": 1}
    events: list[Event] = [
        state(0.0, "offline", "ready"),
        joined(0.0, "e1"),
        left(30.0, "e1", "callback_booked", 30.0),
        QueueJoined(at=60.0, entry="e2", call="c2", callback="b1", **names),  # type: ignore[arg-type]
        left(75.0, "e2", "answered", 15.0, agent="alice"),
        talk(135.0, "e2", 60.0),
        state(135.0, "talking", "wrap_up"),
        state(145.0, "wrap_up", "ready"),
        QueueJoined(at=200.0, entry="e3", call="c3", callback="b2", **names),  # type: ignore[arg-type]
        left(220.0, "e3", "failed", 20.0),
    ]
    (row,) = day(events)
    assert (row.joined, row.answered, row.longest_wait) == (1, 0, 30.0)
    assert row.other_exits == {"callback_booked": 1}
    assert (row.callbacks, row.callbacks_served, row.asa, row.answered_within) == (2, 1, None, {})
    assert (row.handled, row.aht) == (1, 70.0)
    alice, *_ = day(events, "agent")
    assert (alice.joined, alice.callbacks, alice.callbacks_served, alice.handled) == (0, 1, 1, 1)
    fold = KpiFold()
    for event in events:
        fold.apply(event, DAY + event.at)
    figures = fold.queue("sales")
    assert (figures.joined, figures.waiting, figures.answered) == (1, 0, 0)
    assert figures.exits == {"callback_booked": 1}
    assert (figures.callbacks, figures.callbacks_served, figures.aht) == (2, 1, 70.0)
    alerts = AlertFold([rule()], fold, members={})
    for event in events:
        alerts.apply(event, DAY + event.at)
    (low,) = alerts.judge(now=300.0, wall=DAY + 300.0)
    assert isinstance(low, AlertRaised)
    assert low.value == 0.0  # of the one caller who asked for an agent and booked


def rule() -> AlertSettings:
    return AlertSettings(name="low", queue="sales", metric="answer_rate", threshold=80.0, min_sample=1)
