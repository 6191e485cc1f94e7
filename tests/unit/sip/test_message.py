from __future__ import annotations

import pytest

from sipcc.errors import LocalProtocolError, ParseError
from sipcc.sip.fields import CSeq
from sipcc.sip.headers import Headers
from sipcc.sip.message import (
    BadMessage,
    Message,
    Request,
    Response,
    dialog_key,
    reason_of,
    tag_of,
    transaction_key,
)
from sipcc.sip.parser import parse_datagram
from sipcc.sip.uri import SipUri

INVITE = (
    b"INVITE sip:4008123456@example.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP Host1.Example.com:5060;branch=z9hG4bKaaa, SIP/2.0/TCP 192.0.2.2;branch=z9hG4bKbbb\r\n"
    b"v: SIP/2.0/UDP 192.0.2.3\r\n"
    b"Max-Forwards: 69\r\n"
    b"From: sip:a@example.com;tag=ft\r\n"
    b"To: <sip:4008123456@example.com>\r\n"
    b"Call-ID: cid\r\n"
    b"CSeq: 7 INVITE\r\n"
    b"m: <sip:a@192.0.2.1>\r\n"
    b"Route: <sip:r1.example.com;lr>, <sip:r2.example.com;lr>\r\n"
    b"Record-Route: sip:rr.example.com;lr\r\n"
    b"c: Application/SDP;x=1\r\n"
    b"\r\nbody"
)


def invite() -> Request:
    message = parse_datagram(INVITE)
    assert isinstance(message, Request)
    return message


def test_typed_views() -> None:
    request = invite()
    assert request.call_id == "cid"
    assert request.cseq == CSeq(7, "INVITE")
    assert request.cseq is request.cseq
    assert (request.from_.tag, request.to.tag) == ("ft", "")
    assert [via.sent_by for via in request.vias] == ["Host1.Example.com:5060", "192.0.2.2", "192.0.2.3"]
    assert request.via.branch == "z9hG4bKaaa"
    assert request.contacts[0].uri.host == "192.0.2.1"
    assert not request.contact_is_star
    assert [route.uri.param("lr") for route in request.routes] == ["", ""]
    assert request.record_routes[0].uri == SipUri(host="rr.example.com")
    assert request.record_routes[0].params == {"lr": ""}  # a bare addr-spec: its parameters are the header's
    assert request.max_forwards == 69
    assert request.content_type == "application/sdp"
    assert request.uri.user == "4008123456"
    assert request.body == b"body"
    assert "INVITE" in repr(request)


def test_views_follow_changes() -> None:
    request = invite()
    assert request.to.tag == ""
    request.headers.set("To", "<sip:x@example.com>;tag=new")
    assert request.to.tag == "new"
    assert dialog_key(request) == (b"cid", b"ft", b"new")
    via = request.via.with_params(received="192.0.2.9")
    request.replace_via(via)
    assert [v.received for v in request.vias] == ["192.0.2.9", "", ""]
    assert transaction_key(request) == (b"z9hG4bKaaa", b"host1.example.com:5060", b"INVITE")


def test_bytes_count_the_body() -> None:
    request = invite()
    request.headers.add("Content-Length", "999")
    request.body = "é".encode()
    again = parse_datagram(bytes(request))
    assert again.body == "é".encode()
    assert again.headers.get_all("Content-Length") == ["2"]
    assert bytes(again) == bytes(request)


def test_copy_is_independent() -> None:
    request = invite()
    copy = request.copy()
    copy.headers.remove("Route")
    copy.uri = SipUri(host="other.example.com")
    assert len(request.routes) == 2
    assert request.uri.host == "example.com"
    assert copy.start_line == b"INVITE sip:other.example.com SIP/2.0"
    answer = Response.build(200, None, [("Via", "SIP/2.0/UDP h;branch=z9hG4bKx")])
    assert bytes(answer.copy()) == bytes(answer)


def test_build() -> None:
    request = Request.build("OPTIONS", "sip:example.com", [("i", "c"), ("CSeq", "1 OPTIONS")], b"x")
    assert bytes(request) == (
        b"OPTIONS sip:example.com SIP/2.0\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 1\r\n\r\nx"
    )
    assert bytes(Response.build(180)) == b"SIP/2.0 180 Ringing\r\nContent-Length: 0\r\n\r\n"
    assert Response.build(299, "Fine").reason == "Fine"
    assert reason_of(299) == "Unknown"
    with pytest.raises(LocalProtocolError):
        Request.build("OPTIONS", "sip:example.com", [("Subject", "a\r\nVia: evil")])
    with pytest.raises(LocalProtocolError):
        bytes(Response.build(200, "OK\r\nX: y"))


def test_missing_headers_raise_when_asked_for() -> None:
    bare = Request.build("OPTIONS", "sip:example.com")
    for view in ("call_id", "cseq", "from_", "to", "via", "vias"):
        with pytest.raises(ParseError):
            getattr(bare, view)
    assert bare.contacts == []
    assert bare.max_forwards == 70
    assert bare.content_type == ""
    bare.headers.set("Content-Type", "nonsense")
    assert bare.content_type == ""
    with pytest.raises(NotImplementedError):
        _ = Message(Headers(), b"").start_line


def test_contact_star() -> None:
    request = Request.build("REGISTER", "sip:example.com", [("Contact", "*")])
    assert request.contact_is_star
    assert request.contacts == []


@pytest.mark.parametrize(
    ("raw", "tag"),
    [
        (b"<sip:a@b>;tag=x", b"x"), (b"<sip:a@b;tag=no>", b""), (b"sip:a@b;x=1;TAG = y ", b"y"), (b"", b""),
        (b'"a;tag=no" <sip:a@b>;tag=z;p="q"', b"z"), (b'"open <sip:a@b>;tag=q', b""), (b"<sip:a@b", b""),
    ],
)  # fmt: skip
def test_tag_of(raw: bytes, tag: bytes) -> None:
    assert tag_of(raw) == tag


def request_of(
    method: str, *, branch: str = "", to_tag: str = "", cseq: int = 7, sent_by: str = "h"
) -> Request:
    via = f"SIP/2.0/UDP {sent_by}" + (f";branch={branch}" if branch else "")
    to = "<sip:b@example.com>" + (f";tag={to_tag}" if to_tag else "")
    return Request.build(
        method,
        "sip:b@example.com",
        [
            ("Via", via),
            ("From", "<sip:a@example.com>;tag=f"),
            ("To", to),
            ("Call-ID", "c"),
            ("CSeq", f"{cseq} {method}"),
        ],
    )


def both(request: Request) -> tuple[bytes, bytes, bytes]:
    """The key of a message as built and as parsed: the two ways must agree."""
    key = transaction_key(request)
    assert transaction_key(parse_datagram(bytes(request))) == key
    return key


def test_transaction_key_by_branch() -> None:
    key = both(request_of("INVITE", branch="z9hG4bKabc", sent_by="Host:5070"))
    assert key == (b"z9hG4bKabc", b"host:5070", b"INVITE")
    assert both(request_of("ACK", branch="z9hG4bKabc", to_tag="t", sent_by="host:5070")) == key
    assert both(request_of("CANCEL", branch="z9hG4bKabc", sent_by="host:5070")) == (*key[:2], b"CANCEL")
    answer = Response.build(200, None, request_of("BYE", branch="z9hG4bKq").headers)
    assert transaction_key(answer) == (b"z9hG4bKq", b"h", b"BYE")


@pytest.mark.parametrize("branch", ["", "old.1", "z9hG4bK"])
def test_transaction_key_of_rfc_2543(branch: str) -> None:
    key = both(request_of("INVITE", branch=branch))
    assert both(request_of("ACK", branch=branch, to_tag="of-the-487")) == key
    assert both(request_of("CANCEL", branch=branch))[:2] == key[:2]
    assert both(request_of("INVITE", branch=branch, cseq=8)) != key
    assert both(request_of("BYE", branch=branch, to_tag="x")) != both(
        request_of("BYE", branch=branch, to_tag="y")
    )


def test_bad_message_is_a_parse_error() -> None:
    error = BadMessage("x", layer="framing", offset=3, status_hint=513)
    assert isinstance(error, ParseError)
    assert (error.layer, error.offset, error.status_hint, error.request) == ("framing", 3, 513, None)
