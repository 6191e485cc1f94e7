"""Bodies of several parts: what is found, what is passed over, what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.samples import so_many

from sipcc.errors import LocalProtocolError
from sipcc.sip.message import Request
from sipcc.sip.multipart import MAX_DEPTH, MAX_PARTS, Part, body_of, build, parts_of, unacceptable, unwrap

SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
KNOWN = ("application/sdp",)


def invite(content_type: str, body: bytes, *headers: tuple[str, str]) -> Request:
    lines = [("Content-Type", content_type)] if content_type else []
    return Request.build("INVITE", "sip:a@example.com", headers=[*lines, *headers], body=body)


def mixed(*parts: bytes, boundary: bytes = b"b1", end: bytes = b"\r\n") -> bytes:
    lines = end.join(b"--" + boundary + end + part for part in parts)
    return lines + end + b"--" + boundary + b"--" + end


SDP_PART = b"Content-Type: application/sdp\r\n\r\n" + SDP
ISUP_PART = (
    b"Content-Type: application/isup;version=itu-t92+\r\n"
    b"Content-Disposition: signal;handling=%b\r\n\r\n\x01\x00I"
)
MIXED = "multipart/mixed;boundary=b1"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/sdp", SDP),
        ("Application/SDP ; charset=utf-8", SDP),
        (MIXED, mixed(SDP_PART)),
        ('Multipart/Mixed; foo; boundary="b1"', mixed(SDP_PART)),
        (MIXED, mixed(ISUP_PART % b"optional", SDP_PART)),
        (MIXED, mixed(SDP_PART, ISUP_PART % b"optional")),
        (MIXED, b"This is MIME.\r\n" + mixed(SDP_PART)),
        (MIXED, mixed(SDP_PART) + b"epilogue"),
        (MIXED, mixed(SDP_PART).removesuffix(b"--\r\n")),
        (MIXED, mixed(b"", SDP_PART)),
        (MIXED, mixed(b"\r\n", SDP_PART)),
        (MIXED, mixed(b"\r\njust text", SDP_PART)),
        (MIXED, mixed(b"c: application/sdp\r\n\r\n" + SDP)),
        (MIXED, mixed(b"Content-Type:\r\n application/sdp\r\n\r\n" + SDP)),
        (MIXED, mixed(b"no header line\r\n\xff: x\r\nContent-Type: application/sdp\r\n\r\n" + SDP)),
        (MIXED, mixed(b"Content-Type: application/sdp\r\nContent-ID: <\r\n\r\n" + SDP)),
        (MIXED, mixed(SDP_PART).replace(b"--b1\r\n", b"--b1 \t\r\n")),
        ("multipart/alternative;boundary=b1", mixed(b"Content-Type: text/plain\r\n\r\nx", SDP_PART)),
        ('multipart/mixed;boundary="a=b?c d\'(e)"', mixed(SDP_PART, boundary=b"a=b?c d'(e)")),
        ("multipart/mixed;boundary=----=_Part_7.8", mixed(SDP_PART, boundary=b"----=_Part_7.8")),
        ("multipart/mixed;boundary=+", mixed(SDP_PART, boundary=b"+")),
        (
            MIXED,
            mixed(b"Content-Type: multipart/related;boundary=b2\r\n\r\n" + mixed(SDP_PART, boundary=b"b2")),
        ),
        (MIXED, mixed(b"Content-Type: multipart/mixed;boundary=b\r\n\r\n" + mixed(SDP_PART, boundary=b"b"))),
    ],
)
def test_the_sdp_is_found_wherever_it_stands(content_type: str, body: bytes) -> None:
    message = invite(content_type, body)
    found = body_of(message, "application/sdp")
    assert found is not None
    assert found.rstrip(b"\r\n-b1") == SDP.rstrip(b"\r\n-b1")
    assert not unacceptable(message, KNOWN)


def test_a_part_ends_before_the_line_end_of_its_delimiter() -> None:
    assert body_of(invite(MIXED, mixed(SDP_PART)), "application/sdp") == SDP


def test_lines_may_end_in_bare_lf() -> None:
    bare = SDP.replace(b"\r\n", b"\n")
    body = mixed(b"Content-Type: application/sdp\n\n" + bare, end=b"\n")
    assert body_of(invite(MIXED, body), "application/sdp") == bare


def test_a_longer_line_that_begins_like_a_delimiter_is_content() -> None:
    body = mixed(SDP_PART + b"a=x\r\n--b1x\r\n--b1--x\r\n--+\r\na=y\r\n")
    assert (
        body_of(invite(MIXED, body), "application/sdp") == SDP + b"a=x\r\n--b1x\r\n--b1--x\r\n--+\r\na=y\r\n"
    )


def test_the_last_alternative_wins() -> None:
    body = mixed(SDP_PART, b"Content-Type: application/sdp\r\n\r\nv=0 better")
    assert body_of(invite("multipart/alternative;boundary=b1", body), "application/sdp") == b"v=0 better"
    assert body_of(invite(MIXED, body), "application/sdp") == SDP


@pytest.mark.parametrize(
    ("content_type", "body", "refused"),
    [
        ("", b"", False),
        ("", b"x", True),
        ("text/plain", b"x", True),
        ("not a type", b"x", True),
        (MIXED, b"", False),
        (MIXED, b"no delimiter here", True),
        (MIXED, b"--b1--", True),
        ("multipart/mixed", mixed(SDP_PART), True),
        ("multipart/mixed;boundary=", mixed(SDP_PART), True),
        ('multipart/mixed;boundary=""', mixed(SDP_PART, boundary=b""), True),
        ('multipart/mixed;boundary="' + "b" * 71 + '"', mixed(SDP_PART, boundary=b"b" * 71), True),
        ('multipart/mixed;boundary="b1 "', mixed(SDP_PART, boundary=b"b1 "), True),
        (MIXED, mixed(b"Content-Type: text/plain\r\n\r\nx"), True),
        (
            MIXED,
            mixed(b"Content-Type: application/sdp\r\nContent-Transfer-Encoding: base64\r\n\r\ndj0w"),
            True,
        ),
        (MIXED, mixed(ISUP_PART % b"optional"), False),
        (MIXED, mixed(ISUP_PART % b"required"), True),
    ],
)
def test_without_sdp_it_is_refused_unless_it_is_optional(
    content_type: str, body: bytes, refused: bool
) -> None:
    message = invite(content_type, body)
    assert body_of(message, "application/sdp") is None
    assert unacceptable(message, KNOWN) is refused


def test_a_required_part_that_is_not_known_is_refused_beside_sdp() -> None:
    message = invite(MIXED, mixed(SDP_PART, ISUP_PART % b"required"))
    assert body_of(message, "application/sdp") == SDP
    assert unacceptable(message, KNOWN)
    assert not unacceptable(message, (*KNOWN, "application/isup"))


def test_an_optional_body_is_no_reason_to_refuse() -> None:
    message = invite("application/pidf+xml", b"<x/>", ("Content-Disposition", "render;handling=optional"))
    assert not unacceptable(message, KNOWN)


def test_an_encoded_body_is_not_read() -> None:
    message = invite("application/sdp", SDP, ("Content-Encoding", "gzip"))
    assert body_of(message, "application/sdp") is None
    assert unacceptable(message, KNOWN)


def test_sessions_see_the_sdp_alone() -> None:
    message = invite(MIXED, mixed(ISUP_PART % b"optional", SDP_PART))
    unwrap(message)
    assert (message.content_type, message.body) == ("application/sdp", SDP)
    message = invite(MIXED, mixed(ISUP_PART % b"optional"))
    unwrap(message)
    assert (message.content_type, message.body) == ("", b"")
    message = invite("text/plain", b"x")
    unwrap(message)
    assert (message.content_type, message.body) == ("text/plain", b"x")


def test_parts_and_depth_are_bounded() -> None:
    plain = b"Content-Type: text/plain\r\n\r\nx"
    assert len(parts_of(invite(MIXED, mixed(*[plain] * 500)))) == MAX_PARTS
    assert body_of(invite(MIXED, mixed(*[plain] * MAX_PARTS, SDP_PART)), "application/sdp") is None
    body, kind = SDP, "application/sdp"
    for level in range(MAX_DEPTH + 1):
        inner = b"Content-Type: %b\r\n\r\n%b" % (kind.encode(), body)
        body, kind = mixed(inner, boundary=b"n%d" % level), f"multipart/mixed;boundary=n{level}"
        found = body_of(invite(kind, body), "application/sdp")
        assert (found is not None) is (level < MAX_DEPTH)


@given(
    st.lists(
        st.tuples(st.sampled_from(["text/plain", "application/sdp"]), st.binary(max_size=40)), max_size=5
    ),
    st.sampled_from(["mixed", "related"]),
)
def test_what_is_built_is_read_again(content: list[tuple[str, bytes]], subtype: str) -> None:
    parts = [
        Part(kind, body, "session;handling=optional", f"{i}@x") for i, (kind, body) in enumerate(content)
    ]
    kind, body = build(parts, boundary="zz9", subtype=subtype)
    assert parts_of(invite(kind, body)) == parts


def test_a_boundary_that_stands_in_a_part_is_not_taken() -> None:
    with pytest.raises(LocalProtocolError):
        build([Part("text/plain", b"x\r\n--zz9")], boundary="zz9")
    with pytest.raises(LocalProtocolError):
        build([], boundary="zz\r\n9")


@settings(max_examples=so_many(300, 100))
@given(
    st.text(max_size=60),
    st.lists(
        st.sampled_from([
            b"--b1", b"--b1--", b"\r\n", b"\n", b"\r", b"--", b"--+", b"Content-Type: ", b"application/sdp",
            b"multipart/mixed;boundary=", b"b1", b'"', b"\xff", b"Content-ID: <", b":", b" ", b"\0",
        ]),
        max_size=40,
    ),
)  # fmt: skip
def test_nothing_raises(tail: str, pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    tail = "".join(character for character in tail if character not in "\r\n")
    tail = tail.encode("utf-8", "replace").decode()
    for kind in (MIXED, f"multipart/mixed;boundary={tail}", tail):
        message = invite(kind, body)
        parts_of(message)
        body_of(message, "application/sdp")
        unacceptable(message, KNOWN)
