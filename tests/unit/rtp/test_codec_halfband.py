from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.codec.halfband import SIDE, Decimator, Interpolator


def sine(frequency_hz: float, rate_hz: int, *, seconds: float = 0.5, peak: float = 8000.0) -> Pcm:
    times = np.arange(int(rate_hz * seconds)) / rate_hz
    return (peak * np.sin(2 * np.pi * frequency_hz * times)).astype(np.int16)


def level_db(pcm: Pcm, frequency_hz: float, rate_hz: int, *, peak: float = 8000.0) -> float:
    turns = np.exp(-2j * np.pi * frequency_hz / rate_hz * np.arange(len(pcm)))
    return float(20 * np.log10(2 * abs(pcm.astype(np.float64) @ turns) / len(pcm) / peak + 1e-9))


@pytest.mark.parametrize("frequency_hz", [60, 300, 1000, 2000, 3000, 3400])
def test_speech_passes_down_unchanged(frequency_hz: int) -> None:
    narrow = Decimator().run(sine(frequency_hz, 16000))[400:3600]
    assert level_db(narrow, frequency_hz, 8000) == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize(
    ("frequency_hz", "below_db"), [(4600, 50), (4700, 59), (5000, 60), (6000, 60), (7000, 60)]
)
def test_what_lies_above_does_not_fold_down(frequency_hz: int, below_db: int) -> None:
    narrow = Decimator().run(sine(frequency_hz, 16000))[400:3600]
    assert level_db(narrow, 8000 - frequency_hz, 8000) < -below_db


@pytest.mark.parametrize("frequency_hz", [60, 300, 1000, 2000, 3000, 3400])
def test_upwards_there_is_the_tone_and_no_image(frequency_hz: int) -> None:
    wide = Interpolator().run(sine(frequency_hz, 8000))[800:7200]
    assert level_db(wide, frequency_hz, 16000) == pytest.approx(0.0, abs=0.1)
    assert level_db(wide, 8000 - frequency_hz, 16000) < -50.0


@given(st.lists(st.integers(0, 200), max_size=12), st.integers(0, 2**32 - 1))
def test_cutting_a_stream_elsewhere_changes_nothing(cuts: list[int], seed: int) -> None:
    pcm = np.random.default_rng(seed).integers(-32768, 32768, 2 * sum(cuts)).astype(np.int16)
    whole, parts = Decimator().run(pcm), Decimator()
    at, cut = 0, []
    for count in cuts:
        cut.append(parts.run(pcm[at : at + 2 * count]))
        at += 2 * count
    assert np.array_equal(np.concatenate([*cut, np.zeros(0, np.int16)]), whole)
    wide, up, at, cut = Interpolator().run(pcm), Interpolator(), 0, []
    for count in cuts:
        cut.append(up.run(pcm[at : at + 2 * count]))
        at += 2 * count
    assert np.array_equal(np.concatenate([*cut, np.zeros(0, np.int16)]), wide)


def test_full_scale_is_clipped_and_does_not_wrap() -> None:
    square = np.where(np.arange(1600) // 8 % 2, 32767, -32768).astype(np.int16)
    up = Interpolator().run(square).astype(np.int32)
    down = Decimator().run(square).astype(np.int32)
    assert np.abs(np.diff(up)).max() < 65536 // 2 + 20000
    middle = down[100:700].reshape(-1, 8)  # eight samples are one period of the square
    assert ((middle.max(axis=1) > 20000) & (middle.min(axis=1) < -20000)).all()


def test_the_two_halves_weigh_the_same() -> None:
    assert SIDE.sum() == pytest.approx(0.5, abs=1e-6)
    steady = np.full(400, 12345, np.int16)
    assert set(Decimator().run(steady)[50:].tolist()) == {12345}
    assert set(Interpolator().run(steady)[50:].tolist()) == {12345}
