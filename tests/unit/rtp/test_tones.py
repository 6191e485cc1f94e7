from __future__ import annotations

import numpy as np
import pytest

from sipcc.rtp import tones
from sipcc.rtp.codec import g711


@pytest.mark.parametrize("frequency", [300.0, 425.0, 450.0, 1000.0, 1400.0, 3100.0])
@pytest.mark.parametrize("level", [-3.0, -13.0, -30.0])
def test_a_tone_has_the_frequency_and_level_asked_for(frequency: float, level: float) -> None:
    pcm = tones.make_tone((frequency,), 500, level_dbm0=level)
    assert len(pcm) == 4000
    assert tones.measure_tone(pcm[400:-400], frequency) == pytest.approx(level, abs=0.15)
    assert tones.measure_level(pcm[400:-400]) == pytest.approx(level, abs=0.15)
    (found,) = tones.find_tones(pcm)
    assert found.frequency_hz == pytest.approx(frequency, abs=2)
    assert found.level_dbm0 == pytest.approx(level, abs=0.3)


def test_two_frequencies_share_the_level() -> None:
    pcm = tones.make_tone((440.0, 480.0), 1000, level_dbm0=-13.0)[200:-200]
    assert tones.measure_level(pcm) == pytest.approx(-13.0, abs=0.1)
    for frequency in (440.0, 480.0):
        assert tones.measure_tone(pcm, frequency) == pytest.approx(-16.0, abs=0.2)


def test_0_dbm0_is_the_digital_milliwatt() -> None:
    period = g711.decode(bytes.fromhex("34212134b4a1a1b4"), "PCMA")
    assert tones.measure_level(np.tile(period, 100)) == pytest.approx(0.0, abs=0.03)


def test_a_tone_begins_and_ends_softly() -> None:
    pcm = tones.make_tone((1000.0,), 100)
    assert np.abs(pcm[:3]).max() < 400
    assert np.abs(pcm[-3:]).max() < 400


@pytest.mark.parametrize(
    ("frequencies", "duration_ms", "samples"), [((), 100, 800), ((450.0,), 0, 0), ((), -5, 0)]
)
def test_no_tone_at_all(frequencies: tuple[float, ...], duration_ms: int, samples: int) -> None:
    pcm = tones.make_tone(frequencies, duration_ms)
    assert len(pcm) == samples
    assert not pcm.any()
    assert tones.measure_level(pcm) == float("-inf")
    assert tones.measure_tone(pcm, 450.0) == float("-inf")


def test_very_loud_is_clipped_and_not_wrapped() -> None:
    pcm = tones.make_tone((450.0,), 100, level_dbm0=20.0)
    assert pcm.max() == 32767
    assert pcm.min() == -32768


@pytest.mark.parametrize(
    ("spec", "rhythm"),
    [
        (tones.RINGBACK["cn"], [(0, 1000), (5000, 6000)]),
        (tones.RINGBACK["eu"], [(0, 1000), (5000, 6000)]),
        (tones.RINGBACK["uk"], [(0, 400), (600, 1000), (3000, 3400), (3600, 4000)]),
        (tones.RINGBACK["us"], [(0, 2000), (6000, 8000)]),
        (tones.BUSY["cn"], [(0, 350), (700, 1050)]),
        (tones.FALLBACK, [(0, 300), (500, 800), (1000, 1300), (1500, 1800)]),
    ],
)
def test_cadence(spec: tones.ToneSpec, rhythm: list[tuple[int, int]]) -> None:
    pcm = tones.render(spec, periods=2)
    loud = np.sqrt(np.mean(pcm.reshape(-1, 80).astype(float) ** 2, axis=1)) > 100
    edges = np.flatnonzero(np.diff(np.concatenate([[False], loud, [False]]).astype(int))) * 10
    assert [tuple(pair) for pair in edges.reshape(-1, 2).tolist()] == rhythm
    strongest = tones.measure_tone(pcm[: 8 * rhythm[0][1]], spec.frequencies_hz[0])
    assert strongest > -20


def test_tones_are_found_one_after_the_other() -> None:
    pcm = np.concatenate(
        [
            tones.make_tone((), 200),
            tones.make_tone((600.0,), 300),
            tones.make_tone((900.0,), 300),
            tones.make_tone((), 200),
            tones.make_tone((900.0,), 200),
        ]
    )
    found = tones.find_tones(pcm)
    assert [round(tone.frequency_hz, -1) for tone in found] == [600, 900, 900]
    for tone, (start, end) in zip(found, [(200, 500), (500, 800), (1000, 1200)], strict=True):
        assert tone.start_ms == pytest.approx(start, abs=30)
        assert tone.end_ms == pytest.approx(end, abs=30)
        assert tone.duration_ms == pytest.approx(end - start, abs=50)


def test_tones_are_found_after_g711() -> None:
    pcm = g711.decode(g711.encode(tones.make_tone((712.0,), 400), "PCMU"), "PCMU")
    (found,) = tones.find_tones(pcm)
    assert found.frequency_hz == pytest.approx(712, abs=3)


@pytest.mark.parametrize("seed", range(3))
def test_noise_and_silence_are_no_tones(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 3000, 8000).astype(np.int16)
    assert tones.find_tones(noise) == []
    assert tones.find_tones(np.zeros(8000, np.int16)) == []
    assert tones.find_tones(np.zeros(100, np.int16)) == []
