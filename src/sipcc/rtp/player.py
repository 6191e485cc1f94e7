"""Plays coded audio, one 20 ms frame a tick, without any signal processing per listener.

The items of a playlist are byte strings, one byte a sample, shared by all who listen. A frame that spans the
seam of two items is joined from both, so there is neither a gap nor padding between them. Hold music is
`shared`: its position is a function of the clock alone, so that a caller who comes back to it hears it
where it would be by now, and n listeners do not slow it down.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from sipcc.rtp.flow import Law
from sipcc.rtp.frame import FRAME_SAMPLES, SAMPLE_RATE_HZ, SILENCE_BYTE, ms_of_samples

_MAX_DRIFT_SAMPLES = 2 * FRAME_SAMPLES  # beyond it a shared player goes back to where the clock is


class Player:
    """One play on one port: ask `pull` for each frame until it returns None."""

    def __init__(
        self,
        payloads: Sequence[bytes],
        *,
        codec: Law,
        loop: bool = False,
        shared: bool = False,
        now: float = 0.0,
    ) -> None:
        """Get ready to play `payloads`, one byte a sample in `codec`, from `now` on."""
        self._payloads = [payload for payload in payloads if payload]
        self._starts = [0, *accumulate(map(len, self._payloads))]
        self._total = self._starts.pop()
        self._loop = loop and self._total > 0
        self._shared = shared and self._loop
        self._silence = bytes([SILENCE_BYTE[codec]])
        self._item = 0
        self._offset = 0
        self._left = self._total
        self._played = 0
        self._stopped = False
        if self._shared:
            self._seek(self._clock_position(now))

    @property
    def done(self) -> bool:
        """True when nothing is left to play."""
        return self._stopped or (not self._loop and self._left <= 0)

    @property
    def played_ms(self) -> int:
        """How much was pulled, without the silence behind the end."""
        return ms_of_samples(self._played)

    def stop(self) -> None:
        """Play no more."""
        self._stopped = True

    def pull(self, *, now: float = 0.0) -> bytes | None:
        """The next 160 bytes, or None when the play is over; `now` matters to a shared play only."""
        if self.done:
            return None
        if self._shared:
            self._follow_clock(now)
        payload = self._payloads[self._item]
        offset = self._offset
        end = offset + FRAME_SAMPLES
        if end < len(payload):  # nearly always
            self._offset = end
            self._left -= FRAME_SAMPLES
            self._played += FRAME_SAMPLES
            return payload[offset:end]
        return self._pull_over_seam()

    def recode(self, payloads: Sequence[bytes], codec: Law) -> None:
        """Go on at the same place with the same items in another codec."""
        payloads = [payload for payload in payloads if payload]
        if [len(payload) for payload in payloads] != [len(payload) for payload in self._payloads]:
            raise ValueError("the items in the other codec have other lengths")
        self._payloads = payloads
        self._silence = bytes([SILENCE_BYTE[codec]])

    def _pull_over_seam(self) -> bytes:
        parts: list[bytes] = []
        missing = FRAME_SAMPLES
        while missing and (self._left > 0 or self._loop):
            payload = self._payloads[self._item]
            part = payload[self._offset : self._offset + missing]
            parts.append(part)
            missing -= len(part)
            self._left -= len(part)
            self._played += len(part)
            self._offset += len(part)
            if self._offset == len(payload):
                self._offset = 0
                self._item = (self._item + 1) % len(self._payloads)
        parts.append(self._silence * missing)
        return b"".join(parts)

    def _clock_position(self, now: float) -> int:
        return int(now * SAMPLE_RATE_HZ) % self._total

    def _follow_clock(self, now: float) -> None:
        """Jump when the ticks were late or left out by more than two frames."""
        position = self._starts[self._item] + self._offset
        ahead = (position - int(now * SAMPLE_RATE_HZ)) % self._total
        if _MAX_DRIFT_SAMPLES < ahead < self._total - _MAX_DRIFT_SAMPLES:
            self._seek(self._clock_position(now))

    def _seek(self, position: int) -> None:
        self._item = bisect_right(self._starts, position) - 1
        self._offset = position - self._starts[self._item]
