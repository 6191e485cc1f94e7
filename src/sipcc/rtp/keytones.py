"""Keys as tones within the audio, for a leg without telephone events.

The face is that of `sipcc.rtp.dtmf.DigitSender`, so that whoever has keys to send need not know how the leg
takes them. A key sounds for 100 ms at least, with -9 dBm0 for the low tone and -7 for the high one: the line
takes more of the high ones on its way.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.dtmf import FLASH_KEY, event_of
from sipcc.rtp.frame import FRAME_SAMPLES, SAMPLE_RATE_HZ, samples_of_ms
from sipcc.rtp.tones import HIGH_HZ, KEYPAD, LOW_HZ

LOW_DBM0 = -9.0
HIGH_DBM0 = -7.0
_RAMP = samples_of_ms(2)
_FULL_SCALE = 32768.0
_HEADROOM_DB = 3.14


def sound_key(key: str, start: int, count: int, *, length: int | None) -> Pcm:
    """`count` samples of a key from its sample `start` on; it is `length` samples long, or held down yet.

    Raises:
        ValueError: it is none of ``0-9*#A-D``.
    """
    index = KEYPAD.find(key) if len(key) == 1 else -1
    if index < 0:
        raise ValueError(f"not a DTMF digit: {key!r}")
    places = np.arange(start, start + count)
    wave = np.zeros(count)
    for hz, dbm0 in ((LOW_HZ[index // 4], LOW_DBM0), (HIGH_HZ[index % 4], HIGH_DBM0)):
        peak = _FULL_SCALE * 10 ** ((dbm0 - _HEADROOM_DB) / 20)
        wave += peak * np.sin(2 * np.pi * hz / SAMPLE_RATE_HZ * places)
    wave *= np.minimum(1.0, places / _RAMP)
    if length is not None:
        wave *= np.clip((length - places) / _RAMP, 0.0, 1.0)
    return np.rint(wave).astype(np.int16)


class _Key:
    __slots__ = ("digit", "gap", "length")

    def __init__(self, digit: str, length: int | None, gap: int) -> None:
        self.digit = digit
        self.length = length
        self.gap = gap


class KeySounder:
    """Makes the frames of keys. Ask `tick` at each frame: samples go out instead of the audio, None lets it.

    Between keys there is silence and no audio, so that no voice makes one key of two.
    """

    MIN_MS = 100
    MAX_MS = 60_000

    def __init__(self) -> None:
        self._waiting: deque[_Key] = deque()
        self._key: _Key | None = None
        self._held: _Key | None = None
        self._place = 0

    @property
    def busy(self) -> bool:
        """True until the last pause is over."""
        return self._key is not None or bool(self._waiting)

    @property
    def waiting(self) -> int:
        """Keys that have not begun."""
        return len(self._waiting)

    def send(self, digits: str, *, duration_ms: int = 100, gap_ms: int = 100) -> None:
        """Queue `digits`; a hook flash has no sound and is left out.

        Raises:
            ValueError: a character is not one of ``0-9*#A-D!``.
        """
        for digit in digits:
            event_of(digit)
        length = samples_of_ms(min(max(duration_ms, 40), self.MAX_MS))
        gap = samples_of_ms(max(gap_ms, 40))
        self._waiting.extend(_Key(digit, length, gap) for digit in digits.upper() if digit != FLASH_KEY)

    def begin(self, digit: str, *, gap_ms: int = 100) -> None:
        """Queue a key that is held down until `end`; one that is held already ends first.

        Raises:
            ValueError: it is no key.
        """
        event_of(digit)
        self.end(0)
        if digit != FLASH_KEY:
            self._held = _Key(digit.upper(), None, samples_of_ms(gap_ms))
            self._waiting.append(self._held)

    def end(self, duration_ms: int) -> None:
        """The key that is held down came up after `duration_ms`."""
        held, self._held = self._held, None
        if held is not None:
            held.length = samples_of_ms(min(max(duration_ms, self.MIN_MS), self.MAX_MS))
            if held is self._key:
                held.length = max(held.length, self._place + _RAMP)

    def clear(self) -> None:
        """Forget the digits not yet begun; the one under way ends."""
        self._waiting.clear()
        if self._key is not None:
            self.end(0)
        self._held = None

    def tick(self) -> Pcm | None:
        """What to send as this frame's audio, or None for the audio itself."""
        key = self._key
        if key is None:
            if not self._waiting:
                return None
            key = self._key = self._waiting.popleft()
            self._place = 0
        if key.length is None and self._place >= samples_of_ms(self.MAX_MS):
            key.length = self._place + _RAMP
            self._held = None
        frame = sound_key(key.digit, self._place, FRAME_SAMPLES, length=key.length)
        self._place += FRAME_SAMPLES
        if key.length is not None and self._place >= key.length + key.gap:
            self._key = None
        return frame
