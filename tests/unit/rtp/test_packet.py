from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.rtp import packet
from sipcc.rtp.packet import Flaw, Kind, RtpPacket

PAYLOAD = bytes(range(160))


def header(first: int = 0x80, second: int = 0) -> bytes:
    return struct.pack("!BBHII", first, second, 7, 160, 0xCAFE)


def test_what_was_built_is_read_back() -> None:
    data = packet.build(PAYLOAD, payload_type=8, sequence=65535, timestamp=2**32 - 1, ssrc=7, marker=True)
    assert packet.parse(data) == RtpPacket(8, 65535, 2**32 - 1, 7, True, PAYLOAD)


def test_build_wraps_sequence_and_timestamp() -> None:
    read = packet.parse(packet.build(b"", payload_type=0, sequence=65536, timestamp=2**32 + 5, ssrc=1))
    assert isinstance(read, RtpPacket)
    assert (read.sequence, read.timestamp) == (0, 5)


@pytest.mark.parametrize(
    ("data", "flaw"),
    [
        (b"", Flaw.SHORT),
        (header()[:11], Flaw.SHORT),
        (header(0x40), Flaw.VERSION),
        (header(0x00) + PAYLOAD, Flaw.VERSION),
        (header(0x8F) + bytes(59), Flaw.CSRC),
        (header(0x90), Flaw.EXTENSION),
        (header(0x90) + bytes(3), Flaw.EXTENSION),
        (header(0x90) + b"\xbe\xde\x00\x02" + bytes(7), Flaw.EXTENSION),
        (header(0x90) + b"\xbe\xde\xff\xff" + PAYLOAD, Flaw.EXTENSION),
        (header(0xA0) + PAYLOAD + b"\x00", Flaw.PADDING),
        (header(0xA0) + b"\x00\x00\x04", Flaw.PADDING),
        (header(0xA0), Flaw.PADDING),
        (header(0x80, 200) + PAYLOAD, Flaw.RTCP),
    ],
)
def test_flaws(data: bytes, flaw: Flaw) -> None:
    assert packet.parse(data) is flaw


@pytest.mark.parametrize(
    ("data", "payload"),
    [
        (header() + PAYLOAD, PAYLOAD),
        (header(), b""),
        (header(0x82) + bytes(8) + PAYLOAD, PAYLOAD),
        (header(0x90) + b"\xbe\xde\x00\x00" + PAYLOAD, PAYLOAD),
        (header(0x90) + b"\xbe\xde\x00\x01abcd" + PAYLOAD, PAYLOAD),
        (header(0xA0) + PAYLOAD + b"\x00\x00\x03", PAYLOAD),
        (header(0xA0) + b"\x00\x00\x03", b""),
        (header(0xB1) + b"csrc" + b"\xbe\xde\x00\x01abcd" + PAYLOAD + b"\x01", PAYLOAD),
    ],
)
def test_payload_bounds(data: bytes, payload: bytes) -> None:
    read = packet.parse(data)
    assert isinstance(read, RtpPacket)
    assert read.payload == payload
    assert packet.payload_bounds(bytearray(data + b"rest of the buffer"), len(data)) == packet.payload_bounds(
        data, len(data)
    )


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (header() + PAYLOAD, Kind.RTP),
        (header(0x80, 0x80 | 101), Kind.RTP),
        (header(0x80, 200), Kind.RTCP),
        (header(0x81, 223), Kind.RTCP),
        (header(0x80, 224), Kind.RTP),
        (b"\x00\x01\x00\x00\x21\x12\xa4\x42", Kind.STUN),
        (b"\x16\xfe\xfd", Kind.DTLS),
        (b"INVITE", Kind.OTHER),
        (b"\x80", Kind.OTHER),
        (b"", Kind.OTHER),
    ],
)
def test_classify(data: bytes, kind: Kind) -> None:
    assert packet.classify(data) is kind


def test_rewrite_leaves_all_but_the_line_alone() -> None:
    data = bytearray(header(0x90, 8) + b"\xbe\xde\x00\x01abcd" + PAYLOAD)
    before = bytes(data)
    packet.rewrite(data, second=0x80 | 0, sequence=9, timestamp=320, ssrc=0xBEEF)
    assert data[0] == before[0]
    assert data[1:12] == struct.pack("!BHII", 0x80, 9, 320, 0xBEEF)
    assert data[12:] == before[12:]


@given(st.binary(max_size=100), st.sampled_from([0x80, 0x90, 0xA0, 0xB3, 0x8F, 0xBF]))
def test_nothing_from_the_network_raises(data: bytes, first: int) -> None:
    for datagram in (data, bytes([first]) + data):
        packet.classify(datagram)
        read = packet.parse(datagram)
        if isinstance(read, RtpPacket):
            assert len(read.payload) <= len(datagram) - 12
