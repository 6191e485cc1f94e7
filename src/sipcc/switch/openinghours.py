"""What operators do with opening hours: a calendar is open or closed for a time, whatever it says.

An override outlives the process: it stands on a shelf, with the Unix time at which it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sipcc.bus import Bus
from sipcc.clock import Clock
from sipcc.errors import LocalProtocolError
from sipcc.ivr.events import HoursOverridden
from sipcc.ivr.hours import Calendar, CalendarView, Override, State, UnknownCalendar
from sipcc.shelves import Shelves

LONGEST_S = 366 * 86400.0
"""Seconds that an override lasts at most: a longer one is a mistake, or a change for the configuration."""


class OpeningHours:
    """The calendars of a switch, and their overrides."""

    def __init__(
        self, calendars: Callable[[], Mapping[str, Calendar]], shelves: Shelves, *, bus: Bus, clock: Clock
    ) -> None:
        """Take what gives the calendars in force, and put back the overrides of the process before."""
        self._calendars = calendars
        self._bus = bus
        self._clock = clock
        self._shelf = shelves.shelf("hours", Override)
        self._written = set(self._shelf.left)
        wall, known = self._wall(), calendars()
        for name, left in self._shelf.left.items():
            if name in known and wall < left.until:
                known[name].override(left.state, left.until, by=left.by)
            else:
                self._forget(name)

    def views(self) -> list[CalendarView]:
        """How each calendar stands now."""
        wall = self._wall()
        return [calendar.view(wall) for calendar in self._calendars().values()]

    def override(
        self,
        name: str,
        state: State,
        *,
        until: float | None = None,
        seconds: float | None = None,
        by: str = "",
    ) -> CalendarView:
        """Have a calendar open or closed whatever it says; a new override replaces the one before.

        Args:
            name: The calendar.
            state: ``open`` or ``closed``.
            until: The Unix time (seconds) at which it goes by its hours again.
            seconds: The same as a time from now; just one of the two.
            by: Who does it; empty for a program.

        Raises:
            UnknownCalendar: there is none of that name; the known ones are listed.
            LocalProtocolError: the end is past, or more than `LONGEST_S` away.
        """
        calendar, wall = self._calendar(name), self._wall()
        if state not in ("open", "closed"):
            raise LocalProtocolError(f"a calendar is open or closed, not {state!r}")
        if seconds is not None and until is None:
            until = round(wall + seconds, 3)
        elif until is None or seconds is not None:
            raise LocalProtocolError("an override takes until or seconds, just one of them")
        if not wall < until <= wall + LONGEST_S:
            raise LocalProtocolError(f"an override ends in the future, at most {LONGEST_S:.0f} s from now")
        calendar.override(state, until, by=by)
        self._shelf.note(name, Override(state, until, by))
        self._written.add(name)
        self._bus.emit(
            HoursOverridden(at=self._clock.now(), calendar=name, state=state, until_wall=until, by=by)
        )
        return calendar.view(wall)

    def clear(self, name: str, *, by: str = "") -> CalendarView:
        """Have a calendar go by its hours again; without an override nothing happens.

        Raises:
            UnknownCalendar: there is none of that name; the known ones are listed.
        """
        calendar, wall = self._calendar(name), self._wall()
        if calendar.override_at(wall) is not None:
            calendar.clear_override()
            self._forget(name)
            self._bus.emit(
                HoursOverridden(at=self._clock.now(), calendar=name, state="cleared", until_wall=wall, by=by)
            )
        return calendar.view(wall)

    def reloaded(self) -> None:
        """Forget the overrides of calendars that a reload has taken away."""
        for name in self._written - set(self._calendars()):
            self._forget(name)

    def _forget(self, name: str) -> None:
        self._written.discard(name)
        self._shelf.over(name)

    def _calendar(self, name: str) -> Calendar:
        known = self._calendars()
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            raise UnknownCalendar(f"there is no calendar {name!r}; known: {names}")
        return known[name]

    def _wall(self) -> float:
        return self._clock.wall_of(self._clock.now())
