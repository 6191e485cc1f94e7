"""Checks of alerts, as a core."""

from __future__ import annotations

from collections.abc import Sequence

from sipcc.config.findings import Report
from sipcc.config.names import Names
from sipcc.records.alerts import AlertSettings


def check_alerts(alerts: Sequence[tuple[int, AlertSettings]], names: Names, report: Report) -> None:
    """Report alerts about queues that do not exist."""
    for index, alert in alerts:
        names.need("queues", alert.queue, ("alerts", index, "queue"), report)
