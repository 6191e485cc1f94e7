"""Opening hours, as a core: is a calendar open at this moment, and why?

A calendar has weekly hours in its own time zone, holidays, make-up workdays (调休: a Saturday that is worked
for a holiday), and an override that an operator sets for a time. In order: the override counts, then what
is said about the date, then the week.

Hours are half-open: ``09:00-18:00`` is open from 09:00:00 and closed from 18:00:00. Hours that end before
they begin go on past midnight and belong to the day on which they began. A local time that a change of
the clock skips or repeats is read as RFC 5545 §3.3.5 says: by the offset before the gap, and as its first
occurrence, so no calendar opens twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from sipcc.errors import LocalProtocolError

Why = Literal["hours", "outside", "holiday", "make_up", "override"]

State = Literal["open", "closed"]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

MAX_RANGE_DAYS = 366
"""The longest range of holidays; a longer one is a slip of the pen."""

_SPAN = re.compile(r"(\d\d):(\d\d)(?::(\d\d))?-(\d\d):(\d\d)(?::(\d\d))?")
_DAY_S = 86400


class HoursSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A calendar of opening hours, which numbers name."""

    name: str
    """Unique among calendars."""
    week: dict[str, str]
    """Days and their hours: ``{"mon-fri" = "09:00-12:00, 13:00-18:00", "sat" = "10:00-16:00"}``. Days that
    are not named are closed."""
    timezone: str = "Asia/Shanghai"
    """The time zone of the hours, by its IANA name."""
    holidays: tuple[str, ...] = ()
    """Dates that are closed, such as ``2026-01-01``, and ranges such as ``2026-10-01..2026-10-07``."""
    workdays: tuple[str, ...] = ()
    """Make-up workdays and ranges of them; they are open although the week or `holidays` closes them."""
    workday_as: Day = "mon"
    """The day of the week whose hours make-up workdays have."""


class OpenVerdict(msgspec.Struct, frozen=True):
    """Whether a calendar is open, and why."""

    open: bool
    why: Why
    detail: str
    """The rule that decided, in words."""


class Override(msgspec.Struct, frozen=True):
    """Open or closed for a time, whatever the calendar says."""

    state: State
    until: float
    """The Unix time (seconds) at which the calendar counts again."""
    by: str = ""
    """Who did it; empty for a program."""


class CalendarView(msgspec.Struct, frozen=True, kw_only=True):
    """How a calendar stands at a moment."""

    name: str
    open: bool
    why: Why
    detail: str
    """The rule that decided, in words."""
    override: Override | None
    """The one that counts now; None when the calendar does."""


class UnknownCalendar(LocalProtocolError):
    """There is no calendar of that name."""


class Span(msgspec.Struct, frozen=True):
    """Hours of one day, in seconds from midnight; `end` is above 86400 when they go on past midnight."""

    start: int
    end: int


def parse_days(text: str) -> list[int]:
    """``mon-fri``, ``sat`` or ``mon,wed`` as days from 0 for Monday; ValueError says what is wrong."""
    days: list[int] = []
    for part in text.lower().split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError(f"{text!r} is no day of the week")
        begin, end = DAYS.index(first), DAYS.index(last if dash else first)
        days += [(begin + step) % 7 for step in range((end - begin) % 7 + 1)]
    return days


def parse_spans(text: str) -> list[Span]:
    """``09:00-12:00, 13:00-18:00`` as spans; empty for a closed day; ValueError says what is wrong."""
    spans = []
    for part in text.split(",") if text.strip() else ():
        match = _SPAN.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{part.strip()!r} are no hours")
        start, end = _seconds(*match.groups()[:3]), _seconds(*match.groups()[3:])
        if start in (end, _DAY_S):
            raise ValueError(f"{part.strip()!r} is no time at all; a whole day is 00:00-24:00")
        spans.append(Span(start, end if end > start else end + _DAY_S))
    return spans


def _seconds(hours: str, minutes: str, seconds: str | None) -> int:
    value = int(hours) * 3600 + int(minutes) * 60 + int(seconds or 0)
    if int(minutes) > 59 or int(seconds or 0) > 59 or value > _DAY_S:
        raise ValueError(f"{hours}:{minutes} is no time of day")
    return value


def parse_dates(text: str) -> list[date]:
    """``2026-10-01`` or ``2026-10-01..2026-10-07`` as dates; ValueError says what is wrong."""
    first, dots, last = (piece.strip() for piece in text.partition(".."))
    try:
        begin = date.fromisoformat(first)
        end = date.fromisoformat(last) if dots else begin
    except ValueError:
        raise ValueError(f"{text!r} is no date and no range of dates") from None
    days = (end - begin).days
    if days < 0:
        raise ValueError(f"{text!r} ends before it begins")
    if days > MAX_RANGE_DAYS:
        raise ValueError(f"{text!r} is longer than a year")
    return [begin + timedelta(days=step) for step in range(days + 1)]


def zone_of(name: str) -> ZoneInfo:
    """The time zone called `name`; ValueError when this machine knows none."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):  # ZoneInfoNotFoundError is a KeyError; a folder is an OSError
        raise ValueError(f"{name!r} is no time zone") from None


class Calendar:
    """One calendar. Only its override ever changes.

    Raises:
        ValueError: a text of the settings cannot be read.
    """

    def __init__(self, settings: HoursSettings) -> None:
        self.name = settings.name
        self._zone = zone_of(settings.timezone)
        self._week: list[list[Span]] = [[] for _ in DAYS]
        for days, text in settings.week.items():
            for day in parse_days(days):
                self._week[day] += parse_spans(text)
        self._holidays = {day: text for text in settings.holidays for day in parse_dates(text)}
        self._workdays = {day for text in settings.workdays for day in parse_dates(text)}
        self._workday_as = DAYS.index(settings.workday_as)
        self._override: Override | None = None

    def override(self, state: State, until: float, *, by: str = "") -> None:
        """Be open or closed whatever the calendar says, up to the Unix time `until` (seconds)."""
        self._override = Override(state, until, by)

    def follow(self, before: Calendar) -> None:
        """Have the override of the calendar in whose place this one comes."""
        self._override = before._override

    def clear_override(self) -> None:
        """Go by the calendar again."""
        self._override = None

    def override_at(self, wall: float) -> Override | None:
        """The override that counts at the Unix time `wall` (seconds)."""
        return self._override if self._override is not None and wall < self._override.until else None

    def view(self, wall: float) -> CalendarView:
        """How the calendar stands at the Unix time `wall` (seconds)."""
        verdict = self.is_open(wall)
        return CalendarView(
            name=self.name,
            open=verdict.open,
            why=verdict.why,
            detail=verdict.detail,
            override=self.override_at(wall),
        )

    def is_open(self, wall: float) -> OpenVerdict:
        """Whether the calendar is open at the Unix time `wall` (seconds), and why."""
        override = self.override_at(wall)
        if override is not None:
            state, by = override.state, override.by or "an operator"
            local = datetime.fromtimestamp(override.until, self._zone).isoformat(sep=" ", timespec="seconds")
            return OpenVerdict(state == "open", "override", f"{state} by {by} until {local}")
        today = datetime.fromtimestamp(wall, self._zone).date()
        for day in (today - timedelta(days=1), today):
            for span in self._spans(day):
                if self._instant(day, span.start) <= wall < self._instant(day, span.end):
                    return self._opened(day, span)
        if today in self._holidays and today not in self._workdays:
            return OpenVerdict(False, "holiday", f"holiday {self._holidays[today]}")
        return OpenVerdict(False, "outside", f"outside the hours of {DAYS[today.weekday()]} {today}")

    def _spans(self, day: date) -> Iterator[Span]:
        if day in self._workdays:
            yield from self._week[self._workday_as]
        elif day not in self._holidays:
            yield from self._week[day.weekday()]

    def _opened(self, day: date, span: Span) -> OpenVerdict:
        hours = f"{_clock(span.start)}-{_clock(span.end)}"
        if day in self._workdays:
            return OpenVerdict(True, "make_up", f"make-up workday {day} {hours}")
        return OpenVerdict(True, "hours", f"{DAYS[day.weekday()]} {hours}")

    def _instant(self, day: date, seconds: int) -> float:
        """The Unix time at which the clocks of the zone show `seconds` after midnight of `day`."""
        local = datetime.combine(day, time()) + timedelta(seconds=seconds)
        return local.replace(tzinfo=self._zone).timestamp()


def _clock(seconds: int) -> str:
    """Seconds from midnight as ``HH:MM``, with seconds where there are any."""
    minutes, rest = divmod(seconds if seconds <= _DAY_S else seconds - _DAY_S, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}" + (f":{rest:02}" if rest else "")
