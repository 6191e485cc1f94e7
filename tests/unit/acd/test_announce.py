from __future__ import annotations

from sipcc.acd.announce import MIN_GAP, PositionPlan


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
