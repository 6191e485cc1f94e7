"""G.722 at 64 kbit/s (mode 1), one byte for two samples of 16 kHz (RFC 3551 §4.5.2).

The coding proper is the package `G722` (libg722), bit for bit that of the Recommendation but for the limiter
behind the transmit filter, which only an overload meets (tests/rfc/test_g722.py). Its own 8 kHz mode costs
half as much, but the codec's filter bank folds what lies above 4 kHz into the narrow band only 9 to 20 dB
down, which makes sibilants rough; hence our own half-band filter.
"""

from __future__ import annotations

import numpy as np
from G722 import G722

from sipcc.rtp.codec.g711 import Pcm, units_of
from sipcc.rtp.codec.halfband import Decimator, Interpolator

_WIDE_HZ = 16000
_BIT_RATE = 64000

_NONE: Pcm = np.zeros(0, np.int16)


class G722Decoder:
    """64 kbit/s to samples at 8 kHz."""

    __slots__ = ("_codec", "_narrow")

    def __init__(self) -> None:
        self._codec = G722(_WIDE_HZ, _BIT_RATE)
        self._narrow = Decimator()

    def decode(self, payload: bytes) -> Pcm:
        """One sample for each byte."""
        if not self.units_of(payload):
            return _NONE
        return self._narrow.run(np.frombuffer(self._codec.decode(bytes(payload)), np.int16))

    def conceal(self, samples: int, following: bytes | None) -> None:
        """The Recommendation itself has none, and libg722 none of its Appendices III and IV."""

    def units_of(self, payload: bytes) -> int:
        """One unit for each byte."""
        return units_of(payload)


class G722Encoder:
    """Samples at 8 kHz to 64 kbit/s."""

    __slots__ = ("_codec", "_wide")

    def __init__(self) -> None:
        self._codec = G722(_WIDE_HZ, _BIT_RATE)
        self._wide = Interpolator()

    def encode(self, pcm: Pcm) -> bytes:
        """One byte for each sample."""
        coded: bytes = self._codec.encode(self._wide.run(pcm))
        return coded
