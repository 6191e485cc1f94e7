from __future__ import annotations

import pytest

from sipcc.acd.estimate import MEMORY, HandleTime, Staffing, expected_wait
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
