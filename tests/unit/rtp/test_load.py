"""How an engine knows that it is full."""

from __future__ import annotations

import pytest

from sipcc.rtp.load import LoadMeter


def run(
    meter: LoadMeter, *, start: float, seconds: float, late_ms: float = 0.2, busy_ms: float = 0.2
) -> float:
    """Ticks of 1 ms; the time after them."""
    ticks = round(seconds * 1000)
    for tick in range(ticks):
        at = start + tick / 1000
        meter.note(late=late_ms / 1000, busy=busy_ms / 1000, packets=3, now=at)
    return start + seconds


def meter() -> LoadMeter:
    return LoadMeter(max_busy=0.85, max_late_ms=20)


def test_a_second_is_told_when_it_is_over() -> None:
    load = meter()
    now = run(load, start=10.0, seconds=2.01, busy_ms=0.4)
    told = load.read(now=now, ports=7, overflows=2)
    assert told.busy == pytest.approx(0.4, abs=0.01)
    assert told.packets == pytest.approx(3000, abs=10)
    assert (told.late_ms, told.ports, told.overflows) == (1.0, 7, 2)
    assert load.refusal(now=now) == ""


def test_two_busy_seconds_close_the_door_and_one_good_second_opens_it() -> None:
    load = meter()
    now = run(load, start=0.0, seconds=1.5, busy_ms=0.95)
    assert load.refusal(now=now) == ""
    now = run(load, start=now, seconds=1.0, busy_ms=0.95)
    assert load.refusal(now=now) == "media is at its limit: busy for 95% of the time"
    now = run(load, start=now, seconds=2.0, busy_ms=0.3)
    assert load.refusal(now=now) == ""
    assert load.read(now=now).refused == 1


def test_late_ticks_close_it_too_when_they_are_many() -> None:
    load = meter()
    now = run(load, start=0.0, seconds=2.5, late_ms=30)
    assert load.refusal(now=now) == "media is at its limit: late by up to 50 ms"


def test_a_few_late_ticks_are_no_reason() -> None:
    load = meter()
    now = 0.0
    for _ in range(3):
        now = run(load, start=now, seconds=0.02, late_ms=80)
        now = run(load, start=now, seconds=0.98)
    assert load.refusal(now=now) == ""


def test_an_engine_that_rests_is_not_judged_by_the_past() -> None:
    load = meter()
    now = run(load, start=0.0, seconds=2.5, busy_ms=0.99)
    assert load.refusal(now=now)
    assert load.refusal(now=now + 4.0) == ""
    assert load.read(now=now + 4.0).busy == 0.0
