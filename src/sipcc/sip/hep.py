"""HEP version 3 (EEP): one SIP message with its addresses and its time, for a capture server like Homer.

A packet is ``HEP3``, its whole length, and chunks of vendor (0), type, length and value; the types below
are those of "The Extensible Encapsulation Protocol", rev. 14. A core: it makes bytes and sends none.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

from sipcc.sip.transport.base import Address, TransportName

FAMILY_INET, FAMILY_INET6 = 2, 10
PROTOCOL_UDP, PROTOCOL_TCP = 17, 6
CAPTURED_SIP = 1
MAX_PAYLOAD = 65_000
"""Longer messages are cut: the length field of a packet, and a datagram, have 16 bits."""

_FIXED = struct.Struct("!HHHB HHHB")
_PORTS = struct.Struct("!HHHH HHHH HHHI HHHI HHHB HHHI")
_CHUNK = struct.Struct("!HHH")


def hep3(
    payload: bytes,
    *,
    source: Address,
    destination: Address,
    transport: TransportName,
    wall: float,
    capture_id: int,
    correlation: bytes = b"",
) -> bytes:
    """One packet for the message `payload` that went from `source` to `destination` at Unix time `wall`.

    `correlation` is what the messages of one call have in common: its Call-ID. What went over TLS or a
    WebSocket is told as TCP, for the protocol chunk knows IP's protocols only.
    """
    here, there = address_of(source), address_of(destination)
    seconds, rest = divmod(max(0.0, wall), 1.0)
    parts = [
        _FIXED.pack(
            0, 1, 7, FAMILY_INET if here.version == 4 else FAMILY_INET6,
            0, 2, 7, PROTOCOL_UDP if transport == "udp" else PROTOCOL_TCP,
        ),
        _chunk(3 if here.version == 4 else 5, here.packed),
        _chunk(4 if here.version == 4 else 6, _same_family(there, here).packed),
        _PORTS.pack(
            0, 7, 8, source.port,
            0, 8, 8, destination.port,
            0, 9, 10, int(seconds) & 0xFFFFFFFF,
            0, 10, 10, int(rest * 1e6),
            0, 11, 7, CAPTURED_SIP,
            0, 12, 10, capture_id,
        ),
    ]  # fmt: skip
    if correlation:
        parts.append(_chunk(17, correlation[:255]))
    parts.append(_chunk(15, payload[:MAX_PAYLOAD]))
    body = b"".join(parts)
    return b"HEP3" + struct.pack("!H", 6 + len(body)) + body


def address_of(address: Address) -> IPv4Address | IPv6Address:
    """The IP address in `address`; a name, which no flow should have, becomes 0.0.0.0."""
    try:
        found = ip_address(address.host.partition("%")[0])
    except ValueError:
        return IPv4Address(0)
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _same_family(
    address: IPv4Address | IPv6Address, like: IPv4Address | IPv6Address
) -> IPv4Address | IPv6Address:
    """`address`, or the empty address of the family of `like`: a packet has one family."""
    if address.version == like.version:
        return address
    return IPv4Address(0) if like.version == 4 else IPv6Address(0)


def _chunk(kind: int, value: bytes) -> bytes:
    return _CHUNK.pack(0, kind, 6 + len(value)) + value
