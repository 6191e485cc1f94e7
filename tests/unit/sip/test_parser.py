from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.samples import so_many

from sipcc.sip.build import response
from sipcc.sip.framing import Limits
from sipcc.sip.message import BadMessage, Request, Response, dialog_key, transaction_key
from sipcc.sip.parser import (
    KeepAlive,
    StreamParser,
    is_keepalive,
    parse_datagram,
)

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
GOOD = (
    b"INVITE sip:4008123456@example.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds;rport\r\n"
    b"Max-Forwards: 70\r\n"
    b'From: "Bob" <sip:13800138000@example.com>;tag=1928301774\r\n'
    b"To: <sip:4008123456@example.com>\r\n"
    b"Call-ID: a84b4c76e66710\r\n"
    b"CSeq: 314159 INVITE\r\n"
    b"Contact: <sip:13800138000@192.0.2.1:5060>\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: %d\r\n\r\n" % len(SDP)
) + SDP


def with_line(old: bytes, new: bytes) -> bytes:
    """GOOD with the line that starts with `old` replaced."""
    changed, count = re.subn(rb"(?m)^" + re.escape(old) + rb"[^\r\n]*\r\n", lambda _: new, GOOD, count=1)
    assert count == 1
    return changed


def verdict(data: bytes, limits: Limits | None = None) -> str:
    """``ok``, or the layer that objects; the error must be a BadMessage and nothing else."""
    try:
        message = parse_datagram(data, limits=limits or Limits())
    except BadMessage as error:
        return error.layer
    touch(message)
    return "ok"


def touch(message: Request | Response) -> None:
    """Read every view that a parsed message promises."""
    if isinstance(message, Request):
        _ = message.uri, message.start_line, message.content_type
    _ = message.via, message.vias, message.cseq, message.from_, message.to, message.call_id
    _ = message.contacts, message.routes, message.record_routes, message.max_forwards
    branch, sent_by, method = transaction_key(message)
    assert method in {message.cseq.method.encode(), b"INVITE"}
    assert sent_by == message.via.sent_by.lower().encode()
    assert branch or isinstance(message, Response)
    assert dialog_key(message)[1] == message.from_.tag.encode("utf-8", "surrogateescape")
    assert dialog_key(message)[2] == message.to.tag.encode("utf-8", "surrogateescape")
    assert parse_datagram(bytes(message)).headers.get("Call-ID") == message.headers.get("Call-ID")


def test_good() -> None:
    request = parse_datagram(GOOD)
    assert isinstance(request, Request)
    assert (request.method, request.uri.user, request.body) == ("INVITE", "4008123456", SDP)
    assert bytes(request) == GOOD


LENGTHS = {
    b"Content-Length: -1": "framing",
    b"Content-Length: +5": "framing",
    b"Content-Length: 1_0": "framing",
    b"Content-Length: \xd9\xa5": "framing",
    b"Content-Length: 4294967328": "framing",
    b"Content-Length: 2147483648": "framing",
    b"Content-Length: 99999999999": "framing",
    b"Content-Length:": "framing",
    b"Content-Length: 5 5": "framing",
    b"Content-Length: 0x10": "framing",
    b"Content-Length: 3\r\nl: 4": "framing",
    b"Content-Length: 3\r\nl: 3": "framing",
    b"Content-Length: 113": "framing",
    b"Content-Length: 5": "ok",
    b"l: 0": "ok",
    b"Content-Length: 00": "ok",
}


@pytest.mark.parametrize(("line", "layer"), LENGTHS.items())
def test_lying_lengths(line: bytes, layer: str) -> None:
    assert verdict(with_line(b"Content-Length", line + b"\r\n")) == layer


def test_octets_after_the_body_are_no_message() -> None:
    message = parse_datagram(with_line(b"Content-Length", b"Content-Length: 3\r\n"))
    assert message.body == SDP[:3]
    assert parse_datagram(with_line(b"Content-Length", b"")).body == SDP


SHAPES: dict[str, tuple[Callable[[], bytes], str]] = {
    "C01 CSeq method of 1,000 bytes": (
        lambda: with_line(b"CSeq", b"CSeq: 1 " + b"A" * 1000 + b"\r\n"),
        "semantic",
    ),
    "C01 method of 1,000 bytes": (lambda: GOOD.replace(b"INVITE", b"A" * 1000), "start-line"),
    "C03 50 Accept headers": (lambda: with_line(b"Max-F", b"Accept: a/b\r\n" * 50), "ok"),
    "C03 over-long header name": (lambda: with_line(b"Max-F", b"A" * 2000 + b": 1\r\n"), "header:name"),
    "C03 over-long port": (
        lambda: GOOD.replace(b"@192.0.2.1:5060>", b"@192.0.2.1:" + b"5" * 99 + b">"),
        "header:Contact",
    ),
    "C03 over-long port in Via": (lambda: GOOD.replace(b":5060;b", b":" + b"5" * 99 + b";b"), "header:Via"),
    "C03 over-long port in the Request-URI": (
        lambda: GOOD.replace(b"com SIP", b"com:" + b"1" * 99 + b" SIP"),
        "start-line",
    ),
    "C03 alias parameter": (lambda: GOOD.replace(b":5060>", b":5060;alias=1~" + b"9" * 99 + b">"), "ok"),
    "C06 From tag of 300 characters": (lambda: GOOD.replace(b"1928301774", b"t" * 300), "ok"),
    "C06 branch of 300 characters": (lambda: GOOD.replace(b"776asdhds", b"b" * 300), "ok"),
    "C07 space before the colon": (lambda: GOOD.replace(b"To:", b"To :"), "ok"),
    "C07 control byte before the colon": (lambda: GOOD.replace(b"To:", b"To\x01:"), "header:name"),
    "C07 vertical tab before the colon": (lambda: GOOD.replace(b"To:", b"To\x0b:"), "header:name"),
    "C07 no colon": (lambda: with_line(b"Max-F", b"Subject\r\n"), "header:name"),
    "C17 garbage Via": (lambda: with_line(b"Via", b"Via: SIP/2.0/\x16UD~PTo :::]\r\n"), "header:Via"),
    "C17 double tag": (lambda: GOOD.replace(b";tag=1928301774", b";tag=1;tag=2"), "header:From"),
    "C17 bare LF": (lambda: GOOD.replace(b"70\r\n", b"70\n"), "framing"),
    "C17 bare LF everywhere": (lambda: GOOD.replace(b"\r\n", b"\n"), "framing"),
    "C17 bare CR": (lambda: GOOD.replace(b"70\r\n", b"70\r"), "framing"),
    "C17 Request-URI whose port is odd": (lambda: GOOD.replace(b"com SIP", b"com: SIP"), "start-line"),
    "C18 2^32+32": (lambda: with_line(b"Content-Length", b"Content-Length: 4294967328\r\n"), "framing"),
    "C19 huge length": (lambda: with_line(b"Content-Length", b"Content-Length: 1999999999\r\n"), "framing"),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_that_broke_others(name: str) -> None:
    make, layer = SHAPES[name]
    assert verdict(make()) == layer


START_LINES = {
    b"INVITE sip: SIP/2.0": "start-line",
    b"INVITE  SIP/2.0": "start-line",
    b"INVITE sip:a@example.com": "start-line",
    b"INVITE sip:a@example.com SIP/2.0 ": "start-line",
    b"INVITE\tsip:a@example.com SIP/2.0": "start-line",
    b"INVITE sip:a@example.com HTTP/1.1": "start-line",
    b"GET / HTTP/1.1": "start-line",
    b"IN(VITE sip:a@example.com SIP/2.0": "start-line",
    b"INVITE sip:a@example.com SIP/3.0": "semantic",
    b"INVITE sip:a@example.com SIP/2.1": "semantic",
    b"INVITE sip:a@example.com sip/2.0": "ok",
    b"INVITE sip:a@example.com?x=y SIP/2.0": "semantic",
    b"INVITE tel:4008123456 SIP/2.0": "ok",
    b"INVITE unknown:thing SIP/2.0": "ok",
    b"invite sip:a@example.com SIP/2.0": "semantic",
    b"SIP/2.0 200 OK": "ok",
    b"SIP/2.0 200": "start-line",
    b"SIP/2.0 0200 OK": "start-line",
    b"SIP/2.0 099 Low": "start-line",
    b"SIP/2.0 700 High": "start-line",
    b"SIP/2.0 2_0 OK": "start-line",
    "SIP/2.0 ٢٠٠ OK".encode(): "start-line",
    b"SIP/7.0 200 OK": "start-line",
    b"": "start-line",
}


@pytest.mark.parametrize(("line", "layer"), START_LINES.items())
def test_start_lines(line: bytes, layer: str) -> None:
    assert verdict(with_line(b"INVITE", line + b"\r\n")) == layer


LINES = {
    b"Via: SIP/2.0/UDP h;branch=z9hG4bKx;;": "header:Via",
    b"Via:": "header:Via",
    b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nVia: junk": "header:Via",
    b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx, junk": "header:Via",
    b"Via: SIP/2.0/UDP [2001:db8::1]:5060;rport;branch=z9hG4bKx": "ok",
    b"Via: SIP/2.0/UDP h;branch=z9hG4bKx;rport=5;received=192.0.2.1": "ok",
    b"Via: SIP/2.0/UDP h;branch=z9hG4bKx;received=192.0.2.1;rport=5": "ok",
    b"": "semantic",
}


@pytest.mark.parametrize(("line", "layer"), LINES.items())
def test_via_lines(line: bytes, layer: str) -> None:
    assert verdict(with_line(b"Via", line + b"\r\n" if line else b"")) == layer


@pytest.mark.parametrize("name", [b"Via", b"From", b"To", b"Call-ID", b"CSeq"])
def test_mandatory_headers(name: bytes) -> None:
    with pytest.raises(BadMessage) as caught:
        parse_datagram(with_line(name, b""))
    assert caught.value.layer == "semantic"
    assert (caught.value.request is None) == (name == b"Via")


@pytest.mark.parametrize("name", [b"From", b"To", b"Call-ID", b"CSeq", b"Max-Forwards", b"Content-Type"])
def test_single_headers(name: bytes) -> None:
    line = re.search(rb"(?m)^" + name + rb"[^\r\n]*\r\n", GOOD)
    assert line is not None
    assert verdict(with_line(name, line[0] * 2)) == "semantic"


OTHER_LINES = [
    (b"Max-Forwards", b"Max-Forwards: 256", "header:Max-Forwards"),
    (b"Max-Forwards", b"Max-Forwards: 255", "ok"),
    (b"Max-Forwards", b"Max-Forwards: 1_0", "header:Max-Forwards"),
    (b"Max-Forwards", b"Max-Forwards: 0", "ok"),
    (b"Call-ID", b"Call-ID: ", "header:Call-ID"),
    (b"Call-ID", b"Call-ID: a b", "header:Call-ID"),
    (b"CSeq", b"CSeq: 2147483648 INVITE", "header:CSeq"),
    (b"CSeq", b"CSeq: 2147483647 INVITE", "ok"),
    (b"CSeq", b"CSeq: \xd9\xa1 INVITE", "header:CSeq"),
    (b"CSeq", b"CSeq: 1 BYE", "semantic"),
    (b"CSeq", b"CSeq: 1\tINVITE", "ok"),
    (b"To", b'To: "open <sip:a@example.com>', "header:To"),
    (b"To", b"To: Watson, Thomas <sip:a@example.com>", "header:To"),
    (b"To", b"To: isbn:2983792873", "ok"),
    (b"From", b'From: "\xe5\xbc\xa0" <sip:a@example.com>', "ok"),
    (b"Contact", b"Contact: *", "header:Contact"),
    (b"Contact", b"Contact: sip:a@example.com?x=y", "header:Contact"),
    (b"Contact", b'Contact: "a, <b>" <sip:a@example.com>, <sip:b@example.com>;q=0.1', "ok"),
    (b"Contact", b"Contact: <sip:a@example.com>,", "header:Contact"),
    (b"Contact", b"Contact: " + b",".join([b"<sip:a@b>"] * 256), "ok"),
    (b"Contact", b"Contact: " + b",".join([b"<sip:a@b>"] * 257), "header:Contact"),
    (b"Via", b"Via: " + b",".join([b"SIP/2.0/UDP h;branch=z9hG4bKx"] * 257), "framing"),
    (b"Via", b"Via: SIP/2.0/UDP h;branch=z9hG4bKx" + b",SIP/2.0/UDP h" * 256, "header:Via"),
    (b"Contact", b"Record-Route: sip:rr.example.com;lr", "ok"),
    (b"Contact", b"Record-Route: <sip:rr.example.com;lr>, <sip:r", "header:Record-Route"),
    (b"Contact", b"Route: <sip:a@example.com;(lr>", "header:Route"),
    (b"Contact", b"Route: <>", "header:Route"),
    (b"Contact", b"X-Long: " + b"a" * 9000, "framing"),
    (b"Contact", b"\r\n".join([b"X-Many: 1"] * 300), "framing"),
    (b"Contact", b"X-Folded: a" + b"\r\n b" * 15, "ok"),
    (b"Contact", b"X-Folded: a" + b"\r\n b" * 17, "framing"),
    (b"Contact", b"X-Folded:\r\n  \r\n\tb", "ok"),
    (b"Contact", b"X-Folded:" + b"\r\n " * 3 + b"\r\n " + b"a" * 3000 + b"\r\n " + b"a" * 6000, "framing"),
]


@pytest.mark.parametrize(("old", "new", "layer"), OTHER_LINES)
def test_other_lines(old: bytes, new: bytes, layer: str) -> None:
    assert verdict(with_line(old, new + b"\r\n")) == layer


def test_register_may_have_a_star() -> None:
    data = with_line(b"Contact", b"Contact: *\r\n").replace(b"INVITE", b"REGISTER")
    message = parse_datagram(data)
    assert message.contact_is_star


def test_a_star_stands_alone() -> None:
    for contacts in (b"Contact: *\r\nm: <sip:a@example.com>\r\n", b"Contact: *, <sip:a@example.com>\r\n"):
        data = with_line(b"Contact", contacts).replace(b"INVITE", b"REGISTER")
        assert verdict(data) == "header:Contact"


def test_what_devices_in_the_field_send() -> None:
    """Each line stands for a fault report against another stack (facts/sip.md, section 3)."""
    chinese = GOOD.replace(b'"Bob"', '"张三 & Söhne"'.encode())
    assert parse_datagram(chinese).body == SDP  # a body offset counted in characters would cut it
    unquoted = GOOD.replace(b'"Bob"', "张三".encode())
    assert parse_datagram(unquoted).from_.display == "张三"
    assert parse_datagram(GOOD.replace(b'"Bob"', b'""')).from_.display == ""
    compact = GOOD
    for long, short in (
        (b"Via", b"v"),
        (b"Content-Type", b"c"),
        (b"Content-Length", b"l"),
        (b"Call-ID", b"i"),
    ):
        compact = compact.replace(long + b":", short + b":")
    message = parse_datagram(compact)
    assert (message.content_type, message.call_id) == ("application/sdp", "a84b4c76e66710")
    folded = b'WWW-Authenticate: Digest realm="a",\r\n nonce="b",\r\n\talgorithm=MD5\r\n'
    message = parse_datagram(with_line(b"Max-F", folded))
    assert message.headers.get("WWW-Authenticate") == 'Digest realm="a", nonce="b", algorithm=MD5'
    two = b"P-Asserted-Identity: <sip:a@example.com>\r\nP-Asserted-Identity: <tel:+8613800138000>\r\n"
    assert len(parse_datagram(with_line(b"Max-F", two)).headers.values("P-Asserted-Identity")) == 2
    route = b'Route: <sip:alr@example.com;xlr;ttl=1>, "x, y" <sip:b@example.com;lr=on>\r\n'
    routes = parse_datagram(with_line(b"Max-F", route)).routes
    assert [route.uri.param("lr") for route in routes] == [None, "on"]  # `lr` counts as a whole parameter


def test_nothing_but_vias() -> None:
    line = b"Via: SIP/2.0/UDP h;branch=z9hG4bKx\r\n"
    assert verdict(b"OPTIONS sip:a@example.com SIP/2.0\r\n" + line * 3 + b"\r\n") == "semantic"


def test_vias_may_stand_apart() -> None:
    line = b"Via: SIP/2.0/UDP h;branch=z9hG4bKlow\r\n"
    message = parse_datagram(with_line(b"Max-Forwards", line))
    assert [via.branch for via in message.vias] == ["z9hG4bK776asdhds", "z9hG4bKlow"]
    message = parse_datagram(with_line(b"Max-Forwards", line + b"Accept: a/b\r\n" * 2))
    assert [via.branch for via in message.vias] == ["z9hG4bK776asdhds", "z9hG4bKlow"]
    assert verdict(with_line(b"Max-Forwards", line + b"Accept: a/b\r\n" * 2 + b"v: x\r\n")) == "header:Via"


def test_folded_start_line_is_no_message() -> None:
    assert verdict(GOOD.replace(b" SIP/2.0\r\n", b"\r\n SIP/2.0\r\n", 1)) == "framing"
    assert verdict(b" " + GOOD) == "start-line"


def test_too_long_and_too_short() -> None:
    assert verdict(b"x" * 70000) == "framing"
    assert verdict(b"") == "framing"
    assert verdict(b"\r\n\r\n") == "framing"
    assert verdict(GOOD, Limits(message_bytes=100)) == "framing"
    assert verdict(b"\r\n\r\n" + GOOD) == "ok"


def test_keep_alives() -> None:
    for data in (b"", b"\0", b"\r\n", b"\r\n\r\n", b"\0\0\0\0"):
        assert is_keepalive(data)
    for data in (b"x", b" ", b"\r\n" * 40, GOOD):
        assert not is_keepalive(data)


def test_an_error_can_be_answered() -> None:
    with pytest.raises(BadMessage) as caught:
        parse_datagram(with_line(b"To", b'To: "open <sip:a@example.com>\r\n'))
    error = caught.value
    assert (error.layer, error.status_hint) == ("header:To", 400)
    assert GOOD[error.offset :].startswith(b"<sip:4008123456") or error.offset > 0
    assert error.request is not None
    answer = response(error.request, error.status_hint, to_tag="t")
    assert b'To: "open <sip:a@example.com>;tag=t\r\n' in bytes(answer)


def test_version_earns_505() -> None:
    with pytest.raises(BadMessage) as caught:
        parse_datagram(GOOD.replace(b"SIP/2.0\r\n", b"SIP/7.0\r\n", 1))
    assert caught.value.status_hint == 505
    assert caught.value.request is not None


# -- streams --------------------------------------------------------------------------------------------


def feed(data: bytes, step: int, limits: Limits | None = None) -> tuple[list[object], StreamParser]:
    parser = StreamParser(limits or Limits())
    out: list[object] = []
    for at in range(0, len(data), step):
        out += parser.receive(data[at : at + step])
    return out, parser


def names(items: list[object]) -> list[str]:
    return [
        item.name if isinstance(item, KeepAlive) else getattr(item, "layer", type(item).__name__)
        for item in items
    ]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 10**6])
def test_stream_cuts_messages(step: int) -> None:
    answer = bytes(Response.build(200, None, parse_datagram(GOOD).headers, b"\r\n\r\n"))
    out, parser = feed(GOOD + answer + GOOD, step)
    assert names(out) == ["Request", "Response", "Request"]
    assert [bytes(item) for item in out if isinstance(item, Request | Response)] == [GOOD, answer, GOOD]
    assert parser.idle
    assert not parser.broken


def test_keep_alives_on_a_stream() -> None:
    out, parser = feed(b"\r\n\r\n" + GOOD + b"\r\n" + GOOD + b"\r\n\r\n\r\n\r\n", 10**6)
    assert names(out) == ["PING", "Request", "PONG", "Request", "PING", "PING"]
    assert parser.idle


def test_a_cut_ping_is_a_ping() -> None:
    parser = StreamParser()
    assert parser.receive(b"\r") == []
    assert not parser.idle
    assert parser.receive(b"\n") == [KeepAlive.PONG]  # it may be one; an unwanted pong harms nobody
    assert parser.receive(b"\r\n") == [KeepAlive.PING]
    assert parser.receive(b"\r\n") == [KeepAlive.PONG]
    assert names(parser.receive(GOOD)) == ["Request"]
    assert parser.receive(b"\r\n\r") == []
    assert parser.receive(b"\n") == [KeepAlive.PING]


def test_two_bytes_do_not_deafen_a_connection() -> None:
    parser = StreamParser()
    assert names(parser.receive(b"\r\n")) == ["PONG"]
    assert names(parser.receive(GOOD)) == ["Request"]


@pytest.mark.parametrize("step", [1, 5, 10**6])
def test_a_bad_message_does_not_stop_the_stream(step: int) -> None:
    bad = with_line(b"CSeq", b"CSeq: 1 BYE\r\n")
    nameless = with_line(b"Max-F", b"No colon\r\n")
    out, parser = feed(GOOD + bad + nameless + GOOD, step)
    assert names(out) == ["Request", "semantic", "header:name", "Request"]
    assert not parser.broken


BREAKING = [
    with_line(b"Content-Length", b""),
    with_line(b"Content-Length", b"Content-Length: -1\r\n"),
    with_line(b"Content-Length", b"Content-Length: 4294967328\r\n"),
    with_line(b"Content-Length", b"Content-Length: 1999999999\r\n"),
    with_line(b"Content-Length", b"Content-Length: 70000\r\n"),
    with_line(b"Content-Length", b"Content-Length: 3\r\nl: 4\r\n"),
    with_line(b"Content-Length", b"Content-Length: 3\r\n 4\r\n"),
    with_line(b"Content-Length", b"Content-Length: 1_0\r\n"),
    with_line(b"Content-Length", b"X-Folded: a" + b"\r\n b" * 17 + b"\r\n"),
    with_line(b"Max-F", b"X: y\nContent-Length: 3\r\n"),
    with_line(b"Max-F", b"Subject: a\rb\r\n"),
    with_line(b"Max-F", b"X-A: " + b"a" * 9000 + b"\r\n"),
    b"\rINVITE",
    b"\r\n\rX",
]


@pytest.mark.parametrize("data", BREAKING)
@pytest.mark.parametrize("step", [1, 10**6])
def test_framing_breaks_the_stream(data: bytes, step: int) -> None:
    out, parser = feed(data + GOOD, step)
    assert names([item for item in out if not isinstance(item, KeepAlive)]) == ["framing"]
    assert parser.broken
    assert parser.receive(GOOD) == []


def test_folded_length_is_a_length() -> None:
    out, parser = feed(with_line(b"Content-Length", b"Content-Length:\r\n %d\r\n" % len(SDP)) + GOOD, 11)
    assert names(out) == ["Request", "Request"]
    assert not parser.broken


def test_a_stream_without_end_is_given_up() -> None:
    out, parser = feed(b"INVITE sip:a SIP/2.0\r\n" + b"X-A: b\r\n" * 6000, 999)
    assert names(out) == ["framing"]
    assert parser.broken
    assert parser.idle  # what was buffered is let go
    out, parser = feed(b"x" * 40000, 1000)
    assert names(out) == ["framing"]


def test_the_answer_to_a_broken_length() -> None:
    out, _ = feed(with_line(b"Content-Length", b"Content-Length: 70000\r\n"), 10**6)
    assert isinstance(out[0], BadMessage)
    assert (out[0].status_hint, out[0].request is not None) == (513, True)
    out, _ = feed(
        bytes(Response.build(200, None, parse_datagram(GOOD).headers)).replace(b"Length: 0", b"Length: x"), 9
    )
    assert isinstance(out[0], BadMessage)
    assert out[0].request is None


@pytest.mark.parametrize(
    ("old", "new", "status", "lost"),
    [
        (b"Max-Forwards", b"Subject: a\nRoute: <sip:b>\r\n", 400, set()),
        (b"Max-Forwards", b"Subject: a\rRoute: <sip:b>\r\n", 400, set()),
        (b"From", b"From: <sip:a@b>\nRoute: <sip:b>;tag=1\r\n", 400, {"From"}),
        (b"Max-Forwards", b"X: " + b"x" * 9000 + b"\r\n", 513, {"From", "To", "Call-ID", "CSeq"}),
        (b"Content-Length", b"X: " + b"x" * 9000 + b"\r\n", 513, set()),
        (b"Content-Length", b"X: y\r\n" * 300, 513, set()),
        (b"Content-Length", b"X: y\r\n" * 9000, 513, set()),
    ],
)
def test_who_sends_lines_that_cannot_be_read_can_be_answered(
    old: bytes, new: bytes, status: int, lost: set[str]
) -> None:
    """The answer repeats whole lines only, and of a long block no more than its beginning."""
    data = with_line(old, new)
    with pytest.raises(BadMessage) as caught:
        parse_datagram(data)
    streamed, parser = feed(data, len(data))
    assert parser.broken
    for error in (caught.value, streamed[0]):
        assert isinstance(error, BadMessage)
        assert error.request is not None
        assert error.request.method == "INVITE"
        answer = bytes(response(error.request, error.status_hint))
        assert error.status_hint in (status, 400)
        assert answer.count(b"\n") == answer.count(b"\r\n") == answer.count(b"\r")
        assert b"Route" not in answer
        assert {"From", "To", "Call-ID", "CSeq"} - set(error.request.headers.first()) == lost
    assert caught.value.status_hint == status


@pytest.mark.parametrize(
    "data",
    [
        GOOD.replace(b"Via", b"Vial"),
        GOOD.replace(b" SIP/2.0\r\n", b" SIP/2.0\nX: y\r\n", 1),
        GOOD.replace(b"INVITE sip", b"IN\rVITE sip", 1),
        GOOD.replace(b"\r\n", b"\n"),
        b"x" * 70000,
    ],
)
def test_who_cannot_be_answered(data: bytes) -> None:
    with pytest.raises(BadMessage) as caught:
        parse_datagram(data)
    assert caught.value.request is None


# -- made messages --------------------------------------------------------------------------------------


@settings(max_examples=so_many(300, 100))
@given(st.data())
def test_mutations_raise_nothing_but_bad_message(data: st.DataObject) -> None:
    raw = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(raw)))
        cut = data.draw(st.integers(0, 12))
        raw[at : at + cut] = data.draw(
            st.binary(max_size=6)
            | st.sampled_from([b"\r\n", b"\n", b",", b";", b'"', b"<", b">", b":", b"\0", b" "])
        )
    mutated = bytes(raw)
    assert verdict(mutated)
    whole, _ = feed(mutated, 10**6)
    cut_up, _ = feed(mutated, 5)
    strip = [name for name in names(cut_up) if name not in {"PING", "PONG"}]
    assert strip == [name for name in names(whole) if name not in {"PING", "PONG"}]


TOKENS = st.text("abcXYZ019-._!%*+`'~", min_size=1, max_size=12)


@given(
    TOKENS,
    st.integers(0, 2**31 - 1),
    st.text(max_size=20).filter(lambda text: not set(text) & set("\r\n\0")),
    st.binary(max_size=200),
)
def test_round_trip(tag: str, cseq: int, display: str, body: bytes) -> None:
    display = display.encode("utf-8", "ignore").decode()
    quoted = display.replace("\\", "\\\\").replace('"', '\\"')
    request = Request.build(
        "MESSAGE",
        "sip:b@example.com",
        [
            ("Via", f"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{tag}"),
            ("From", f'"{quoted}" <sip:a@example.com>;tag={tag}'),
            ("To", "<sip:b@example.com>"),
            ("Call-ID", tag),
            ("CSeq", f"{cseq} MESSAGE"),
        ],
        body,
    )
    again = parse_datagram(bytes(request))
    assert bytes(again) == bytes(request)
    assert (again.from_.display, again.from_.tag, again.cseq.number, again.body) == (display, tag, cseq, body)
    assert transaction_key(again) == transaction_key(request)
    assert dialog_key(again) == dialog_key(request)


@given(st.binary(max_size=300))
def test_noise(noise: bytes) -> None:
    assert verdict(noise) in {"framing", "start-line", "header:name", "semantic"}
    feed(noise, 7)
    assert verdict(GOOD[:40] + noise)


@pytest.mark.parametrize("line", [b"1001[authentication user=1001]", b"bad name: x", b": nameless"])
def test_a_header_line_that_is_none_is_answered_with_400(line: bytes) -> None:
    message = (
        b"OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bK1\r\n" + line + b"\r\n"
        b"From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: 1\r\n"
        b"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
    with pytest.raises(BadMessage) as caught:
        parse_datagram(message)
    assert caught.value.status_hint == 400
    assert caught.value.request is not None
    assert caught.value.request.headers.get("Call-ID") == "1"
