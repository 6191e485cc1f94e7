"""Plays coded audio, one 20 ms frame a tick, without any signal processing per listener.

The items of a playlist are shared by all who listen: byte strings of G.711, one byte a sample, and for legs
of other codecs also one ready packet for each frame of them. A frame that spans the seam of two items is
joined from both, so there is neither a gap nor padding between them. Hold music is `shared`: its position is
a function of the clock alone, so that a caller who comes back to it hears it where it would be by now, and n
listeners do not slow it down.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

import msgspec

from sipcc.rtp.flow import Law
from sipcc.rtp.frame import (
    FRAME_SAMPLES,
    SAMPLE_RATE_HZ,
    SILENCE_FRAME,
    Coding,
    law_of,
    ms_of_samples,
    samples_of_ms,
)

_MAX_DRIFT_SAMPLES = 2 * FRAME_SAMPLES  # beyond it a shared player goes back to where the clock is


class Clip(msgspec.Struct, frozen=True):
    """Coded audio, ready to be played any number of times."""

    payload: bytes
    """G.711, one byte a sample; a whole number of frames where there are packets."""
    packets: tuple[bytes, ...] = ()
    """The same in another codec, one packet for each frame of `payload`; empty when there are none."""
    error: str = ""
    """Why the fallback tone is in place of the file; empty when all is well."""

    @property
    def size_bytes(self) -> int:
        """What it costs to keep."""
        return len(self.payload) + sum(map(len, self.packets))


class Player:
    """One play on one port: ask `pull` for each frame until it returns None."""

    def __init__(
        self,
        clips: Sequence[Clip],
        *,
        coding: Coding,
        loop: bool = False,
        shared: bool = False,
        now: float = 0.0,
    ) -> None:
        """Get ready to play `clips`, which were made for `coding`, from `now` on."""
        self.coding = coding
        self.law: Law = law_of(coding[0]) or "PCMU"
        """The law of the frames."""
        self.packet: bytes | None = None
        """The frame that was pulled last as a ready packet of the leg's codec, where there is one."""
        self.turned = False
        """Only streams tell their producer something."""
        self.paused = False
        """While it is set there is silence; then it goes on here, a shared play where the others are then."""
        self._played = 0
        self._stopped = False
        self._item = 0
        self._offset = 0
        self._load(clips)
        self._loop = loop and self._total > 0
        self._shared = shared and self._loop
        self._joined = False
        if self._shared:
            self._go_to(self._clock_position(now))
        else:
            self._pass_empty()

    def _load(self, clips: Sequence[Clip]) -> None:
        self._clips = clips
        self._starts = [0, *accumulate(len(clip.payload) for clip in clips)]
        self._total = self._starts.pop()
        self._step = FRAME_SAMPLES if any(clip.packets for clip in clips) else 1
        """Positions are whole frames when there are packets."""

    @property
    def done(self) -> bool:
        """True when nothing is left to play."""
        return self._stopped or self._item >= len(self._clips)

    @property
    def played_ms(self) -> int:
        """How much was pulled, without the silence behind the end and in pauses."""
        return ms_of_samples(self._played)

    @property
    def position_ms(self) -> int:
        """How far into the playlist it is."""
        return ms_of_samples(self._total if self._item >= len(self._clips) else self._position)

    @property
    def _position(self) -> int:
        return self._starts[self._item] + self._offset

    def stop(self) -> None:
        """Play no more."""
        self._stopped = True

    def seek(self, position_ms: int) -> None:
        """Go on at this place of the playlist, from its beginning; beyond its end a loop begins anew.

        A shared play stays with the others.
        """
        if self._shared or self._stopped:
            return
        position = max(0, samples_of_ms(position_ms))
        self._go_to(position % self._total if self._loop else position)

    def pull(self, *, now: float = 0.0) -> bytes | None:
        """The next 160 bytes, or None when the play is over; `now` matters to a shared play only."""
        self.packet = None
        if self.done:
            return None
        if self.paused:
            return SILENCE_FRAME[self.law]
        if self._shared:
            self._follow_clock(now)
        clip = self._clips[self._item]
        payload, offset = clip.payload, self._offset
        if clip.packets:
            self.packet = clip.packets[offset // FRAME_SAMPLES]
        end = offset + FRAME_SAMPLES
        if end < len(payload):  # nearly always
            self._offset = end
            self._played += FRAME_SAMPLES
            return payload[offset:end]
        return self._pull_over_seam()

    def recode(self, clips: Sequence[Clip], coding: Coding) -> None:
        """Go on at the same place with the same items in another codec."""
        if len(clips) != len(self._clips):
            raise ValueError("not the same items")
        self._load(clips)
        self.coding = coding
        self.law = law_of(coding[0]) or "PCMU"
        if self._item < len(clips):
            self._offset = min(self._offset // self._step * self._step, len(clips[self._item].payload))
            if self._offset == len(clips[self._item].payload):
                self._next_item()

    def _pull_over_seam(self) -> bytes:
        parts: list[bytes] = []
        missing = FRAME_SAMPLES
        while missing and self._item < len(self._clips):
            payload = self._clips[self._item].payload
            part = payload[self._offset : self._offset + missing]
            parts.append(part)
            missing -= len(part)
            self._played += len(part)
            self._offset += len(part)
            if self._offset == len(payload):
                self._next_item()
        parts.append(SILENCE_FRAME[self.law][:missing])
        return b"".join(parts)

    def _next_item(self) -> None:
        self._offset = 0
        self._item += 1
        self._pass_empty()
        if self._loop and self._item >= len(self._clips):
            self._item = 0
            self._pass_empty()

    def _pass_empty(self) -> None:
        while self._item < len(self._clips) and not self._clips[self._item].payload:
            self._item += 1

    def _clock_position(self, now: float) -> int:
        return int(now * SAMPLE_RATE_HZ) % self._total

    def _follow_clock(self, now: float) -> None:
        """Begin where the clock is, and jump when ticks were late or left out by more than two frames."""
        ahead = (self._position - int(now * SAMPLE_RATE_HZ)) % self._total
        if not self._joined:
            self._joined = True
            self._go_to(self._clock_position(now))
        elif _MAX_DRIFT_SAMPLES < ahead < self._total - _MAX_DRIFT_SAMPLES:
            self._go_to(self._clock_position(now))

    def _go_to(self, position: int) -> None:
        if position >= self._total:
            self._item, self._offset = len(self._clips), 0
            return
        position -= position % self._step
        self._item = bisect_right(self._starts, position) - 1
        self._offset = position - self._starts[self._item]
