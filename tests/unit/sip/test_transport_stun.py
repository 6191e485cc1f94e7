"""STUN Binding requests on the SIP port, as bytes."""

from __future__ import annotations

import ipaddress
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.sip.transport.base import Address
from sipcc.sip.transport.stun import stun_reply
from sipcc.stun import COOKIE, looks_like_stun

TRANSACTION = bytes(range(12))
SOURCE = Address("192.0.2.1", 32853)


def message(kind: int = 1, body: bytes = b"", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return kind.to_bytes(2, "big") + size.to_bytes(2, "big") + COOKIE + TRANSACTION + body


def attribute(kind: int, value: bytes) -> bytes:
    return kind.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value + bytes(-len(value) % 4)


def with_fingerprint(body: bytes = b"") -> bytes:
    head = message(body=body, length=len(body) + 8)
    return head + attribute(0x8028, (zlib.crc32(head) ^ 0x5354554E).to_bytes(4, "big"))


def mapped(reply: bytes) -> Address:
    """What an answer says; an independent reading of RFC 5389 §15.2."""
    assert reply[:2] == b"\x01\x01"
    assert reply[4:20] == COOKIE + TRANSACTION
    assert reply[20:22] == b"\x00\x20"
    key = int.from_bytes(COOKIE + TRANSACTION, "big")
    port = int.from_bytes(reply[26:28], "big") ^ 0x2112
    if reply[25] == 1:
        value = int.from_bytes(reply[28:32], "big") ^ int.from_bytes(COOKIE, "big")
        return Address(str(ipaddress.IPv4Address(value)), port)
    return Address(str(ipaddress.IPv6Address(int.from_bytes(reply[28:44], "big") ^ key)), port)


@pytest.mark.parametrize(
    ("host", "seen"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),  # an IPv4 peer of a socket for both families
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
@pytest.mark.parametrize("request_", [message(), with_fingerprint()])
def test_a_phone_is_told_where_it_is_seen(host: str, seen: str, request_: bytes) -> None:
    reply = stun_reply(request_, Address(host, 32853))
    assert reply is not None
    assert mapped(reply) == Address(seen, 32853)
    assert len(reply) - 20 == int.from_bytes(reply[2:4], "big")


def test_who_sends_a_fingerprint_gets_one() -> None:
    reply = stun_reply(with_fingerprint(), SOURCE)
    assert reply is not None
    assert reply[-8:-4] == b"\x80\x28\x00\x04"
    assert int.from_bytes(reply[-4:], "big") == zlib.crc32(reply[:-8]) ^ 0x5354554E
    bare = stun_reply(message(), SOURCE)
    assert bare is not None
    assert len(bare) == 32


def test_the_vector_of_rfc_5769_is_read() -> None:
    # RFC 5769 §2.1: PRIORITY and ICE-CONTROLLED belong to ICE; the first must be understood, and is not
    request = bytes.fromhex(
        "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74"
        "002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020"
        "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
    )
    reply = stun_reply(request, SOURCE)
    assert reply is not None
    assert reply[:2] == b"\x01\x11"
    assert reply[20:28] == b"\x00\x09\x00\x04\x00\x00\x04\x14"
    assert reply[28:34] == b"\x00\x0a\x00\x02\x00\x24"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        message()[:19],
        message(length=4),
        message(body=b"\x00\x01\x00"),
        message(body=attribute(0x8022, b"x")[:-1]),
        message(body=b"\x80\x22\x00\xff"),
        message(kind=0x0101),  # an answer: two servers must not talk for ever
        message(kind=0x0011),  # an indication
        message(kind=0x0003),  # Allocate of TURN
        message().replace(COOKIE, b"1234"),
        with_fingerprint()[:-1] + b"\x00",
        with_fingerprint() + attribute(0x8022, b""),
        message(body=attribute(0x8022, b"x" * 600)),
        message() + b"\x00" * 4,
        b"INVITE sip:a@example.com SIP/2.0\r\n\r\n",
    ],
)
def test_what_is_no_plain_question_gets_no_answer(data: bytes) -> None:
    assert stun_reply(data, SOURCE) is None


def test_a_source_that_is_no_address_gets_no_answer() -> None:
    assert stun_reply(message(), Address("phone.invalid", 5060)) is None


@given(st.binary(max_size=80), st.booleans(), st.sampled_from(["192.0.2.1", "2001:db8::1"]))
def test_an_answer_is_never_much_longer_than_its_question(body: bytes, real: bool, host: str) -> None:
    data = message(body=body) if real else body
    reply = stun_reply(data, Address(host, 4000))
    if reply is not None:
        assert looks_like_stun(data)
        frame = 66 if ":" in host else 46
        assert len(reply) + frame <= 1.3 * (len(data) + frame)
