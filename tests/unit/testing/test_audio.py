from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from sipcc.rtp.codec import g711
from sipcc.testing import audio


@pytest.mark.parametrize("frequency", [200, 400, 441.5, 700, 1000, 2100, 3400])
@pytest.mark.parametrize("seconds", [0.1, 1.0])
def test_a_tone_is_found_where_it_is(frequency: float, seconds: float) -> None:
    found = audio.find_tones(audio.tone(frequency, seconds))
    assert found[0] == pytest.approx(frequency, abs=5)
    assert audio.tone_share(audio.tone(frequency, seconds), frequency) > 0.95


def test_two_tones_come_strongest_first() -> None:
    mixed = audio.tone(1000, 1, level_dbfs=-12) + audio.tone(400, 1, level_dbfs=-18)
    assert [round(hz) for hz in audio.find_tones(mixed)] == [1000, 400]
    with pytest.raises(AssertionError, match=r"caller: 400 Hz has 20% of the energy.*1000, 400"):
        audio.assert_tone(mixed, 400, what="caller")
    audio.assert_tone(mixed, 1000, share=0.7)
    with pytest.raises(AssertionError, match="400 Hz has"):
        audio.assert_no_tone(mixed, 400)
    audio.assert_no_tone(mixed, 700)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
def test_silence_stays_silence_through_g711(codec: str) -> None:
    law = "PCMU" if codec == "PCMU" else "PCMA"
    quiet = g711.decode(g711.encode(audio.silence(0.5), law), law)
    audio.assert_silent(quiet)
    assert audio.find_tones(quiet) == []
    with pytest.raises(AssertionError, match=r"not silent.*\[700\]"):
        audio.assert_silent(audio.tone(700, 0.5))


def test_nothing_at_all_is_silent_and_has_no_tone() -> None:
    nothing = audio.silence(0)
    assert audio.is_silent(nothing)
    assert audio.find_tones(nothing) == []
    assert audio.tone_share(nothing, 400) == 0
    with pytest.raises(AssertionError):
        audio.assert_tone(nothing, 400)


def test_silent_runs_are_found() -> None:
    samples = np.concatenate(
        [audio.tone(400, 0.5), audio.silence(0.2), audio.tone(400, 0.3), audio.silence(0.1)]
    )
    runs = audio.silent_runs(samples)
    assert [(pytest.approx(a, abs=0.006), pytest.approx(b, abs=0.006)) for a, b in runs] == [
        (0.5, 0.7),
        (1.0, 1.1),
    ]
    assert audio.silent_runs(samples, at_least_s=0.15) == [runs[0]]


def test_payloads_are_whole_frames() -> None:
    frames = audio.payloads(audio.tone(400, 0.05), "PCMA")
    assert [len(frame) for frame in frames] == [160, 160]
    assert b"".join(frames) == audio.alaw(audio.tone(400, 0.04))
    assert audio.ulaw(audio.silence(0.001)) == b"\xff" * 8


def test_wav_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "two.wav"
    left, right = audio.tone(400, 0.3), audio.tone(700, 0.3)
    audio.write_wav(path, left, right)
    got_left, got_right, rate = audio.read_stereo(path)
    assert rate == 8000
    assert np.array_equal(left, got_left)
    assert np.array_equal(right, got_right)
    audio.write_wav(path, left)
    with pytest.raises(ValueError, match="1 channels"):
        audio.read_stereo(path)


def test_wav_in_mu_law_and_what_is_no_wav(tmp_path: Path) -> None:
    path = tmp_path / "law.wav"
    data = audio.ulaw(audio.tone(400, 0.3))
    fmt = struct.pack("<HHIIHH", 7, 1, 8000, 8000, 1, 8)
    body = b"WAVEfmt " + struct.pack("<I", 16) + fmt + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    channels, _ = audio.read_wav(path)
    audio.assert_tone(channels[0], 400)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body.replace(fmt, b"\x55" + fmt[1:]))
    with pytest.raises(ValueError, match="format 85"):
        audio.read_wav(path)
    path.write_bytes(b"RIFF0000WAVE")
    with pytest.raises(ValueError, match="no fmt"):
        audio.read_wav(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="not a RIFF"):
        audio.read_wav(path)
