"""Strategies on a whole floor: who is rung, and what is counted for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.unit.acd.floor_desk import Desk, desk

from sipcc.acd.agents import AgentInput
from sipcc.acd.effort import Effort

NAMES = tuple(f"a{i}" for i in range(8))


def effort(centre: Desk, agent: str) -> Effort:
    return centre.floor.staff.get(agent).effort


def call(centre: Desk, name: str, talk: float) -> str:
    """One caller that is answered at once, talks, and goes; who answered."""
    centre.join(name)
    (agent,) = centre.rings
    assert centre.answer(agent)
    centre.talk(name)
    centre.at(centre.now + talk)
    centre.part(name)
    return agent


def test_ring_progressive_adds_an_agent_at_each_step_and_the_next_at_once_when_all_are_silent() -> None:
    centre = desk("a", "b", "c", "d", strategy="ring-progressive", ring_step=4.0)
    centre.join("x")
    assert list(centre.rings) == ["a"]
    centre.at(3.9)
    assert list(centre.rings) == ["a"]
    centre.at(4.0)
    assert list(centre.rings) == ["a", "b"]
    centre.ended("a", "declined", 603)
    assert list(centre.rings) == ["b"], "b still rings, so c waits for its step"
    centre.at(5.0)
    centre.ended("b", "declined", 603)
    assert list(centre.rings) == ["c"]
    centre.at(9.0)
    assert list(centre.rings) == ["c", "d"]
    assert centre.answer("d")
    assert len(centre.stopped) == 1, "c's phone is silenced"


def test_calls_talk_handling_and_absence_are_counted() -> None:
    centre = desk("a", wrap_up=10.0)
    call(centre, "x", 60.0)
    assert effort(centre, "a") == Effort(calls=1, talked=60.0, handled=60.0)
    centre.at(100.0)
    assert effort(centre, "a").handled == 70.0
    centre.command("a", AgentInput.PAUSE, "lunch")
    centre.at(150.0)
    centre.command("a", AgentInput.MAKE_READY)
    assert effort(centre, "a") == Effort(calls=1, talked=60.0, handled=70.0, away=50.0)
    assert effort(centre, "a").occupancy(now=150.0) == pytest.approx(0.7)


def test_a_caller_that_is_never_heard_is_no_call() -> None:
    centre = desk("a")
    centre.join("x")
    assert centre.answer("a")
    centre.hang_up("x")
    assert effort(centre, "a").calls == 0


def test_a_login_counts_anew_and_a_lost_phone_does_not() -> None:
    centre = desk("a", wrap_up=0.0)
    call(centre, "x", 60.0)
    centre.floor.staff.registration("a", False, now=centre.now)
    centre.at(90.0)
    centre.floor.staff.registration("a", True, now=centre.now)
    assert effort(centre, "a") == Effort(calls=1, talked=60.0, handled=60.0, away=30.0)
    centre.command("a", AgentInput.LOGOUT)
    centre.at(100.0)
    centre.command("a", AgentInput.LOGIN)
    assert effort(centre, "a") == Effort(login=100.0)


def test_logging_out_in_a_call_counts_the_call_once() -> None:
    centre = desk("a", "b", wrap_up=0.0)
    centre.command("b", AgentInput.LOGOUT)
    centre.join("x")
    centre.answer("a")
    centre.talk("x")
    centre.at(30.0)
    centre.command("a", AgentInput.LOGOUT)
    centre.at(40.0)
    centre.part("x")
    assert effort(centre, "a") == Effort(calls=1, talked=40.0, handled=40.0)
    centre.command("b", AgentInput.LOGIN)
    assert effort(centre, "b").calls == 0, "nobody is there whose mean could be taken"


@pytest.mark.parametrize("strategy", ["fewest-calls", "least-talk"])
def test_who_logs_in_later_is_not_flooded(strategy: str) -> None:
    centre = desk("a", "b", "late", strategy=strategy, wrap_up=0.0)
    centre.command("late", AgentInput.LOGOUT)
    for number in range(20):
        call(centre, f"morning{number}", 30.0)
    centre.command("late", AgentInput.LOGIN)
    taken = [call(centre, f"noon{number}", 30.0) for number in range(12)]
    assert {name: taken.count(name) for name in ("a", "b", "late")} == {"a": 4, "b": 4, "late": 4}


def test_least_occupied_evens_out_calls_of_different_length() -> None:
    centre = desk("a", "b", strategy="least-occupied", wrap_up=0.0)
    centre.at(1.0)
    taken = [call(centre, f"c{number}", 90.0 if number == 0 else 30.0) for number in range(4)]
    assert taken == ["a", "b", "b", "b"]


@pytest.mark.parametrize("strategy", ["linear", "round-robin", "longest-idle", "fewest-calls", "least-talk"])
def test_the_order_of_four_hundred_calls_is_the_documented_one(strategy: str) -> None:
    centre = desk(*NAMES, strategy=strategy, wrap_up=0.0)
    lengths = [5 + number * 37 % 60 for number in range(400)]
    calls, talked, idle = dict.fromkeys(NAMES, 0), dict.fromkeys(NAMES, 0.0), dict.fromkeys(NAMES, 0.0)
    last = -1
    for number, length in enumerate(lengths):
        documented: dict[str, Callable[[int], tuple[float, ...]]] = {
            "linear": lambda i: (i,),
            "round-robin": lambda i, last=last: (i <= last, i),  # type: ignore[misc]
            "longest-idle": lambda i: (idle[NAMES[i]], i),
            "fewest-calls": lambda i: (calls[NAMES[i]], idle[NAMES[i]], i),
            "least-talk": lambda i: (talked[NAMES[i]], idle[NAMES[i]], i),
        }
        last = min(range(len(NAMES)), key=documented[strategy])
        assert call(centre, f"c{number}", float(length)) == NAMES[last]
        calls[NAMES[last]] += 1
        talked[NAMES[last]] += length
        idle[NAMES[last]] = centre.now
