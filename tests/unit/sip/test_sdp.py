from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.samples import so_many

from sipcc.errors import LocalProtocolError, ParseError
from sipcc.sip.sdp import (
    Connection,
    MediaDescription,
    RtpMap,
    SdpLimits,
    SessionDescription,
    reverse,
)

OFFER = (
    b"v=0\r\no=- 20518 20519 IN IP4 192.0.2.33\r\ns=call\r\ni=info\r\nu=http://example.com\r\n"
    b"c=IN IP4 192.0.2.33\r\nb=AS:80\r\nt=0 0\r\nr=7d 1h 0 25h\r\nk=clear:x\r\na=sendrecv\r\na=x-own:1:2\r\n"
    b"m=audio 30104 RTP/AVP 8 0 18 101\r\ni=title\r\nc=IN IP4 192.0.2.34\r\nb=TIAS:64000\r\nk=prompt\r\n"
    b"a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=rtpmap:18 G729/8000/1\r\n"
    b"a=fmtp:101 0-15\r\na=ptime:20\r\na=maxptime:40\r\na=rtcp:53020 IN IP4 192.0.2.35\r\na=unknown\r\n"
    b"m=video 0 RTP/AVP 31\r\n"
    b"m=message 2855 TCP/MSRP *\r\na=path:msrp://x\r\n"
)


def description(media: bytes = b"m=audio 4000 RTP/AVP 0\r\n", session: bytes = b"") -> SessionDescription:
    return SessionDescription.parse(
        b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n" + session + media
    )


def audio(media: bytes, session: bytes = b"") -> tuple[SessionDescription, MediaDescription]:
    sdp = description(media, session)
    assert sdp.audio is not None
    return sdp, sdp.audio


def test_writes_what_it_read() -> None:
    sdp = SessionDescription.parse(OFFER)
    assert bytes(sdp) == OFFER
    assert str(sdp) == OFFER.decode()
    assert SessionDescription.parse(OFFER.replace(b"\r\n", b"\n")) == sdp
    assert SessionDescription.parse(OFFER[:-2]) == sdp  # last line without its end
    assert SessionDescription.parse(OFFER + b"\r\n") == sdp


def test_model() -> None:
    sdp = SessionDescription.parse(OFFER)
    assert (sdp.origin.session_id, sdp.origin.version, sdp.name) == (20518, 20519, "call")
    assert sdp.get("x-own") == "1:2"
    assert sdp.get("none") is None
    media = sdp.audio
    assert media is sdp.media[0]
    assert media.payload_types == [8, 0, 18, 101]
    assert media.rtpmaps == [
        RtpMap(8, "PCMA", 8000), RtpMap(0, "PCMU", 8000), RtpMap(18, "G729", 8000),
        RtpMap(101, "telephone-event", 8000),
    ]  # fmt: skip
    assert media.rtpmap(101) == RtpMap(101, "telephone-event", 8000)
    assert media.rtpmap(0) == RtpMap(0, "PCMU", 8000)
    assert media.rtpmap(97) is None
    assert (media.fmtp(101), media.fmtp(8)) == ("0-15", None)
    assert (media.ptime, media.maxptime, media.direction) == (20, 40, None)
    assert sdp.direction_of(media) == "sendrecv"
    assert sdp.connection_of(media) == Connection("192.0.2.34")
    assert sdp.connection_of(sdp.media[1]) == Connection("192.0.2.33")
    assert sdp.rtcp_of(media) == ("192.0.2.35", 53020)
    assert (media.is_rtp, sdp.media[2].is_rtp, sdp.media[2].payload_types) == (True, False, [])
    assert media.get_all("rtpmap")[0] == "8 PCMA/8000"
    assert media.get("unknown") == ""
    assert media.refused().lines() == ["m=audio 0 RTP/AVP 8 0 18 101"]
    assert str(RtpMap(96, "opus", 48000, 2)) == "96 opus/48000/2"


@pytest.mark.parametrize(
    ("line", "rtcp"),
    [
        (b"", ("192.0.2.1", 4001)), (b"a=rtcp:5000\r\n", ("192.0.2.1", 5000)),
        (b"a=rtcp-mux\r\n", ("192.0.2.1", 4000)),
        (b"a=rtcp:x\r\n", ("192.0.2.1", 4001)), (b"a=rtcp:0\r\n", ("192.0.2.1", 4001)),
        (b"a=rtcp:99999\r\n", ("192.0.2.1", 4001)), (b"a=rtcp:5000 IN IP6 ::1\r\n", ("::1", 5000)),
    ],
)  # fmt: skip
def test_rtcp(line: bytes, rtcp: tuple[str, int]) -> None:
    sdp, media = audio(b"m=audio 4000 RTP/AVP 0\r\n" + line)
    assert sdp.rtcp_of(media) == rtcp


@pytest.mark.parametrize(
    ("session", "media", "direction", "hold"),
    [
        (b"", b"", "sendrecv", False),
        (b"", b"a=sendonly\r\n", "sendonly", True),
        (b"", b"a=inactive\r\n", "inactive", True),
        (b"", b"a=recvonly\r\n", "recvonly", False),
        (b"a=sendonly\r\n", b"", "sendonly", True),
        (b"a=inactive\r\n", b"a=sendrecv\r\n", "sendrecv", False),
        (b"", b"c=IN IP4 0.0.0.0\r\n", "sendrecv", True),
        (b"", b"c=IN IP6 ::\r\n", "sendrecv", True),
    ],
)
def test_hold_is_spelled_three_ways(session: bytes, media: bytes, direction: str, hold: bool) -> None:
    sdp, stream = audio(b"m=audio 4000 RTP/AVP 0\r\n" + media, session)
    assert sdp.direction_of(stream) == direction
    assert sdp.is_hold(stream) == hold


def test_directions_reverse() -> None:
    assert [reverse("sendonly"), reverse("recvonly"), reverse("sendrecv"), reverse("inactive")] == [
        "recvonly", "sendonly", "sendrecv", "inactive"
    ]  # fmt: skip


def test_build() -> None:
    media = MediaDescription("audio", 4000, "RTP/AVP", ("0",), attributes=(("ptime", "20"), ("sendrecv", "")))
    sdp = SessionDescription.build("2001:db8::1", (media,), session_id=7, attributes=(("tool", "x"),))
    assert bytes(sdp) == (
        b"v=0\r\no=- 7 1 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP6 2001:db8::1\r\nt=0 0\r\na=tool:x\r\n"
        b"m=audio 4000 RTP/AVP 0\r\na=ptime:20\r\na=sendrecv\r\n"
    )
    evil = MediaDescription("audio", 4000, "RTP/AVP", ("0",), attributes=(("x", "1\r\na=y"),))
    with pytest.raises(LocalProtocolError):
        bytes(SessionDescription.build("192.0.2.1", (evil,), session_id=1))


def test_forgiven() -> None:
    sdp = SessionDescription.parse(
        b"v=0\r\no=- 1 1 IN IP4 h.example.com\r\nm=audio 4000/2 RTP/AVP 0 0  8 \r\n"
    )
    assert sdp.media[0].port_count == 2
    assert sdp.media[0].payload_types == [0, 8]
    assert sdp.connection_of(sdp.media[0]) is None
    assert sdp.rtcp_of(sdp.media[0]) == ("", 4001)
    assert not sdp.is_hold(sdp.media[0])
    assert bytes(sdp).startswith(b"v=0\r\no=- 1 1 IN IP4 h.example.com\r\ns=-\r\nt=0 0\r\nm=audio 4000/2 ")
    _, media = audio(
        b"m=audio 4000 RTP/AVP 0\r\na=ptime:20.0\r\na=maxptime:\r\na=rtpmap:0 PCMU\r\na=rtpmap:x\r\n"
    )
    assert (media.ptime, media.maxptime, media.rtpmap(0)) == (None, None, RtpMap(0, "PCMU", 8000))


BAD = [
    b"", b"v", b"v=1\r\n", b"v=0\r\n", b"o=- 1 1 IN IP4 h\r\n", b"v=0\r\no=- 1 1 IN IP4 h\r\nx",
    b"v=0\r\no=- 1 IN IP4 h\r\n", b"v=0\r\no=- -1 1 IN IP4 h\r\n", b"v=0\r\no=- 1_0 1 IN IP4 h\r\n",
    b"v=0\r\no=- 1 1 IN IP4 h\r\no=- 1 1 IN IP4 h\r\n", b"<xml/>", b"v=0\r\no=- 1 1 IN IP4 h\r\n\r\ns=-\r\n",
]  # fmt: skip
BAD_LINES = [
    b"m=audio 17000 RTP/AVP 4294967296",  # C04
    b"m=audio 65536 RTP/AVP 0", b"m=audio -1 RTP/AVP 0", b"m=audio 4000 RTP/AVP", b"m=audio 4_0 RTP/AVP 0",
    b"m=audio 4000 RTP/AVP 128", b"m=audio 4000 RTP/AVP x", "m=audio 4000 RTP/AVP ٣".encode(), b"m=", b"m",
    b"b=AS128", b"b=AS:1_0",  # C16
    b"c=IN IP4 256.0.0.1", b"c=IN IP4 ::1", b"c=IN IP6 192.0.2.1", b"c=IN IP6 1::2::3", b"c=IN IP4 ",
    b"c=IN IP7 h", b"c=192.0.2.1", b"a=", b"a=:x", b"a=a b", b"a=x\0:y", b"A=x", b"=x", b" a=x", b"a=x\ry",
    b"a=fmtp\0:101 0-16",
]  # fmt: skip


@pytest.mark.parametrize("data", BAD)
def test_no_description(data: bytes) -> None:
    with pytest.raises(ParseError) as caught:
        SessionDescription.parse(data)
    assert (caught.value.layer, caught.value.status_hint) == ("body", 400)


@pytest.mark.parametrize("line", BAD_LINES)
def test_bad_lines(line: bytes) -> None:
    with pytest.raises(ParseError):
        description(line)


def test_limits_earn_488() -> None:
    for media in (
        b"m=audio 4000 RTP/AVP 0\r\n" * 500,
        b"m=audio 4000 RTP/AVP" + b" 0" * 10_000 + b"\r\n",
        b"m=audio 4000 RTP/AVP 0\r\n" + b"a=crypto:1\r\n" * 2000,
    ):
        with pytest.raises(ParseError) as caught:
            description(media)
        assert caught.value.status_hint == 488
    with pytest.raises(ParseError):
        SessionDescription.parse(OFFER, limits=SdpLimits(media=2))


def test_connection_by_name() -> None:
    sdp = description(b"m=audio 4000 RTP/AVP 0\r\nc=IN IP4 media.example.com\r\n")
    assert sdp.media[0].connection == Connection("media.example.com")


def test_connection_of_a_multicast_group() -> None:
    sdp = description(b"m=audio 4000 RTP/AVP 0\r\nc=IN IP4 224.2.1.1/127/3\r\n")
    assert str(sdp.media[0].connection) == "IN IP4 224.2.1.1/127/3"


@settings(max_examples=so_many(200, 80))
@given(st.data())
def test_mutations_raise_nothing_but_parse_error(data: st.DataObject) -> None:
    raw = bytearray(OFFER)
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(raw)))
        cut = data.draw(st.integers(0, 10))
        raw[at : at + cut] = data.draw(
            st.binary(max_size=5) | st.sampled_from([b"\r\n", b"\n", b"m=", b"=", b" ", b":", b"\0"])
        )
    try:
        sdp = SessionDescription.parse(bytes(raw))
    except ParseError:
        return
    written = bytes(sdp)  # in the order of RFC 8866, whatever order came in
    assert bytes(SessionDescription.parse(written)) == written
    for media in sdp.media:
        _ = (
            media.rtpmaps,
            media.ptime,
            media.maxptime,
            sdp.is_hold(media),
            sdp.rtcp_of(media),
            media.fmtp(101),
        )
