"""Calendars: exact to the second at each boundary, on holidays, make-up workdays and changes of the clock."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from sipcc.ivr.hours import Calendar, HoursSettings, parse_dates, parse_days, parse_spans, zone_of

OFFICE = HoursSettings(
    name="office",
    week={"mon-fri": "09:00-12:00, 13:00-18:00", "sat": "22:00-02:30"},
    holidays=("2026-01-01", "2026-10-01..2026-10-07", "2026-10-10"),
    workdays=("2026-10-10", "2026-09-20"),
)


def at(text: str, zone: str = "Asia/Shanghai", *, fold: int = 0) -> float:
    """A local time as Unix seconds."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


@pytest.mark.parametrize(
    ("local", "is_open", "why"),
    [
        ("2026-11-23 08:59:59", False, "outside"),
        ("2026-11-23 09:00:00", True, "hours"),
        ("2026-11-23 11:59:59", True, "hours"),
        ("2026-11-23 12:00:00", False, "outside"),
        ("2026-11-23 12:59:59", False, "outside"),
        ("2026-11-23 13:00:00", True, "hours"),
        ("2026-11-23 17:59:59", True, "hours"),
        ("2026-11-23 17:59:59.999", True, "hours"),
        ("2026-11-23 18:00:00", False, "outside"),
        ("2026-11-22 10:00:00", False, "outside"),  # a Sunday
        ("2026-11-21 21:59:59", False, "outside"),
        ("2026-11-21 22:00:00", True, "hours"),  # past midnight of Saturday
        ("2026-11-22 02:29:59", True, "hours"),
        ("2026-11-22 02:30:00", False, "outside"),
        ("2025-12-31 17:59:59", True, "hours"),
        ("2026-01-01 10:00:00", False, "holiday"),
        ("2026-09-30 17:59:59", True, "hours"),
        ("2026-10-01 00:00:00", False, "holiday"),
        ("2026-10-01 09:00:00", False, "holiday"),
        ("2026-10-07 23:59:59", False, "holiday"),
        ("2026-10-08 00:00:00", False, "outside"),
        ("2026-10-08 09:00:00", True, "hours"),
        ("2026-10-10 08:59:59", False, "outside"),  # a Saturday that is worked, although a holiday says no
        ("2026-10-10 09:00:00", True, "make_up"),
        ("2026-10-10 18:00:00", False, "outside"),
        ("2026-10-10 22:00:00", False, "outside"),  # it has the hours of Monday
        ("2026-09-20 13:00:00", True, "make_up"),  # a Sunday
    ],
)
def test_each_boundary(local: str, is_open: bool, why: str) -> None:
    verdict = Calendar(OFFICE).is_open(at(local))
    assert (verdict.open, verdict.why) == (is_open, why), verdict.detail


def test_a_holiday_ends_no_hours_that_began_the_day_before() -> None:
    night = HoursSettings(name="night", week={"mon-sun": "22:00-06:00"}, holidays=("2026-10-01",))
    calendar = Calendar(night)
    assert calendar.is_open(at("2026-10-01 05:59:59")).open
    assert not calendar.is_open(at("2026-10-01 06:00:00")).open
    assert not calendar.is_open(at("2026-10-01 22:00:00")).open
    assert not calendar.is_open(at("2026-10-02 05:59:59")).open
    assert calendar.is_open(at("2026-10-02 22:00:00")).open


def test_a_whole_day_has_no_gap_at_midnight() -> None:
    calendar = Calendar(HoursSettings(name="always", week={"mon-sun": "00:00-24:00"}))
    for local in ("2026-11-21 23:59:59.999", "2026-11-22 00:00:00", "2026-11-22 12:00:00"):
        assert calendar.is_open(at(local)).open


@pytest.mark.parametrize(
    ("hours", "day", "opens", "seconds"),
    [
        # the clocks of New York skip 02:00-03:00 on 2026-03-08 and repeat 01:00-02:00 on 2026-11-01
        ("02:30-04:00", "2026-03-08", "2026-03-08 03:30:00", 1800),
        ("02:00-02:45", "2026-03-08", "2026-03-08 03:00:00", 2700),
        ("01:00-05:00", "2026-03-08", "2026-03-08 01:00:00", 3 * 3600),
        ("00:30-01:30", "2026-11-01", "2026-11-01 00:30:00", 3600),
        ("01:30-03:00", "2026-11-01", "2026-11-01 01:30:00", 2.5 * 3600),
        ("00:00-24:00", "2026-11-01", "2026-11-01 00:00:00", 25 * 3600),
    ],
)
def test_changes_of_the_clock(hours: str, day: str, opens: str, seconds: float) -> None:
    weekday = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[date.fromisoformat(day).weekday()]
    calendar = Calendar(HoursSettings(name="ny", timezone="America/New_York", week={weekday: hours}))
    start = at(opens, "America/New_York")
    states = [calendar.is_open(start + shift).open for shift in (-1, 0, seconds - 1, seconds)]
    assert states == [False, True, True, False]
    midnight = at(f"{day} 00:00:00", "America/New_York")
    minutes = [calendar.is_open(midnight + 60 * minute).open for minute in range(25 * 60)]
    assert sum(minutes) * 60 == seconds, "it opens once"


def test_an_override_ends_by_itself_to_the_second() -> None:
    calendar = Calendar(OFFICE)
    noon, until = at("2026-11-23 10:00:00"), at("2026-11-23 11:00:00")
    calendar.override("closed", until)
    verdict = calendar.is_open(noon)
    assert (verdict.open, verdict.why) == (False, "override")
    assert "2026-11-23 11:00:00+08:00" in verdict.detail
    assert not calendar.is_open(until - 1).open
    assert calendar.is_open(until).why == "hours"
    calendar.override("open", at("2026-11-22 03:00:00"))
    assert calendar.is_open(at("2026-11-22 02:59:59")).open
    assert not calendar.is_open(at("2026-11-22 03:00:00")).open


def test_an_override_can_be_taken_back() -> None:
    calendar = Calendar(OFFICE)
    calendar.override("closed", at("2026-11-23 11:00:00"))
    calendar.clear_override()
    assert calendar.is_open(at("2026-11-23 10:00:00")).why == "hours"


def test_days_may_be_ranges_and_lists() -> None:
    assert parse_days("mon-fri") == [0, 1, 2, 3, 4]
    assert parse_days("Sat-Mon") == [5, 6, 0]
    assert parse_days("mon, wed-thu") == [0, 2, 3]
    assert parse_spans("") == []
    assert len(parse_dates("2026-02-15..2026-02-23")) == 9


@pytest.mark.parametrize(
    ("reader", "text", "cause"),
    [
        (parse_days, "monday", "no day of the week"),
        (parse_days, "mon-", "no day of the week"),
        (parse_spans, "9-18", "no hours"),
        (parse_spans, "09:00-18:60", "no time of day"),
        (parse_spans, "09:00-24:01", "no time of day"),
        (parse_spans, "09:00-09:00", "no time at all"),
        (parse_dates, "2026-02-30", "no date"),
        (parse_dates, "2026-10-07..2026-10-01", "ends before"),
        (parse_dates, "2026-10-01..2028-10-01", "longer than a year"),
        (zone_of, "Asia/Peking", "no time zone"),
        (zone_of, "../etc/passwd", "no time zone"),
        (zone_of, "", "no time zone"),
        (zone_of, "Asia", "no time zone"),
    ],
)
def test_what_cannot_be_read(reader: object, text: str, cause: str) -> None:
    assert callable(reader)
    with pytest.raises(ValueError, match=cause):
        reader(text)
