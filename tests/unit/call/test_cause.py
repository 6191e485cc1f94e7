from __future__ import annotations

import pytest

from sipcc.call.cause import CAUSES, cause_of_status, reason_header


@pytest.mark.parametrize(
    ("status", "name", "outcome"),
    [
        (200, "normal", "answered"),
        (404, "unallocated", "unreachable"),
        (408, "no_response", "no_answer"),
        (480, "unreachable", "unreachable"),
        (486, "busy", "busy"),
        (600, "busy", "busy"),
        (603, "declined", "declined"),
        (403, "forbidden", "declined"),
        (488, "incompatible", "failed"),
        (503, "network_out_of_order", "unreachable"),
        (504, "network_out_of_order", "unreachable"),
        (487, "cancelled", "cancelled"),
        (599, "failed", "failed"),
    ],
)
def test_each_status_has_a_cause_and_a_meaning(status: int, name: str, outcome: str) -> None:
    cause = cause_of_status(status)
    assert (cause.name, cause.outcome) == (name, outcome)


def test_every_cause_is_filed_under_its_own_name() -> None:
    assert all(name == cause.name for name, cause in CAUSES.items())


def test_reason_header_names_the_q850_value_and_survives_unknown_names() -> None:
    assert reason_header("busy") == 'Q.850;cause=17;text="busy"'
    assert reason_header("no such cause") == 'Q.850;cause=41;text="failed"'
