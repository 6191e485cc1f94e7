from __future__ import annotations

import pytest

from sipcc.call.negotiate import MediaNegotiation
from sipcc.errors import NoCommonCodec, ParseError
from sipcc.sip.sdp import SessionDescription


def make(**changes: object) -> MediaNegotiation:
    settings: dict[str, object] = {
        "host": "127.0.0.1",
        "port": 20000,
        "codecs": ("PCMU", "PCMA"),
        "ptime_ms": 20,
        "session_id": 7,
    }
    return MediaNegotiation(**{**settings, **changes})  # type: ignore[arg-type]


def sdp(*media: str, connection: str = "127.0.0.2", version: int = 1) -> bytes:
    lines = ["v=0", f"o=- 1 {version} IN IP4 127.0.0.2", "s=-", f"c=IN IP4 {connection}", "t=0 0", *media]
    return ("\r\n".join(lines) + "\r\n").encode()


BOTH = ("m=audio 40000 RTP/AVP 8 0 96", "a=rtpmap:96 telephone-event/8000", "a=fmtp:96 0-16")


def test_the_callers_first_codec_that_is_ours_is_taken_with_its_event_type() -> None:
    leg = make()
    answer = SessionDescription.parse(leg.make_answer(sdp(*BOTH)))
    assert answer.audio is not None
    assert answer.audio.formats == ("8", "96")
    assert answer.audio.port == 20000
    params = leg.params
    assert params is not None
    assert (params.remote_host, params.remote_port, params.remote_rtcp_port) == ("127.0.0.2", 40000, 40001)
    assert (params.codec, params.payload_type, params.event_payload_type) == ("PCMA", 8, 96)
    assert (params.send, params.receive, params.ptime_ms) == (True, True, 20)


def test_a_static_type_needs_no_rtpmap_and_events_are_optional() -> None:
    leg = make()
    leg.make_answer(sdp("m=audio 40000 RTP/AVP 0"))
    assert leg.params is not None
    assert leg.params.codec == "PCMU"
    assert leg.params.event_payload_type is None


@pytest.mark.parametrize(
    "media",
    [
        ("m=audio 40000 RTP/AVP 9 18",),
        ("m=audio 0 RTP/AVP 0",),
        ("m=video 40000 RTP/AVP 31",),
        ("m=audio 40000 RTP/SAVP 0",),
        ("m=audio 40000 RTP/AVP 96", "a=rtpmap:96 PCMU/16000"),
        ("m=audio 40000 RTP/AVP 96", "a=rtpmap:96 PCMU/8000/2"),
    ],
)
def test_nothing_in_common_is_refused_and_leaves_no_open_offer(media: tuple[str, ...]) -> None:
    leg = make()
    with pytest.raises(NoCommonCodec):
        leg.make_answer(sdp(*media))
    leg.make_answer(sdp(*BOTH))
    assert leg.params is not None


@pytest.mark.parametrize("host", ["224.0.0.1", "255.255.255.255"])
def test_audio_is_never_aimed_at_groups(host: str) -> None:
    with pytest.raises(NoCommonCodec):
        make().make_answer(sdp(*BOTH, connection=host))


def test_other_media_lines_are_refused_in_their_place() -> None:
    leg = make()
    answer = SessionDescription.parse(leg.make_answer(sdp("m=video 40002 RTP/AVP 31", *BOTH)))
    assert [(line.kind, line.port) for line in answer.media] == [("video", 0), ("audio", 20000)]
    again = SessionDescription.parse(leg.make_offer())
    assert [(line.kind, line.port) for line in again.media] == [("video", 0), ("audio", 20000)]


@pytest.mark.parametrize(
    ("line", "connection", "send", "receive", "held", "answered"),
    [
        ("a=sendrecv", "127.0.0.2", True, True, False, "sendrecv"),
        ("a=sendonly", "127.0.0.2", False, True, True, "recvonly"),
        ("a=recvonly", "127.0.0.2", True, False, False, "sendonly"),
        ("a=inactive", "127.0.0.2", False, False, True, "inactive"),
        ("a=sendrecv", "0.0.0.0", False, True, True, "sendrecv"),
    ],
)
def test_hold_in_all_three_spellings(
    line: str, connection: str, send: bool, receive: bool, held: bool, answered: str
) -> None:
    leg = make()
    answer = SessionDescription.parse(leg.make_answer(sdp(*BOTH, line, connection=connection)))
    assert leg.params is not None
    assert (leg.params.send, leg.params.receive, leg.remote_hold) == (send, receive, held)
    assert answer.audio is not None
    assert answer.direction_of(answer.audio) == answered


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [((), 20), (("a=ptime:30",), 30), (("a=ptime:35",), 30), (("a=ptime:5",), 10), (("a=ptime:200",), 60)],
)
def test_packet_time_follows_the_peer_within_what_we_do(attributes: tuple[str, ...], expected: int) -> None:
    leg = make()
    leg.make_answer(sdp(*BOTH, *attributes))
    assert leg.params is not None
    assert leg.params.ptime_ms == expected


def test_our_offer_puts_the_preferred_codec_first_and_takes_the_answer() -> None:
    leg = make()
    offer = SessionDescription.parse(leg.make_offer(prefer="PCMA"))
    assert offer.audio is not None
    assert offer.audio.formats == ("8", "0", "101")
    assert leg.awaiting_answer
    leg.take_answer(sdp("m=audio 50000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000"))
    assert leg.params is not None
    assert (leg.params.codec, leg.params.event_payload_type) == ("PCMU", 101)
    assert not leg.awaiting_answer


def test_an_answer_that_never_came_is_a_parse_error() -> None:
    leg = make()
    leg.make_offer()
    with pytest.raises(ParseError):
        leg.take_answer(b"")


def test_a_refresh_changes_nothing_and_a_hold_is_not_one() -> None:
    leg = make()
    leg.make_answer(sdp(*BOTH))
    assert leg.is_refresh(sdp(*BOTH))
    assert not leg.is_refresh(sdp(*BOTH, "a=sendonly", version=2))
    assert not leg.is_refresh(b"not sdp")


def test_the_version_of_our_description_rises_only_when_it_changes() -> None:
    leg = make()
    first = SessionDescription.parse(leg.make_answer(sdp(*BOTH)))
    same = SessionDescription.parse(leg.make_answer(sdp(*BOTH)))
    held = SessionDescription.parse(leg.make_answer(sdp(*BOTH, "a=sendonly", version=2)))
    assert first.origin == same.origin
    assert held.origin.version == first.origin.version + 1


def test_reports_never_go_to_a_host_that_only_an_attribute_names() -> None:
    leg = make()
    leg.make_answer(sdp(*BOTH, "a=rtcp:53 IN IP4 127.0.0.99"))
    assert leg.params is not None
    assert (leg.params.remote_host, leg.params.remote_rtcp_port) == ("127.0.0.2", 53)
