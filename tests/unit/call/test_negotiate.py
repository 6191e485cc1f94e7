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


@pytest.mark.parametrize("host", ["224.0.0.1", "255.255.255.255", "169.254.169.254"])
def test_audio_is_never_aimed_at_groups_or_at_the_metadata_of_clouds(host: str) -> None:
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


def direction(body: bytes) -> str:
    description = SessionDescription.parse(body)
    assert description.audio is not None
    return description.direction_of(description.audio)


@pytest.mark.parametrize(
    ("hold", "theirs", "ours", "send", "receive"),
    [
        ("", "sendrecv", "sendrecv", True, True),
        ("", "sendonly", "recvonly", False, True),
        ("", "recvonly", "sendonly", True, False),
        ("", "inactive", "inactive", False, False),
        ("sendonly", "sendrecv", "sendonly", True, False),
        ("sendonly", "sendonly", "inactive", False, False),  # both hold
        ("sendonly", "recvonly", "sendonly", True, False),
        ("inactive", "sendrecv", "inactive", False, False),
        ("null", "sendrecv", "sendrecv", True, False),
    ],
)
def test_an_answer_goes_as_far_as_both_sides_want(
    hold: str, theirs: str, ours: str, send: bool, receive: bool
) -> None:
    leg = make()
    leg.local_hold = hold  # type: ignore[assignment]
    body = leg.make_answer(sdp(*BOTH, f"a={theirs}"))
    assert direction(body) == ours
    assert leg.params is not None
    assert (leg.params.send, leg.params.receive) == (send, receive)
    assert leg.remote_hold is (theirs in {"sendonly", "inactive"})
    assert (b"c=IN IP4 0.0.0.0" in body) is (hold == "null")


def test_we_hold_and_resume_and_the_peers_hold_stays_its_own() -> None:
    leg = make()
    leg.make_answer(sdp(*BOTH))
    leg.local_hold = "sendonly"
    offer = leg.make_offer()
    assert direction(offer) == "sendonly"
    assert b"m=audio 20000 RTP/AVP 8 0 96\r\n" in offer  # the peer's number for keys is kept
    leg.take_answer(sdp(*BOTH, "a=inactive", version=2))
    assert leg.params is not None
    assert not leg.params.send
    assert not leg.remote_hold
    leg.local_hold = ""
    assert direction(leg.make_offer()) == "sendrecv"
    leg.take_answer(sdp(*BOTH, "a=sendonly", version=3))
    assert leg.remote_hold  # it holds us, and we found out by resuming


def test_an_offer_that_we_are_asked_for_on_hold_lets_the_peer_resume() -> None:
    leg = make()
    leg.make_answer(sdp(*BOTH))
    leg.make_answer(sdp(*BOTH, "a=inactive", version=2))
    assert leg.remote_hold
    assert direction(leg.make_offer()) == "sendrecv"
    leg.take_answer(sdp(*BOTH, version=3))
    assert not leg.remote_hold


def test_a_refused_offer_leaves_all_as_it_was() -> None:
    leg = make()
    before = leg.make_answer(sdp(*BOTH))
    leg.local_hold = "sendonly"
    leg.make_offer()
    leg.local_hold = ""
    leg.withdraw()
    assert leg.local_body == before
    assert not leg.awaiting_answer
    leg.withdraw()  # nothing is open: nothing happens
    assert direction(leg.make_answer(sdp(*BOTH, version=2))) == "sendrecv"


def test_a_preview_is_heard_but_the_answer_is_still_owed() -> None:
    leg = make()
    leg.make_offer()
    leg.take_answer(sdp(*BOTH), reliable=False, fork="a")
    assert leg.params is not None
    assert leg.params.remote_port == 40000
    assert leg.awaiting_answer
    leg.take_answer(sdp("m=audio 40100 RTP/AVP 0", version=2), fork="a")
    assert leg.params.remote_port == 40100
    assert not leg.awaiting_answer


def test_a_200_without_a_body_means_the_preview() -> None:
    leg = make()
    leg.make_offer()
    leg.take_answer(sdp(*BOTH), reliable=False, fork="a")
    leg.take_answer(b"", fork="a")
    assert not leg.awaiting_answer
    other = make()
    other.make_offer()
    other.take_answer(sdp(*BOTH), reliable=False, fork="a")
    with pytest.raises(ParseError):  # another fork has not said anything yet
        other.take_answer(b"", fork="b")


def test_a_reliable_answer_stands_and_another_fork_gives_its_own() -> None:
    leg = make()
    leg.make_offer()
    leg.take_answer(sdp(*BOTH), fork="a")
    leg.take_answer(sdp("m=audio 40100 RTP/AVP 0"), fork="a")  # the 200 of the same fork: passed over
    leg.take_answer(b"", fork="a")
    assert leg.params is not None
    assert leg.params.remote_port == 40000
    leg.take_answer(sdp("m=audio 40200 RTP/AVP 0"), fork="b")
    assert leg.params.remote_port == 40200


def test_an_answer_that_does_not_pair_up_is_no_answer() -> None:
    leg = make()
    leg.make_offer()
    with pytest.raises(ParseError):
        leg.take_answer(sdp(*BOTH, "m=video 1 RTP/AVP 31"))
    assert leg.awaiting_answer


def test_the_profile_of_the_offer_is_that_of_the_answer() -> None:
    assert b"RTP/AVPF 0" in make().make_answer(sdp("m=audio 40000 RTP/AVPF 0"))


def test_audio_moves_to_another_port() -> None:
    leg = make()
    leg.make_answer(sdp(*BOTH))
    leg.move("127.0.0.1", 20100)
    assert b"m=audio 20100" in leg.make_offer()
