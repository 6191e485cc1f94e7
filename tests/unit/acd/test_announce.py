from __future__ import annotations

import pytest

from sipcc.acd.comfort import MIN_GAP, Announcer, PositionPlan
from sipcc.acd.settings import QueueSettings


def test_the_position_is_spoken_at_once_then_when_it_changed_then_every_so_often() -> None:
    plan = PositionPlan(30.0, now=100.0)
    assert plan.deadline == 100.0
    assert plan.due(3, now=100.0)
    plan.spoken(3, now=103.0)
    assert plan.deadline == 103.0 + MIN_GAP
    assert plan.due(2, now=118.0)
    plan.spoken(2, now=121.0)
    assert not plan.due(2, now=136.0)
    assert plan.deadline == 151.0
    assert plan.due(2, now=151.0)


def test_whoever_is_being_offered_is_told_nothing() -> None:
    plan = PositionPlan(30.0, now=0.0)
    assert not plan.due(0, now=0.0)
    assert plan.deadline == MIN_GAP
    assert plan.due(1, now=MIN_GAP)


def test_a_shorter_interval_goes_before_the_gap() -> None:
    plan = PositionPlan(5.0, now=0.0)
    plan.spoken(1, now=2.0)
    assert plan.deadline == 7.0
    assert plan.due(1, now=7.0)


def announcer(**settings: object) -> Announcer:
    return Announcer(QueueSettings(name="q", **settings), now=0.0)  # type: ignore[arg-type]


def test_whoever_shall_be_told_nothing_has_no_deadline() -> None:
    assert announcer().deadline is None


@pytest.mark.parametrize(
    ("wait", "said"), [(59.9, None), (60.0, 60), (61.0, 120), (240.0, 240), (240.1, 300)]
)
def test_the_wait_is_said_in_minutes_rounded_up_from_one_minute_on(wait: float, said: int | None) -> None:
    parts = announcer(announce_wait=True).due(3, wait, now=0.0)
    assert parts == ([("prompt", "queue_wait"), ("duration", said)] if said else [])


def test_a_wait_that_was_said_never_grows() -> None:
    it, said = announcer(announce_wait=True, announce_every=10.0), []
    for index, wait in enumerate((200.0, 500.0, 130.0, 50.0, 300.0)):
        now = index * 20.0
        said += [value for kind, value in it.due(2, wait, now=now) if kind == "duration"]
        it.spoken(now=now)
    assert said == [240, 240, 180, 180]


def test_position_and_wait_are_said_together() -> None:
    it = announcer(announce_wait=True, announce_position=True)
    assert it.due(2, 90.0, now=0.0) == [
        ("prompt", "queue_position"),
        ("number", 2),
        ("prompt", "queue_wait"),
        ("duration", 120),
    ]


def test_comfort_goes_round_and_is_counted_from_the_end_of_what_was_said() -> None:
    it = announcer(comfort=("please_wait", "all_busy"), comfort_every=40.0)
    heard = []
    for _ in range(3):
        assert it.deadline is not None
        heard.append((it.deadline, *it.due(1, 0.0, now=it.deadline)))
        it.spoken(now=heard[-1][0] + 5.0)
    assert heard == [
        (40.0, ("prompt", "please_wait")),
        (85.0, ("prompt", "all_busy")),
        (130.0, ("prompt", "please_wait")),
    ]


def test_comfort_does_not_put_off_the_position() -> None:
    it = announcer(announce_position=True, announce_every=30.0, comfort=("all_busy",), comfort_every=20.0)
    assert it.due(1, 0.0, now=0.0) == [("prompt", "queue_position"), ("number", 1)]
    it.spoken(now=3.0)
    assert it.due(1, 0.0, now=23.0) == [("prompt", "all_busy")]
    it.spoken(now=26.0)
    assert it.due(1, 0.0, now=33.0) == [("prompt", "queue_position"), ("number", 1)]
