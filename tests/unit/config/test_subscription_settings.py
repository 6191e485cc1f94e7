"""What `sipccd check` says about ``[sip.subscriptions]``."""

from __future__ import annotations

import pytest

from sipcc.config.wires import check_sip
from sipcc.reading.findings import Report
from sipcc.sip.settings import SipSettings
from sipcc.sip.subscription import SubscriptionSettings


@pytest.mark.parametrize(
    ("settings", "where", "cause"),
    [
        (
            SubscriptionSettings(min_expires=600, max_expires=300),
            "sip.subscriptions.max_expires",
            "must not be below min_expires, 600",
        ),
        (
            SubscriptionSettings(per_user=100, total=50),
            "sip.subscriptions.total",
            "must not be below per_user, 100",
        ),
    ],
)
def test_what_is_wrong_with_subscriptions(settings: SubscriptionSettings, where: str, cause: str) -> None:
    report = Report("sipcc.toml")
    check_sip(SipSettings(subscriptions=settings), report)
    [finding] = report.findings
    assert where in finding.where
    assert cause in finding.message
    assert finding.hint


def test_the_usual_settings_are_right() -> None:
    report = Report("sipcc.toml")
    check_sip(SipSettings(), report)
    assert report.findings == []
