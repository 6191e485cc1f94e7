"""Between 16 kHz and 8 kHz, by one half-band filter of 47 taps.

Flat within 0.1 dB to 3.4 kHz, 50 dB down at 4.6 kHz and 59 dB from 4.7 kHz on; 1.4 ms of delay. Of a
half-band filter every second tap is zero but the middle one, so half of the samples are only delayed and the
other half costs 24 multiplications. State is kept between calls: any cutting of a stream gives the same
samples.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sipcc.rtp.codec.g711 import Pcm

_TAPS = 47
_MIDDLE = _TAPS // 2
_SIDE = 24  # taps beside the middle one that are not zero
_KAISER_BETA = 5.65  # 60 dB

_Wave = npt.NDArray[np.float32]


def _make_side() -> _Wave:
    """The taps beside the middle one, made to a sum of exactly one half, which the middle one is too."""
    offsets = np.arange(0, _TAPS, 2) - _MIDDLE
    taps = 0.5 * np.sinc(offsets / 2.0) * np.kaiser(_TAPS, _KAISER_BETA)[::2]
    side: _Wave = (taps * (0.5 / taps.sum())).astype(np.float32)
    return side


SIDE = _make_side()
_SIDE_DOUBLED = SIDE * np.float32(2.0)


def _to_samples(wave: _Wave) -> Pcm:
    np.rint(wave, out=wave)
    np.minimum(wave, 32767.0, out=wave)
    np.maximum(wave, -32768.0, out=wave)
    return wave.astype(np.int16)


class Decimator:
    """16 kHz to 8 kHz."""

    __slots__ = ("_past",)

    def __init__(self) -> None:
        self._past: Pcm = np.zeros(2 * _MIDDLE, np.int16)

    def run(self, wide: Pcm) -> Pcm:
        """Half as many samples; of an odd number the last one is dropped."""
        count = len(wide) // 2
        if not count:
            return wide[:0]
        line = np.concatenate((self._past, wide[: 2 * count]))
        self._past = line[2 * count :]
        wave = np.correlate(line[::2].astype(np.float32), SIDE, "valid")
        middle = _MIDDLE // 2  # 2m - 23 is the odd sample m - 12; the line begins 23 pairs before
        wave += np.float32(0.5) * line[2 * middle + 1 : 2 * (middle + count) + 1 : 2]
        return _to_samples(wave)


class Interpolator:
    """8 kHz to 16 kHz."""

    __slots__ = ("_past",)

    def __init__(self) -> None:
        self._past: Pcm = np.zeros(_SIDE - 1, np.int16)

    def run(self, narrow: Pcm) -> Pcm:
        """Twice as many samples."""
        count = len(narrow)
        line = np.concatenate((self._past, narrow))
        self._past = line[count:]
        wide = np.empty(2 * count, np.int16)
        if count:
            wide[::2] = _to_samples(np.correlate(line.astype(np.float32), _SIDE_DOUBLED, "valid"))
            wide[1::2] = line[_SIDE // 2 : _SIDE // 2 + count]
        return wide
