"""Checks of what queues and numbers say about recordings, as a core."""

from __future__ import annotations

from collections.abc import Sequence

from sipcc.acd.settings import QueueSettings
from sipcc.call.settings import NumberSettings
from sipcc.reading.findings import Report
from sipcc.reading.lines import Path
from sipcc.recordpolicy import LONGEST_WITHOUT_CONSENT, RecordingRules


def check_recordings(
    section: str, entries: Sequence[tuple[int, QueueSettings | NumberSettings]], report: Report
) -> None:
    """Check `record` and `recording` of each entry of ``[[section]]``."""
    for index, entry in entries:
        path: Path = (section, index, "recording")
        rules = entry.recording
        if not entry.record and rules != RecordingRules():
            report.warn(path, "nothing is recorded here", 'add record = true, "on_demand" or "sample"')
        if rules.key and not rules.prompt:
            report.error((*path, "key"), "no prompt asks for this key", 'add prompt = "..."')
        if rules.percent < 100 and entry.record != "sample":
            report.warn((*path, "percent"), "no sample is drawn here", 'write record = "sample"')
        if rules.retention_days > LONGEST_WITHOUT_CONSENT and not (rules.key or rules.consented):
            report.warn(
                (*path, "retention_days"),
                f"without the callers' consent recordings go after {LONGEST_WITHOUT_CONSENT} days",
                'add key = "1", or consented = true where they have agreed in another way',
            )
