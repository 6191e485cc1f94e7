"""What the configuration says about opening hours: right calendars are taken, wrong ones explained."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.config.files import written

from sipcc.config import check, load

GOOD = """\
[sip]
listen = ["udp:127.0.0.1:5060"]
[[hours]]
name = "office"
week = { "mon-fri" = "09:00-18:00" }
holidays = ["2026-10-01..2026-10-07"]
workdays = ["2026-10-10"]
[[numbers]]
number = "4008123456"
to = "echo"
hours = "office"
closed = "busy"
[[hours]]
name = "night"
week = { "mon-sun" = "22:00-06:00" }
"""


def test_right_calendars(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    assert check(path, {}) == []
    config = load(path, {})
    assert [calendar.name for calendar in config.hours] == ["office", "night"]
    assert (config.numbers[0].hours, config.numbers[0].closed) == ("office", "busy")


@pytest.mark.parametrize(
    ("old", "new", "where", "cause", "cure"),
    [
        ('hours = "office"', 'hours = "ofice"', "numbers[0].hours", "no calendar 'ofice'", "'office'"),
        ('hours = "office"', 'hours = "x"', "numbers[0].hours", "no calendar 'x'", "known: night, office"),
        ('closed = "busy"', "", "numbers[0].hours", "while it is closed", "closed ="),
        ('hours = "office"', "", "numbers[0].closed", "no calendar", "hours ="),
        ('closed = "busy"', 'closed = "menu:x"', "numbers[0].closed", "no menu 'x'", "none"),
        ('name = "night"', 'name = "office"', "hours[1].name", "another calendar", "own name"),
        ("mon-fri", "monday", "week", "no day of the week", "mon-fri"),
        ("09:00-18:00", "9-18", "week", "no hours", "09:00-12:00"),
        ("2026-10-01..2026-10-07", "1 October", "holidays[0]", "no date", "2026-10-01"),
        ('"2026-10-10"', '"2026-13-10"', "workdays[0]", "no date", "2026-10-01"),
        (
            'name = "office"',
            'name = "office"\ntimezone = "Beijing"',
            "timezone",
            "time zone",
            "Asia/Shanghai",
        ),
    ],
)
def test_wrong_calendars(tmp_path: Path, old: str, new: str, where: str, cause: str, cure: str) -> None:
    assert old in GOOD
    found = check(written(tmp_path, GOOD.replace(old, new, 1)), {})
    told = [finding for finding in found if where in finding.where and cause in finding.message]
    assert told, found
    assert told[0].severity == "error"
    assert cure in told[0].hint
