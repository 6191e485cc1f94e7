from __future__ import annotations

import struct

import pytest

from sipcc.sip.hep import MAX_PAYLOAD, address_of, hep3
from sipcc.sip.transport.base import Address


def chunks(packet: bytes) -> dict[int, bytes]:
    """The chunks of a packet by type; asserts that all lengths hold."""
    assert packet[:4] == b"HEP3"
    assert struct.unpack_from("!H", packet, 4)[0] == len(packet)
    found = {}
    at = 6
    while at < len(packet):
        vendor, kind, size = struct.unpack_from("!HHH", packet, at)
        assert vendor == 0
        assert size >= 6
        found[kind] = packet[at + 6 : at + size]
        at += size
    assert at == len(packet)
    return found


def test_every_chunk_of_a_message_over_ipv4() -> None:
    packet = hep3(
        b"OPTIONS",
        source=Address("192.0.2.1", 5060),
        destination=Address("192.0.2.2", 5070),
        transport="udp",
        wall=1_700_000_000.25,
        capture_id=7,
        correlation=b"call@x",
    )
    assert chunks(packet) == {
        1: b"\x02",
        2: b"\x11",
        3: b"\xc0\x00\x02\x01",
        4: b"\xc0\x00\x02\x02",
        7: struct.pack("!H", 5060),
        8: struct.pack("!H", 5070),
        9: struct.pack("!I", 1_700_000_000),
        10: struct.pack("!I", 250_000),
        11: b"\x01",
        12: struct.pack("!I", 7),
        17: b"call@x",
        15: b"OPTIONS",
    }


@pytest.mark.parametrize("transport", ["tcp", "tls", "ws", "wss"])
def test_a_stream_over_ipv6(transport: str) -> None:
    found = chunks(
        hep3(
            b"x" * 70_000,
            source=Address("2001:db8::1", 5061),
            destination=Address("2001:db8::2", 5061),
            transport=transport,  # type: ignore[arg-type]
            wall=1.0,
            capture_id=1,
        )
    )
    assert (found[1], found[2]) == (b"\x0a", b"\x06")
    assert found[6].endswith(b"\x02")
    assert (3 in found, 17 in found) == (False, False)
    assert len(found[15]) == MAX_PAYLOAD


def test_addresses_of_two_families_and_no_addresses_make_a_packet_all_the_same() -> None:
    six, four = Address("2001:db8::1", 1), Address("192.0.2.1", 2)
    for source, destination in ((six, four), (four, six), (Address("name", 1), four)):
        found = chunks(
            hep3(b"", source=source, destination=destination, transport="udp", wall=0, capture_id=0)
        )
        assert len(found.get(3, found.get(5, b""))) == len(found.get(4, found.get(6, b"")))
    assert str(address_of(Address("::ffff:192.0.2.1", 1))) == "192.0.2.1"
    assert address_of(Address("fe80::1%eth0", 1)).version == 6
