from __future__ import annotations

import pytest

from sipcc.config.wires import check_sip
from sipcc.reading.findings import Report
from sipcc.sip.settings import GuardSettings, SipSettings


@pytest.mark.parametrize(
    ("guard", "severity", "where", "cause"),
    [
        (GuardSettings(trusted=("everybody",)), "error", "sip.guard.trusted[0]", "everybody"),
        (GuardSettings(trusted=("192.0.2.1", "0.0.0.0/0")), "error", "sip.guard.trusted[1]", "everybody"),
        (GuardSettings(ban=60.0, max_ban=30.0), "error", "sip.guard.max_ban", "must not be below ban, 60"),
        (GuardSettings(stranger_rate=600.0), "warning", "sip.guard.strangers_rate", "together may send 500"),
    ],
)
def test_what_is_wrong_with_a_guard(guard: GuardSettings, severity: str, where: str, cause: str) -> None:
    report = Report("sipcc.toml")
    check_sip(SipSettings(guard=guard), report)
    [finding] = report.findings
    assert (finding.severity, finding.where) == (severity, f"sipcc.toml {where}")
    assert cause in finding.message
    assert finding.hint


def test_the_defaults_are_fine() -> None:
    report = Report("sipcc.toml")
    check_sip(SipSettings(), report)
    assert report.findings == []
