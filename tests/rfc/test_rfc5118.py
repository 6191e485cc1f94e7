"""RFC 5118: the twelve IPv6 torture messages, by the points that they are about.

The messages are written here after the RFC's sections, with the same names; what each of them tries is in
one or two of its lines. Verdicts as the RFC gives them: one is malformed (4.2), all others must be taken,
also those that a strict reader of RFC 3261's grammar would refuse (4.5 with delimiters, 4.10).
"""

from __future__ import annotations

import pytest
from tests.rfc.test_rfc4475_uas import answers_to

from sipcc.errors import ParseError
from sipcc.sip.message import BadMessage, Request, dialog_key, transaction_key
from sipcc.sip.parser import StreamParser, parse_datagram
from sipcc.sip.sdp import SessionDescription
from sipcc.sip.uri import SipUri

US = "sip:user@example.com"


def made(
    method: str, uri: str, *, via: str = "SIP/2.0/UDP [2001:db8::9:1]", body: str = "", more: str = ""
) -> bytes:
    first, *others = via.split(", ")
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: {first};branch=z9hG4bKas3-111",
        *(f"Via: {hop};branch=z9hG4bK{number}" for number, hop in enumerate(others)),
        "Call-ID: SSG9559905523997077@hlau_4100",
        "Max-Forwards: 70",
        "From: <sip:user@example.com>;tag=81x2",
        f"To: <sip:user@example.com>{';tag=b' if method == 'BYE' else ''}",
        f"CSeq: 98176 {method}",
        *more.splitlines(),
        *(["Content-Type: application/sdp"] if body else []),
        f"Content-Length: {len(body)}",
        "",
        body,
    ]
    return "\r\n".join(lines).encode()


def sdp(*lines: str) -> str:
    return "".join(f"{line}\r\n" for line in ("v=0", *lines))


V6 = sdp(
    "o=assistant 971731711378798081 0 IN IP6 2001:db8::20",
    "s=Live video feed for today's meeting",
    "c=IN IP6 2001:db8::20",
    "t=3338481189 3370017201",
    "m=audio 6000 RTP/AVP 2",
    "a=rtpmap:2 G726-32/8000",
)
BOTH = sdp(
    "o=bob 280744730 28977631 IN IP4 host.example.com",
    "s=",
    "t=0 0",
    "m=audio 22334 RTP/AVP 0",
    "c=IN IP4 192.0.2.1",
    "m=video 6024 RTP/AVP 107",
    "c=IN IP6 2001:db8::1",
    "a=rtpmap:107 H263-1998/90000",
)
MAPPED = sdp(
    "o=bob 280744730 28977631 IN IP6 ::ffff:192.0.2.2",
    "s=",
    "c=IN IP6 ::ffff:192.0.2.2",
    "t=0 0",
    "m=audio 22334 RTP/AVP 0",
)

MESSAGES: dict[str, bytes] = {
    "4.1 ipv6-good": made("REGISTER", "sip:[2001:db8::10]", more='Contact: "A" <sip:a@[2001:db8::1]>'),
    "4.2 ipv6-bad": made("REGISTER", "sip:2001:db8::10"),
    "4.3 port-ambiguous": made("REGISTER", "sip:[2001:db8::10:5070]"),
    "4.4 port-unambiguous": made("REGISTER", "sip:[2001:db8::10]:5070"),
    "4.5 via-received-param-with-delim": made(
        "OPTIONS", "sip:[2001:db8::10]", via="SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255]"
    ),
    "4.5 via-received-param-no-delim": made(
        "OPTIONS", "sip:[2001:db8::10]", via="SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255"
    ),
    "4.6 ipv6-in-sdp": made("INVITE", "sip:u@[2001:db8::10]", body=V6, more="Contact: <sip:[2001:db8::20]>"),
    "4.7 mult-ip-in-header": made(
        "BYE",
        "sip:user@host.example.net",
        via="SIP/2.0/UDP [2001:db8::9:1]:6050, SIP/2.0/UDP 192.0.2.1;received=[2001:db8::9:255],"
        " SIP/2.0/TCP [2001:db8::9:1]",
    ),
    "4.8 mult-ip-in-sdp": made("INVITE", "sip:u@[2001:db8::10]", body=BOTH, more="Contact: <sip:[::1]>"),
    "4.9 ipv4-mapped-ipv6": made(
        "INVITE",
        "sip:user@example.com",
        via="SIP/2.0/UDP [::ffff:192.0.2.10]:19823",
        body=MAPPED,
        more='Contact: "T. desk phone" <sip:ted@[::ffff:192.0.2.2]>',
    ),
    "4.10 ipv6-bug-abnf-3-colons": made("OPTIONS", "sip:user@[2001:db8:::192.0.2.1]"),
    "4.10 ipv6-correct-abnf-2-colons": made("OPTIONS", "sip:user@[2001:db8::192.0.2.1]"),
}  # fmt: skip

BAD = "4.2 ipv6-bad"
GOOD = [name for name in MESSAGES if name != BAD]
ANSWERS = {"BYE": {481}}
"""Of a UA that has no such dialog; all else is answered 200, or rings."""


def taken(name: str) -> Request:
    message = parse_datagram(MESSAGES[name])
    assert isinstance(message, Request)
    return message


def test_there_are_12() -> None:
    assert len(MESSAGES) == 12


@pytest.mark.parametrize("name", GOOD)
def test_what_must_be_taken_is_taken_and_written_again(name: str) -> None:
    request = taken(name)
    assert request.vias
    transaction_key(request)
    dialog_key(request)
    again = parse_datagram(bytes(request))
    assert bytes(again) == bytes(request)


def test_an_address_without_brackets_is_malformed() -> None:
    with pytest.raises(BadMessage) as caught:
        parse_datagram(MESSAGES[BAD])
    assert caught.value.status_hint == 400
    assert caught.value.request is not None


@pytest.mark.parametrize("name", MESSAGES)
def test_the_same_over_a_stream_that_is_cut_at_every_byte(name: str) -> None:
    data = MESSAGES[name]
    for at in range(1, len(data)):
        parser = StreamParser()
        items = [*parser.receive(data[:at]), *parser.receive(data[at:])]
        assert [type(item) for item in items] == [BadMessage if name == BAD else Request], at
        assert not parser.broken


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("name", MESSAGES)
async def test_answers(name: str, transport: str) -> None:
    data = MESSAGES[name]
    statuses, endpoint, _closed = await answers_to(data, transport)
    assert endpoint.counters["crashes"] + endpoint.counters["handler_crashes"] == 0
    method = data.partition(b" ")[0].decode()
    if name == BAD:
        assert set(statuses) == {400}
    elif method == "INVITE":
        assert {100, 180} <= set(statuses)
        assert all(status < 300 for status in statuses)
    else:
        assert set(statuses) <= ANSWERS.get(method, {200})
        assert statuses


class TestDetails:
    def test_where_the_port_is(self) -> None:
        ambiguous, clear = taken("4.3 port-ambiguous").uri, taken("4.4 port-unambiguous").uri
        assert (ambiguous.host, ambiguous.port) == ("2001:db8::10:5070", None)
        assert (clear.host, clear.port) == ("2001:db8::10", 5070)

    def test_three_colons_are_two(self) -> None:
        three, two = taken("4.10 ipv6-bug-abnf-3-colons").uri, taken("4.10 ipv6-correct-abnf-2-colons").uri
        assert three.host == two.host == "2001:db8::192.0.2.1"
        for wrong in ("[2001:db8:::1]", "[:::]", "[1:::2:::192.0.2.1]", "[::::192.0.2.1]"):
            with pytest.raises(ParseError):
                SipUri.parse(f"sip:{wrong}")

    def test_via(self) -> None:
        for name in ("4.5 via-received-param-with-delim", "4.5 via-received-param-no-delim"):
            via = taken(name).via
            assert (via.params["received"] or "").strip("[]") == "2001:db8::9:255"
        hops = taken("4.7 mult-ip-in-header").vias
        assert [hop.host.strip("[]") for hop in hops] == ["2001:db8::9:1", "192.0.2.1", "2001:db8::9:1"]

    def test_sdp(self) -> None:
        def hosts(name: str) -> list[str]:
            found = SessionDescription.parse(taken(name).body)
            return [where.host for media in found.media if (where := found.connection_of(media)) is not None]

        assert hosts("4.6 ipv6-in-sdp") == ["2001:db8::20"]
        assert hosts("4.8 mult-ip-in-sdp") == ["192.0.2.1", "2001:db8::1"]
        assert hosts("4.9 ipv4-mapped-ipv6") == ["::ffff:192.0.2.2"]
