"""Sequence numbers, timestamps and jitter of one RTP source (RFC 3550 App. A.1, A.3 and A.8).

A source is on probation until two packets came in order; a sequence number that leaps more than
`MAX_DROPOUT` ahead or `MAX_MISORDER` back is believed only when the packet after it follows on (the sender
has restarted). Unlike the appendix, a duplicate is recognised in a window of the last 128 numbers and not
counted as received, so the loss of a path that doubles packets is not reported as negative.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

MIN_SEQUENTIAL = 2
MAX_DROPOUT = 3000
MAX_MISORDER = 100

_WINDOW_MASK = (1 << 128) - 1
_RESYNC_S = 1.0  # a step of the transit time beyond this is a new time line, not jitter


def sequence_delta(new: int, old: int) -> int:
    """How far `new` lies ahead of `old`, -32768..32767, across the 16-bit wrap."""
    return ((new - old + 0x8000) & 0xFFFF) - 0x8000


def timestamp_delta(new: int, old: int) -> int:
    """How far `new` lies ahead of `old`, -2**31..2**31-1, across the 32-bit wrap."""
    return ((new - old + 0x80000000) & 0xFFFFFFFF) - 0x80000000


class Arrival(Enum):
    """What the sequence number of a packet says about it."""

    IN_ORDER = "in order"
    GAP = "after a gap"
    LATE = "late"
    """Reordered on the way; it fills a gap that was counted as loss."""
    DUPLICATE = "duplicate"
    PROBATION = "on probation"
    """The source is not yet valid; the packet may still be played."""
    JUMP = "jump"
    """A leap that is not believed yet; dropped from the counts."""
    RESTARTED = "restarted"
    """The second packet after a leap: the sender began a new sequence."""


class SequenceTracker:
    """Counts what a source should have sent and what came (RFC 3550 A.1, A.3)."""

    __slots__ = (
        "_bad", "_before_expected", "_before_received", "_probation", "_seen", "base", "cycles", "highest",
        "received",
    )  # fmt: skip

    def __init__(self, sequence: int) -> None:
        """Begin a source with its first packet, which the caller then gives to `receive`."""
        self._probation = MIN_SEQUENTIAL
        self._before_expected = self._before_received = 0
        self._restart(sequence)
        self.highest = (sequence - 1) & 0xFFFF

    def _restart(self, sequence: int) -> None:
        self.base = sequence
        self.highest = sequence
        self.cycles = 0
        self.received = 0
        self._bad = -1
        self._seen = 1

    def receive(self, sequence: int) -> Arrival:
        """Take the next packet of this source."""
        if self._probation:
            return self._on_probation(sequence)
        delta = (sequence - self.highest) & 0xFFFF
        if delta == 1:  # nearly always
            if sequence == 0:
                self.cycles += 0x10000
            self.highest = sequence
            self._seen = (self._seen << 1 | 1) & _WINDOW_MASK
            self.received += 1
            return Arrival.IN_ORDER
        if delta == 0:
            return Arrival.DUPLICATE
        if delta < MAX_DROPOUT:
            if sequence < self.highest:
                self.cycles += 0x10000
            self.highest = sequence
            self._seen = (self._seen << delta | 1) & _WINDOW_MASK if delta < 128 else 1
            self.received += 1
            return Arrival.GAP
        back = 0x10000 - delta
        if back <= MAX_MISORDER:
            return self._behind(back)
        if sequence == self._bad:
            # Two in a row after a leap: the other side restarted without telling. What was lost before
            # stays lost: the counts so far are kept aside.
            self._before_expected += self._expected_here
            self._before_received += self.received
            self._restart(sequence)
            self.received = 1
            return Arrival.RESTARTED
        self._bad = (sequence + 1) & 0xFFFF
        return Arrival.JUMP

    def receive_row(self, count: int) -> None:
        """Take `count` packets of a valid source that each follow on the one before, without a wrap."""
        self.highest += count
        self._seen = (self._seen << count | (1 << count) - 1) & _WINDOW_MASK
        self.received += count

    @property
    def next_in_row(self) -> int:
        """The number that the next packet of `receive_row` must have; -1 when there is none."""
        return self.highest + 1 if self._probation == 0 else -1

    def _on_probation(self, sequence: int) -> Arrival:
        if sequence == (self.highest + 1) & 0xFFFF:
            self._probation -= 1
            self.highest = sequence
            if self._probation == 0:
                self._restart(sequence)
                self.received = 1
                return Arrival.IN_ORDER
        else:
            self._probation = MIN_SEQUENTIAL - 1
            self.highest = sequence
        return Arrival.PROBATION

    def _behind(self, back: int) -> Arrival:
        bit = 1 << back
        if self._seen & bit:
            return Arrival.DUPLICATE
        if self.highest + self.cycles - back < self.base:
            return Arrival.DUPLICATE  # from before the first one counted: nothing was missing there
        self._seen |= bit
        self.received += 1
        return Arrival.LATE

    @property
    def valid(self) -> bool:
        """True once the source has left probation."""
        return self._probation == 0

    @property
    def extended_highest(self) -> int:
        """Highest sequence number with its cycles, as a report block carries it."""
        return self.cycles + self.highest

    @property
    def _expected_here(self) -> int:
        return self.cycles + self.highest - self.base + 1 if self._probation == 0 else 0

    @property
    def expected(self) -> int:
        """Packets that the source has sent since it became valid, restarts included."""
        return self._before_expected + self._expected_here

    @property
    def lost(self) -> int:
        """Packets that did not come; never negative."""
        return max(0, self.expected - self._before_received - self.received)


class JitterEstimator:
    """Inter-arrival jitter in clock units (RFC 3550 §6.4.1, A.8).

    Give it only packets whose timestamp follows their sampling: the updates of a telephone event carry
    the timestamp of its start and would count as jitter.
    """

    __slots__ = ("_arrival", "_rate", "_timestamp", "highest", "value")

    def __init__(self, rate_hz: int = 8000) -> None:
        self._rate = rate_hz
        self._arrival = -1.0
        self._timestamp = 0
        self.value = 0.0
        """Jitter in clock units."""
        self.highest = 0.0

    def receive(self, timestamp: int, *, now: float) -> None:
        """Take the timestamp of a packet that arrived at `now`."""
        self.receive_row(((timestamp, now),))

    def receive_row(self, row: Iterable[tuple[int, float]]) -> None:
        """Take timestamp and arrival of packets that came one after the other."""
        rate, value, highest = self._rate, self.value, self.highest
        before, last = self._timestamp, self._arrival
        largest = _RESYNC_S * rate if last >= 0.0 else -1.0
        for timestamp, now in row:
            step = (now - last) * rate - ((timestamp - before + 0x80000000 & 0xFFFFFFFF) - 0x80000000)
            if step < 0.0:
                step = -step
            if step < largest:
                value += (step - value) / 16.0
                if value > highest:
                    highest = value
            before, last, largest = timestamp, now, _RESYNC_S * rate
        self.value, self.highest = value, highest
        self._timestamp, self._arrival = before, last

    @property
    def value_ms(self) -> float:
        """The jitter now, in ms."""
        return self.value * 1000.0 / self._rate

    @property
    def highest_ms(self) -> float:
        """The largest value so far, in ms."""
        return self.highest * 1000.0 / self._rate
