"""The consent tone: what tells both parties of a call, again and again, that it is recorded.

It is mixed into what is said and not put in its place. Its time is that of the clock, so that both directions
have it in the same moment.
"""

from __future__ import annotations

import numpy as np

from sipcc.rtp import tones
from sipcc.rtp.codec import g711
from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.flow import Law
from sipcc.rtp.frame import FRAME_S, FRAME_SAMPLES

TONE_HZ = 1400.0
TONE_MS = 500
LEVEL_DBM0 = -20.0
"""Plain to hear, and far below a voice."""

_FRAMES = tones.make_tone((TONE_HZ,), TONE_MS, level_dbm0=LEVEL_DBM0).reshape(-1, FRAME_SAMPLES)


class ConsentTone:
    """The tone of one leg: sounds at once, and then every `period_s` seconds."""

    __slots__ = ("_period_s", "_start")

    def __init__(self, period_s: float, *, now: float) -> None:
        self._period_s = period_s
        self._start = now

    def mix(self, frame: bytes | Pcm | None, law: Law | None, *, at: float) -> bytes | Pcm | None:
        """The frame that is due at `at`, with the tone where it sounds; bytes are in `law`."""
        index = int(max(at - self._start, 0.0) % self._period_s / FRAME_S)
        if index >= len(_FRAMES):
            return frame
        tone = _FRAMES[index]
        if frame is None:
            return tone if law is None else g711.encode(tone, law)
        if not isinstance(frame, bytes):
            return _add(frame, tone)
        return g711.encode(_add(g711.decode(frame, law or "PCMU"), tone), law or "PCMU")


def _add(one: Pcm, other: Pcm) -> Pcm:
    if len(one) != len(other):
        return one
    both: Pcm = np.clip(one.astype(np.int32) + other, -32768, 32767).astype(np.int16)
    return both
