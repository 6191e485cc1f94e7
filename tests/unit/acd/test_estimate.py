from __future__ import annotations

import pytest
from benchmarks.wait import accuracy

from sipcc.acd.estimate import LEAST_KNOWN, MEMORY, GivingUp, HandleTime, Staffing, expected_wait
from sipcc.acd.model import AgentState as S


@pytest.mark.parametrize(
    ("place", "states", "seconds"),
    [
        (1, [S.TALKING], 120.0),
        (3, [S.TALKING, S.WRAP_UP], 180.0),
        (3, [S.TALKING, S.RINGING, S.RESERVED], 120.0),
        (2, [S.TALKING, S.OFFLINE, S.NOT_READY, S.EXTERNAL, S.QUARANTINED], 240.0),
        (2, [], 240.0),
        (2, [S.OFFLINE], 240.0),
        (1, [S.READY, S.TALKING], 0.0),
        (2, [S.READY, S.TALKING], 60.0),
        (0, [S.TALKING], 0.0),
    ],
)
def test_place_times_handle_time_by_those_at_work(place: int, states: list[S], seconds: float) -> None:
    assert expected_wait(place, 120.0, Staffing.of(states)) == seconds


def test_the_handle_time_is_the_mean_at_first_and_then_fades() -> None:
    handle = HandleTime(100.0)
    handle.add(200.0)
    handle.add(300.0)
    assert handle.mean == pytest.approx(200.0)
    for _ in range(10 * MEMORY):
        handle.add(50.0)
    assert handle.mean == pytest.approx(50.0, abs=0.1)


def test_the_line_moves_faster_where_callers_give_up() -> None:
    """With mu = 1/60 and a rate of 1/120, ln(1 + 3 * 0.5) * 120 s; without anybody who gives up, 3 * 60 s."""
    staffing = Staffing.of([S.TALKING, S.WRAP_UP])
    assert expected_wait(3, 120.0, staffing, giving_up=1 / 120) == pytest.approx(109.954, abs=0.001)
    assert expected_wait(3, 120.0, staffing, giving_up=1e-9) == pytest.approx(180.0, abs=0.001)
    waits = [expected_wait(place, 120.0, staffing, giving_up=1 / 120) for place in range(50)]
    assert waits == sorted(waits)


def test_patience_is_known_when_enough_gave_up_and_then_fades() -> None:
    patience = GivingUp()
    for _ in range(LEAST_KNOWN - 1):
        patience.add(60.0, gave_up=True)
    assert patience.rate == 0.0
    patience.add(60.0, gave_up=True)
    assert patience.rate == pytest.approx(1 / 60)
    for _ in range(2000):
        patience.add(100.0, gave_up=False)
        patience.add(100.0, gave_up=True)
    assert patience.rate == pytest.approx(1 / 200, rel=0.01)


def test_what_is_said_comes_true_within_a_third() -> None:
    """The bar: a mean error of at most 35 % of the wait, at 360 callers an hour who give up."""
    found = accuracy(3000, 0.1, 300.0, 0.85, seed=2)
    assert found["estimates"] > 500  # type: ignore[operator]
    assert found["MAPE %"] < 35.0 < found["plain %"]  # type: ignore[operator]
    assert abs(found["bias s"]) < 10.0  # type: ignore[operator,arg-type]
