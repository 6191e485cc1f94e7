"""A keeper on a fresh database, with a clock that stands where the test puts it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sipcc.bus import Bus
from sipcc.records.keeper import RecordKeeper
from sipcc.records.settings import RecordSettings

WALL = 1_790_000_000.0


class FixedClock:
    """Monotonic zero is `WALL`."""

    def now(self) -> float:
        return 0.0

    def wall_of(self, at: float) -> float:
        return WALL + at


class Kept:
    """A running keeper and its bus."""

    def __init__(self, path: Path, **options: object) -> None:
        self.path = path
        self.bus = Bus()
        settings = RecordSettings(database=str(path))
        self.keeper = RecordKeeper(settings, self.bus, FixedClock(), **options)  # type: ignore[arg-type]


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    kept = Kept(tmp_path / "sipcc.db")
    await kept.keeper.start()
    yield kept
    await kept.keeper.stop()
