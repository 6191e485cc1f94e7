"""Tones: made (ringback, beep, fallback) and found again (for tests and measurements).

Levels are dBm0: a sine of 0 dBm0 lies 3.14 dB below the largest that A-law can carry (G.711 Table 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.frame import SAMPLE_RATE_HZ, samples_of_ms
from sipcc.rtp.toneplan import (
    BEEP,
    BUSY,
    CED,
    CNG,
    FALLBACK,
    HIGH_HZ,
    KEYPAD,
    LOW_HZ,
    RINGBACK,
    ToneSpec,
)

__all__ = [
    "BEEP",
    "BUSY",
    "CED",
    "CNG",
    "FALLBACK",
    "HIGH_HZ",
    "KEYPAD",
    "LOW_HZ",
    "RINGBACK",
    "FoundTone",
    "ToneSpec",
    "find_tones",
    "make_tone",
    "measure_level",
    "measure_tone",
    "render",
]

_FULL_SCALE = 32768.0
_HEADROOM_DB = 3.14
_RAMP_MS = 4  # long enough to take the click away, short against every cadence


def make_tone(frequencies_hz: Sequence[float], duration_ms: float, *, level_dbm0: float = -13.0) -> Pcm:
    """Samples of sines that sound together, `level_dbm0` in all, with soft edges.

    No frequencies at all make silence.
    """
    count = samples_of_ms(duration_ms)
    if not frequencies_hz or count <= 0:
        return np.zeros(max(count, 0), dtype=np.int16)
    each_dbm0 = level_dbm0 - 10.0 * np.log10(len(frequencies_hz))
    peak = _FULL_SCALE * 10.0 ** ((each_dbm0 - _HEADROOM_DB) / 20.0)
    times = np.arange(count) / SAMPLE_RATE_HZ
    wave = np.zeros(count)
    for frequency in frequencies_hz:
        wave += np.sin(2.0 * np.pi * frequency * times)
    wave *= peak
    ramp = min(samples_of_ms(_RAMP_MS), count // 2)
    slope = np.arange(ramp) / max(ramp, 1)
    wave[:ramp] *= slope
    wave[count - ramp :] *= slope[::-1]
    return np.clip(np.rint(wave), -32768, 32767).astype(np.int16)


def render(spec: ToneSpec, *, periods: int = 1) -> Pcm:
    """Samples of `periods` runs through the cadence of `spec`; a whole number loops without a seam."""
    parts: list[Pcm] = []
    for on_ms, off_ms in spec.cadence_ms:
        parts.append(make_tone(spec.frequencies_hz, on_ms, level_dbm0=spec.level_dbm0))
        parts.append(make_tone((), off_ms))
    return np.tile(np.concatenate(parts), periods)


def measure_level(pcm: Pcm) -> float:
    """Level of all that is in `pcm`, in dBm0; -inf for digital silence."""
    return _dbm0(float(np.mean(np.square(pcm.astype(np.float64)))) if len(pcm) else 0.0)


def measure_tone(pcm: Pcm, frequency_hz: float) -> float:
    """Level of one frequency in `pcm`, in dBm0 (the Goertzel sum, written as a product).

    Resolution is about 8000 / len(pcm) Hz.
    """
    if not len(pcm):
        return float("-inf")
    turns = np.exp(-2j * np.pi * frequency_hz / SAMPLE_RATE_HZ * np.arange(len(pcm)))
    amplitude = 2.0 * abs(complex(np.dot(pcm.astype(np.float64), turns))) / len(pcm)
    return _dbm0(amplitude * amplitude / 2.0)


def _dbm0(power: float) -> float:
    if power <= 0.0:
        return float("-inf")
    return float(10.0 * np.log10(power / (_FULL_SCALE**2 / 2.0)) + _HEADROOM_DB)


class FoundTone(NamedTuple):
    """A stretch of `pcm` in which one frequency stands out."""

    frequency_hz: float
    level_dbm0: float
    start_ms: int
    end_ms: int

    @property
    def duration_ms(self) -> int:
        """How long it sounded, to about 20 ms."""
        return self.end_ms - self.start_ms


def find_tones(
    pcm: Pcm, *, floor_dbm0: float = -45.0, purity: float = 0.5, tolerance_hz: float = 20.0
) -> list[FoundTone]:
    """The tones in `pcm`, one after the other, by windows of 40 ms every 20 ms.

    A window counts when it is louder than `floor_dbm0` and the share `purity` of its power lies around its
    strongest frequency; neighbours within `tolerance_hz` are one tone. Of a pair that sounds together only
    the stronger one is named: ask `measure_tone` for both.
    """
    window, hop = 320, 160
    if len(pcm) < window:
        return []
    frames = np.lib.stride_tricks.sliding_window_view(pcm.astype(np.float64), window)[::hop]
    found: list[FoundTone] = []
    for index, (frequency, level) in enumerate(_peaks(frames, floor_dbm0, purity)):
        if frequency <= 0.0:
            continue
        # The middle 20 ms of a window are what it speaks for.
        start, end = index * 20 + 10, index * 20 + 30
        last = found[-1] if found else None
        if last and last.end_ms == start and abs(last.frequency_hz - frequency) <= tolerance_hz:
            share = 20 / (end - last.start_ms)
            found[-1] = FoundTone(
                last.frequency_hz + (frequency - last.frequency_hz) * share,
                max(last.level_dbm0, level),
                last.start_ms,
                end,
            )
        else:
            found.append(FoundTone(frequency, level, start, end))
    return found


def _peaks(frames: npt.NDArray[np.float64], floor_dbm0: float, purity: float) -> list[tuple[float, float]]:
    """Frequency and level of the strongest sine of each frame; frequency 0 where none stands out."""
    size = frames.shape[1]
    power = np.abs(np.fft.rfft(frames * np.hanning(size), n=4 * size, axis=1)) ** 2
    power[:, :8] = 0.0  # below 50 Hz: offset and hum
    best = np.clip(power.argmax(axis=1), 1, power.shape[1] - 2)
    rows = np.arange(len(frames))
    around = np.minimum(np.maximum(best[:, None] + np.arange(-8, 9), 0), power.shape[1] - 1)
    share = power[rows[:, None], around].sum(axis=1) / np.maximum(power.sum(axis=1), 1e-9)
    left, middle, right = (np.log(power[rows, best + step] + 1e-9) for step in (-1, 0, 1))
    curve = left - 2 * middle + right
    shift = np.where(curve < 0, (left - right) / np.where(curve == 0, 1.0, 2 * curve), 0.0)
    frequencies = (best + shift) * SAMPLE_RATE_HZ / (4 * size)
    levels = [_dbm0(float(value)) for value in np.mean(frames**2, axis=1)]
    return [
        (float(frequency), level) if level >= floor_dbm0 and part >= purity else (0.0, level)
        for frequency, level, part in zip(frequencies, levels, share, strict=True)
    ]
