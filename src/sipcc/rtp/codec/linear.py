"""L16: plain samples in network byte order, at 8 or 16 kHz (RFC 3551 §4.5.11)."""

from __future__ import annotations

import numpy as np

from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.codec.halfband import Decimator, Interpolator
from sipcc.rtp.formats import MAX_PAYLOAD_MS

_WIDE_HZ = 16000

_NONE: Pcm = np.zeros(0, np.int16)


def units_of(payload: bytes, clock_rate_hz: int) -> int:
    """One unit for two bytes; 0 for a payload that no honest peer sends."""
    units = len(payload) // 2
    return units if units * 1000 <= MAX_PAYLOAD_MS * clock_rate_hz else 0


class L16Decoder:
    """Big-endian samples to ours."""

    __slots__ = ("_narrow", "_rate_hz")

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._narrow = Decimator() if rate_hz == _WIDE_HZ else None

    def decode(self, payload: bytes) -> Pcm:
        """Samples of whole pairs of bytes, at 8 kHz."""
        count = self.units_of(payload)
        if not count:
            return _NONE
        pcm = np.frombuffer(payload, ">i2", count).astype(np.int16)
        return pcm if self._narrow is None else self._narrow.run(pcm)

    def conceal(self, samples: int, following: bytes | None) -> None:
        """Plain samples have no concealment."""

    def units_of(self, payload: bytes) -> int:
        """One unit for two bytes."""
        return units_of(payload, self._rate_hz)


class L16Encoder:
    """Our samples to big-endian ones."""

    __slots__ = ("_wide",)

    def __init__(self, rate_hz: int) -> None:
        self._wide = Interpolator() if rate_hz == _WIDE_HZ else None

    def encode(self, pcm: Pcm) -> bytes:
        """Two bytes for each sample of the line's rate."""
        return (pcm if self._wide is None else self._wide.run(pcm)).astype(">i2").tobytes()
