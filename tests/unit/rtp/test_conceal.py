from __future__ import annotations

import random

import numpy as np
import numpy.typing as npt
import pytest
from tests.speech import need_speech, speak

from sipcc.rtp import tones
from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.conceal import HISTORY_SAMPLES, MAX_SAMPLES, Concealer, find_pitch

FRAME = 160


def voiced(seconds: float) -> Pcm:
    """Something like a vowel: a pitch that moves between 100 and 180 Hz, twelve harmonics, syllables."""
    count = round(seconds * 8000)
    times = np.arange(count) / 8000
    pitch = 140 + 40 * np.sin(2 * np.pi * 0.7 * times)
    phase = 2 * np.pi * np.cumsum(pitch) / 8000
    wave = np.zeros(count)
    for harmonic in range(1, 13):
        low, high = ((harmonic * pitch - formant_hz) / 300 for formant_hz in (600, 1500))
        formant = 1.0 / (1 + low**2) + 0.3 / (1 + high**2)
        wave += formant * np.sin(harmonic * phase)
    wave *= 0.4 + 0.6 * np.abs(np.sin(2 * np.pi * 1.3 * times))
    noise = np.random.default_rng(1).standard_normal(count) * 0.02
    pcm: Pcm = ((wave + noise) * 4000).astype(np.int16)
    return pcm


def spoken(voice: str) -> Pcm:
    """A sentence, at 8 kHz."""
    text = "Thank you for calling. All our agents are busy now, please hold the line and we will be with you."
    pcm: Pcm = (speak(text * 3, voice=voice, pitch=60) * 20000).astype(np.int16)
    return pcm


def heal(pcm: Pcm, lost: list[bool]) -> Pcm:
    """`pcm` in frames, of which those that are `lost` are made up."""
    out = pcm.copy()
    concealer: Concealer | None = None
    for index, gone in enumerate(lost):
        here = slice(index * FRAME, (index + 1) * FRAME)
        if gone:
            concealer = concealer or Concealer(out[max(0, here.start - HISTORY_SAMPLES) : here.start])
            out[here] = concealer.fill(FRAME)
        elif concealer is not None:
            out[here] = concealer.rejoin(pcm[here])
            concealer = None
    return out


def gain_db(pcm: Pcm, *, share: float = 0.05, seed: int = 1) -> float:
    """Segmental SNR over the frames that were lost and had sound in them; zero fill has 0 dB in each."""
    chance = random.Random(seed)
    lost = [index > 5 and chance.random() < share for index in range(len(pcm) // FRAME)]
    healed = heal(pcm, lost).astype(np.float64)
    clean = pcm.astype(np.float64)
    ratios: list[float] = []
    for index, gone in enumerate(lost):
        here = slice(index * FRAME, (index + 1) * FRAME)
        power = float(np.mean(clean[here] ** 2))
        if gone and power > 200.0**2:
            error = float(np.mean((clean[here] - healed[here]) ** 2))
            ratios.append(min(10 * np.log10(power / max(error, 1.0)), 35.0))
    assert len(ratios) >= 20
    return float(np.mean(ratios))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_5_percent_loss_of_a_voiced_sound(seed: int) -> None:
    assert gain_db(voiced(20), seed=seed) >= 3.0


@pytest.mark.parametrize(("voice", "asked_db"), [("en-us+f3", 3.0), ("en", 1.0), ("en-gb+m4", 1.0)])
def test_5_percent_loss_of_speech(voice: str, asked_db: float) -> None:
    # low voices repeat themselves less within 20 ms than high ones, and hissing sounds not at all
    need_speech()
    pcm = spoken(voice)
    assert np.mean([gain_db(pcm, seed=seed) for seed in range(1, 6)]) >= asked_db


@pytest.mark.parametrize("frequency_hz", [75, 100, 125, 160, 200, 400, 1000])
def test_a_steady_tone_goes_on(frequency_hz: int) -> None:
    pcm = tones.make_tone((frequency_hz,), 500)
    filled = Concealer(pcm[:2000]).fill(80)
    error = filled.astype(np.float64) - pcm[2000:2080]
    power = np.mean(pcm[2000:2080].astype(np.float64) ** 2)
    assert np.mean(error**2) < 0.06 * power  # -12 dB


@pytest.mark.parametrize("period", [40, 57, 80, 100, 120])
def test_the_pitch_is_found(period: int) -> None:
    pulse: npt.NDArray[np.float64] = np.exp(-np.arange(period) / 6) * 8000
    assert find_pitch(np.tile(pulse, 12).astype(np.int16)) % period == 0


@pytest.mark.parametrize("sizes", [[160] * 8, [80] * 16, [17] * 60, [1] * 600, [960]])
def test_it_fades_from_10_ms_on_and_is_silent_after_60(sizes: list[int]) -> None:
    concealer = Concealer(tones.make_tone((200,), 100, level_dbm0=-3))
    wave = np.concatenate([concealer.fill(size) for size in sizes]).astype(np.float64)
    assert concealer.spent
    assert not wave[MAX_SAMPLES:].any()
    peaks = [np.abs(wave[start : start + 80]).max() for start in range(0, MAX_SAMPLES, 80)]
    assert peaks == sorted(peaks, reverse=True)
    assert peaks[0] == pytest.approx(peaks[0], rel=0.1)
    assert peaks[5] < 0.25 * peaks[0]


def test_the_length_of_the_pieces_does_not_matter() -> None:
    history = voiced(1)
    whole = Concealer(history).fill(480)
    for size in (160, 80, 40):
        pieces = Concealer(history)
        parts = np.concatenate([pieces.fill(size) for _ in range(480 // size)])
        assert np.abs(parts.astype(int) - whole).max() <= 1


@pytest.mark.parametrize("lost", [1, 2, 3, 10])
def test_there_is_no_click_where_audio_ends_and_returns(lost: int) -> None:
    pcm = tones.make_tone((220,), 1000)
    healed = heal(pcm, [20 <= index < 20 + lost for index in range(len(pcm) // FRAME)]).astype(np.float64)
    step = np.abs(np.diff(healed)).max()
    assert step <= 1.6 * np.abs(np.diff(pcm.astype(np.float64))).max()


@pytest.mark.parametrize("length", [0, 1, 79, 160, 389])
def test_little_history_is_enough(length: int) -> None:
    concealer = Concealer(np.full(length, 1000, dtype=np.int16))
    assert len(concealer.fill(160)) == 160
    assert len(concealer.rejoin(np.zeros(3, dtype=np.int16))) == 3
    assert len(concealer.rejoin(np.zeros(0, dtype=np.int16))) == 0


def test_full_scale_does_not_wrap() -> None:
    chance = np.random.default_rng(1)
    history = np.where(chance.random(HISTORY_SAMPLES) > 0.5, 32767, -32768).astype(np.int16)
    concealer = Concealer(history)
    filled = concealer.fill(160)
    assert np.sign(filled[5:40]).tolist() != []
    assert filled.dtype == np.int16
    assert concealer.rejoin(history[:160]).dtype == np.int16
