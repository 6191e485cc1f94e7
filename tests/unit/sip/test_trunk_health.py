from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.sip.settings import HealthSettings, TrunkSettings
from sipcc.sip.trunk_health import HealthChanged, TrunkHealth


def health(*, calls_per_second: float = 0.0, chance: float = 0.5, **settings: float) -> TrunkHealth:
    trunk = TrunkSettings(
        name="one",
        calls_per_second=calls_per_second,
        health=HealthSettings(**settings),  # type: ignore[arg-type]
    )
    return TrunkHealth(trunk, chance=lambda: chance)


def test_no_pings_unless_asked_for() -> None:
    core = health()
    core.start(now=0.0)
    assert core.deadline is None


def test_pings_come_at_their_interval_with_jitter() -> None:
    core = health(ping=10, chance=0.25)
    core.start(now=100.0)
    assert core.deadline == 102.5
    core.expire(now=102.5)
    assert core.to_send() == 1
    assert core.to_send() == 0
    assert core.deadline == pytest.approx(102.5 + 10 * 0.95)
    core.stop()
    assert core.deadline is None


def test_down_after_bad_pings_in_a_row_and_up_after_good_ones() -> None:
    core = health(ping=10, down_after=3, up_after=2)
    for status in (None, 503, 200, None, 408):
        core.pinged(status, now=0.0)
    assert core.up
    core.pinged(None, now=1.0)
    assert not core.up
    assert not core.admits(now=1.0)
    assert core.events() == [HealthChanged(False, "3 OPTIONS in a row failed")]
    core.pinged(200, now=2.0)
    core.pinged(None, now=3.0)
    core.pinged(404, now=4.0)  # an answer is an answer
    assert not core.up
    core.pinged(200, now=5.0)
    assert core.up
    assert core.admits(now=5.0)
    assert [event.up for event in core.events()] == [True]


@pytest.mark.parametrize("status", [None, 503, 408])
def test_the_circuit_breaks_after_failed_calls_in_a_row(status: int | None) -> None:
    core = health(break_after=3, break_for=30)
    core.called(status, now=0.0)
    core.called(status, now=0.0)
    core.called(486, now=0.0)  # the called party is busy: the trunk has done its work
    core.called(status, now=0.0)
    core.called(status, now=0.0)
    assert core.admits(now=0.0)
    core.called(status, now=1.0)
    assert not core.up
    assert "3 calls in a row failed" in core.why
    assert not core.admits(now=30.9)


def test_after_the_break_one_call_is_a_trial() -> None:
    core = health(break_after=1, break_for=30)
    core.called(None, now=0.0)
    assert core.admits(now=30.0)
    assert not core.admits(now=30.0)
    core.called(180, now=31.0)
    assert core.up
    assert core.admits(now=31.0)
    assert core.admits(now=31.0)
    assert [event.up for event in core.events()] == [False, True]


def test_a_trial_that_fails_doubles_the_break_up_to_ten_times() -> None:
    core = health(break_after=1, break_for=30)
    core.called(503, now=0.0)
    now, wait = 0.0, 30.0
    for expected in (60.0, 120.0, 240.0, 300.0, 300.0):
        now += wait
        assert not core.admits(now=now - 0.1)
        assert core.admits(now=now)
        core.called(503, now=now)
        wait = expected
    assert not core.admits(now=now + 299.0)
    assert [event.up for event in core.events()] == [False]


def test_calls_from_before_the_break_do_not_lengthen_it() -> None:
    core = health(break_after=1, break_for=30)
    core.called(None, now=0.0)
    for second in range(1, 20):
        core.called(None, now=float(second))
    assert core.admits(now=30.0)


def test_a_trial_that_nobody_waited_for_can_be_repeated() -> None:
    core = health(break_after=1, break_for=30)
    core.called(None, now=0.0)
    assert core.admits(now=30.0)
    core.gave_up()
    assert core.admits(now=31.0)


def test_a_breaker_can_be_switched_off() -> None:
    core = health(break_after=0)
    for _ in range(100):
        core.called(None, now=0.0)
    assert core.admits(now=0.0)


def test_retry_after_is_kept() -> None:
    core = health()
    core.called(503, now=0.0, retry_after=20.0)
    assert core.events() == [HealthChanged(False, "it asked for 20 s without calls")]
    core.called(503, now=5.0, retry_after=2.0)  # an older wish that was longer stands
    assert core.deadline == 20.0
    core.expire(now=19.0)
    assert not core.admits(now=19.0)
    core.expire(now=20.0)
    assert core.admits(now=20.0)
    assert [event.up for event in core.events()] == [True]


def test_retry_after_has_an_end() -> None:
    core = health()
    core.pinged(503, now=0.0, retry_after=86400.0)
    core.expire(now=600.0)
    assert core.up


def test_pings_that_come_back_close_the_circuit() -> None:
    core = health(ping=10, down_after=1, up_after=1, break_after=1, break_for=1000)
    core.called(None, now=0.0)
    core.pinged(None, now=0.0)
    core.pinged(200, now=10.0)
    assert core.up
    assert core.admits(now=10.0)


def test_good_pings_alone_do_not_close_the_circuit() -> None:
    core = health(ping=10, break_after=1, break_for=30)
    core.called(503, now=0.0)
    for second in range(10):
        core.pinged(200, now=float(second))
    assert not core.admits(now=10.0)


def test_calls_per_second() -> None:
    core = health(calls_per_second=2.0)
    assert [core.admits(now=0.0) for _ in range(3)] == [True, True, False]
    assert core.refusal(now=0.0) == "more calls per second than it takes"
    assert core.admits(now=0.5)
    assert not core.admits(now=0.6)
    assert core.up


STATUSES = st.sampled_from([None, 180, 200, 404, 408, 486, 503])


@given(st.lists(st.tuples(st.sampled_from(["ping", "call", "wait", "admit"]), STATUSES, st.integers(0, 40))))
def test_events_alternate_and_tell_the_state(steps: list[tuple[str, int | None, int]]) -> None:
    core = health(ping=10, down_after=2, up_after=2, break_after=2, break_for=20)
    core.start(now=0.0)
    now, told = 0.0, True
    for what, status, number in steps:
        if what == "wait":
            now += number
            core.expire(now=now)
        elif what == "ping":
            core.pinged(status, now=now, retry_after=float(number) if status == 503 else None)
        elif what == "call":
            core.called(status, now=now, retry_after=float(number) if status == 503 else None)
        elif core.admits(now=now) and not core.up:
            core.called(status, now=now)
        for event in core.events():
            assert event.up != told
            told = event.up
        assert told == core.up
        assert bool(core.why) != core.up
