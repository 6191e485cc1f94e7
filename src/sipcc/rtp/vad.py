"""Hears whether somebody speaks: by energy above the noise, and by how often the wave crosses zero.

A frame is loud when it is well above the floor, which follows the quietest of what was lately heard. Hiss
crosses zero much more often than vowels do at a moderate level, so a loud frame counts as voice when it
crosses zero no more often than speech does, or when it is very loud. Voice begins with `onset_frames` such
frames within a window that is one longer: a click of 20 ms is none.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from sipcc.errors import SipccError
from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.frame import FRAME_SAMPLES, Coding

if TYPE_CHECKING:
    from sipcc.rtp.codec.base import Decoder

_QUIETEST_DB: Final = -65.0
"""The floor never falls below this: comfort noise and silence are alike."""


class VoiceDetector:
    """One party's voice, frame by frame."""

    def __init__(
        self,
        *,
        above_db: float = 12.0,
        least_db: float = -46.0,
        onset_frames: int = 2,
        hangover_frames: int = 8,
    ) -> None:
        """Begin with an unknown noise.

        Args:
            above_db: how far above the floor voice is.
            least_db: nothing below this is voice (dB of full scale, RMS).
            onset_frames: so many frames of voice begin it.
            hangover_frames: so many frames without end it: 160 ms, longer than the stop of a consonant.
        """
        self.speaking = False
        """Whether somebody speaks, as of the last frame."""
        self._above_db = above_db
        self._least_db = least_db
        self._onset = onset_frames
        self._hangover = hangover_frames
        self._floor_db = -50.0
        self._lately: deque[bool] = deque(maxlen=onset_frames + 1)
        self._quiet = 0

    def push(self, frame: bytes) -> bool:
        """Take 20 ms, 320 bytes of signed 16-bit little-endian samples at 8 kHz; whether somebody speaks."""
        return self.push_samples(np.frombuffer(frame, dtype="<i2"))

    def push_samples(self, samples: Pcm) -> bool:
        """The same of samples."""
        voice = self._is_voice(samples.astype(np.float32))
        self._lately.append(voice)
        self._quiet = 0 if voice else self._quiet + 1
        if not self.speaking:
            self.speaking = sum(self._lately) >= self._onset
        elif self._quiet >= self._hangover:
            self.speaking = False
        return self.speaking

    def _is_voice(self, samples: npt.NDArray[np.float32]) -> bool:
        if not len(samples):
            return False
        samples -= samples.mean()
        power = float(np.dot(samples, samples)) / len(samples)
        level_db = 10 * float(np.log10(power / 32768.0**2 + 1e-12))
        crossings = float(np.count_nonzero(samples[1:] * samples[:-1] < 0)) / len(samples)
        loud = level_db > max(self._floor_db + self._above_db, self._least_db)
        voiced = crossings < 0.30 or level_db > self._floor_db + self._above_db + 12
        if not (loud and voiced):
            self._follow(level_db)
        return loud and voiced

    def _follow(self, level_db: float) -> None:
        """The floor falls at once and rises slowly: 3 dB a second."""
        level_db = max(level_db, _QUIETEST_DB)
        self._floor_db = level_db if level_db < self._floor_db else min(level_db, self._floor_db + 0.06)


class VoiceOnset:
    """Hears that somebody begins to speak, in packets as they come: no jitter buffer waits.

    Other codecs than G.711 are decoded here once more, from the moment that somebody listens until the voice
    is heard; a packet that comes out of turn spoils no more than itself.
    """

    def __init__(self) -> None:
        self._detector = VoiceDetector()
        self._coding: Coding | None = None
        self._decoder: Decoder | None = None
        self._rest: Pcm = np.zeros(0, dtype=np.int16)

    def hears(self, payload: bytes, coding: Coding) -> bool:
        """Take a packet; whether somebody speaks. In a codec that is not on this machine nobody ever does."""
        if coding != self._coding:
            self._coding, self._decoder = coding, _decoder_of(coding)
        if self._decoder is None:
            return False
        samples = np.concatenate([self._rest, self._decoder.decode(payload)])
        whole = len(samples) // FRAME_SAMPLES * FRAME_SAMPLES
        self._rest = samples[whole:]
        found = False
        for at in range(0, whole, FRAME_SAMPLES):
            found = self._detector.push_samples(samples[at : at + FRAME_SAMPLES]) or found
        return found


def _decoder_of(coding: Coding) -> Decoder | None:
    from sipcc.rtp.codec.base import make_decoder

    try:
        return make_decoder(*coding)
    except (KeyError, SipccError):
        return None
