"""Recordings and their time, with an archive of its own and a clock that jumps by days."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sipcc.bus import Bus
from sipcc.call.events import (
    InteractionJoined,
    RecordingFinished,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStored,
)
from sipcc.clock import LoopClock
from sipcc.events import Event
from sipcc.records.archive import RecordingFilter
from sipcc.records.events import RecordingDeleted, RecordingHeld
from sipcc.records.keeper import RecordKeeper
from sipcc.records.recordings import DAY_S, Mask, Recording, begun, folded
from sipcc.records.retention import Erased, RecordsBehind, Retention
from sipcc.records.settings import RecordSettings

CALLER = "13800138000"


class Calendar(LoopClock):
    """The loop's clock on a later day."""

    days = 0.0

    def wall_of(self, at: float) -> float:
        return super().wall_of(at) + self.days * DAY_S


class Archive:
    """A database with a folder, and the rules over it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bus = Bus()
        self.clock = Calendar()
        self.keeper = RecordKeeper(RecordSettings(database=str(folder / "sipcc.db")), self.bus, self.clock)
        self.told: list[Event] = []
        self.bus.on_all(self.told.append)
        self.rules = Retention(
            lambda: self.keeper.recordings, telling=self.bus, clock=self.clock, stored=self.keeper.flush
        )

    def record(self, name: str, *, days: int = 90, end: bool = True, **more: str) -> None:
        """A recording, to its final form unless `end` is False."""
        path = self.folder / f"{name}.wav"
        path.write_bytes(b"x" * 100)
        given = {"caller": CALLER, "called": "4008123456", **more}
        self.emit(
            RecordingStarted(
                at=self.clock.now(), call=name, path=str(path), recording=name, retention_days=days, **given
            )
        )
        if end:
            end_at = self.clock.now()
            self.emit(RecordingFinished(at=end_at, call=name, path=str(path), seconds=2, reason="stopped"))
            self.emit(
                RecordingStored(
                    at=end_at, call=name, path=str(path), stored=str(path), size_bytes=100, sha256="ab" * 32
                )
            )

    def emit(self, event: Event) -> None:
        self.bus.emit(event)

    async def there(self) -> tuple[list[str], list[str]]:
        """The ids in the index, and the files."""
        await self.keeper.flush()
        rows = await self.keeper.recordings.find(limit=500)
        return sorted(row.id for row in rows), sorted(path.stem for path in self.folder.glob("*.wav"))


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    archive = Archive(tmp_path)
    await archive.keeper.start()
    yield archive
    await archive.keeper.stop()


async def test_each_class_goes_on_its_day(archive: Archive) -> None:
    classes = {"month": 30, "quarter": 90, "half": 180, "decade": 3650}
    for name, days in classes.items():
        archive.record(name, days=days)
    await archive.keeper.flush()
    for day in (29, 31, 89, 91, 179, 181, 3649, 3651):
        archive.clock.days = day
        await archive.rules.sweep()
        rows, left = await archive.there()
        assert rows == left == sorted(name for name, days in classes.items() if days > day)
    proofs = [event for event in archive.told if isinstance(event, RecordingDeleted)]
    assert [proof.recording for proof in proofs] == list(classes)
    assert {proof.why for proof in proofs} == {"expired"}
    assert {proof.sha256 for proof in proofs} == {"ab" * 32}


async def test_more_than_a_page_goes_at_once(archive: Archive) -> None:
    for number in range(25):
        archive.record(f"call-{number:02}", days=30)
    archive.record("later", days=90)
    await archive.keeper.flush()
    archive.clock.days = 31
    assert await archive.rules.sweep(page=10) == 25
    assert await archive.there() == (["later"], ["later"])


async def test_what_is_held_or_not_finished_stays(archive: Archive) -> None:
    archive.record("held", days=30)
    archive.record("running", days=30, end=False)
    archive.record("plain", days=30)
    await archive.rules.hold("held", held=True, by="anna", why="case 17")
    await archive.keeper.flush()
    archive.clock.days = 31
    await archive.rules.sweep()
    assert await archive.there() == (["held", "running"], ["held", "running"])
    erased = await archive.rules.erase(CALLER, by="anna")
    assert erased == Erased(held=("held",), left=("running",))
    await archive.rules.hold("held", held=False, by="anna")
    await archive.keeper.flush()
    await archive.rules.sweep()
    assert await archive.there() == (["running"], ["running"])


async def test_a_hold_is_for_all_recordings_of_a_visit_those_to_come_too(archive: Archive) -> None:
    archive.record("first")
    await archive.rules.hold("first", held=True, by="anna")
    archive.record("second", interaction="first")
    archive.record("other")
    archive.record("consult")
    archive.emit(InteractionJoined(at=archive.clock.now(), call="consult", interaction="first"))
    await archive.keeper.flush()
    rows = await archive.keeper.recordings.find()
    assert {row.id: row.held for row in rows} == {
        "first": True, "second": True, "other": False, "consult": False,
    }  # fmt: skip
    found = await archive.keeper.recordings.find(RecordingFilter(call="first"))
    assert {row.id for row in found} == {"first", "second", "consult"}


async def test_a_hold_counts_at_once_for_an_erasure_and_a_sweep_that_are_under_way(archive: Archive) -> None:
    for number in range(20):
        archive.record(f"call-{number:02}", days=30)
    archive.clock.days = 31
    erasing = asyncio.ensure_future(archive.rules.erase(CALLER, by="anna"))
    sweeping = asyncio.ensure_future(archive.rules.sweep())
    await archive.rules.hold("call-19", held=True, by="anna")
    assert (await erasing).held == ("call-19",)
    await sweeping
    assert await archive.there() == (["call-19"], ["call-19"])
    await archive.rules.hold("call-19", held=False, by="anna")
    assert await archive.rules.erase(CALLER, by="anna") == Erased(deleted=("call-19",))


async def test_nothing_goes_while_the_index_cannot_catch_up(archive: Archive) -> None:
    archive.record("plain", days=30)
    archive.clock.days = 31

    async def locked() -> bool:
        return False

    rules = Retention(
        lambda: archive.keeper.recordings, telling=archive.bus, clock=archive.clock, stored=locked
    )
    for asked in (rules.erase(CALLER, by="anna"), rules.sweep(), rules.hold("plain", held=True, by="anna")):
        with pytest.raises(RecordsBehind):
            await asked
    assert await archive.there() == (["plain"], ["plain"])


async def test_only_the_subject_is_erased(archive: Archive) -> None:
    archive.record("his")
    archive.record("hers", caller="13900139000")
    await archive.keeper.flush()
    assert await archive.rules.erase("4008123456", by="anna") == Erased()  # our own number is no subject
    assert await archive.rules.erase("1380013800", by="anna") == Erased()
    assert await archive.rules.erase(CALLER, by="anna") == Erased(deleted=("his",))
    assert await archive.there() == (["hers"], ["hers"])
    [proof] = [event for event in archive.told if isinstance(event, RecordingDeleted)]
    assert (proof.why, proof.by) == ("erased", "anna")


async def test_a_file_that_cannot_be_deleted_is_tried_again_the_next_day(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.record("stuck", days=30)
    archive.record("plain", days=30)
    await archive.keeper.flush()
    unlink = Path.unlink

    def refused(path: Path, missing_ok: bool = False) -> None:
        if path.stem == "stuck":
            raise PermissionError(13, "Permission denied", str(path))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refused)
    closing = asyncio.Event()
    daily = asyncio.ensure_future(archive.rules.run(closing))
    archive.clock.days = 31
    await asyncio.sleep(DAY_S * 1.5)
    assert await archive.there() == (["stuck"], ["stuck"])
    monkeypatch.setattr(Path, "unlink", unlink)
    await asyncio.sleep(DAY_S)
    assert await archive.there() == ([], [])
    closing.set()
    await daily


async def test_a_file_that_is_gone_already_leaves_a_proof(archive: Archive) -> None:
    archive.record("lost", days=30)
    (archive.folder / "lost.wav").unlink()
    await archive.keeper.flush()
    archive.clock.days = 31
    assert await archive.rules.sweep() == 1
    assert await archive.there() == ([], [])


async def test_the_index_is_the_same_after_a_replay_of_the_log(archive: Archive) -> None:
    archive.record("one")
    archive.record("two", days=30)
    await archive.rules.hold("one", held=True, by="anna")
    archive.record("three", end=False)
    await archive.keeper.flush()
    await archive.rules.erase(CALLER, by="anna")
    await archive.keeper.flush()
    rows: dict[str, Recording] = {}
    async for _, wall, event in archive.keeper.log.replay():
        if isinstance(event, RecordingStarted):
            rows[event.recording] = begun(event, wall)
        elif isinstance(event, RecordingDeleted):
            del rows[event.recording]
        elif isinstance(event, RecordingHeld | RecordingFinished | RecordingStored):
            rows[event.call] = folded(rows[event.call], event, wall)
    assert rows == {row.id: row for row in await archive.keeper.recordings.find()}
    assert sorted(rows) == ["one", "three"]


def test_masks_are_spans_of_the_file() -> None:
    path, call = "call.wav", "call"
    row = begun(RecordingStarted(at=0, call=call, path=path), 1000.0)
    assert row.id == "call"
    row = folded(row, RecordingPaused(at=0, call=call, path=path, reason="card"), 1002.5)
    assert row.masks == (Mask(2.5, None, "card"),)
    row = folded(row, RecordingResumed(at=0, call=call, path=path), 1004.0)
    row = folded(row, RecordingResumed(at=0, call=call, path=path), 1005.0)
    row = folded(row, RecordingPaused(at=0, call=call, path=path, reason="pin"), 1006.0)
    row = folded(row, RecordingFinished(at=0, call=call, path=path, seconds=9.0, reason=""), 1009.0)
    assert row.masks == (Mask(2.5, 4.0, "card"), Mask(6.0, 9.0, "pin"))
    assert (row.reason, row.running) == ("stopped", True)
