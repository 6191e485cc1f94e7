from __future__ import annotations

import pytest

from sipcc.call.extralines import address_of, carried, passable, place_lines, why_not_to
from sipcc.call.negotiate import MediaNegotiation
from sipcc.errors import NoCommonCodec
from sipcc.sip.sdp import MediaDescription, SessionDescription

HEAD = ("v=0", "o=- 1 1 IN IP4 192.0.2.9", "s=-", "c=IN IP4 192.0.2.9", "t=0 0")
AUDIO = ("m=audio 40000 RTP/AVP 0",)
FAX = ("m=image 41000 udptl t38", "a=T38FaxVersion:0", "a=T38MaxBitRate:14400")
VIDEO = (
    "m=video 42000 RTP/AVP 97",
    "b=AS:512",
    "a=rtpmap:97 H264/90000",
    "a=rtcp:43001 IN IP4 192.0.2.66",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x",
    "a=mid:1",
    "a=candidate:1 1 udp 1 192.0.2.9 42000 typ host",
    "a=rtcp-fb:* nack pli",
    "a=sendonly",
)
BOTH = frozenset({"video", "image"})


def described(*lines: str) -> SessionDescription:
    return SessionDescription.parse("\r\n".join([*HEAD, *lines, ""]).encode())


def test_what_can_be_passed_on() -> None:
    found = passable(described(*AUDIO, *VIDEO, *FAX, "m=video 44000 RTP/AVP 98"), BOTH)
    assert {kind: line.port for kind, line in found.items()} == {"video": 42000, "image": 41000}
    assert passable(described(*AUDIO, *VIDEO, *FAX), frozenset({"image"})).keys() == {"image"}


@pytest.mark.parametrize(
    "line",
    [
        "m=video 0 RTP/AVP 97",
        "m=video 42000 RTP/SAVP 97",
        "m=video 42000 UDP/TLS/RTP/SAVPF 97",
        "m=image 41000 tcp t38",
        "m=application 9 udp x",
    ],
)
def test_what_cannot(line: str) -> None:
    assert passable(described(*AUDIO, line), BOTH) == {}


@pytest.mark.parametrize("host", ["0.0.0.0", "224.0.0.1", "255.255.255.255", "phone.example.com"])
def test_nothing_is_passed_to_addresses_that_no_party_has(host: str) -> None:
    assert passable(described(*AUDIO, *FAX, f"c=IN IP4 {host}"), BOTH) == {}


def test_a_line_is_carried_with_all_but_what_is_of_one_side() -> None:
    line = passable(described(*AUDIO, *VIDEO), BOTH)["video"]
    told = carried(line, 20002)
    assert (told.kind, told.port, told.protocol, told.formats) == ("video", 20002, "RTP/AVP", ("97",))
    assert told.bandwidth == ("AS:512",)
    assert told.attributes == (("rtpmap", "97 H264/90000"), ("rtcp-fb", "* nack pli"), ("sendonly", ""))


def test_where_a_line_is_received() -> None:
    description = described(*AUDIO, *VIDEO)
    line = passable(description, BOTH)["video"]
    assert address_of(description, line) == ("192.0.2.9", 42000, 43001)  # not the host of a=rtcp


def test_lines_keep_their_places() -> None:
    audio, video = (
        MediaDescription("audio", 1, "RTP/AVP", ("0",)),
        MediaDescription("video", 2, "RTP/AVP", ("97",)),
    )
    fax = MediaDescription("image", 3, "udptl", ("t38",))

    def placed(before: SessionDescription | None, **lines: MediaDescription) -> list[tuple[str, int]]:
        return [(line.kind, line.port) for line in place_lines(before, lines)]

    assert placed(None, audio=audio, video=video) == [("audio", 1), ("video", 2)]
    before = described("m=video 0 RTP/AVP 97", "m=audio 0 RTP/AVP 0", *AUDIO)
    assert placed(before, audio=audio) == [("video", 0), ("audio", 0), ("audio", 1)]
    assert placed(before, audio=audio, video=video) == [("video", 2), ("audio", 0), ("audio", 1)]
    assert placed(before, audio=audio, image=fax)[-1] == ("image", 3)
    assert placed(described(*AUDIO, *FAX), audio=audio) == [("audio", 1), ("image", 0)]


def test_why_media_are_not_sent_somewhere() -> None:
    assert why_not_to("192.0.2.1") == why_not_to("2001:db8::1") == ""
    assert why_not_to("239.1.1.1")
    assert why_not_to("a.example.com")


def leg() -> MediaNegotiation:
    return MediaNegotiation(host="127.0.0.1", port=20000, codecs=("PCMU",), ptime_ms=20, session_id=7)


def test_a_fax_offer_is_answered_with_the_other_partys_line_and_the_audio_rests() -> None:
    one = leg()
    one.make_answer(bytes(described(*AUDIO)))
    offer = bytes(described("m=audio 0 RTP/AVP 0", *FAX))
    with pytest.raises(NoCommonCodec):
        one.make_answer(offer)  # nobody else takes it
    one.extra["image"] = MediaDescription(
        "image", 20004, "UDPTL", ("t38",), attributes=(("T38FaxVersion", "0"),)
    )
    answer = SessionDescription.parse(one.make_answer(offer))
    assert [(line.kind, line.port, line.protocol) for line in answer.media] == [
        ("audio", 0, "RTP/AVP"),
        ("image", 20004, "udptl"),  # the protocol is spelled as in the offer
    ]
    assert one.params is not None
    assert (one.params.send, one.params.receive) == (False, False)
    back = SessionDescription.parse(one.make_answer(bytes(described(*AUDIO, "m=image 0 udptl t38"))))
    assert [(line.kind, line.port) for line in back.media] == [("audio", 20000), ("image", 0)]
    assert (one.params.send, one.params.receive) == (True, True)


@pytest.mark.parametrize("taken", [True, False])
def test_a_fax_offer_of_ours_and_its_answer(taken: bool) -> None:
    one = leg()
    one.make_answer(bytes(described(*AUDIO)))
    one.extra["image"] = MediaDescription("image", 20004, "udptl", ("t38",))
    one.audio_off = True
    offer = SessionDescription.parse(one.make_offer())
    assert [(line.kind, line.port) for line in offer.media] == [("audio", 0), ("image", 20004)]
    fax = FAX if taken else ("m=image 0 udptl t38",)
    one.take_answer(bytes(described("m=audio 0 RTP/AVP 0", *fax)))
    assert one.params is not None
    assert not one.params.receive
    assert one.remote is not None
    assert bool(passable(one.remote, BOTH)) is taken
