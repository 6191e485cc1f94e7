"""Keeps the tones of keys from whoever hears or records a party.

A key is known 25 to 50 ms after its tones began, when the first of them have long gone to the far side and
are heard there as a key of their own (rtpengine #1123). So what the party says is held back for 40 ms, and
when a key is found it is muted from its very first sample on, in what is still here.
"""

from __future__ import annotations

from collections import deque

from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.frame import FRAME_S, FRAME_SAMPLES

DELAY_FRAMES = 2
DELAY_S = DELAY_FRAMES * FRAME_S


class MaskLine:
    """The delay line of one leg. Places are those of the leg's slot in the `sipcc.rtp.inband.ToneBank`."""

    def __init__(self) -> None:
        self._line: deque[bytes | Pcm | None] = deque()
        self._place = 0
        """Where the oldest frame in the line begins."""
        self._muted: list[tuple[int, int]] = []
        self.muted_samples = 0

    def mute(self, span: tuple[int, int] | None) -> None:
        """Let nothing of `span`, from sample to sample, go out any more."""
        if span is None or span[1] <= self._place:
            return
        muted = self._muted
        if muted and span[0] <= muted[-1][1]:
            first, last = muted.pop()
            span = min(first, span[0]), max(last, span[1])
        muted.append(span)

    def push(self, frame: bytes | Pcm | None, place: int, silence: int) -> bytes | Pcm | None:
        """Take the frame that begins at `place`, and give the one of 40 ms ago, with keys muted.

        Bytes are G.711, whose byte for silence is `silence`; None is a frame in which nothing was said. What
        must not be heard is told by `mute` before.
        """
        if self._line and place != self._place + len(self._line) * FRAME_SAMPLES:
            self._line.clear()  # the leg was not listened to for a while
        if not self._line:
            self._place = place
            self._muted = [span for span in self._muted if span[1] > place]
        self._line.append(frame)
        if len(self._line) <= DELAY_FRAMES:
            return None
        oldest, at = self._line.popleft(), self._place
        self._place += FRAME_SAMPLES
        return self._clean(oldest, at, silence) if self._muted else oldest

    def _clean(self, frame: bytes | Pcm | None, at: int, silence: int) -> bytes | Pcm | None:
        cleaned = frame
        for first, last in self._muted:
            begin, end = max(first - at, 0), min(last - at, FRAME_SAMPLES)
            if begin >= end or cleaned is None:
                continue
            self.muted_samples += end - begin
            if isinstance(cleaned, bytes):
                cleaned = cleaned[:begin] + bytes([silence]) * (end - begin) + cleaned[end:]
            else:
                cleaned = cleaned.copy()
                cleaned[begin:end] = 0
        self._muted = [span for span in self._muted if span[1] > self._place]
        return cleaned
