from __future__ import annotations

import pytest

from sipcc.errors import RemoteProtocolError
from sipcc.sip.build import response
from sipcc.sip.dialog import MAX_CSEQ, Dialog
from sipcc.sip.message import Request, Response
from sipcc.sip.parser import parse_datagram


def invite(*routes: str, contact: str = "<sip:alice@10.0.0.1>") -> Request:
    return Request.build(
        "INVITE",
        "sip:bob@example.com",
        headers=[
            ("Via", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1"),
            *(("Record-Route", route) for route in routes),
            ("From", '"Alice, A" <sip:alice@example.com>;tag=a'),
            ("To", "<sip:bob@example.com>"),
            ("Call-ID", "c"),
            ("CSeq", "7 INVITE"),
            *([("Contact", contact)] if contact else []),
        ],
    )


def ok(request: Request, *, contact: str = "<sip:bob@10.0.0.2>") -> Response:
    return response(request, 200, to_tag="b", headers=[("Contact", contact)] if contact else [])


def test_both_sides_agree() -> None:
    request = invite("<sip:p2;lr>", "<sip:p1;lr>")
    uas, uac = Dialog.of_request(request, "b"), Dialog.of_response(request, ok(request))
    assert (uas.local_tag, uas.remote_tag) == (uac.remote_tag, uac.local_tag) == ("b", "a")
    bye = uas.request("BYE")
    assert str(bye.uri) == "sip:alice@10.0.0.1"
    assert bye.headers.get_all("Route") == ["<sip:p2;lr>", "<sip:p1;lr>"]
    assert bye.headers.get("To") == '"Alice, A" <sip:alice@example.com>;tag=a'
    assert uac.request("BYE").headers.get_all("Route") == ["<sip:p1;lr>", "<sip:p2;lr>"]
    assert (uas.next_hop.host, uac.next_hop.host) == ("p2", "p1")


def test_a_strict_router_takes_the_request_uri() -> None:
    dialog = Dialog.of_request(invite("<sip:p2;lrx=1>", "<sip:p1;lr>"), "b")
    bye = dialog.request("BYE")
    assert str(bye.uri) == "sip:p2;lrx=1"
    assert bye.headers.get_all("Route") == ["<sip:p1;lr>", "<sip:alice@10.0.0.1>"]


def test_sequence_numbers() -> None:
    request = invite()
    uas, uac = Dialog.of_request(request, "b"), Dialog.of_response(request, ok(request))
    assert uac.request("ACK", cseq=7).cseq.number == 7
    assert [uac.request("INFO").cseq.number for _ in range(2)] == [8, 9]
    assert uas.request("BYE").cseq.number == 1
    uas.receive(uac.request("INFO"))
    for number in (10, 9, 7):
        with pytest.raises(RemoteProtocolError) as caught:
            uas.receive(uac.request("INFO", cseq=number))
        assert caught.value.status_hint == 500
    uac.local_cseq = MAX_CSEQ
    assert uac.next_cseq() == 1


def test_target_refresh() -> None:
    request = invite()
    dialog = Dialog.of_request(request, "b")
    dialog.refresh(invite(contact="<sip:alice@10.0.0.9:5070>"))
    assert str(dialog.next_hop) == "sip:alice@10.0.0.9:5070"
    for contact in ("", "<mailto:alice@example.com>"):
        dialog.refresh(invite(contact=contact))
        assert str(dialog.next_hop) == "sip:alice@10.0.0.9:5070"


def test_headers_and_a_method_in_a_contact_stay_out_of_the_request_uri() -> None:
    contact = "<sip:alice@10.0.0.9;ob;method=REFER?Route=%3Csip:10.0.0.1%3E&Subject=x>"
    dialog = Dialog.of_request(invite(contact=contact), "b")
    assert str(dialog.request("BYE").uri) == "sip:alice@10.0.0.9;ob"
    dialog.refresh(invite(contact=contact.replace("10.0.0.9", "10.0.0.8")))
    assert str(dialog.request("BYE").uri) == "sip:alice@10.0.0.8;ob"


def test_peers_without_contact() -> None:
    request = invite(contact="")
    assert str(Dialog.of_request(request, "b").remote_target) == "sip:alice@example.com"
    assert str(Dialog.of_response(request, ok(request, contact="")).remote_target) == "sip:bob@example.com"


def test_control_characters_in_a_display_name_stay_out_of_our_requests() -> None:
    request = parse_datagram(bytes(invite()).replace(b'"Alice, A"', b'"A\\\0\\\x07"') + b"\r\n")
    assert isinstance(request, Request)
    bye = Dialog.of_request(request, "b").request("BYE")
    assert bye.headers.get("To") == "<sip:alice@example.com>;tag=a"
