from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sipcc.rtp.codec import encode
from sipcc.rtp.flow import Law
from sipcc.rtp.recorder import COMMENT, HEADER_BYTES, Recorder, RecordingResult, RecordingWriter, wav_header

LEFT, RIGHT = 0, 1


def frame(value: int) -> bytes:
    return bytes([value]) * 160


def test_the_header_stops_at_4_gib_and_names_the_sides(tmp_path: Path) -> None:
    assert len(wav_header(0)) == HEADER_BYTES
    assert struct.unpack_from("<I", wav_header(2**40), HEADER_BYTES - 4)[0] == 2**32 - 1 - HEADER_BYTES
    (tmp_path / "a.wav").write_bytes(wav_header(16) + bytes(16))
    with soundfile.SoundFile(tmp_path / "a.wav") as file:
        assert (file.frames, file.comment) == (8, COMMENT)


class Results:
    """Collects what the writer's thread tells."""

    def __init__(self) -> None:
        self.found: list[RecordingResult] = []
        self.threads: set[str] = set()

    def __call__(self, result: RecordingResult) -> None:
        self.found.append(result)
        self.threads.add(threading.current_thread().name)


@pytest.fixture
def writer() -> Iterator[RecordingWriter]:
    writer = RecordingWriter()
    yield writer
    writer.close()


def talk(recorder: Recorder, *, seconds: float, start: float = 0.0, codec: Law = "PCMU") -> None:
    left = encode(np.full(160, 8000, np.int16), codec)
    right = encode(np.full(160, -8000, np.int16), codec)
    for index in range(round(seconds * 50)):
        recorder.said(left, (codec, 8000), now=start + 0.02 * index, timestamp=160 * index)
        recorder.heard(right, (codec, 8000), now=start + 0.02 * index)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
@pytest.mark.parametrize("seconds", [0.02, 1.0, 3.7])
def test_a_recording_is_as_long_as_the_clock_says(
    tmp_path: Path, writer: RecordingWriter, codec: Law, seconds: float
) -> None:
    path, results = tmp_path / "year" / "month" / "call.wav", Results()
    recorder = Recorder(str(path), writer, now=5.0, on_ended=results)
    talk(recorder, seconds=seconds, start=5.0, codec=codec)
    recorder.stop(now=5.0 + seconds)
    writer.close()
    info = soundfile.info(path)
    assert (info.channels, info.samplerate, info.subtype) == (2, 8000, "ULAW")
    assert info.frames == round(seconds * 8000)
    audio = soundfile.read(path, dtype="int16")[0]
    assert np.abs(audio[:, LEFT] - 8000).max() < 300
    assert np.abs(audio[:, RIGHT] + 8000).max() < 300
    assert results.found == [RecordingResult(str(path), pytest.approx(seconds), "stopped")]
    assert results.threads == {"sipcc-recordings"}


def test_a_recording_without_any_audio_is_silence_of_its_length(
    tmp_path: Path, writer: RecordingWriter
) -> None:
    results = Results()
    recorder = Recorder(str(tmp_path / "a.wav"), writer, now=0.0, on_ended=results)
    recorder.stop(now=2.0, reason="closed")
    writer.close()
    assert soundfile.info(tmp_path / "a.wav").frames == 16000
    assert not soundfile.read(tmp_path / "a.wav", dtype="int16")[0].any()
    assert results.found[0].reason == "closed"


DYING = """
import os, signal, sys
from sipcc.rtp import recorder
place, times = sys.argv[2], int(sys.argv[3])
header = place == "before the header"
module, name = (recorder.os, "pwrite") if header else (recorder.RecordingWriter, "_work")
original, left = getattr(module, name), [times]

def dying(*arguments):
    left[0] -= 1
    if header and not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    original(*arguments)
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)

setattr(module, name, dying)
one = recorder.Recorder(sys.argv[1], recorder.RecordingWriter(), now=0.0, on_ended=print)
for index in range(1000):
    one.said(bytes(160), ("PCMU", 8000), now=0.02 * index, timestamp=160 * index)
signal.pause()
"""


@pytest.mark.parametrize(
    ("place", "times", "seconds"),
    [("after work", 1, 0), ("after work", 2, 0.7), ("after work", 11, 9.7), ("before the header", 10, 9.7)],
)
def test_the_file_can_be_played_whenever_the_process_dies(
    tmp_path: Path, place: str, times: int, seconds: float
) -> None:
    path = tmp_path / "a.wav"
    done = subprocess.run(
        [sys.executable, "-c", DYING, str(path), place, str(times)],
        timeout=15,
        check=False,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
    )
    assert done.returncode == -signal.SIGKILL
    audio = soundfile.read(path)[0]
    assert len(audio) == soundfile.info(path).frames
    on_disk = (path.stat().st_size - HEADER_BYTES) / 16000
    assert on_disk == pytest.approx(seconds, abs=0.25)
    assert on_disk - len(audio) / 8000 <= (1.1 if place == "before the header" else 0)


def test_a_hold_without_packets_is_written_by_the_deadline(tmp_path: Path, writer: RecordingWriter) -> None:
    recorder = Recorder(str(tmp_path / "a.wav"), writer, now=0.0, on_ended=Results())
    assert recorder.deadline == 1.0
    recorder.expire(now=0.5)
    for second in range(1, 11):
        recorder.expire(now=float(second))
        assert recorder.deadline == second + 1.0
    writer.close()
    assert soundfile.info(tmp_path / "a.wav").frames == 77600


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/dev/full", "error: No space left on device"),
        ("/dev/null/a.wav", "error: File exists"),
        ("/proc/nowhere/a.wav", "error: No such file or directory"),
        ("a\0b.wav", "error: embedded null byte"),
    ],
)
def test_trouble_with_the_disk_ends_the_recording_once_and_nothing_else(
    tmp_path: Path, writer: RecordingWriter, path: str, reason: str
) -> None:
    bad, good = Results(), Results()
    broken = Recorder(path, writer, now=0.0, on_ended=bad)
    fine = Recorder(str(tmp_path / "fine.wav"), writer, now=0.0, on_ended=good)
    talk(broken, seconds=2.0)
    talk(fine, seconds=2.0)
    broken.stop(now=2.0)
    fine.stop(now=2.0)
    writer.close()
    assert [result.reason for result in bad.found] == [reason]
    assert [result.reason for result in good.found] == ["stopped"]
    assert broken.ended
    broken.said(frame(1), ("PCMU", 8000), now=3.0)
    broken.expire(now=9.0)


def test_stopping_twice_is_stopping_once(tmp_path: Path, writer: RecordingWriter) -> None:
    results = Results()
    recorder = Recorder(str(tmp_path / "a.wav"), writer, now=0.0, on_ended=results)
    recorder.stop(now=1.0)
    recorder.stop(now=2.0, reason="closed")
    writer.close()
    assert [(result.seconds, result.reason) for result in results.found] == [(1.0, "stopped")]


def test_a_disk_that_does_not_keep_up_ends_the_recording_that_goes_over_the_limit(tmp_path: Path) -> None:
    held, go = threading.Event(), threading.Event()

    def hold(result: RecordingResult) -> None:
        held.set()
        go.wait(5.0)

    writer, results = RecordingWriter(limit_bytes=40_000), Results()
    blocker = Recorder("/dev/null/x", writer, now=0.0, on_ended=hold)
    assert held.wait(5.0)  # the thread is busy now
    recorder = Recorder(str(tmp_path / "a.wav"), writer, now=0.0, on_ended=results)
    for second in range(1, 8):
        recorder.expire(now=float(second))
    go.set()
    writer.close()
    assert blocker.ended
    assert [result.reason for result in results.found] == ["error: the disk does not keep up"]
    assert soundfile.info(tmp_path / "a.wav").frames == 13600  # what had been taken is kept


def test_a_listener_whose_loop_is_closed_does_not_stop_the_writer(
    tmp_path: Path, writer: RecordingWriter
) -> None:
    def closed(result: RecordingResult) -> None:
        raise RuntimeError("Event loop is closed")

    results = Results()
    Recorder(str(tmp_path / "a.wav"), writer, now=0.0, on_ended=closed).stop(now=1.0)
    Recorder(str(tmp_path / "b.wav"), writer, now=0.0, on_ended=results).stop(now=1.0)
    writer.close()
    assert len(results.found) == 1


def test_closing_the_writer_closes_what_is_open(tmp_path: Path, writer: RecordingWriter) -> None:
    results = Results()
    Recorder(str(tmp_path / "a.wav"), writer, now=0.0, on_ended=results).expire(now=1.3)
    writer.close()
    assert [(result.seconds, result.reason) for result in results.found] == [(1.0, "closed")]
    assert (tmp_path / "a.wav").stat().st_mode & 0o137 == 0  # nobody else's
    again = Recorder(str(tmp_path / "b.wav"), writer, now=0.0, on_ended=results)
    again.stop(now=1.0)  # a writer that was closed begins anew
    writer.close()
    assert results.found[1].reason == "stopped"


def test_closing_a_writer_that_never_wrote(writer: RecordingWriter) -> None:
    writer.close()
