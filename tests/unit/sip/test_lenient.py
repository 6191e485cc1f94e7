"""Broken messages from the wild, read with both profiles: strict refuses, tolerant reads what was meant."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.sip.fields import CSeq
from sipcc.sip.lenient import mend
from sipcc.sip.message import BadMessage, Request, Response
from sipcc.sip.parser import KeepAlive, StreamParser, parse_datagram

BODY = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=呼叫中心\r\n".encode()
INVITE = (
    b"INVITE sip:4008123456@192.0.2.9 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport\r\n"
    b"Max-Forwards: 70\r\n"
    b'From: "A" <sip:13800138000@192.0.2.1>;tag=1\r\n'
    b"To: <sip:4008123456@192.0.2.9>\r\n"
    b"Call-ID: a84b4c76e66710@192.0.2.1\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"Contact: <sip:192.0.2.1:5060>\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: %d\r\n\r\n" % len(BODY)
) + BODY
OK = (
    b"SIP/2.0 200 OK\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1\r\n"
    b"From: <sip:1001@192.0.2.9>;tag=1\r\n"
    b"To: <sip:4008123456@192.0.2.1>;tag=2\r\n"
    b"Call-ID: x\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"Contact: <sip:192.0.2.1:5060>\r\n"
    b"Content-Length: 0\r\n\r\n"
)


def to(new: bytes, old: bytes) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        assert old in data
        return data.replace(old, new)

    return change


SLOPPY: dict[str, Callable[[bytes], bytes]] = {
    "bare LF": lambda data: data.replace(b"\r\n", b"\n"),
    "bare LF in the head only": lambda data: data.removesuffix(BODY).replace(b"\r\n", b"\n") + BODY,
    "some bare LF": lambda data: data.replace(b"\r\n", b"\n", 3),
    "LF in front": lambda data: b"\n\n" + data,
    "Content-Length too long": to(b"Content-Length: 400", b"Content-Length: %d" % len(BODY)),
    "Content-Length no number": to(b"Content-Length: ??", b"Content-Length: %d" % len(BODY)),
    "Content-Length twice": to(b"l: %d\r\nContent-Length:" % len(BODY), b"Content-Length:"),
    "Content-Type twice, the same": to(
        b"Content-Type: application/sdp\r\nc: application/sdp", b"Content-Type: application/sdp"
    ),
    "spaces in the start line": to(
        b"INVITE \t sip:4008123456@192.0.2.9  S", b"INVITE sip:4008123456@192.0.2.9 S"
    ),
    "brackets in the start line": to(b"<sip:4008123456@192.0.2.9> SIP", b"sip:4008123456@192.0.2.9 SIP"),
    "comma in a display name": to(b"Smith, John <sip", b'"A" <sip'),
    "brackets and & in a display name": to(b"A (sales) & co <sip", b'"A" <sip'),
    "a quote that does not close": to(b'"A <sip', b'"A" <sip'),
    "an empty parameter": to(b";;tag=1", b";tag=1"),
    "a semicolon at the end": to(b";tag=1; \r\n", b";tag=1\r\n"),
    "blanks in a tel URI": to(b"<tel:138 0013 8000>", b"<sip:13800138000@192.0.2.1>"),
    "a Contact with ? and no brackets": to(b"sip:192.0.2.1:5060?x=y", b"<sip:192.0.2.1:5060>"),
    "a Contact that does not close": to(b"<sip:192.0.2.1:5060\r\n", b"<sip:192.0.2.1:5060>\r\n"),
    "too many hops": to(b"Max-Forwards: 300", b"Max-Forwards: 70"),
    "a line without a colon": to(b"--debug--\r\nCall-ID", b"Call-ID"),
    "a name that is no token": to(b"X Trace: 1\r\nCall-ID", b"Call-ID"),
    "folded with bare LF": to(b"CSeq: 1\n INVITE\r\n", b"CSeq: 1 INVITE\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("change", SLOPPY.values(), ids=SLOPPY.keys())
def test_tolerant_reads_what_strict_refuses(change: Callable[[bytes], bytes]) -> None:
    data = change(INVITE)
    with pytest.raises(BadMessage):
        parse_datagram(data)
    message = parse_datagram(data, tolerant=True)
    assert isinstance(message, Request)
    assert message.method == "INVITE"
    assert message.uri.user == "4008123456"
    assert message.from_.tag == "1"
    assert message.call_id == "a84b4c76e66710@192.0.2.1"
    assert message.cseq == CSeq(1, "INVITE")
    assert message.contacts[0].uri.host == "192.0.2.1"
    assert message.body.replace(b"\r\n", b"\n") == BODY.replace(b"\r\n", b"\n")
    assert parse_datagram(bytes(message)).body == message.body


def test_names_are_kept() -> None:
    message = parse_datagram(to(b"Smith, John <sip", b'"A" <sip')(INVITE), tolerant=True)
    assert message.from_.display == "Smith, John"
    message = parse_datagram(to(b'"A "x" B <sip', b'"A" <sip')(INVITE), tolerant=True)
    assert message.from_.display == "A x B"


BOTH: dict[str, tuple[bytes, bytes]] = {
    "no Content-Length": (b"Content-Length: %d\r\n" % len(BODY), b""),
    "no Max-Forwards": (b"Max-Forwards: 70\r\n", b""),
    "no Contact": (b"Contact: <sip:192.0.2.1:5060>\r\n", b""),
    "a name in GBK": (b'"A" <sip', b"\xd6\xd0\xb9\xfa <sip"),
    "an asserted identity that is none": (b"Contact:", b"P-Asserted-Identity: 13800138000\r\nContact:"),
}
"""What is forgiven to everybody: nobody could be misled by it."""


@pytest.mark.parametrize(("old", "new"), BOTH.values(), ids=BOTH.keys())
def test_what_both_profiles_read(old: bytes, new: bytes) -> None:
    data = INVITE.replace(old, new)
    assert bytes(parse_datagram(data)) == bytes(parse_datagram(data, tolerant=True))


@pytest.mark.parametrize("tolerant", [False, True])
def test_an_answer_without_a_to_tag(tolerant: bool) -> None:
    # RFC 3261 §12.1.2 wants every UAC to live with it, for the sake of RFC 2543
    message = parse_datagram(OK.replace(b";tag=2", b""), tolerant=tolerant)
    assert isinstance(message, Response)
    assert message.to.tag == ""


NEVER: dict[str, Callable[[bytes], bytes]] = {
    "two different From": to(b"To:", b"From: <sip:x@example.com>;tag=2\r\nTo:"),
    "two different Content-Length": to(b"l: 9\r\nContent-Length: ", b"Content-Length: "),
    "two different Call-ID": to(b"i: other\r\nCSeq", b"CSeq"),
    "another method in CSeq": to(b"CSeq: 1 BYE", b"CSeq: 1 INVITE"),
    "no Via": lambda data: data.replace(b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport\r\n", b""),
    "no From": lambda data: data.replace(b'From: "A" <sip:13800138000@192.0.2.1>;tag=1\r\n', b""),
    "headers in the Request-URI": to(b"192.0.2.9?Route=x SIP", b"192.0.2.9 SIP"),
    "CR alone": lambda data: data.replace(b"CSeq: 1", b"CSeq: \r1"),
    "noise": lambda data: bytes(range(256)) * 4,
    "nothing": lambda data: b"",
    "not SIP": lambda data: b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
}
NEVER["two different From"] = to(b"From: <sip:x@example.com>;tag=2\r\nTo:", b"To:")


@pytest.mark.parametrize("change", NEVER.values(), ids=NEVER.keys())
def test_what_no_profile_reads(change: Callable[[bytes], bytes]) -> None:
    data = change(INVITE)
    with pytest.raises(BadMessage) as strict:
        parse_datagram(data)
    with pytest.raises(BadMessage) as tolerant:
        parse_datagram(data, tolerant=True)
    assert (str(tolerant.value), tolerant.value.layer) == (str(strict.value), strict.value.layer)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 10_000])
def test_a_tolerant_stream_takes_bare_lf_however_it_is_cut(size: int) -> None:
    plain = INVITE.replace(BODY, BODY.replace(b"\r\n", b"\n"))
    head, _, body = plain.partition(b"\r\n\r\n")
    length = b"Content-Length: %d" % len(body)
    head = head.replace(b"\r\n", b"\n").replace(b"Content-Length: %d" % len(BODY), length)
    sloppy = head + b"\n\n" + body
    data = b"\n" + sloppy + OK + b"\r\n\r\n" + sloppy
    parser = StreamParser(tolerant=True)
    found = [item for at in range(0, len(data), size) for item in parser.receive(data[at : at + size])]
    kinds = [type(item).__name__ for item in found if not isinstance(item, KeepAlive)]
    assert kinds == ["Request", "Response", "Request"]
    assert not parser.broken
    strict = StreamParser()
    strict.receive(data)
    assert strict.broken


def test_a_tolerant_stream_takes_a_message_without_length_when_it_has_no_body() -> None:
    data = OK.replace(b"Content-Length: 0\r\n", b"")
    parser = StreamParser(tolerant=True)
    assert [type(item).__name__ for item in parser.receive(data + OK)] == ["Response", "Response"]
    strict = StreamParser()
    strict.receive(data)
    assert strict.broken


def test_a_stream_that_cannot_be_cut_breaks_in_both_profiles() -> None:
    for tolerant in (False, True):
        parser = StreamParser(tolerant=tolerant)
        parser.receive(INVITE.replace(b"Content-Length: %d" % len(BODY), b"Content-Length: many"))
        assert parser.broken


@given(st.binary(max_size=300))
def test_mending_never_raises(noise: bytes) -> None:
    mend(noise)


@given(st.integers(0, len(INVITE) - 1), st.binary(max_size=8))
def test_a_damaged_message_is_read_or_refused(at: int, noise: bytes) -> None:
    data = INVITE[:at] + noise + INVITE[at + len(noise) :]
    try:
        message = parse_datagram(data, tolerant=True)
    except BadMessage:
        return
    _ = message.via, message.from_, message.to, message.cseq, message.contacts
