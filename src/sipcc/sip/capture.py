"""SIP messages as a capture file that Wireshark and tshark read: pcap, raw IP, UDP.

A message that came over a stream stands here as one datagram between the same addresses and ports: so it
is whole wherever the stream was cut, and readable where it was encrypted. A core: it makes bytes.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

from sipcc.sip.hep import address_of
from sipcc.sip.transport.base import Address

LINKTYPE_RAW = 101
"""Each record begins with its IPv4 or IPv6 header."""
MAX_PAYLOAD = 65_000
"""Longer messages are cut: an IP packet ends there."""

_UDP = 17
_HEAD = "<IIII"


def file_header() -> bytes:
    """What a capture file begins with: microseconds, little endian, raw IP."""
    return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0xFFFF, LINKTYPE_RAW)


def record(message: bytes, *, source: Address, destination: Address, wall: float) -> bytes:
    """One message that went from `source` to `destination` at the Unix time `wall`."""
    packet = _packet(message[:MAX_PAYLOAD], source, destination)
    seconds, rest = divmod(max(0.0, wall), 1.0)
    return struct.pack(_HEAD, int(seconds) & 0xFFFFFFFF, int(rest * 1e6), len(packet), len(packet)) + packet


def _packet(payload: bytes, source: Address, destination: Address) -> bytes:
    here, there = address_of(source), address_of(destination)
    length = 8 + len(payload)
    udp = struct.pack("!HHH", source.port, destination.port, length)
    if isinstance(here, IPv4Address) and isinstance(there, IPv4Address):
        head = struct.pack(
            "!BBHHHBBH4s4s", 0x45, 0, 20 + length, 0, 0, 64, _UDP, 0, here.packed, there.packed
        )
        head = head[:10] + struct.pack("!H", _checksum(head)) + head[12:]
        return head + udp + b"\0\0" + payload  # UDP over IPv4 may go without a checksum (RFC 768)
    left, right = _in_six(here), _in_six(there)
    pseudo = left + right + struct.pack("!II", length, _UDP)
    total = _checksum(pseudo + udp + b"\0\0" + payload) or 0xFFFF  # and over IPv6 it may not (RFC 8200 §8.1)
    head = struct.pack("!IHBB", 0x60000000, length, _UDP, 64)
    return head + left + right + udp + struct.pack("!H", total) + payload


def _in_six(address: IPv4Address | IPv6Address) -> bytes:
    """16 octets; an IPv4 address is mapped."""
    return address.packed if address.version == 6 else b"\0" * 10 + b"\xff\xff" + address.packed


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
