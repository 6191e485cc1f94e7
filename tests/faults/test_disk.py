"""Disks that are full, slow or gone, and processes that die while they record (reliability H01, H02, H20)."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.faults.taped import talk
from tests.flow.centre import AGENT_HZ, CALLER_HZ, Centre

from sipcc.call.events import CallEndedEvent, DiskFilling, RecordingFinished
from sipcc.rtp import recorder, tones
from sipcc.rtp.recorder import RING_S, Recorder, RecordingResult, RecordingWriter
from sipcc.testing.audio import read_stereo


def check_audio(path: Path, seconds: float, *, abs_s: float = 0.001) -> None:
    """Both tones are in the file, without a hole, for so long."""
    samples, rate = soundfile.read(path, dtype="int16")
    assert len(samples) / rate == pytest.approx(seconds, abs=abs_s)
    assert len(samples) == soundfile.info(path).frames
    for column, hz in enumerate((500.0, 900.0)):
        found = [tone for tone in tones.find_tones(samples[:, column]) if tone.duration_ms > 60]
        assert {round(tone.frequency_hz, -1) for tone in found} <= {hz}
        if seconds > 1:
            assert len(found) == 1
            assert found[0].duration_ms / 1000 == pytest.approx(seconds, abs=0.4)


@pytest.fixture
def results() -> list[RecordingResult]:
    return []


# -- a full disk --------------------------------------------------------------------------------------

LIMITED = """
import resource, signal, sys
from sipcc.rtp.recorder import RecordingWriter, Recorder
from tests.faults.taped import talk
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
writer, results = RecordingWriter(), []
full = Recorder(sys.argv[1], writer, now=0.0, on_ended=results.append)
talk(full, 0, 20)
full.stop(now=20.0)
writer.close()
print(results[0].reason, results[0].seconds)
"""


def test_a_file_that_cannot_grow_is_ended_and_what_is_in_it_plays(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join([*sys.path, os.getcwd()])),
    )
    assert "error: File too large" in done.stdout, done.stderr
    seconds = float(done.stdout.split()[-1])
    assert seconds == pytest.approx(6.2, abs=1.1)
    check_audio(path, seconds)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB; where none can be mounted, the tests that need one have nothing to tell."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_on_a_disk_that_fills_up_each_recording_ends_once_and_plays(
    small_disk: Path, results: list[RecordingResult]
) -> None:
    writer = RecordingWriter()
    running = [
        Recorder(str(small_disk / f"{index}.wav"), writer, now=0.0, on_ended=results.append)
        for index in range(5)
    ]
    for second in range(30):
        for one in running:
            talk(one, second, second + 1)
    for one in running:
        one.stop(now=30.0)
    writer.close()
    assert [result.reason for result in results] == ["error: No space left on device"] * 5
    for index in range(5):
        found = next(item for item in results if item.path.endswith(f"{index}.wav"))
        assert found.seconds > 10
        check_audio(Path(found.path), found.seconds)


def test_no_recording_begins_on_a_disk_that_is_nearly_full(
    tmp_path: Path, results: list[RecordingResult]
) -> None:
    much = shutil.disk_usage(tmp_path).free // 2**20 + 1000
    writer = RecordingWriter(min_free_mb=much)
    one = Recorder(str(tmp_path / "call.wav"), writer, now=0.0, on_ended=results.append)
    talk(one, 0, 2)
    one.stop(now=2.0)
    writer.close()
    assert [result.reason for result in results] == [f"error: less than {much} MB left on the disk"]
    assert list(tmp_path.iterdir()) == []


async def test_calls_go_on_and_the_operator_is_told_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H01: the disk fills to 99.9 % during a call and the next one cannot be recorded at all."""
    disk = shutil.disk_usage(tmp_path)
    free = [disk.total // 2]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type(disk)(disk.total, disk.total - free[0], free[0]))
    write_all = recorder.write_all

    def write(file: object, data: bytes) -> None:
        if free[0] < 4096:
            raise OSError(28, "No space left on device")
        write_all(file, data)  # type: ignore[arg-type]

    monkeypatch.setattr(recorder, "write_all", write)
    async with Centre(tmp_path) as centre:
        alice = await centre.phone("1001")
        for part in (0.5, 0.1):
            caller = await centre.carrier.call("4008000006")
            talking = await alice.next_call()
            await talking.answered()
            await caller.hears(AGENT_HZ["1001"])
            await asyncio.sleep(12)
            free[0] = int(disk.total * 0.1) if part > 0.2 else 0
            await asyncio.sleep(12)
            free[0] = 0
            await until(lambda: centre.told("RecordingFinished"))
            await asyncio.sleep(11)
            await caller.hears(AGENT_HZ["1001"])
            await talking.hears(CALLER_HZ)
            await caller.hangup()
            await asyncio.sleep(8)
        finished = [event for event in centre.events if isinstance(event, RecordingFinished)]
        assert [event.reason for event in finished] == ["error: No space left on device"] * 2
        assert finished[0].seconds > 10
        assert finished[1].seconds == 0
        left, _, _ = read_stereo(finished[0].path)
        assert tones.measure_tone(left[8000:-8000].astype(np.int16), CALLER_HZ) > -12
        assert [event.level for event in centre.events if isinstance(event, DiskFilling)] == [
            "low",
            "critical",
        ]
        ended = [event for event in centre.events if isinstance(event, CallEndedEvent)]
        assert [event.cause for event in ended] == ["normal", "normal"]
        await centre.switch.keeper.flush()
        records = await centre.switch.keeper.store.cdrs()
        reasons = {item.reason for record in records for item in record.recordings}
        assert (len(records), reasons) == (2, {"error: No space left on device"})


async def until(condition: Callable[[], object]) -> None:
    for _ in range(600):
        if condition():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it did not come about")


# -- a slow disk --------------------------------------------------------------------------------------


@pytest.mark.parametrize("stalls", ["writing", "the header"])
def test_a_disk_that_stands_still_for_ten_seconds_costs_nothing(
    tmp_path: Path, results: list[RecordingResult], monkeypatch: pytest.MonkeyPatch, stalls: str
) -> None:
    """H02: while the thread hangs in the kernel, 11 s of 20 calls are said, without waiting for it."""
    stuck, go = threading.Event(), threading.Event()
    write_all, pwrite = recorder.write_all, os.pwrite
    calls = [0]

    def stall() -> None:
        calls[0] += 1
        if calls[0] == 30:
            stuck.set()
            assert go.wait(15)

    def write(file: object, data: bytes) -> None:
        if stalls == "writing":
            stall()
        write_all(file, data)  # type: ignore[arg-type]

    def write_header(*arguments: object) -> int:
        if stalls == "the header":
            stall()
        return pwrite(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(recorder, "write_all", write)
    monkeypatch.setattr(recorder.os, "pwrite", write_header)
    writer = RecordingWriter()
    running = [
        Recorder(str(tmp_path / f"{index}.wav"), writer, now=0.0, on_ended=results.append)
        for index in range(20)
    ]
    for second in range(5):
        for one in running:
            talk(one, second, second + 1)
    assert stuck.wait(10)
    for second in range(5, 16):
        for one in running:
            talk(one, second, second + 1)  # returns at once, or this would hang for ever
    assert not any(one.ended for one in running)
    go.set()
    for one in running:
        one.stop(now=16.0)
    writer.close()
    assert [result.reason for result in results] == ["stopped"] * 20
    for index in range(20):
        check_audio(tmp_path / f"{index}.wav", 16.0)


def test_a_disk_that_stands_still_for_longer_ends_the_recording_and_nothing_grows(
    tmp_path: Path, results: list[RecordingResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, go = threading.Event(), threading.Event()
    write_all = recorder.write_all

    def write(file: object, data: bytes) -> None:
        stuck.set()
        assert go.wait(15)
        write_all(file, data)  # type: ignore[arg-type]

    monkeypatch.setattr(recorder, "write_all", write)
    writer = RecordingWriter()
    one = Recorder(str(tmp_path / "call.wav"), writer, now=0.0, on_ended=results.append)
    assert stuck.wait(10)
    talk(one, 0, 60)
    assert writer._queued_bytes <= (RING_S + 1) * 16_000
    go.set()
    one.stop(now=60.0)
    writer.close()
    assert [result.reason for result in results] == ["error: the disk does not keep up"]
    check_audio(tmp_path / "call.wav", results[0].seconds)
    assert results[0].seconds == pytest.approx(RING_S, abs=1.5)


# -- a process that dies ------------------------------------------------------------------------------

KILLED = """
import os, sys, time
from sipcc.rtp.recorder import RecordingWriter, Recorder
from tests.faults.taped import talk
writer = RecordingWriter()
one = Recorder(sys.argv[1], writer, now=0.0, on_ended=print)
for second in range(100000):
    talk(one, second, second + 1)
    while not os.path.exists(sys.argv[1]) or os.path.getsize(sys.argv[1]) < 16000:
        time.sleep(0.001)
        if second < 3:
            break
    print(second, flush=True)
"""


@pytest.mark.parametrize("seed", range(3))
def test_after_kill_9_at_any_moment_the_file_plays(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "call.wav"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)],
        stdout=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join([*sys.path, os.getcwd()])),
    )
    try:
        assert process.stdout is not None
        for _ in range(random.Random(seed).randint(5, 60)):
            assert process.stdout.readline()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    seconds = soundfile.info(path).frames / 8000
    on_disk = (path.stat().st_size - recorder.HEADER_BYTES) / 16_000
    assert round(on_disk - seconds, 3) <= 1.0  # what was appended last, before its length was in the header
    assert seconds > 0
    check_audio(path, seconds)
