"""Overrides of calendars, with shelves on a disk and a clock that a test moves."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.switch.desks import StandingClock

from sipcc.bus import Bus
from sipcc.errors import LocalProtocolError
from sipcc.events import Event
from sipcc.ivr.hours import Calendar, HoursSettings, UnknownCalendar
from sipcc.shelves import Shelves
from sipcc.switch.openinghours import LONGEST_S, OpeningHours

WALL = 1_700_001_000.0
"""The Unix time of a `StandingClock` that nobody has moved."""


class Life:
    """One process; it ends by being left alone, as by kill -9."""

    def __init__(self, folder: Path, *names: str, later: float = 0.0) -> None:
        self.clock = StandingClock()
        self.clock.at += later
        self.calendars = {
            name: Calendar(HoursSettings(name=name, week={"mon-sun": "00:00-24:00"}))
            for name in names or ("office", "shop")
        }
        self.events: list[Event] = []
        bus = Bus()
        bus.on_all(self.events.append)
        shelves = Shelves(folder / "sipccd.shelves")
        shelves.open()
        self.hours = OpeningHours(lambda: self.calendars, shelves, bus=bus, clock=self.clock)

    def states(self) -> dict[str, bool]:
        return {view.name: view.open for view in self.hours.views()}


def test_what_was_overridden_is_afterwards_and_is_not_told_again(tmp_path: Path) -> None:
    one = Life(tmp_path)
    one.hours.override("office", "closed", until=WALL + 100.0, by="ann")
    one.hours.override("shop", "closed", seconds=50.0)
    assert len(one.events) == 2
    two = Life(tmp_path, later=60.0)
    assert two.states() == {"office": False, "shop": True}
    assert two.events == []
    office = two.hours.views()[0]
    assert office.override is not None
    assert (office.override.until, office.override.by) == (WALL + 100.0, "ann")
    two.clock.at += 40.0
    assert two.states() == {"office": True, "shop": True}


def test_what_was_cleared_stays_so(tmp_path: Path) -> None:
    one = Life(tmp_path)
    one.hours.override("office", "closed", seconds=100.0)
    assert one.hours.clear("office").open
    assert one.hours.clear("office").open
    assert len(one.events) == 2
    assert Life(tmp_path).states()["office"]


def test_a_calendar_that_was_taken_away_takes_its_override_along(tmp_path: Path) -> None:
    one = Life(tmp_path)
    one.hours.override("office", "closed", seconds=100.0)
    del one.calendars["office"]
    one.hours.reloaded()
    assert Life(tmp_path).states()["office"]
    two = Life(tmp_path)
    two.hours.override("office", "closed", seconds=100.0)
    Life(tmp_path, "shop")
    assert Life(tmp_path).states()["office"]


@pytest.mark.parametrize("until", [WALL, WALL - 1.0, WALL + LONGEST_S + 1.0, float("nan"), float("inf")])
def test_an_end_is_in_the_future_and_not_too_far_away(tmp_path: Path, until: float) -> None:
    it = Life(tmp_path)
    with pytest.raises(LocalProtocolError, match="in the future"):
        it.hours.override("office", "closed", until=until)
    assert it.states()["office"]
    assert it.events == []


def test_the_known_calendars_are_named(tmp_path: Path) -> None:
    it = Life(tmp_path)
    with pytest.raises(UnknownCalendar, match="'home'; known: office, shop"):
        it.hours.clear("home")
