"""A recorded day as callers and shifts: what is known stays, what is not is drawn."""

from __future__ import annotations

from math import inf
from random import Random
from typing import Any

import pytest

from sipcc.acd.events import AgentStateChanged, OfferEnded, OfferMade, QueueJoined, QueueLeft, TalkEnded
from sipcc.acd.replay import DayFold, Replay
from sipcc.acd.settings import AgentSettings, QueueSettings
from sipcc.acd.simulator import Arrival, Shift, Simulation, poisson
from sipcc.events import Event

WALL = 1_800_000_000.0
SALES = QueueSettings(name="sales", priority=3)
ANN = AgentSettings(name="ann", user="1001", queues=("sales",))


def joined(entry: str, queue: str = "sales", priority: int = 3) -> Event:
    caller = f"1380013800{entry}"
    return QueueJoined(
        at=0.0, entry=entry, queue=queue, call=entry, caller=caller, priority=priority, position=1
    )


def left(entry: str, exit_: Any, waited: float) -> Event:
    return QueueLeft(at=0.0, entry=entry, queue="sales", call=entry, exit=exit_, waited=waited)


def talked(entry: str, seconds: float) -> Event:
    return TalkEnded(at=0.0, entry=entry, queue="sales", call=entry, agent="ann", talked=seconds)


def offer(number: str, outcome: Any = None) -> Event:
    given: dict[str, Any] = {
        "at": 0.0,
        "offer": number,
        "entry": "1",
        "queue": "sales",
        "call": "1",
        "agent": "ann",
    }
    return OfferMade(**given) if outcome is None else OfferEnded(**given, outcome=outcome, sip_status=0)


def turned(before: str, after: str, agent: str = "ann") -> Event:
    return AgentStateChanged(at=0.0, agent=agent, before=before, after=after)


def fold(*events: tuple[float, Event], seed: int = 1) -> Replay:
    day = DayFold()
    for at, event in events:
        day.apply(event, WALL + at)
    return day.replay(queues=[SALES], agents=[ANN], draw=Random(seed))


def test_who_came_and_talked_comes_and_talks_again() -> None:
    day = fold(
        (0, joined("1", priority=5)),
        (8, left("1", "answered", 8.0)),
        (68, talked("1", 60.0)),
        (70, joined("2")),
    )
    assert day.arrivals[0] == Arrival(
        at=0.0, queue="sales", handle=60.0, patience=inf, priority=2, caller="13800138001"
    )
    assert (day.arrivals[1].at, day.arrivals[1].handle, day.arrivals[1].priority) == (70.0, 60.0, 0)


@pytest.mark.parametrize(
    "exit_", ["abandoned", "short_abandoned", "key_exit", "withdrawn", "callback_booked"]
)
def test_who_left_of_its_own_accord_leaves_then_again(exit_: str) -> None:
    assert fold((0, joined("1")), (12, left("1", exit_, 12.0))).arrivals[0].patience == 12.0


@pytest.mark.parametrize("exit_", ["answered", "timed_out", "overflowed", "no_agent", "full"])
def test_who_did_not_had_more_patience_than_its_wait(exit_: str) -> None:
    events = [(0.0, joined("1")), (30.0, left("1", exit_, 30.0)), (31.0, joined("2"))]
    events.append((41.0, left("2", "abandoned", 10.0)))
    drawn = [fold(*events, seed=seed).arrivals[0].patience for seed in range(400)]
    assert min(drawn) > 30.0
    # 40 s were waited by all, one gave up: a mean of 40 s beyond the 30.
    assert sum(drawn) / len(drawn) == pytest.approx(70.0, rel=0.1)


def test_phones_answer_as_they_did() -> None:
    day = fold(
        (0, joined("1")),
        *((1, offer(number)) for number in "abcde"),
        (3, offer("a", "answered")),
        (5, offer("b", "answered")),
        (5, offer("c", "declined")),
        (21, offer("d", "no_answer")),
        (21, offer("e", "cancelled")),
    )
    assert (day.phone.delay, day.phone.declines, day.phone.misses) == (3.0, 0.25, 0.25)


def test_shifts_are_the_times_at_work() -> None:
    day = fold(
        (0, joined("1")),
        (10, turned("ringing", "talking")),
        (100, turned("ready", "not_ready")),
        (160, turned("not_ready", "ready")),
        (200, turned("ready", "ringing")),
        (300, joined("2")),
        (301, turned("offline", "ready", "bob")),
    )
    assert day.shifts == (
        Shift(agent="ann", begin=0.0, end=100.0),
        Shift(agent="ann", begin=160.0, end=301.0),
    )
    assert day.left_out == ("bob",)


def test_callers_of_a_queue_that_is_no_more_are_left_out() -> None:
    day = fold((0, joined("1", "gone")), (1, joined("2")))
    assert [arrival.at for arrival in day.arrivals] == [1.0]
    assert day.left_out == ("gone",)


def test_a_day_that_is_lived_again_under_the_same_policy_is_much_the_same() -> None:
    """The events of a simulated day are the record; the second run knows of it only what they tell."""
    queue = QueueSettings(name="sales", wrap_up=10.0, max_wait=0.0)
    agents = [AgentSettings(name=f"a{i}", user=f"a{i}", queues=("sales",)) for i in range(8)]
    record = DayFold()
    draw = Random(3)
    first = Simulation(agents, [queue], draw=draw, sink=lambda event: record.apply(event, WALL + first.now))
    [before] = first.run(poisson("sales", calls=2000, rate=0.05, handle=140.0, patience=90.0, draw=draw))
    day = record.replay(queues=[queue], agents=agents, draw=Random(4))
    second = Simulation(agents, [queue], draw=Random(5), phone=day.phone, shifts=day.shifts)
    [after] = second.run(day.arrivals)
    assert after.offered == before.offered == 2000
    assert after.answered == pytest.approx(before.answered, rel=0.02)
    assert after.service_level == pytest.approx(before.service_level, abs=0.03)
    assert after.asa == pytest.approx(before.asa, rel=0.15)
