"""The hours of the week in which callers come, and in which they are lost, over all weeks of a report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo

import msgspec

from sipcc.records.report import Cell


class HeatSpot(msgspec.Struct, kw_only=True):
    """One hour of the week, over all weeks of a report."""

    weekday: int
    """0 for Monday."""
    hour: int
    joined: int = 0
    answered: int = 0
    abandoned: int = 0


def heat_map(cells: Mapping[tuple[float, str], Cell], *, zone: tzinfo | None = None) -> list[HeatSpot]:
    """All 168 hours of the week, Monday first; `cells` of intervals of an hour or less."""
    spots = [HeatSpot(weekday=day, hour=hour) for day in range(7) for hour in range(24)]
    for (start, _), cell in cells.items():
        when = datetime.fromtimestamp(start, UTC).astimezone(zone)
        spot = spots[when.weekday() * 24 + when.hour]
        spot.joined += cell.figures.joined
        spot.answered += cell.figures.answered
        spot.abandoned += cell.figures.abandoned
    return spots
