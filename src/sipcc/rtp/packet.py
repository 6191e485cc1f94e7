"""RTP packets (RFC 3550 §5.1): read, checked, built, and rewritten in place.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |V=2|P|X|  CC   |M|     PT      |       sequence number         |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                           timestamp                           |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                             SSRC                              |
    +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
    |                     CSRC list (0 to 15)                       |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |   X: defined by profile       |   length in 32-bit words      |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

Nothing here raises on what the network sends: a packet that breaks a rule comes back as a `Flaw`, which
the caller counts. The hot path does not build objects: it unpacks `HEADER`, takes a first byte of 0x80
(no padding, no extension, no CSRC: nearly all telephony) as "the payload starts at 12", and asks
`payload_bounds` for the rest.
"""

from __future__ import annotations

import struct
from enum import Enum
from typing import NamedTuple

Buffer = bytes | bytearray | memoryview

HEADER = struct.Struct("!BBHII")
"""V/P/X/CC, M/PT, sequence, timestamp, SSRC: the fixed 12 bytes."""
HEADER_SIZE = 12
PLAIN = 0x80
"""First byte of a packet of version 2 without padding, extension and CSRC list."""
MARKER = 0x80
"""The marker bit within the second byte."""

_LINE = struct.Struct("!BHII")  # from the second byte on: what a relay rewrites


class Kind(Enum):
    """What a datagram on a media socket is (RFC 7983 §7, RFC 5761 §4)."""

    RTP = "rtp"
    RTCP = "rtcp"
    STUN = "stun"
    DTLS = "dtls"
    OTHER = "other"


class Flaw(Enum):
    """Why a datagram is not an RTP or RTCP packet."""

    SHORT = "shorter than its header"
    VERSION = "version is not 2"
    CSRC = "CSRC list longer than the packet"
    EXTENSION = "header extension longer than the packet"
    PADDING = "padding of zero or longer than the packet"
    RTCP = "the payload type belongs to RTCP"


class RtpPacket(NamedTuple):
    """One RTP packet, read."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    marker: bool
    payload: bytes
    """Without padding and extension."""


def classify(data: Buffer) -> Kind:
    """Tell protocols on one socket apart by the first two bytes; never looks further."""
    if len(data) < 2:
        return Kind.OTHER
    first = data[0]
    if 128 <= first <= 191:
        # RTCP packet types 192..223 would be RTP payload types 64..95 with the marker bit (RFC 5761 §4).
        return Kind.RTCP if 192 <= data[1] <= 223 else Kind.RTP
    if first <= 3:
        return Kind.STUN
    if 20 <= first <= 63:
        return Kind.DTLS
    return Kind.OTHER


def payload_bounds(data: Buffer, size: int) -> tuple[int, int] | Flaw:
    """Where the payload of a packet of `size` bytes starts and ends (RFC 3550 §5.1, §5.3.1, App. A.1)."""
    if size < HEADER_SIZE:
        return Flaw.SHORT
    first = data[0]
    if first == PLAIN:
        return HEADER_SIZE, size
    if first >> 6 != 2:
        return Flaw.VERSION
    start = HEADER_SIZE + 4 * (first & 0x0F)
    if start > size:
        return Flaw.CSRC
    if first & 0x10:
        if start + 4 > size:
            return Flaw.EXTENSION
        start += 4 + 4 * (data[start + 2] << 8 | data[start + 3])
        if start > size:
            return Flaw.EXTENSION
    if first & 0x20:
        padding = data[size - 1]
        if padding == 0 or start + padding > size:
            return Flaw.PADDING
        return start, size - padding
    return start, size


def parse(data: Buffer) -> RtpPacket | Flaw:
    """Read one datagram; a `Flaw` says why it is not RTP."""
    size = len(data)
    bounds = payload_bounds(data, size)
    if isinstance(bounds, Flaw):
        return bounds
    _, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
    if 192 <= second <= 223:
        return Flaw.RTCP
    start, end = bounds
    return RtpPacket(second & 0x7F, sequence, timestamp, ssrc, second >= MARKER, bytes(data[start:end]))


def build(
    payload: Buffer, *, payload_type: int, sequence: int, timestamp: int, ssrc: int, marker: bool = False
) -> bytes:
    """Build a packet without extension; `sequence` and `timestamp` are taken modulo their width."""
    second = payload_type | MARKER if marker else payload_type
    return HEADER.pack(PLAIN, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + bytes(payload)


def rewrite(packet: bytearray | memoryview, *, second: int, sequence: int, timestamp: int, ssrc: int) -> None:
    """Put another stream's line into the header of `packet`, in place; nothing else is touched.

    `second` is the whole second byte, marker bit and payload type. The numbers must be in range.
    """
    _LINE.pack_into(packet, 1, second, sequence, timestamp, ssrc)
