"""`sipccd recordings` and `sipccd erase` against a database that a keeper has written, and still writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sipcc.bus import Bus
from sipcc.call.events import (
    CallEndedEvent,
    CallStarted,
    RecordingConsent,
    RecordingFinished,
    RecordingStarted,
    RecordingStored,
)
from sipcc.cli.main import main
from sipcc.clock import LoopClock
from sipcc.records import RecordKeeper, RecordSettings
from sipcc.records.events import RecordingDeleted, RecordingHeld

CALLER = "13800138000"


class Centre:
    """A folder with a database, recordings and a configuration."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "recordings").mkdir()
        (folder / "sipcc.toml").write_text("")

    def write(self, work: Callable[[Bus], None]) -> None:
        async def run() -> None:
            bus = Bus()
            keeper = RecordKeeper(RecordSettings(database=str(self.folder / "sipcc.db")), bus, LoopClock())
            await keeper.start()
            work(bus)
            await keeper.stop()

        asyncio.run(run())

    def logged(self, *kinds: type) -> list[Any]:
        async def run() -> list[Any]:
            settings = RecordSettings(database=str(self.folder / "sipcc.db"))
            keeper = RecordKeeper(settings, Bus(), LoopClock())
            await keeper.start()
            found = [event async for _, _, event in keeper.log.replay() if isinstance(event, kinds)]
            await keeper.stop()
            return found

        return asyncio.run(run())

    def call(
        self, bus: Bus, name: str, *, size: int = 100, caller: str = CALLER, state: str = "stored"
    ) -> None:
        path = self.folder / "recordings" / f"{name}.wav"
        at, seconds = 1.0, 0.0 if state == "failed" else 2.0
        bus.emit(
            CallStarted(
                at=at,
                call=name,
                caller=caller,
                called="4008123456",
                trunk="carrier",
                sip_call_id="x",
                source="y",
            )
        )
        if state == "blocked":
            bus.emit(RecordingConsent(at=at, call=name, prompt="recorded", outcome="blocked", why="cut off"))
        else:
            bus.emit(
                RecordingStarted(
                    at=at, call=name, path=str(path), recording=name, caller=caller, called="4008123456"
                )
            )
            if state != "failed":
                path.write_bytes(bytes(size))
            reason = "error: No space left on device" if state == "failed" else "stopped"
            bus.emit(RecordingFinished(at=at, call=name, path=str(path), seconds=seconds, reason=reason))
        bus.emit(CallEndedEvent(at=at, call=name, cause="normal", sip_status=200, ended_by="caller"))
        if state == "stored":
            bus.emit(
                RecordingStored(
                    at=at, call=name, path=str(path), stored=str(path), size_bytes=100, sha256="cd" * 32
                )
            )

    def run(self, *args: str, status: int = 0) -> str:
        result = CliRunner().invoke(main, [*args, "--config", str(self.folder / "sipcc.toml")])
        assert result.exit_code == status, result.output
        return result.output


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return Centre(tmp_path)


def test_each_recorded_call_has_a_file_or_a_reason(centre: Centre) -> None:
    def work(bus: Bus) -> None:
        centre.call(bus, "call-1")
        centre.call(bus, "call-2", state="failed")
        centre.call(bus, "call-3", state="blocked")

    centre.write(work)
    assert centre.run("recordings", "check").split() == ["blocked", "1", "failed", "1", "there", "1"]


def test_what_is_missing_changed_or_nobodys_is_found(centre: Centre) -> None:
    def work(bus: Bus) -> None:
        centre.call(bus, "call-1")
        centre.call(bus, "call-2", size=90)
        centre.call(bus, "call-3")

    centre.write(work)
    folder = centre.folder / "recordings"
    (folder / "call-1.wav").unlink()
    (folder / "stray.flac").write_bytes(b"x")
    said = centre.run("recordings", "check", status=1)
    assert f"missing: {folder}/call-1.wav (No such file or directory)  call-1" in said
    assert f"changed: {folder}/call-2.wav (90 bytes, not 100)  call-2" in said
    assert f"orphan: {folder}/stray.flac" in said
    assert "call-3" not in said


def test_a_subject_is_erased_and_the_rest_stays_in_order(centre: Centre) -> None:
    def work(bus: Bus) -> None:
        centre.call(bus, "call-1")
        centre.call(bus, "call-2")
        centre.call(bus, "call-3", caller="13900139000")

    centre.write(work)
    assert centre.run("recordings", "hold", "call-2", "--why", "case 17") == "held: call-2\n"
    assert centre.run("erase", CALLER, "--yes", "--by", "anna") == (
        "deleted: call-1\nheld: call-2\n1 of 2 recordings of 13800138000 deleted\n"
    )
    folder = centre.folder / "recordings"
    assert sorted(path.name for path in folder.iterdir()) == ["call-2.wav", "call-3.wav"]
    [proof] = centre.logged(RecordingDeleted)
    assert (proof.recording, proof.why, proof.by, proof.sha256) == ("call-1", "erased", "anna", "cd" * 32)
    [hold] = centre.logged(RecordingHeld)
    assert (hold.call, hold.held, hold.why) == ("call-2", True, "case 17")
    assert centre.run("recordings", "check").split() == ["deleted", "1", "there", "2"]
    listed = centre.run("recordings", "list").splitlines()
    assert {line.split()[0] for line in listed} == {"call-2", "call-3"}
    assert [line for line in listed if "held" in line] == [line for line in listed if "call-2" in line]
    assert centre.run("recordings", "release", "call-2") == "released: call-2\n"
    assert centre.run("erase", CALLER, "--yes").splitlines()[0] == "deleted: call-2"
    assert centre.run("erase", CALLER, "--yes") == "no recordings of 13800138000\n"


@pytest.mark.parametrize(
    ("number", "gone"),
    [
        ("13800138000", ["call-1", "call-2", "call-3"]),
        ("138-0013-8000", ["call-1", "call-2", "call-3"]),
        ("+86 138 0013 8000", ["call-1", "call-2", "call-3"]),
        ("62345678", ["call-5", "call-6"]),
        ("14155551234", []),
        ("alice", ["call-7"]),
    ],
)
def test_a_subject_is_found_however_its_number_is_written(
    centre: Centre, number: str, gone: list[str]
) -> None:
    (centre.folder / "sipcc.toml").write_text('[dialling]\ncountry = "86"\narea_code = "010"\n')
    callers = ["+8613800138000", "13800138000", "8613800138000", "+14155551234", "01062345678", "62345678"]

    def work(bus: Bus) -> None:
        for index, caller in enumerate([*callers, "alice"], 1):
            centre.call(bus, f"call-{index}", caller=caller)

    centre.write(work)
    *lines, last = centre.run("erase", number, "--yes").splitlines()
    assert sorted(lines) == [f"deleted: {name}" for name in gone]
    count = len(gone)
    told = f"{count} of {count} recordings of {number} deleted" if gone else f"no recordings of {number}"
    assert last == told


def test_nobody_is_erased_without_being_asked_for(centre: Centre) -> None:
    centre.write(lambda bus: centre.call(bus, "call-1"))
    said = centre.run("erase", CALLER, status=1)
    assert "cannot be had back" in said
    assert (centre.folder / "recordings" / "call-1.wav").exists()
    said = centre.run("recordings", "hold", "call-9", status=1)
    assert "there are no recordings of a call 'call-9'" in said


def test_without_a_database_the_command_says_so(centre: Centre) -> None:
    assert "there is no database" in centre.run("recordings", "list", status=1)


def test_the_record_of_a_call_says_why_nothing_was_recorded(centre: Centre) -> None:
    centre.write(lambda bus: centre.call(bus, "call-1", state="blocked"))
    said = CliRunner().invoke(main, ["cdr", "--config", str(centre.folder / "sipcc.toml"), "show", "call-1"])
    assert "blocked: cut off, prompt 'recorded'" in said.output
