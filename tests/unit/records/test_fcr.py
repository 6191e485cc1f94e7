"""First-contact resolution."""

from __future__ import annotations

import pytest

from sipcc.call.events import CallAnswered, CallStarted
from sipcc.records.fcr import FcrFold, FirstContacts

DAY = 86_400.0
NUMBER = "13800138000"


def figures(calls: list[tuple[float, str]], *, now: float, since: float = 0.0) -> FirstContacts:
    fold = FcrFold(DAY)
    for number, (at, caller) in enumerate(calls):
        call = f"c{number}"
        started = CallStarted(
            at=at, call=call, caller=caller, called="4008123456", trunk=None, sip_call_id="x", source="x"
        )
        fold.apply(started, at)
        fold.apply(CallAnswered(at=at, call=call), at)
        fold.apply(CallAnswered(at=at, call=call), at)
    return fold.result(since=since, until=10 * DAY, now=now)


@pytest.mark.parametrize(
    ("times", "now", "expected"),
    [
        ([0.0], 2 * DAY, (1, 0, 0, 1.0, True)),
        ([0.0], DAY, (0, 0, 1, None, False)),
        ([0.0, DAY], 3 * DAY, (0, 1, 0, 0.0, True)),
        ([0.0, DAY + 1], 3 * DAY, (2, 0, 0, 1.0, True)),
        ([0.0, 0.9 * DAY, 1.8 * DAY], 3 * DAY, (0, 1, 0, 0.0, True)),
        ([0.0, 2 * DAY], 2.5 * DAY, (1, 0, 1, 1.0, False)),
    ],
)
def test_first_calls(times: list[float], now: float, expected: tuple[object, ...]) -> None:
    told = figures([(at, NUMBER) for at in times], now=now)
    assert (told.resolved, told.repeated, told.immature, told.rate, told.mature) == expected
    assert told.first_calls == told.resolved + told.repeated + told.immature


def test_numbers_are_told_apart_and_nameless_callers_are_left_out() -> None:
    told = figures([(0.0, NUMBER), (1.0, "13900139000"), (2.0, "anonymous")], now=3 * DAY)
    assert (told.first_calls, told.resolved) == (2, 2)


def test_a_call_before_the_span_makes_the_next_one_a_repetition() -> None:
    assert figures([(0.0, NUMBER), (10.0, NUMBER)], now=3 * DAY, since=5.0).first_calls == 0
