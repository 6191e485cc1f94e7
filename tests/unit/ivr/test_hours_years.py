"""A calendar of China over ten years, make-up workdays and all, against the package ``holidays``.

``HOURS_STEP=1`` asks for every minute of the ten years; each run asks for some, and for every boundary.
"""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sipcc.ivr.hours import Calendar, HoursSettings

holidays = pytest.importorskip("holidays")

FIRST, LAST = date(2017, 1, 1), date(2026, 12, 31)
STEP = int(os.environ.get("HOURS_STEP", "397"))
"""Minutes from question to question; a prime, so that all times of day come up."""

SPANS = ((9 * 60, 12 * 60), (13 * 60, 18 * 60))


def chinese_years(timezone: str = "Asia/Shanghai") -> tuple[HoursSettings, object]:
    """The calendar that an operator would write, and who knows better."""
    known = holidays.China(years=range(FIRST.year, LAST.year + 1))
    settings = HoursSettings(
        name="cn",
        timezone=timezone,
        week={"mon-fri": "09:00-12:00, 13:00-18:00"},
        holidays=tuple(day.isoformat() for day in known),
        workdays=tuple(day.isoformat() for day in known.weekend_workdays),
    )
    return settings, known


def open_days(known: object) -> dict[date, bool]:
    """Whether each day is worked, as the package says."""
    days = (FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1))
    return {day: known.is_working_day(day) for day in days}  # type: ignore[attr-defined]


def test_the_years_have_what_makes_them_hard() -> None:
    _, known = chinese_years()
    made_up = [day for day in known.weekend_workdays if FIRST <= day <= LAST]  # type: ignore[attr-defined]
    assert len(made_up) > 60
    assert all(day.weekday() >= 5 for day in made_up)
    worked = open_days(known)
    assert sum(worked[day] for day in made_up) == len(made_up)
    assert 2400 < sum(worked.values()) < 2600


@pytest.mark.timeout(1500)
def test_minutes_of_ten_years() -> None:
    settings, known = chinese_years()
    calendar, worked = Calendar(settings), open_days(known)
    zone = ZoneInfo("Asia/Shanghai")
    wall = datetime(FIRST.year, 1, 1, tzinfo=zone).timestamp()
    asked = 0
    for minute in range(0, len(worked) * 1440, STEP):
        at = datetime.fromtimestamp(wall + minute * 60, UTC).astimezone(zone)
        inside = any(begin <= at.hour * 60 + at.minute < end for begin, end in SPANS)
        verdict = calendar.is_open(wall + minute * 60)
        assert verdict.open == (worked[at.date()] and inside), (at, verdict.detail)
        asked += 1
    assert asked >= 13_000


def test_each_boundary_of_ten_years() -> None:
    settings, known = chinese_years()
    calendar = Calendar(settings)
    zone = ZoneInfo("Asia/Shanghai")
    for day, worked in open_days(known).items():
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()
        states = [
            calendar.is_open(midnight + edge * 60 + shift).open
            for span in SPANS
            for edge in span
            for shift in (-1, 0)
        ]
        wanted = [False, True, True, False] * 2 if worked else [False] * 8
        assert states == wanted, day


def test_why_a_make_up_day_is_open_and_a_day_off_is_not() -> None:
    settings, known = chinese_years()
    calendar = Calendar(settings)
    zone = ZoneInfo("Asia/Shanghai")

    def why(day: date) -> str:
        return calendar.is_open(datetime(day.year, day.month, day.day, 10, tzinfo=zone).timestamp()).why

    for day in known.weekend_workdays:  # type: ignore[attr-defined]
        if FIRST <= day <= LAST:
            assert why(day) == "make_up"
    for day in known:  # type: ignore[attr-defined]
        if FIRST <= day <= LAST:
            assert why(day) == "holiday"


@pytest.mark.parametrize(
    "timezone", ["America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Kathmandu"]
)
def test_other_time_zones_by_their_own_clocks(timezone: str) -> None:
    settings, known = chinese_years(timezone)
    calendar, worked = Calendar(settings), open_days(known)
    zone = ZoneInfo(timezone)
    wall = datetime(FIRST.year, 1, 2, tzinfo=zone).timestamp()
    for minute in range(0, (len(worked) - 2) * 1440, 1999):
        at = datetime.fromtimestamp(wall + minute * 60, zone)
        inside = any(begin <= at.hour * 60 + at.minute < end for begin, end in SPANS)
        assert calendar.is_open(wall + minute * 60).open == (worked[at.date()] and inside), at


def test_an_override_wins_over_ten_years_and_ends() -> None:
    settings, known = chinese_years()
    calendar, worked = Calendar(settings), open_days(known)
    zone = ZoneInfo("Asia/Shanghai")
    for day in list(worked)[::97]:
        ten = datetime(day.year, day.month, day.day, 10, tzinfo=zone).timestamp()
        for state in ("open", "closed"):
            calendar.override(state, ten + 60)  # type: ignore[arg-type]
            assert calendar.is_open(ten).open == (state == "open")
            assert calendar.is_open(ten + 60).open == worked[day]
        calendar.clear_override()
        assert calendar.is_open(ten).open == worked[day]
