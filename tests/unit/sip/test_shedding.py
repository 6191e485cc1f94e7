"""Refusals cut from raw requests: what a parser reads in them, and which requests go the long way."""

from __future__ import annotations

import pytest

from sipcc.sip.message import Request, Response, transaction_key
from sipcc.sip.parser import parse_datagram
from sipcc.sip.shedding import Shedder, dialled
from sipcc.sip.transport.base import Address

SOURCE = Address("192.0.2.7", 5071)
INVITE = (
    "INVITE sip:4008123456@192.0.2.1 SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 192.0.2.7:5071;branch=z9hG4bKabc;rport\r\n"
    "Via: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bKdef\r\n"
    "From: <sip:a@example.com>;tag=1\r\n"
    "To: <sip:4008123456@example.com>\r\n"
    "Call-ID: one@example.com\r\n"
    "CSeq: 1 INVITE\r\n"
    "Contact: <sip:a@192.0.2.7>\r\n"
    "Content-Length: 0\r\n\r\n"
)


def refuse(text: str, *, known: bool = False, source: Address = SOURCE) -> bytes | None:
    return Shedder("abcd").refusal(text.encode(), source, 3, known=lambda key: known)


def test_the_answer_says_what_a_parsed_one_would() -> None:
    data = refuse(INVITE)
    assert data is not None
    answer = parse_datagram(data)
    assert isinstance(answer, Response)
    assert (answer.status, answer.headers.get("Retry-After")) == (503, "3")
    request = parse_datagram(INVITE.encode())
    assert transaction_key(answer)[0] == transaction_key(request)[0]
    assert [via.host for via in answer.vias] == ["192.0.2.7", "192.0.2.9"]
    assert (answer.via.params["received"], answer.via.params["rport"]) == ("192.0.2.7", "5071")
    assert (answer.call_id, answer.cseq, answer.from_.tag) == (request.call_id, request.cseq, "1")
    assert answer.to.tag.startswith("abcd")
    assert refuse(INVITE) == data, "each copy gets the same tag"
    assert len(data) <= 1.3 * len(INVITE)


def test_its_ack_is_known_again() -> None:
    shedder = Shedder("abcd")
    answer = parse_datagram(refuse(INVITE) or b"")
    ack = f"ACK sip:x SIP/2.0\r\nTo: {answer.headers.get('To')}\r\n\r\n".encode()
    assert shedder.is_ack(ack)
    assert not shedder.is_ack(ack.replace(b"ACK", b"BYE", 1))
    assert not Shedder("efgh").is_ack(ack)


def test_the_key_that_is_asked_for_is_that_of_the_parser() -> None:
    asked: list[object] = []
    Shedder("x").refusal(INVITE.encode(), SOURCE, 1, known=lambda key: bool(asked.append(key)))
    assert asked == [transaction_key(parse_datagram(INVITE.encode()))]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\r\n\r\n", ""),
        ("From: <sip:a@example.com>", "From:\r\n <sip:a@example.com>"),
        ("z9hG4bKabc", "abc"),
        (";rport", ""),
        ("Call-ID: one@example.com\r\n", ""),
        ("CSeq: 1 INVITE\r\n", "CSeq: 1 INVITE\r\nCSeq: 2 INVITE\r\n"),
        ("To: ", "tO: "),
        ("SIP/2.0/UDP 192.0.2.7:5071", "SIP/2.0/UDP [2001:db8::1]:5071"),
        ("192.0.2.7:5071;branch", '192.0.2.7:5071;x="a,b";branch'),
    ],
)
def test_what_is_unusual_goes_the_long_way(old: str, new: str) -> None:
    assert old in INVITE
    source = Address("192.0.2.8", 5071) if old == ";rport" else SOURCE
    assert refuse(INVITE.replace(old, new), source=source) is None


def test_a_copy_of_an_accepted_request_goes_the_long_way() -> None:
    assert refuse(INVITE, known=True) is None


def test_without_rport_from_where_the_via_says() -> None:
    data = refuse(INVITE.replace(";rport", ""))
    assert data is not None
    assert b"received" not in data


@pytest.mark.parametrize(
    ("data", "user"),
    [(INVITE.encode(), "4008123456"), (b"INVITE tel:110 SIP/2.0", "110"), (b"INVITE sip:h", "h"), (b"", "")],
)
def test_dialled(data: bytes, user: str) -> None:
    assert dialled(data) == user


def test_requests_that_came_as_one_are_told_apart() -> None:
    other = INVITE.replace("one@", "two@")
    assert isinstance(parse_datagram(other.encode()), Request)
    assert refuse(INVITE) != refuse(other)


def test_a_copy_of_a_refused_request_is_known_for_a_while() -> None:
    shedder = Shedder("abcd")
    data = INVITE.encode()
    assert not shedder.was_refused(data, now=0.0)
    assert shedder.refusal(data, SOURCE, 1, known=lambda key: False) is not None
    assert shedder.was_refused(data, now=3.0)
    assert not shedder.was_refused(data.replace(b"z9hG4bKabc", b"z9hG4bKabd"), now=3.0)
    assert shedder.was_refused(data, now=5.0)
    assert not shedder.was_refused(data, now=10.0)
