from __future__ import annotations

import struct

import pytest

from sipcc.sip.capture import LINKTYPE_RAW, MAX_PAYLOAD, file_header, record
from sipcc.sip.transport.base import Address


def checksum(data: bytes) -> int:
    """RFC 1071, the slow way."""
    data += b"\0" * (len(data) % 2)
    total = sum(data[at] << 8 | data[at + 1] for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_the_file_says_raw_ip() -> None:
    magic, major, minor, _zone, _sigfigs, snap, link = struct.unpack("<IHHiIII", file_header())
    assert (magic, major, minor, snap, link) == (0xA1B2C3D4, 2, 4, 65535, LINKTYPE_RAW)


@pytest.mark.parametrize("payload", [b"", b"odd", b"even"])
def test_ipv4(payload: bytes) -> None:
    made = record(
        payload, source=Address("192.0.2.1", 5060), destination=Address("192.0.2.2", 5070), wall=3.5
    )
    assert struct.unpack_from("<IIII", made) == (3, 500_000, 28 + len(payload), 28 + len(payload))
    packet = made[16:]
    assert packet[0] == 0x45
    assert checksum(packet[:20]) == 0xFFFF
    assert struct.unpack_from("!H", packet, 2)[0] == len(packet)
    assert packet[12:20] == b"\xc0\x00\x02\x01\xc0\x00\x02\x02"
    assert struct.unpack_from("!HHHH", packet, 20) == (5060, 5070, 8 + len(payload), 0)
    assert packet[28:] == payload


@pytest.mark.parametrize("payload", [b"", b"odd", b"even"])
def test_ipv6_has_its_checksum(payload: bytes) -> None:
    made = record(
        payload, source=Address("2001:db8::1", 5060), destination=Address("192.0.2.2", 5070), wall=0
    )
    packet = made[16:]
    assert packet[0] >> 4 == 6
    length = struct.unpack_from("!H", packet, 4)[0]
    assert (length, packet[6]) == (8 + len(payload), 17)
    pseudo = packet[8:40] + struct.pack("!II", length, 17)
    assert checksum(pseudo + packet[40:]) == 0xFFFF
    assert packet[48:] == payload


def test_times_before_1970_are_1970() -> None:
    here = Address("192.0.2.1", 5060)
    assert record(b"", source=here, destination=here, wall=-5.5)[:8] == bytes(8)


def test_what_no_packet_can_hold_is_cut() -> None:
    here = Address("192.0.2.1", 5060)
    assert len(record(b"x" * 70_000, source=here, destination=here, wall=0)) == 16 + 28 + MAX_PAYLOAD
