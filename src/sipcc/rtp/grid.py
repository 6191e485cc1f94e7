"""The two sides of a recording on one grid of wall-clock time, and how a stretch of it becomes samples.

A frame goes where its timestamp puts it, and the timestamps are tied to the clock of arrival: so jitter does
not shift the sides against each other, while a pause, a hold, a new source or a drifting sender does not make
the recording longer or shorter than the call. Where nothing came there is silence.

`StereoGrid` is fed in the loop and touches no sample: G.711 is put in place as it is, payloads of other
codecs keep their place and are decoded by `Renderer`, in the thread that writes. A flood changes nothing:
more audio than time has passed is dropped and counted, before anything is decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from sipcc.errors import SipccError
from sipcc.rtp import tones
from sipcc.rtp.codec import g711
from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.flow import CodecName
from sipcc.rtp.frame import FRAME_SAMPLES, SAMPLE_RATE_HZ, SILENCE_BYTE, Coding
from sipcc.rtp.sequence import timestamp_delta

LATE_S = 0.300
"""Audio is held back so long before it is written, for packets that come late."""
MAX_RATE = 1.5
"""A side takes in so many times real time, over more than a second; what is beyond that is a flood."""
MARK_HZ = 1000
"""The tone that stands where a recording was paused, if that was wanted; a ms holds whole periods."""
MARK_DBM0 = -20.0

_SILENCE = SILENCE_BYTE["PCMU"]
_RESYNC = SAMPLE_RATE_HZ // 5  # a frame 200 ms off its place begins a new time line
_RESYNC_UNTIMED = SAMPLE_RATE_HZ // 20  # without timestamps: 50 ms, more than a late tick, less than a pause
_DRIFT = SAMPLE_RATE_HZ // 50  # how far a side may slide before it is put right: 20 ms
_DRIFT_SHARE = 1 / 64
_FILL = MAX_RATE * SAMPLE_RATE_HZ
_BURST = MAX_RATE * SAMPLE_RATE_HZ  # a second's worth, as after a stall of the network
_NEVER = 1 << 62
_CODED_COST = SAMPLE_RATE_HZ // 100  # what a packet of unknown length counts at least: 10 ms

# One period of the mark, from the middle of a tone: the edges are soft.
_MARK = np.frombuffer(
    g711.encode(
        tones.make_tone((MARK_HZ,), 50, level_dbm0=MARK_DBM0)[200 : 200 + SAMPLE_RATE_HZ // MARK_HZ], "PCMU"
    ),
    dtype=np.uint8,
)


class Coded(NamedTuple):
    """A payload that is not decoded yet, and its place behind the beginning of the cut."""

    offset: int
    coding: Coding
    payload: bytes


class Gap(NamedTuple):
    """A stretch of the cut that must not be heard: `mark` says whether a tone stands there, or silence."""

    start: int
    end: int
    mark: bool


class Cut(NamedTuple):
    """A stretch of both sides, ready to be rendered."""

    samples: int
    """Its length."""
    start: int
    """Where it begins, in samples since the recording did."""
    sides: tuple[bytes, bytes]
    """mu-law of each side, shorter than the cut where its end is silence."""
    coded: tuple[list[Coded], list[Coded]]
    gaps: list[Gap]

    @property
    def size_bytes(self) -> int:
        """What it costs to keep, at the most."""
        return 2 * self.samples + sum(len(item.payload) for side in self.coded for item in side)


class _Side:
    __slots__ = ("audio", "clock", "coded", "drift", "filled", "filled_at", "next", "started", "timestamp")

    def __init__(self) -> None:
        self.audio = bytearray()
        self.coded: list[Coded] = []  # here `offset` counts from the beginning of the recording
        self.started = False
        self.next = 0
        self.timestamp = 0
        self.clock = SAMPLE_RATE_HZ
        self.drift = 0.0
        self.filled = 0.0
        self.filled_at = 0.0

    def admit(self, samples: int, now: float) -> bool:
        """True unless more came than could have been said in the time."""
        filled = self.filled - (now - self.filled_at) * _FILL
        filled = samples if filled < 0.0 else filled + samples
        self.filled_at = now
        if filled > _BURST:
            self.filled = filled - samples
            return False
        self.filled = filled
        return True

    def position(self, arrival: int, timestamp: int | None, clock: int) -> int:
        """Where on the grid a frame belongs that arrived at `arrival`, in samples."""
        if not self.started:
            self.started = True
            self.clock = clock
            return arrival
        position, limit = self.next, _RESYNC_UNTIMED
        if timestamp is not None:
            if clock != self.clock:  # another codec: another count
                self.clock = clock
                self.drift = 0.0
                return arrival
            passed = timestamp_delta(timestamp, self.timestamp)
            position += passed if clock == SAMPLE_RATE_HZ else passed * SAMPLE_RATE_HZ // clock
            limit = _RESYNC
        off = arrival - position
        if abs(off) > limit:
            self.drift = 0.0
            return arrival
        self.drift += (off - self.drift) * _DRIFT_SHARE
        if abs(self.drift) > _DRIFT:
            position += round(self.drift)
            self.drift = 0.0
        return position


class StereoGrid:
    """The two sides on their common grid, as a window that `take` moves on."""

    def __init__(self, *, now: float, base: int = 0) -> None:
        """The grid begins at `now`; the first `base` samples of each side were handed out before."""
        self._start = now
        self._base = base
        self._sides = (_Side(), _Side())
        self._gaps: list[Gap] = []  # the last one may be open: its end is then beyond all time
        self.late = 0
        """Frames that came after their place had been written."""
        self.dropped = 0
        """Frames that came faster than anybody speaks."""

    @property
    def samples(self) -> int:
        """Samples per side handed out so far."""
        return self._base

    @property
    def paused(self) -> bool:
        """True from `pause` to `resume`."""
        return bool(self._gaps) and self._gaps[-1].end == _NEVER

    def pause(self, *, now: float, mark: bool = False) -> None:
        """Let nothing be heard from `now` on; time goes on. With `mark` a tone of 1 kHz stands there."""
        if not self.paused:
            self._gaps.append(Gap(self._place_of(now), _NEVER, mark))

    def resume(self, *, now: float) -> None:
        """Take audio in again."""
        if self.paused:
            self._gaps[-1] = self._gaps[-1]._replace(end=self._place_of(now))

    def place(
        self,
        side: int,
        payload: bytes,
        coding: Coding | None = None,
        *,
        now: float,
        timestamp: int | None = None,
    ) -> None:
        """Put what arrived at `now` on side 0 (left) or 1 (right).

        With `timestamp` (RTP, at the clock of the codec) it goes where that says; without, it follows what
        came before unless the clock is 50 ms or more away from there.

        Args:
            side: 0 or 1.
            payload: mu-law, a byte a sample, or one packet of `coding`.
            coding: None for mu-law.
            now: when it arrived.
            timestamp: of the RTP packet, if there was one.
        """
        if self.paused:
            return
        track = self._sides[side]
        size = len(payload) if coding is None else max(_CODED_COST, len(payload) // 16)
        if not track.admit(size, now):
            self.dropped += 1
            return
        clock = SAMPLE_RATE_HZ if coding is None else coding[1]
        start = track.position(self._place_of(now), timestamp, clock)
        track.next = start
        if timestamp is None:
            track.next += len(payload) if coding is None else FRAME_SAMPLES
        else:
            track.timestamp = timestamp
        offset = start - self._base
        if offset < 0:
            self.late += 1
            if coding is None:
                payload = payload[-offset:]
            if coding is not None or not payload:
                return
            offset = 0
        if coding is not None:
            track.coded.append(Coded(start, coding, payload))
            return
        audio = track.audio
        missing = offset + len(payload) - len(audio)
        if missing > 0:
            audio.extend(bytes([_SILENCE]) * missing)
        audio[offset : offset + len(payload)] = payload

    def take(self, *, now: float) -> Cut | None:
        """All that is old enough to be complete; None when that is nothing."""
        return self._cut(self._place_of(now - LATE_S))

    def finish(self, *, now: float) -> Cut | None:
        """All the rest, up to `now` exactly."""
        return self._cut(self._place_of(now))

    def _place_of(self, now: float) -> int:
        return round((now - self._start) * SAMPLE_RATE_HZ)

    def _cut(self, end: int) -> Cut | None:
        base, count = self._base, end - self._base
        if count <= 0:
            return None
        audio: list[bytes] = []
        coded: list[list[Coded]] = []
        for side in self._sides:
            audio.append(bytes(side.audio[:count]))
            del side.audio[:count]
            due = [item for item in side.coded if item.offset < end]
            if due:
                side.coded = [item for item in side.coded if item.offset >= end]
                due.sort(key=_by_place)
            coded.append([item._replace(offset=item.offset - base) for item in due])
        gaps = [
            Gap(max(gap.start - base, 0), min(gap.end - base, count), gap.mark)
            for gap in self._gaps
            if gap.start < end and gap.end > base
        ]
        self._gaps = [gap for gap in self._gaps if gap.end > end]
        self._base = end
        return Cut(count, base, (audio[0], audio[1]), (coded[0], coded[1]), gaps)


def _by_place(item: Coded) -> int:
    return item.offset


class Decoder(Protocol):
    """What turns the packets of one stream into samples of 8 kHz."""

    def decode(self, payload: bytes) -> Pcm:
        """Samples of a payload; none for one that is broken."""
        ...


class Renderer:
    """Turns cuts of one grid into interleaved mu-law; keeps the decoders of both sides."""

    def __init__(self, make_decoder: Callable[[CodecName, int], Decoder]) -> None:
        self._make_decoder = make_decoder
        self._decoders: list[tuple[Coding, Decoder | None] | None] = [None, None]
        self._tails: list[npt.NDArray[np.uint8]] = [np.zeros(0, dtype=np.uint8)] * 2

    def render(self, cut: Cut) -> bytes:
        """The samples of `cut`, left and right in turn."""
        both = np.full((cut.samples, 2), _SILENCE, dtype=np.uint8)
        for side in (0, 1):
            column = both[:, side]
            audio = cut.sides[side]
            column[: len(audio)] = np.frombuffer(audio, dtype=np.uint8)
            tail, self._tails[side] = self._tails[side], self._tails[side][:0]
            self._lay(side, column, 0, tail)
            for offset, coding, payload in cut.coded[side]:
                decoded = self._decode(side, coding, payload)
                self._lay(side, column, offset, np.frombuffer(decoded, dtype=np.uint8))
        for gap in cut.gaps:
            both[gap.start : gap.end] = _SILENCE
            if gap.mark:
                turn = (cut.start + gap.start) % len(_MARK)
                tone = np.resize(np.roll(_MARK, -turn), max(gap.end - gap.start, 0))
                both[gap.start : gap.end] = tone[:, None]
        return both.tobytes()

    def _lay(
        self, side: int, column: npt.NDArray[np.uint8], offset: int, audio: npt.NDArray[np.uint8]
    ) -> None:
        """Put samples into place; what goes beyond the end of the cut waits for the next one."""
        room = len(column) - offset
        column[offset : offset + len(audio)] = audio[:room]
        if len(audio) > room:
            self._tails[side] = audio[room:]

    def _decode(self, side: int, coding: Coding, payload: bytes) -> bytes:
        known = self._decoders[side]
        if known is None or known[0] != coding:
            known = self._decoders[side] = (coding, self._decoder_of(coding))
        decoder = known[1]
        return b"" if decoder is None else g711.encode(decoder.decode(payload), "PCMU")

    def _decoder_of(self, coding: Coding) -> Decoder | None:
        """None for what cannot be decoded here: that side is then silent."""
        try:
            return self._make_decoder(*coding)
        except (KeyError, ValueError, SipccError):  # no such codec, or its library is not on this machine
            return None
