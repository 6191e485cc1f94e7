"""RTCP extended reports (RFC 3611): the VoIP metrics of block type 7, and the bursts that they speak of.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |     BT=7      |   reserved    |       block length = 8        |
    |                        SSRC of source                         |
    |   loss rate   | discard rate  | burst density |  gap density  |
    |       burst duration          |         gap duration          |
    |     round trip delay          |       end system delay        |
    | signal level  |  noise level  |     RERL      |     Gmin      |
    |   R factor    | ext. R factor |    MOS-LQ     |    MOS-CQ     |
    |   RX config   |   reserved    |          JB nominal           |
    |          JB maximum           |          JB abs max           |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

A burst begins and ends with a lost packet and holds no `GMIN` received ones in a row; a loss with `GMIN`
received packets on either side is alone, and belongs to the gap around it (§4.7.2). The appendix of the RFC
estimates the densities from counts of transitions; here they are counted as they are defined, which costs
nothing, because only a hole in the sequence numbers is any work.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

XR = 207
VOIP_METRICS = 7

GMIN = 16
"""Received packets in a row that end a burst: the value that §4.7.2 recommends."""
SETTLED = 32
"""A packet this far behind the newest one is not waited for any more."""
UNKNOWN = 127
"""What stands for a level, a rating or a MOS that is not known."""
MAX_HOLES = 64
"""Holes that may be open at a time; a source that makes more has its oldest ones settled early."""

_XR_HEAD = struct.Struct("!BBHI")
_BLOCK = struct.Struct("!BBHIBBBBHHHHBBBBBBBBBBHHH")
_BLOCK_WORDS = 8


class VoipMetrics(NamedTuple):
    """One VoIP metrics block, in the units of the wire (RFC 3611 §4.7)."""

    ssrc: int
    """Whose packets this is about."""
    loss_rate: int = 0
    """Of 256, since the beginning; so are the next three."""
    discard_rate: int = 0
    burst_density: int = 0
    gap_density: int = 0
    burst_ms: int = 0
    gap_ms: int = 0
    round_trip_ms: int = 0
    end_system_ms: int = 0
    signal_level: int = UNKNOWN
    """In dBm0, two's complement; 127 for unknown."""
    noise_level: int = UNKNOWN
    echo_loss: int = UNKNOWN
    """Residual echo return loss, in dB."""
    gmin: int = GMIN
    r_factor: int = UNKNOWN
    external_r: int = UNKNOWN
    mos_lq: int = UNKNOWN
    """Listening quality times ten, 10..50."""
    mos_cq: int = UNKNOWN
    """Conversational quality times ten."""
    rx_config: int = 0
    """Concealment (2 bits), kind of jitter buffer (2) and its rate of adjustment (4)."""
    buffer_nominal_ms: int = 0
    buffer_maximum_ms: int = 0
    buffer_absolute_ms: int = 0


RX_CONCEALED_ADAPTIVE = 0b11_11_0000
"""Standard concealment behind an adaptive jitter buffer."""
RX_RELAYED = 0
"""Nothing is said of an ear: the packets go on as they come."""


def build(ssrc: int, metrics: VoipMetrics) -> bytes:
    """Build an XR packet with one VoIP metrics block, to be put into a compound."""
    block = _BLOCK.pack(VOIP_METRICS, 0, _BLOCK_WORDS, *metrics[:18], 0, *metrics[18:])
    return _XR_HEAD.pack(0x80, XR, 1 + len(block) // 4, ssrc) + block


def parse_blocks(body: bytes) -> tuple[VoipMetrics, ...]:
    """The VoIP metrics among the blocks of an XR packet; other blocks, and what is cut off, are passed over.

    `body` is the packet behind its SSRC. Each step is at least four bytes.
    """
    found = []
    offset = 0
    while offset + 4 <= len(body):
        size = 4 + 4 * (body[offset + 2] << 8 | body[offset + 3])
        if body[offset] == VOIP_METRICS and size == _BLOCK.size and offset + size <= len(body):
            fields = _BLOCK.unpack_from(body, offset)
            found.append(VoipMetrics(*fields[3:21], *fields[22:]))
        offset += size
    return tuple(found)


class Bursts(NamedTuple):
    """How losses lie together, since the beginning."""

    burst_density: float = 0.0
    """Fraction lost within bursts, 0..1."""
    gap_density: float = 0.0
    """Fraction lost outside of them."""
    burst_packets: float = 0.0
    """Mean length of a burst."""
    gap_packets: float = 0.0
    """Mean length of a gap."""
    burst_ratio: float = 1.0
    """Mean run of lost packets against that of random loss of the same rate (ITU-T G.107 BurstR), >= 1."""


class BurstMeter:
    """Sorts the holes in a row of sequence numbers into bursts and gaps.

    Sequence numbers are extended ones, without wraps. Packets in order need no call at all.
    """

    __slots__ = (
        "_burst_lost", "_burst_packets", "_bursts", "_cluster", "_holes", "_last_lost", "_lost", "_runs",
    )  # fmt: skip

    def __init__(self) -> None:
        self._holes: list[tuple[int, int]] = []
        self._cluster = (0, 0, 0)
        """First and last lost packet of the cluster that is open, and how many it lost."""
        self._last_lost: int | None = None
        self._lost = 0
        self._runs = 0
        self._bursts = 0
        self._burst_lost = 0
        self._burst_packets = 0

    def miss(self, first: int, last: int) -> None:
        """The packets from `first` to `last` did not come before the one behind them."""
        self._holes.append((first, last))
        if len(self._holes) > MAX_HOLES:
            self._lose(*self._holes.pop(0))

    def fill(self, sequence: int) -> None:
        """A missing packet came late."""
        for index, (first, last) in enumerate(self._holes):
            if first <= sequence <= last:
                halves = ((first, sequence - 1), (sequence + 1, last))
                self._holes[index : index + 1] = [half for half in halves if half[0] <= half[1]]
                return

    def settle(self, before: int) -> None:
        """Holes before `before` stay holes."""
        holes = self._holes
        while holes and holes[0][1] < before:
            self._lose(*holes.pop(0))

    def restart(self) -> None:
        """The source counts anew: what is open is over."""
        self.settle(1 << 62)
        self._close()
        self._last_lost = None

    def figures(self, expected: int) -> Bursts:
        """The figures among `expected` packets; holes that are still open are not counted."""
        bursts, burst_lost, burst_packets = self._bursts, self._burst_lost, self._burst_packets
        first, last, lost = self._cluster
        if lost > 1:
            bursts += 1
            burst_lost += lost
            burst_packets += last - first + 1
        gap_packets = max(0, expected - burst_packets)
        gap_lost = self._lost - burst_lost
        fraction = min(1.0, self._lost / expected) if expected else 0.0
        ratio = self._lost / self._runs * (1.0 - fraction) if self._runs else 1.0
        return Bursts(
            burst_density=burst_lost / burst_packets if burst_packets else 0.0,
            gap_density=min(1.0, gap_lost / gap_packets) if gap_packets else 0.0,
            burst_packets=burst_packets / bursts if bursts else 0.0,
            gap_packets=gap_packets / (bursts + 1),
            burst_ratio=max(1.0, ratio),
        )

    def _lose(self, first: int, last: int) -> None:
        count = last - first + 1
        self._lost += count
        self._runs += 1
        if self._last_lost is not None and first - self._last_lost - 1 < GMIN:
            begun, _, lost = self._cluster
            self._cluster = (begun, last, lost + count)
        else:
            self._close()
            self._cluster = (first, last, count)
        self._last_lost = last

    def _close(self) -> None:
        first, last, lost = self._cluster
        if lost > 1:
            self._bursts += 1
            self._burst_lost += lost
            self._burst_packets += last - first + 1
        self._cluster = (0, 0, 0)


def of_256(fraction: float) -> int:
    """A fraction as the wire has it: of 256, and no more than 255."""
    return min(255, int(fraction * 256))


def of_ms(value: float) -> int:
    """Milliseconds as the wire has them: 16 bits."""
    return min(0xFFFF, max(0, round(value)))


def of_mos(mos: float | None) -> int:
    """A MOS as the wire has it, times ten; None is unknown."""
    return UNKNOWN if mos is None else min(50, max(10, round(mos * 10)))


def mos_of(value: int) -> float | None:
    """The MOS of a peer's block; None for one that it does not know."""
    return value / 10 if 10 <= value <= 50 else None
