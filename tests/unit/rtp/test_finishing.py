from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sipcc.rtp import finishing, tones
from sipcc.rtp.codec import g711
from sipcc.rtp.finishing import Finished, Waveform, compare, finish
from sipcc.rtp.recorder import COMMENT, wav_header


def record(path: Path, *, seconds: float = 3.0) -> Path:
    """A file as the recorder writes it: 600 Hz left, the second half of it 1500 Hz right."""
    left = tones.make_tone((600.0,), seconds * 1000, level_dbm0=-10)
    right = tones.make_tone((1500.0,), seconds * 1000, level_dbm0=-20)
    right[: len(right) // 2] = 0
    both = g711.encode(np.stack([left, right], axis=1).ravel(), "PCMU")
    path.write_bytes(wav_header(len(both)) + both)
    return path


@pytest.mark.parametrize(("format", "suffix"), [("flac", ".flac"), ("opus", ".ogg")])
def test_the_copy_holds_the_same_audio_and_the_original_goes(
    tmp_path: Path, format: finishing.Format, suffix: str
) -> None:
    source = record(tmp_path / "call.wav")
    os.utime(source, (1e9, 1e9))
    before = soundfile.read(source, dtype="int16")[0]
    done = finish(str(source), format=format)
    target = tmp_path / f"call{suffix}"
    assert done == Finished(str(target), target.stat().st_size)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert target.stat().st_mtime == 1e9
    assert target.stat().st_mode & 0o137 == 0
    after = soundfile.read(target, dtype="int16")[0]
    assert after.shape == before.shape
    if format == "flac":
        assert np.array_equal(before, after)
    for column, (frequency, level) in enumerate([(600.0, -10.0), (1500.0, -20.0)]):
        assert tones.measure_tone(after[16000:23000, column], frequency) == pytest.approx(level, abs=1.0)
    assert tones.measure_level(after[1000:11000, 1]) < -45
    assert COMMENT in soundfile.SoundFile(target).comment


def test_wav_without_a_waveform_stays_as_it_is(tmp_path: Path) -> None:
    source = record(tmp_path / "call.wav")
    assert finish(str(source)) == Finished(str(source), source.stat().st_size)
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("format", ["wav", "flac", "opus"])
def test_the_waveform_shows_both_sides(tmp_path: Path, format: finishing.Format) -> None:
    done = finish(str(record(tmp_path / "call.wav")), format=format, peaks=True)
    assert done.peaks == str(tmp_path / "call.peaks.json")
    assert Path(done.peaks).stat().st_mode & 0o137 == 0
    shown = json.loads(Path(done.peaks).read_text())
    assert (shown["seconds"], shown["point_ms"]) == (3.0, 10.0)
    assert shown["channels"] == ["said", "heard"]
    left, right = shown["peaks"]
    assert len(left) == len(right) == 300
    assert min(left) == pytest.approx(max(left), abs=0.02)
    assert max(right[:150]) == 0
    assert min(right[151:]) == pytest.approx(0.07, abs=0.01)


@pytest.mark.parametrize("frames", [1, 79, 80, 8000, 80 * 2000, 80 * 2000 + 1, 8000 * 3600 * 4 + 7])
def test_a_waveform_is_never_long(frames: int) -> None:
    waveform = Waveform(frames, 2)
    loud = 0
    for start in range(0, frames, 8000):
        block = np.zeros((min(8000, frames - start), 2), dtype=np.int16)
        if start % (8000 * 600) == 0:
            block[0] = -32768
            loud += 1
        waveform.add(block)
    shown = json.loads(waveform.encode())
    assert len(shown["peaks"][0]) <= 2000
    assert shown["peaks"][1].count(1.0) == loud
    assert len(waveform.encode()) < 40_000


def test_a_file_longer_than_its_header_said_does_no_harm() -> None:
    waveform = Waveform(100, 1)
    waveform.add(np.full((150, 1), 9, dtype=np.int16))
    waveform.add(np.full((150, 1), 9999, dtype=np.int16))
    assert json.loads(waveform.encode())["peaks"] == [[0.0, 0.0]]


def test_a_bad_copy_is_found_and_the_original_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = record(tmp_path / "call.wav")
    whole = source.read_bytes()
    convert = finishing._convert

    def short(audio: soundfile.SoundFile, part: Path, *rest: object) -> None:
        convert(audio, part, *rest)  # type: ignore[arg-type]
        samples, rate = soundfile.read(part)
        soundfile.write(part, samples[:-1], rate, format="FLAC")

    monkeypatch.setattr(finishing, "_convert", short)
    done = finish(str(source), format="flac", peaks=True)
    assert done.path == str(source)
    assert "23999 samples" in done.error
    assert source.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize(("change", "exact"), [(1, True), (6000, False)])
def test_a_copy_with_other_samples_is_told_from_the_original(
    tmp_path: Path, change: int, exact: bool
) -> None:
    samples = np.zeros((16000, 2), dtype=np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 8000)
    samples[12000:, 1] = change
    soundfile.write(tmp_path / "b.wav", samples, 8000)
    with pytest.raises(ValueError, match="second 1"):
        compare(tmp_path / "b.wav", tmp_path / "a.wav", exact=exact)


@pytest.mark.parametrize("format", ["wav", "flac"])
@pytest.mark.parametrize("content", [None, b"", b"RIFF", b"not a sound at all" * 20])
def test_a_file_that_cannot_be_read_is_left_alone(
    tmp_path: Path, format: finishing.Format, content: bytes | None
) -> None:
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    done = finish(str(path), format=format, peaks=True)
    assert (done.path, bool(done.error)) == (str(path), True)
    assert [item.read_bytes() for item in tmp_path.iterdir()] == ([] if content is None else [content])


def test_no_room_for_the_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = record(tmp_path / "call.wav")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(finishing, "_convert", full)
    done = finish(str(source), format="opus")
    assert done.error == "[Errno 28] No space left on device"
    assert list(tmp_path.iterdir()) == [source]
