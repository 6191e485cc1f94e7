"""What a daemon that died has left of recordings, at the next start."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from sipcc.bus import Bus
from sipcc.call.events import RecordingFinished, RecordingStarted, RecordingStored
from sipcc.call.recording import Finisher
from sipcc.clock import LoopClock
from sipcc.records import RecordKeeper, RecordSettings
from sipcc.rtp.recorder import wav_header
from sipcc.rtp.settings import MediaSettings, RecordingSettings
from sipcc.switch.recordings import Archivist


def write_left(path: Path, seconds: float) -> None:
    """A recording as a dead process leaves it."""
    data = bytes([0xFF]) * round(seconds * 16_000)
    path.write_bytes(wav_header(len(data)) + data)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix in (".wav", ".flac")}


async def until(true: Callable[[], bool]) -> None:
    for _ in range(600):
        if true():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it did not come about")


async def test_what_a_crash_has_left_gets_its_final_form(tmp_path: Path) -> None:
    bus, clock = Bus(), LoopClock()
    keeper = RecordKeeper(RecordSettings(database=str(tmp_path / "sipcc.db")), bus, clock)
    await keeper.start()
    for name in ("cut", "empty", "live", "uncompressed"):
        path = str(tmp_path / f"{name}.wav")
        bus.emit(RecordingStarted(at=clock.now(), call=name, path=path, recording=name))
        if name != "empty":
            write_left(tmp_path / f"{name}.wav", 3.0)
    path = str(tmp_path / "uncompressed.wav")
    bus.emit(RecordingFinished(at=clock.now(), call="uncompressed", path=path, seconds=3.0, reason="stopped"))
    await keeper.flush()

    told: list[object] = []
    bus.on(RecordingFinished, told.append)
    bus.on(RecordingStored, told.append)
    context = SimpleNamespace(
        bus=bus,
        clock=clock,
        finisher=Finisher(),
        media=MediaSettings(recording=RecordingSettings(format="flac")),
    )
    archivist = Archivist()
    archivist.start(context, keeper, live={"live"})  # type: ignore[arg-type]
    await until(lambda: len(told) == 4)
    await archivist.stop()
    await keeper.flush()
    rows = {row.id: row for row in await keeper.recordings.find()}
    await keeper.stop()

    assert (rows["cut"].reason, rows["cut"].seconds) == ("interrupted", pytest.approx(3.0))
    assert rows["uncompressed"].reason == "stopped"
    assert rows["empty"].reason.startswith("error")
    assert [name for name, row in rows.items() if row.running] == ["live"]
    assert names_in(tmp_path) == {"cut.flac", "uncompressed.flac", "live.wav"}
    for name in ("cut", "uncompressed"):
        file = tmp_path / f"{name}.flac"
        assert rows[name].path == str(file)
        assert rows[name].sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
