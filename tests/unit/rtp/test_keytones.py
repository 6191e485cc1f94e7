from __future__ import annotations

import numpy as np
import pytest

from sipcc.rtp.keytones import KeySounder, sound_key
from sipcc.rtp.tones import HIGH_HZ, KEYPAD, LOW_HZ, measure_level, measure_tone


def all_of(sounder: KeySounder) -> np.ndarray:
    frames = []
    while sounder.busy:
        frame = sounder.tick()
        assert frame is not None
        frames.append(frame)
    assert sounder.tick() is None
    return np.concatenate(frames) if frames else np.zeros(0, dtype=np.int16)


@pytest.mark.parametrize("key", KEYPAD)
def test_frequencies_and_levels(key: str) -> None:
    pcm = sound_key(key, 0, 800, length=None)[100:]
    index = KEYPAD.index(key)
    assert measure_tone(pcm, LOW_HZ[index // 4]) == pytest.approx(-9, abs=0.3)
    assert measure_tone(pcm, HIGH_HZ[index % 4]) == pytest.approx(-7, abs=0.3)


@pytest.mark.parametrize(("on_ms", "gap_ms"), [(100, 100), (70, 50), (45, 41), (250, 60)])
def test_lengths_to_the_sample(on_ms: int, gap_ms: int) -> None:
    sounder = KeySounder()
    sounder.send("12", duration_ms=on_ms, gap_ms=gap_ms)
    pcm = all_of(sounder)
    loud = np.flatnonzero(np.abs(pcm) > 0)
    first = loud[loud < on_ms * 8]
    assert first[-1] == pytest.approx(on_ms * 8, abs=2)
    assert not pcm[on_ms * 8 : (on_ms + gap_ms) * 8].any()


def test_frames_join_without_a_click() -> None:
    whole = sound_key("5", 0, 800, length=800)
    assert np.array_equal(
        np.concatenate([sound_key("5", at, 160, length=800) for at in range(0, 800, 160)]), whole
    )
    assert abs(int(whole[0])) < 300
    assert abs(int(whole[-1])) < 1500


def test_a_held_key_sounds_until_it_comes_up() -> None:
    sounder = KeySounder()
    sounder.begin("7")
    for _ in range(20):
        frame = sounder.tick()
        assert frame is not None
        assert measure_level(frame) > -8
    sounder.end(410)
    rest = all_of(sounder)
    assert measure_level(rest[:80]) > -12
    assert not rest[120:].any()


def test_a_short_held_key_is_made_long_enough() -> None:
    sounder = KeySounder()
    sounder.begin("7")
    sounder.tick()
    sounder.end(20)
    rest = all_of(sounder)
    assert measure_level(rest[: 80 * 8 - 20]) > -8
    assert not rest[80 * 8 :].any()


def test_the_next_held_key_ends_the_one_before() -> None:
    sounder = KeySounder()
    sounder.begin("1")
    sounder.begin("2")
    sounder.end(100)
    assert len(all_of(sounder)) == 2 * 1600


def test_a_held_key_that_is_never_let_go_ends() -> None:
    sounder = KeySounder()
    sounder.begin("1")
    assert len(all_of(sounder)) / 8000 == pytest.approx(60.1, abs=0.05)


def test_clear() -> None:
    sounder = KeySounder()
    sounder.send("123")
    sounder.tick()
    sounder.clear()
    assert len(all_of(sounder)) == 1440
    sounder.begin("1")
    sounder.clear()
    assert not sounder.busy


def test_a_flash_has_no_sound() -> None:
    sounder = KeySounder()
    sounder.send("!")
    sounder.begin("!")
    sounder.end(100)
    assert not sounder.busy


@pytest.mark.parametrize("wrong", ["x", "1x"])
def test_what_is_no_key(wrong: str) -> None:
    sounder = KeySounder()
    with pytest.raises(ValueError, match="not a DTMF digit"):
        sounder.send(wrong)
    with pytest.raises(ValueError, match="not a DTMF digit"):
        sounder.begin(wrong)
    with pytest.raises(ValueError, match="not a DTMF digit"):
        sound_key(wrong, 0, 160, length=None)
    assert not sounder.busy
