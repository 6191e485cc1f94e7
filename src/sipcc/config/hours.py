"""Checks of ``[[hours]]``, as a core: every day, time, date and zone can be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sipcc.ivr.hours import HoursSettings, parse_dates, parse_days, parse_spans, zone_of
from sipcc.reading.findings import Report
from sipcc.reading.lines import Path

_DATE_HINT = 'as in "2026-10-01" or "2026-10-01..2026-10-07"'


def check_hours(calendars: Sequence[tuple[int, HoursSettings]], report: Report) -> None:
    """Check the calendars."""
    for index, calendar in calendars:
        path: Path = ("hours", index)
        _try(zone_of, calendar.timezone, (*path, "timezone"), 'as in "Asia/Shanghai"', report)
        for days, text in calendar.week.items():
            place = (*path, "week", days)
            _try(parse_days, days, place, 'write mon, tue ... or "mon-fri"', report)
            _try(parse_spans, text, place, 'as in "09:00-12:00, 13:00-18:00"', report)
        for key in ("holidays", "workdays"):
            for position, text in enumerate(getattr(calendar, key)):
                _try(parse_dates, text, (*path, key, position), _DATE_HINT, report)


def _try(read: Callable[[str], object], text: str, path: Path, hint: str, report: Report) -> None:
    try:
        read(text)
    except ValueError as error:
        report.error(path, str(error), hint)
