"""The outgoing RTP line of one port: SSRC, sequence and timestamp that never break.

Whatever a leg hears - a prompt, hold music, agent A, agent B, keys - leaves as one RTP stream: one SSRC
and one sequence for the life of the port, a timestamp that follows wall time over every silence, and a
marker bit on the first packet after a gap. When the clock of the codec changes in mid-call, the timestamp
goes on from where it is, at the new rate. A peer whose stream is re-seated in mid-call loses audio or its
SRTP state (facts: rtpengine #1483, asterisk #1324), so nothing but this file makes these numbers.

Two writers take turns. The 20 ms clock asks `follow` and `place` for each frame. A relay maps the
numbers of the source onto the line with a constant offset (`RelayMap`), and whoever writes next goes on
where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sipcc.ids import Ids
from sipcc.rtp.frame import FRAME_S, SAMPLE_RATE_HZ

TIMESTAMP_MASK = 0xFFFFFFFF
GAP_S = FRAME_S / 2
"""A frame whose wall-clock place lies further ahead than this is the first after a gap."""
MAX_LEAP_S = 1.0
"""A relayed timestamp further than this from the last one is a new time line of the source."""
MAX_LEAP_PACKETS = 200
"""The same for sequence numbers."""


class OutgoingLine:
    """SSRC, next sequence number, and the mapping of wall time to timestamps."""

    __slots__ = (
        "_gap",
        "due_at",
        "next_sequence",
        "next_timestamp",
        "on_anchor",
        "owner",
        "rate_hz",
        "ssrc",
        "started",
    )

    def __init__(self, ids: Ids) -> None:
        self.ssrc = ids.bits(32)
        self.rate_hz = SAMPLE_RATE_HZ
        """How many units the timestamp moves in a second."""
        self.next_sequence = ids.bits(15)  # RFC 3711 asks for room before the first wrap
        self.next_timestamp = ids.bits(32)
        self.due_at = float("-inf")
        """The instant to which `next_timestamp` belongs."""
        self.started = False
        self._gap = False
        self.owner: RelayMap | None = None
        """The relay that writes on the line now; anybody else who sends takes it away."""
        self.on_anchor: Callable[[], object] | None = None
        """Called when a relay maps its source onto the line anew."""

    def resume(self, ssrc: int, sequence: int, timestamp: int, *, due_at: float, started: bool) -> None:
        """Go on with the line of a worker that died."""
        self.ssrc = ssrc
        self.next_sequence = sequence
        self.next_timestamp = timestamp
        self.due_at = due_at
        self.started = started

    def retune(self, rate_hz: int) -> None:
        """Go on at the clock rate of another codec."""
        if rate_hz != self.rate_hz:
            self.rate_hz = rate_hz
            self.owner = None  # what a relay knows of the source is in old units

    def timestamp_at(self, at: float) -> int:
        """The timestamp of the instant `at`: what a sender report pairs with the NTP time."""
        if not self.started:
            return self.next_timestamp
        return (self.next_timestamp + round((at - self.due_at) * self.rate_hz)) & TIMESTAMP_MASK

    def follow(self, at: float) -> None:
        """Move the timestamp over the silence before `at`, when a frame leaves, if there was one."""
        self.owner = None
        behind = at - self.due_at
        if behind <= GAP_S:
            return
        self._gap = True
        if self.started:
            units = round(behind * self.rate_hz)
            self.next_timestamp = (self.next_timestamp + units) & TIMESTAMP_MASK
            self.due_at += units / self.rate_hz
        else:
            self.started = True
            self.due_at = at

    def next(self, units: int, at: float) -> tuple[int, int, bool]:
        """`follow` and `place` in one: for a frame of `units` that leaves at `at`."""
        if at - self.due_at > GAP_S or self._gap:
            self.follow(at)
            return self.place(units)
        self.owner = None
        sequence, timestamp = self.next_sequence, self.next_timestamp
        self.next_sequence = (sequence + 1) & 0xFFFF
        self.next_timestamp = (timestamp + units) & TIMESTAMP_MASK
        self.due_at += units / self.rate_hz
        return sequence, timestamp, False

    def place(self, units: int) -> tuple[int, int, bool]:
        """Sequence, timestamp and marker for audio that lasts `units`; call `follow` before."""
        sequence = self.next_sequence
        timestamp = self.next_timestamp
        marker = self._gap
        self._gap = False
        self.next_sequence = (sequence + 1) & 0xFFFF
        self.next_timestamp = (timestamp + units) & TIMESTAMP_MASK
        self.due_at += units / self.rate_hz
        return sequence, timestamp, marker

    def note_relayed(self, sequence: int, step: int, units: int) -> None:
        """Keep the line abreast of a packet that a relay put on it.

        It lasts `units` and its timestamp lies `step` from where the next one was due.
        """
        step += units
        self.next_sequence = (sequence + 1) & 0xFFFF
        self.next_timestamp = (self.next_timestamp + step) & TIMESTAMP_MASK
        self.due_at += step / self.rate_hz


class Mark(NamedTuple):
    """How far a line has come under its key (RFC 3711)."""

    next_index: int
    """Roll-over counter and sequence number of the next packet, as one number (§3.3.1)."""
    reports: int
    """How many RTCP packets were protected."""
    heard: int = -1
    """Roll-over counter and sequence number of a packet of the peer; -1 before the first."""


class RelayMap:
    """Maps one source stream onto a line with constant offsets, and re-anchors when the source leaps."""

    __slots__ = ("_first_sequence", "line", "sequence_offset", "source_ssrc", "timestamp_offset")

    def __init__(self, line: OutgoingLine) -> None:
        self.line = line
        self.source_ssrc = -1
        self.sequence_offset = 0
        self.timestamp_offset = 0
        self._first_sequence = 0

    @property
    def mapping(self) -> tuple[int, int, int, int]:
        """SSRC of the source, the offsets of its sequence and timestamp, and where the map began."""
        return self.source_ssrc, self.sequence_offset, self.timestamp_offset, self._first_sequence

    def resume(self, ssrc: int, sequence_offset: int, timestamp_offset: int, first_sequence: int) -> None:
        """Go on with the mapping of a worker that died."""
        self.source_ssrc = ssrc
        self.sequence_offset = sequence_offset
        self.timestamp_offset = timestamp_offset
        self._first_sequence = first_sequence
        self.line.owner = self

    def place(
        self, ssrc: int, sequence: int, timestamp: int, units: int, now: float
    ) -> tuple[int, int, bool] | None:
        """Sequence, timestamp and "first after a gap" for a packet of the source; None to drop it.

        `units` is how long it lasts, 0 for what takes no time, such as a telephone event.
        A packet from before the relay began would fall on numbers that are already taken: dropped.
        """
        line = self.line
        if line.owner is not self or ssrc != self.source_ssrc:
            return self._anchor(ssrc, sequence, timestamp, units, now)
        out_sequence = (sequence + self.sequence_offset) & 0xFFFF
        out_timestamp = (timestamp + self.timestamp_offset) & TIMESTAMP_MASK
        if out_timestamp == line.next_timestamp and out_sequence == line.next_sequence:  # nearly always
            line.next_sequence = (out_sequence + 1) & 0xFFFF
            line.next_timestamp = (out_timestamp + units) & TIMESTAMP_MASK
            line.due_at += units / line.rate_hz
            return out_sequence, out_timestamp, False
        step = (out_sequence - line.next_sequence) & 0xFFFF
        leap = ((out_timestamp - line.next_timestamp + 0x80000000) & TIMESTAMP_MASK) - 0x80000000
        if step < MAX_LEAP_PACKETS and abs(leap) < line.rate_hz * MAX_LEAP_S:
            line.note_relayed(out_sequence, leap, units)
            return out_sequence, out_timestamp, False
        if step >= 0x10000 - MAX_LEAP_PACKETS:  # late or doubled: passes with its own old place
            if 0 < (self._first_sequence - sequence) & 0xFFFF <= MAX_LEAP_PACKETS:
                return None
            return out_sequence, out_timestamp, False
        return self._anchor(ssrc, sequence, timestamp, units, now)

    def skip(self, sequence: int) -> None:
        """Close the hole of a packet of the source that is not passed on."""
        if (
            self.line.owner is self
            and ((sequence + self.sequence_offset) & 0xFFFF) == self.line.next_sequence
        ):
            self.sequence_offset -= 1

    def _anchor(
        self, ssrc: int, sequence: int, timestamp: int, units: int, now: float
    ) -> tuple[int, int, bool]:
        line = self.line
        line.follow(now)
        line.owner = self
        self.source_ssrc = ssrc
        self._first_sequence = sequence
        out_sequence, out_timestamp, marker = line.place(units)
        self.sequence_offset = out_sequence - sequence
        self.timestamp_offset = out_timestamp - timestamp
        if line.on_anchor is not None:
            line.on_anchor()
        return out_sequence, out_timestamp, marker
