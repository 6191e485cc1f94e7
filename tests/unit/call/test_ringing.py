from __future__ import annotations

import pytest

from sipcc.call.ringing import best_refusal


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], 480),
        ([486], 486),
        ([503, 486], 486),
        ([404, 486], 404),  # same class, both from the party itself: the lower one
        ([407, 486], 486),
        ([486, 603], 603),  # 6xx ends the search, RFC 3261 §16.7 step 5
        ([503, 500], 500),
        ([302, 486], 302),
    ],
)
def test_the_refusal_that_is_reported(statuses: list[int], expected: int) -> None:
    assert best_refusal(statuses) == expected
