"""A database with events in it, as a keeper writes them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from sipcc.bus import Bus
from sipcc.events import Event
from sipcc.records import RecordKeeper, RecordSettings

WALL = 1_700_006_400.0
"""2023-11-15T00:00:00Z, the time at which the clock of the events shows 0."""


class FixedClock:
    def now(self) -> float:
        return 0.0

    def wall_of(self, at: float) -> float:
        return WALL + at


def record(folder: Path, *runs: Sequence[Event], keep: Sequence[str] = ()) -> None:
    """Write the events of one run after the other to ``sipcc.db``; calls of `keep` go on from run to run."""

    async def write(events: Sequence[Event]) -> None:
        bus = Bus()
        keeper = RecordKeeper(RecordSettings(database=str(folder / "sipcc.db")), bus, FixedClock())
        await keeper.start(keep=list(keep))
        for event in events:
            bus.emit(event)
        await keeper.stop()

    with asyncio.Runner() as runner:
        for events in runs:
            runner.run(write(events))
