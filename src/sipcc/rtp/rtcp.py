"""RTCP (RFC 3550 §6): reports read and built, and when to send them.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |V=2|P|    RC   |   PT=SR=200   |      length in words - 1      |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                         SSRC of sender                        |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

The reader believes no count and no length further than the datagram goes: of a report count that lies it
takes the blocks that are there, a length that runs over the end ends the compound, and what is unknown is
stepped over. Each step is at least four bytes, so no datagram can hold it up.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from sipcc.rtp import xr
from sipcc.rtp.packet import Buffer, Flaw
from sipcc.rtp.stats import ReportBlock
from sipcc.rtp.xr import VoipMetrics

SR, RR, SDES, BYE, APP = 200, 201, 202, 203, 204
_CNAME = 1

_HEAD = struct.Struct("!BBHI")
_SENDER_INFO = struct.Struct("!QIII")
_BLOCK = struct.Struct("!IIIIII")
_MAX_TEXT_BYTES = 255

MIN_INTERVAL_S = 5.0
"""Tmin of §6.2, halved before the first report."""
_COMPENSATION = 2.718281828459045 - 1.5  # §6.3.1: undoes what timer reconsideration takes away
_RTCP_SHARE = 0.05
_SENDER_SHARE = 0.25


class SenderReport(NamedTuple):
    """An SR (§6.4.1)."""

    ssrc: int
    ntp: int
    """64-bit NTP time of the report."""
    rtp_timestamp: int
    packets: int
    octets: int
    blocks: tuple[ReportBlock, ...] = ()


class ReceiverReport(NamedTuple):
    """An RR (§6.4.2)."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


class SourceDescription(NamedTuple):
    """One chunk of an SDES (§6.5); other items than CNAME are not kept."""

    ssrc: int
    cname: str


class Goodbye(NamedTuple):
    """A BYE (§6.6)."""

    ssrcs: tuple[int, ...]
    reason: str = ""


class ExtendedReport(NamedTuple):
    """The VoIP metrics of an XR (RFC 3611 §4.7); other blocks are not kept."""

    ssrc: int
    metrics: tuple[VoipMetrics, ...]


RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Goodbye | ExtendedReport


class Compound(NamedTuple):
    """What one datagram held; `flaw` says why reading stopped early, if it did."""

    packets: tuple[RtcpPacket, ...]
    flaw: Flaw | None = None


def parse(data: Buffer) -> Compound:
    """Read one RTCP datagram, compound or of reduced size (RFC 5506)."""
    data = bytes(data)
    packets: list[RtcpPacket] = []
    offset, size = 0, len(data)
    if size < 4:
        return Compound((), Flaw.SHORT)
    while offset < size:
        if offset + 4 > size:
            return Compound(tuple(packets), Flaw.SHORT)
        first, kind = data[offset], data[offset + 1]
        if first >> 6 != 2:
            return Compound(tuple(packets), Flaw.VERSION)
        end = offset + 4 + 4 * (data[offset + 2] << 8 | data[offset + 3])
        if end > size:
            return Compound(tuple(packets), Flaw.SHORT)
        body_end = end
        if first & 0x20:
            padding = data[end - 1] if end > offset + 4 else 0
            if padding == 0 or padding > end - offset - 4:
                return Compound(tuple(packets), Flaw.PADDING)
            body_end = end - padding
        packets.extend(_parse_one(kind, first & 0x1F, data[offset + 4 : body_end]))
        offset = end
    return Compound(tuple(packets))


def _parse_one(kind: int, count: int, body: bytes) -> list[RtcpPacket]:
    if kind == SR and len(body) >= 24:
        ntp, rtp_timestamp, packets, octets = _SENDER_INFO.unpack_from(body, 4)
        blocks = _parse_blocks(body, 24, count)
        return [SenderReport(_word(body, 0), ntp, rtp_timestamp, packets, octets, blocks)]
    if kind == RR and len(body) >= 4:
        return [ReceiverReport(_word(body, 0), _parse_blocks(body, 4, count))]
    if kind == SDES:
        return list(_parse_sdes(body, count))
    if kind == BYE:
        return [_parse_bye(body, count)]
    if kind == xr.XR:
        metrics = xr.parse_blocks(body[4:])
        return [ExtendedReport(_word(body, 0), metrics)] if metrics else []
    return []


def _word(body: bytes, offset: int) -> int:
    return int.from_bytes(body[offset : offset + 4], "big")


def _parse_blocks(body: bytes, offset: int, count: int) -> tuple[ReportBlock, ...]:
    blocks = []
    for start in range(offset, min(offset + 24 * count, len(body) - 23), 24):
        ssrc, loss, highest, jitter, last_sr, delay = _BLOCK.unpack_from(body, start)
        cumulative = loss & 0xFFFFFF
        if cumulative & 0x800000:
            cumulative -= 0x1000000
        blocks.append(ReportBlock(ssrc, loss >> 24, cumulative, highest, jitter, last_sr, delay))
    return tuple(blocks)


def _parse_sdes(body: bytes, count: int) -> list[SourceDescription]:
    chunks: list[SourceDescription] = []
    offset = 0
    while len(chunks) < count and offset + 4 <= len(body):
        ssrc, cname = _word(body, offset), ""
        offset += 4
        while offset + 1 < len(body) and body[offset] != 0:
            length = body[offset + 1]
            if body[offset] == _CNAME:
                cname = body[offset + 2 : offset + 2 + length].decode("utf-8", "replace")
            offset += 2 + length
        offset = (offset | 3) + 1  # the null that ends the chunk, and on to the next word
        chunks.append(SourceDescription(ssrc, cname))
    return chunks


def _parse_bye(body: bytes, count: int) -> Goodbye:
    count = min(count, len(body) // 4)
    ssrcs = tuple(_word(body, 4 * index) for index in range(count))
    rest = body[4 * count :]
    reason = rest[1 : 1 + rest[0]].decode("utf-8", "replace") if rest else ""
    return Goodbye(ssrcs, reason)


def build_report(
    ssrc: int,
    cname: str,
    *,
    sender: SenderReport | None = None,
    block: ReportBlock | None = None,
    metrics: VoipMetrics | None = None,
) -> bytes:
    """Build the compound that §6.1 asks for: SR when we sent since the last one, else RR; then the CNAME.

    Of `sender` the SSRC and the blocks are not read. `metrics` follow in an XR.
    """
    blocks = b"" if block is None else _build_block(block)
    if sender is None:
        body = blocks
        kind = RR
    else:
        info = _SENDER_INFO.pack(
            sender.ntp, sender.rtp_timestamp, sender.packets & 0xFFFFFFFF, sender.octets & 0xFFFFFFFF
        )
        body = info + blocks
        kind = SR
    report = _HEAD.pack(0x80 | (block is not None), kind, 1 + len(body) // 4, ssrc) + body
    extended = b"" if metrics is None else xr.build(ssrc, metrics)
    return report + _build_sdes(ssrc, cname) + extended


def build_bye(
    ssrc: int,
    cname: str,
    *,
    reason: str = "",
    sender: SenderReport | None = None,
    block: ReportBlock | None = None,
    metrics: VoipMetrics | None = None,
) -> bytes:
    """Build a last report with a BYE behind it (§6.1: a compound, even for a BYE)."""
    text = b""
    if reason:
        raw = reason.encode()[:_MAX_TEXT_BYTES]
        text = bytes([len(raw)]) + raw
        text += bytes(-len(text) % 4)
    bye = _HEAD.pack(0x81, BYE, 1 + len(text) // 4, ssrc) + text
    return build_report(ssrc, cname, sender=sender, block=block, metrics=metrics) + bye


def _build_block(block: ReportBlock) -> bytes:
    loss = block.fraction_lost << 24 | block.cumulative_lost & 0xFFFFFF
    return _BLOCK.pack(
        block.ssrc, loss, block.highest_sequence, block.jitter, block.last_sr, block.delay_since_last_sr
    )


def _build_sdes(ssrc: int, cname: str) -> bytes:
    raw = cname.encode()[:_MAX_TEXT_BYTES]
    items = bytes([_CNAME, len(raw)]) + raw
    items += bytes(4 - len(items) % 4)  # at least one null ends the list
    return _HEAD.pack(0x81, SDES, 1 + len(items) // 4, ssrc) + items


def report_interval(
    *,
    random: Callable[[], float],
    we_sent: bool,
    initial: bool,
    members: int = 2,
    senders: int = 2,
    average_bytes: float = 120.0,
    bandwidth_bps: float = 64_000.0,
) -> float:
    """Seconds until the next report (§6.3.1, A.7).

    `random` gives 0 <= x < 1; `average_bytes` is the mean size of a compound with its UDP and IP headers;
    `bandwidth_bps` that of the session, of which RTCP has 5 %.
    """
    share = bandwidth_bps / 8 * _RTCP_SHARE
    count = members
    if senders <= members * _SENDER_SHARE:
        if we_sent:
            share *= _SENDER_SHARE
            count = senders
        else:
            share *= 1.0 - _SENDER_SHARE
            count -= senders
    interval = max(average_bytes * count / share, MIN_INTERVAL_S / 2 if initial else MIN_INTERVAL_S)
    return interval * (random() + 0.5) / _COMPENSATION


class ReportTimer:
    """Says when a report is due, with timer reconsideration (§6.3.3, §6.3.6)."""

    def __init__(self, *, random: Callable[[], float], now: float) -> None:
        self._random = random
        self._initial = True
        self._sent_at = now
        self._average_bytes = 120.0
        self.deadline = now + report_interval(random=random, we_sent=False, initial=True)

    def expire(self, *, now: float, we_sent: bool) -> bool:
        """True when a report is to be sent at `now`; False when it is not yet time."""
        if now < self.deadline:
            return False
        due = self._sent_at + self._draw(we_sent)
        if due > now:
            self.deadline = due
            return False
        self._sent_at = now
        self._initial = False
        self.deadline = now + self._draw(we_sent)
        return True

    def note_size(self, size: int) -> None:
        """Take the size of a compound that was sent or received, without UDP and IP headers (§6.3.3)."""
        self._average_bytes += (size + 28 - self._average_bytes) / 16

    def _draw(self, we_sent: bool) -> float:
        return report_interval(
            random=self._random, we_sent=we_sent, initial=self._initial, average_bytes=self._average_bytes
        )
