from __future__ import annotations

import pytest

from sipcc.errors import LocalProtocolError
from sipcc.sip.build import ack, cancel, response
from sipcc.sip.message import Request, Response, transaction_key
from sipcc.sip.parser import parse_datagram

INVITE = (
    b"INVITE sip:b@example.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKtop, SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKlow\r\n"
    b"v: SIP/2.0/UDP 192.0.2.3;branch=z9hG4bKlast\r\n"
    b'From: "A" <sip:a@example.com>;tag=f\r\nTo: <sip:b@example.com>\r\nCall-ID: c\r\n'
    b"CSeq: 5 INVITE\r\n"
    b"Record-Route: <sip:r1.example.com;lr>\r\nRoute: <sip:r2.example.com;lr>\r\nTimestamp: 54\r\n"
    b"Authorization: Digest x=y\r\nUser-Agent: u\r\nContact: <sip:a@192.0.2.1>\r\n\r\n"
)


def invite() -> Request:
    message = parse_datagram(INVITE)
    assert isinstance(message, Request)
    return message


def test_response_copies_what_it_must() -> None:
    answer = response(invite(), 180, to_tag="t")
    assert bytes(answer) == (
        b"SIP/2.0 180 Ringing\r\n"
        b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKtop, SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKlow\r\n"
        b"Via: SIP/2.0/UDP 192.0.2.3;branch=z9hG4bKlast\r\n"
        b'From: "A" <sip:a@example.com>;tag=f\r\nTo: <sip:b@example.com>;tag=t\r\nCall-ID: c\r\n'
        b"CSeq: 5 INVITE\r\n"
        b"Record-Route: <sip:r1.example.com;lr>\r\nContent-Length: 0\r\n\r\n"
    )


def test_100_has_no_tag_but_the_timestamp() -> None:
    answer = response(invite(), 100, to_tag="t")
    assert answer.to.tag == ""
    assert answer.headers.get("Timestamp") == "54"
    assert "Record-Route" not in answer.headers


@pytest.mark.parametrize(("status", "routed"), [(183, True), (200, True), (302, False), (486, False)])
def test_record_route_only_where_a_dialog_comes(status: int, routed: bool) -> None:
    assert ("Record-Route" in response(invite(), status, to_tag="t").headers) == routed


def test_body_headers_and_reason() -> None:
    answer = response(
        invite(),
        200,
        "Fine",
        to_tag="t",
        headers=[("m", "<sip:b@192.0.2.9>")],
        body=b"x",
        content_type="text/plain",
    )
    assert (answer.reason, answer.content_type, answer.body) == ("Fine", "text/plain", b"x")
    assert answer.contacts[0].uri.host == "192.0.2.9"
    with pytest.raises(LocalProtocolError):
        response(invite(), 200, headers=[("Subject", "a\r\nb: c")])


def test_an_existing_tag_stays() -> None:
    request = invite()
    request.headers.set("To", "<sip:b@example.com>;tag=theirs")
    assert response(request, 200, to_tag="mine").to.tag == "theirs"
    parsed = parse_datagram(bytes(request))
    assert isinstance(parsed, Request)
    assert response(parsed, 200, to_tag="mine").to.tag == "theirs"
    assert response(parsed, 200).to.tag == "theirs"


def test_ack_to_a_refusal() -> None:
    request = invite()
    refusal = response(request, 486, to_tag="t")
    built = ack(request, refusal)
    assert transaction_key(built) == transaction_key(request)
    assert bytes(built) == (
        b"ACK sip:b@example.com SIP/2.0\r\n"
        b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKtop\r\nMax-Forwards: 70\r\n"
        b'From: "A" <sip:a@example.com>;tag=f\r\nTo: <sip:b@example.com>;tag=t\r\nCall-ID: c\r\n'
        b"Route: <sip:r2.example.com;lr>\r\nUser-Agent: u\r\nCSeq: 5 ACK\r\nContent-Length: 0\r\n\r\n"
    )
    assert ack(request, Response.build(486)).to.tag == ""


def test_cancel() -> None:
    request = invite()
    built = cancel(request, headers=[("Reason", "SIP;cause=200")])
    assert (built.method, str(built.cseq), built.to.tag) == ("CANCEL", "5 CANCEL", "")
    assert transaction_key(built)[:2] == transaction_key(request)[:2]
    assert built.headers.get("Reason") == "SIP;cause=200"
    assert "Authorization" not in built.headers
    with pytest.raises(LocalProtocolError):
        cancel(Request.build("INVITE", "sip:b@example.com"))
