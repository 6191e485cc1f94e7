"""Checks of alerts, as a core."""

from __future__ import annotations

from collections.abc import Sequence

from sipcc.config.names import Names
from sipcc.reading.findings import Report
from sipcc.records.alerts import OF_NO_QUEUE, AlertSettings


def check_alerts(alerts: Sequence[tuple[int, AlertSettings]], names: Names, report: Report) -> None:
    """Report alerts about queues and trunks that do not exist, and those that are about nothing."""
    for index, alert in alerts:
        path = ("alerts", index)
        if alert.metric in OF_NO_QUEUE:
            if alert.queue:
                report.error((*path, "queue"), f"{alert.metric} is not about a queue", "leave it out")
        elif not alert.queue:
            report.error((*path, "queue"), f"{alert.metric} is about a queue", 'name one: queue = "..."')
        else:
            names.need("queues", alert.queue, (*path, "queue"), report)
        if alert.trunk and alert.metric != "trunks_down":
            report.error((*path, "trunk"), f"{alert.metric} is not about a trunk", "leave it out")
        elif alert.trunk:
            names.need("trunks", alert.trunk, (*path, "trunk"), report)
