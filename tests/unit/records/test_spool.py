"""A process that dies loses no event, and the next one stores none twice."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.records.conftest import Kept
from tests.unit.records.test_keeper import a_call, rows_of, tell

from sipcc.records import spool as module
from sipcc.records.eventlog import LogRow
from sipcc.records.spool import Spool

pytestmark = pytest.mark.realtime  # SQLite works in a thread, which a virtual clock would overtake


def row(number: int) -> LogRow:
    return LogRow(float(number), "CallRinging", f"call-{number}", b"{}")


def spool_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.spool.*"))


async def die(kept: Kept) -> None:
    """End as kill -9 does: nothing is stored any more, nothing tidied up."""
    keeper: Any = kept.keeper
    kept.bus.off_all(keeper._on_event)
    await keeper._writer._scope.close()
    await keeper._engine.dispose()


async def test_what_was_told_before_the_end_is_stored_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "sipcc.db"
    first = Kept(path)
    await first.keeper.start()
    tell(first.bus, a_call("c1"))
    await die(first)
    assert rows_of(path, "select count(*) from event_log") == [(0,)]
    second = Kept(path)
    await second.keeper.start()
    assert rows_of(path, "select count(*) from event_log") == [(7,)]
    (record,) = await second.keeper.store.cdrs()
    assert (record.id, record.cause, record.duration) == ("c1", "normal", 8.8)
    (entry,) = await second.keeper.store.outcomes(call="c1")
    assert (entry.exit, entry.talked) == ("answered", 6.0)
    assert second.keeper.interrupted == 1
    await second.keeper.stop()
    assert spool_files(tmp_path) == []


@pytest.mark.parametrize("stored", range(8))
async def test_nothing_is_stored_twice_wherever_the_end_came(tmp_path: Path, stored: int) -> None:
    path = tmp_path / "sipcc.db"
    first = Kept(path)
    await first.keeper.start()
    events = a_call("c1")
    tell(first.bus, events[:stored])
    assert await first.keeper.flush(5.0)
    tell(first.bus, events[stored:])
    await die(first)
    for _ in range(2):
        again = Kept(path)
        await again.keeper.start()
        types = [kind for (kind,) in rows_of(path, "select type from event_log order by seq")]
        assert types == [type(event).__struct_config__.tag for event in events]
        assert len(await again.keeper.store.cdrs()) == 1
        await again.keeper.stop()


async def test_a_run_that_ends_well_leaves_no_file(kept: Kept, tmp_path: Path) -> None:
    tell(kept.bus, a_call("c1"))
    assert len(spool_files(tmp_path)) == 1
    assert await kept.keeper.flush(5.0)
    await kept.keeper.stop()
    assert spool_files(tmp_path) == []


def test_a_file_that_is_cut_at_any_byte_gives_a_prefix(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "x.spool")
    for number in range(1, 6):
        assert spool.append(row(number)) == number
    (path,) = spool_files(tmp_path)
    data = path.read_bytes()
    for size in range(len(data) + 1):
        found = list(module.rows_of(data[:size]))
        assert found == [(number, row(number)) for number in range(1, len(found) + 1)]
    assert len(list(module.rows_of(data))) == 5
    spool.close()


@given(st.binary(max_size=200))
def test_any_bytes_are_read(data: bytes) -> None:
    assert list(module.rows_of(data)) == []
    assert list(module.rows_of(b"sipcc events 1\n" + data)) == []


def test_a_file_that_is_never_empty_does_not_grow_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REWRITE_BYTES", 2000)
    spool = Spool(tmp_path / "x.spool")
    for _ in range(500):
        spool.stored(spool.append(row(1)) - 3)
    (path,) = spool_files(tmp_path)
    assert path.stat().st_size < 2300
    assert [number for number, _ in module.rows_of(path.read_bytes())][-3:] == [498, 499, 500]
    spool.stored(500)
    spool.close()
    assert spool_files(tmp_path) == []


def test_a_full_disk_ends_the_spool_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path / "x.spool")
    spool.append(row(1))

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    assert spool.append(row(2)) == 2
    monkeypatch.undo()
    assert spool.append(row(3)) == 3
    spool.stored(3)
    spool.close()
    (path,) = spool_files(tmp_path)
    assert [number for number, _ in module.rows_of(path.read_bytes())] == [1]
