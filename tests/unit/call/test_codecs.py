"""Which codecs we offer and take, on descriptions as products write them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.call.codecs import Agreed, CodecRules, CodecTable, format_attributes
from sipcc.call.negotiate import MediaNegotiation
from sipcc.errors import CallError, NoCommonCodec, ParseError
from sipcc.rtp.flow import CodecName
from sipcc.sip.sdp import MediaDescription, RtpMap, SessionDescription

ALL: tuple[CodecName, ...] = ("PCMU", "PCMA", "G722", "opus", "L16", "G729")


def line(formats: str, *attributes: str) -> MediaDescription:
    body = "\r\n".join(
        [
            "v=0",
            "o=- 1 1 IN IP4 127.0.0.2",
            "s=-",
            "c=IN IP4 127.0.0.2",
            "t=0 0",
            f"m=audio 4000 RTP/AVP {formats}",
        ]
        + [f"a={attribute}" for attribute in attributes]
    )
    found = SessionDescription.parse(body.encode() + b"\r\n").audio
    assert found is not None
    return found


def choose(
    audio: MediaDescription,
    codecs: Sequence[CodecName] = ALL,
    *,
    prefer: CodecName | None = None,
    **rules: object,
) -> Agreed:
    table = CodecTable(codecs, CodecRules(**rules))  # type: ignore[arg-type]
    return table.choose(audio, prefer=prefer)


CHROME = line(
    "111 63 9 0 8 13 110 126",
    "rtpmap:111 opus/48000/2", "rtcp-fb:111 transport-cc", "fmtp:111 minptime=10;useinbandfec=1",
    "rtpmap:63 red/48000/2", "fmtp:63 111/111", "rtpmap:9 G722/8000", "rtpmap:0 PCMU/8000",
    "rtpmap:8 PCMA/8000", "rtpmap:13 CN/8000", "rtpmap:110 telephone-event/48000",
    "rtpmap:126 telephone-event/8000",
)  # fmt: skip
FIREFOX = line(
    "109 9 0 8 101",
    "rtpmap:109 opus/48000/2", "fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1",
    "rtpmap:9 G722/8000/1", "rtpmap:0 PCMU/8000",
    "rtpmap:8 PCMA/8000", "rtpmap:101 telephone-event/8000/1", "fmtp:101 0-15",
)  # fmt: skip
YEALINK = line(
    "9 0 8 18 101",
    "rtpmap:9 G722/8000", "rtpmap:0 PCMU/8000", "rtpmap:8 PCMA/8000", "rtpmap:18 G729/8000",
    "fmtp:18 annexb=no", "rtpmap:101 telephone-event/8000", "fmtp:101 0-15", "ptime:20",
)  # fmt: skip
CISCO = line("18 0 8 101", "rtpmap:18 G729/8000", "rtpmap:0 PCMU/8000", "rtpmap:8 PCMA/8000",
             "rtpmap:101 telephone-event/8000", "fmtp:101 0-15")  # fmt: skip
CARRIER = line("8 18 101", "rtpmap:8 PCMA/8000", "rtpmap:18 G729/8000", "fmtp:18 annexb=yes",
               "rtpmap:101 telephone-event/8000", "fmtp:101 0-15", "ptime:20", "maxptime:40")  # fmt: skip
LINPHONE = line(
    "96 97 98 0 8 101 99",
    "rtpmap:96 opus/48000/2", "fmtp:96 useinbandfec=1", "rtpmap:97 speex/16000", "fmtp:97 vbr=on",
    "rtpmap:98 speex/8000", "rtpmap:101 telephone-event/48000", "rtpmap:99 telephone-event/8000",
)  # fmt: skip
OLD_GATEWAY = line("8 0 4 13", "ptime:30")
G729_ONLY = line("18 101", "rtpmap:18 g729/8000", "fmtp:18 annexb=no", "rtpmap:101 telephone-event/8000")


@pytest.mark.parametrize(
    ("audio", "codecs", "codec", "payload_type", "events"),
    [
        (CHROME, ALL, "opus", 111, (110, 48000)),
        (CHROME, ("PCMU", "PCMA"), "PCMU", 0, (126, 8000)),
        (CHROME, ("G722",), "G722", 9, (126, 8000)),
        (FIREFOX, ALL, "opus", 109, (101, 8000)),  # only a line at another clock: accepted
        (YEALINK, ALL, "G722", 9, (101, 8000)),
        (CISCO, ALL, "PCMU", 0, (101, 8000)),  # G.729 stands first, but cannot be coded
        (CARRIER, ALL, "PCMA", 8, (101, 8000)),
        (LINPHONE, ALL, "opus", 96, (101, 48000)),
        (LINPHONE, ("PCMA",), "PCMA", 8, (99, 8000)),
        (OLD_GATEWAY, ALL, "PCMA", 8, None),
        (G729_ONLY, ALL, "G729", 18, (101, 8000)),
        (line("96", "rtpmap:96 L16/16000"), ALL, "L16", 96, None),
        (line("96 97", "rtpmap:96 L16/44100", "rtpmap:97 l16/8000/1"), ALL, "L16", 97, None),
        (line("96", "rtpmap:96 OPUS/48000"), ALL, "opus", 96, None),
        (line("97", "rtpmap:97 pcmu/8000/1"), ALL, "PCMU", 97, None),
    ],
)
def test_what_is_taken_of_what_products_offer(
    audio: MediaDescription,
    codecs: Sequence[CodecName],
    codec: CodecName,
    payload_type: int,
    events: tuple[int, int] | None,
) -> None:
    agreed = choose(audio, codecs)
    assert (agreed.codec, agreed.audio.payload_type) == (codec, payload_type)
    found = agreed.events
    assert (found and (found.payload_type, found.rate_hz)) == events
    assert agreed.receive_type is agreed.receive_event_type is None


@pytest.mark.parametrize(
    "audio",
    [
        line("96", "rtpmap:96 opus/16000/2"),
        line("0", "rtpmap:0 PCMU/16000"),
        line("8", "rtpmap:8 PCMA/8000/2"),
        line("9", "rtpmap:9 G722/16000"),
        line("96", "rtpmap:96 L16/48000"),
        line("96"),
        line("3 4 15"),
        line("13 101", "rtpmap:101 telephone-event/8000"),
    ],
)
def test_what_only_looks_like_ours_is_not(audio: MediaDescription) -> None:
    with pytest.raises(NoCommonCodec):
        choose(audio)


def test_the_order_of_either_side_may_decide() -> None:
    assert choose(CHROME, ("PCMA", "opus")).codec == "opus"
    assert choose(CHROME, ("PCMA", "opus"), choice="ours").codec == "PCMA"
    assert choose(CHROME, ("G729", "PCMA"), choice="ours").codec == "PCMA"
    assert choose(CISCO, ("G729", "PCMA"), choice="ours").codec == "PCMA"


def test_a_codec_that_the_other_leg_speaks_goes_before_all_order() -> None:
    assert choose(CHROME, prefer="PCMA").codec == "PCMA"
    assert choose(CHROME, prefer="PCMA", choice="ours").codec == "PCMA"
    assert choose(CISCO, prefer="G729").codec == "G729"
    assert choose(CARRIER, prefer="opus").codec == "PCMA"


def test_the_peers_parameters_are_kept() -> None:
    assert choose(CHROME).fmtp == "minptime=10;useinbandfec=1"
    assert choose(OLD_GATEWAY).fmtp == ""
    assert choose(line("96", "rtpmap:96 opus/48000/2", "fmtp:96 " + ";useinbandfec=1" * 1000)).fmtp == ""


def test_comfort_noise_only_when_it_is_wanted_and_at_the_clock_of_the_codec() -> None:
    assert choose(OLD_GATEWAY).noise is None
    assert choose(OLD_GATEWAY, comfort_noise=True).noise == RtpMap(13, "CN", 8000)
    assert choose(CHROME, comfort_noise=True).noise is None  # Opus has its own
    assert [entry.payload_type for entry in choose(OLD_GATEWAY, comfort_noise=True).maps] == [8, 13]


def numbers(maps: Sequence[RtpMap]) -> list[str]:
    return [str(entry) for entry in maps]


def test_the_offer_of_all() -> None:
    table = CodecTable(ALL, CodecRules(comfort_noise=True))
    maps = table.offer(prefer=None, params=None)
    assert numbers(maps) == [
        "0 PCMU/8000", "8 PCMA/8000", "9 G722/8000", "96 opus/48000/2", "97 L16/8000", "98 L16/16000",
        "13 CN/8000", "101 telephone-event/8000", "110 telephone-event/48000", "102 telephone-event/16000",
    ]  # fmt: skip
    assert [value for name, value in format_attributes(maps) if name == "fmtp"] == [
        "96 useinbandfec=1;stereo=0;maxaveragebitrate=24000;minptime=10",
        "101 0-15",
        "110 0-15",
        "102 0-15",
    ]


def test_one_line_for_keys_when_phones_take_the_wrong_one() -> None:
    table = CodecTable(("PCMU", "opus"), CodecRules(event_lines="one"))
    assert numbers(table.offer(prefer=None, params=None))[2:] == ["101 telephone-event/8000"]
    alone = CodecTable(("opus",), CodecRules(event_lines="one"))
    assert numbers(alone.offer(prefer=None, params=None))[1:] == ["110 telephone-event/48000"]


def test_the_default_offer_is_that_of_the_telephone_network() -> None:
    maps = CodecTable(("PCMU", "PCMA")).offer(prefer="PCMA", params=None)
    assert numbers(maps) == ["8 PCMA/8000", "0 PCMU/8000", "101 telephone-event/8000"]


def test_g729_is_offered_alone_to_who_shall_talk_with_a_party_that_has_nothing_else() -> None:
    table = CodecTable(ALL)
    maps = table.offer(prefer="G729", params=None)
    assert numbers(maps) == ["18 G729/8000", "101 telephone-event/8000"]
    assert ("fmtp", "18 annexb=no") in format_attributes(maps)
    with pytest.raises(NoCommonCodec):
        CodecTable(("PCMU",)).choose(G729_ONLY)
    assert numbers(CodecTable(("PCMU",)).offer(prefer="G729", params=None))[0] == "0 PCMU/8000"
    with pytest.raises(NoCommonCodec):
        CodecTable(("G729",)).offer(prefer=None, params=None)


# -- whole negotiations ------------------------------------------------------------------------------------


def make(codecs: Sequence[CodecName] = ALL, **changes: object) -> MediaNegotiation:
    settings: dict[str, object] = {
        "host": "127.0.0.1",
        "port": 20000,
        "codecs": codecs,
        "ptime_ms": 20,
        "session_id": 7,
    }
    return MediaNegotiation(**{**settings, **changes})  # type: ignore[arg-type]


def body(audio: MediaDescription, *, version: int = 1) -> bytes:
    head = ["v=0", f"o=- 1 {version} IN IP4 127.0.0.2", "s=-", "c=IN IP4 127.0.0.2", "t=0 0"]
    return ("\r\n".join([*head, *audio.lines()]) + "\r\n").encode()


def test_an_answer_keeps_the_peers_numbers_and_so_do_our_later_offers() -> None:
    leg = make()
    answer = SessionDescription.parse(leg.make_answer(body(CHROME))).audio
    assert answer is not None
    assert answer.formats == ("111", "110")
    assert answer.fmtp(111) == "useinbandfec=1;stereo=0;maxaveragebitrate=24000;minptime=10"
    assert leg.params is not None
    assert (leg.params.codec, leg.params.clock_rate_hz, leg.params.event_clock_rate_hz) == (
        "opus",
        48000,
        48000,
    )
    assert leg.params.fmtp == "minptime=10;useinbandfec=1"
    offer = SessionDescription.parse(leg.make_offer()).audio
    assert offer is not None
    assert offer.formats[0] == "111"
    assert {offer.rtpmap(110), offer.rtpmap(126)} == {
        RtpMap(110, "telephone-event", 48000),
        RtpMap(126, "telephone-event", 8000),
    }


def test_an_answer_under_other_numbers_counts_for_what_we_send() -> None:
    leg = make(("opus", "PCMU"))
    leg.make_offer()
    leg.take_answer(
        body(line("120 121", "rtpmap:120 opus/48000/2", "rtpmap:121 telephone-event/48000", "fmtp:121 0-15"))
    )
    params = leg.params
    assert params is not None
    assert (params.payload_type, params.receive_payload_type) == (120, 96)
    assert (params.event_payload_type, params.receive_event_payload_type) == (121, 110)
    again = SessionDescription.parse(leg.make_offer()).audio
    assert again is not None
    assert again.rtpmap(96) == RtpMap(96, "opus", 48000, 2)


def test_an_answer_that_does_not_explain_its_numbers_means_ours() -> None:
    leg = make(("opus", "PCMU"))
    leg.make_offer()
    leg.take_answer(body(line("96 101")))
    assert leg.params is not None
    assert (leg.params.codec, leg.params.payload_type, leg.params.receive_payload_type) == ("opus", 96, None)
    assert (leg.params.event_payload_type, leg.params.event_clock_rate_hz) == (101, 8000)


def test_an_answer_with_what_we_did_not_offer_is_none() -> None:
    leg = make(("PCMU", "G729"))
    leg.make_offer()
    with pytest.raises(NoCommonCodec):
        leg.take_answer(body(G729_ONLY))


def test_an_answer_is_reconsidered_when_the_other_leg_speaks_something_else() -> None:
    leg = make()
    leg.make_answer(body(CHROME))
    leg.reconsider("PCMA")
    answer = SessionDescription.parse(leg.local_body).audio
    assert answer is not None
    assert answer.formats == ("8", "126")
    assert leg.params is not None
    assert leg.params.codec == "PCMA"
    # and a refresh that lists all again does not turn it back
    leg.make_answer(body(CHROME, version=2))
    assert leg.params.codec == "PCMA"


def test_what_the_offer_has_not_is_not_reconsidered() -> None:
    leg = make()
    before = leg.make_answer(body(OLD_GATEWAY))
    leg.reconsider("G722")
    assert SessionDescription.parse(leg.local_body).media == SessionDescription.parse(before).media


def test_the_codec_changes_in_mid_call_by_either_sides_offer() -> None:
    leg = make()
    leg.make_answer(body(CHROME))
    leg.make_answer(body(line("8 101", "rtpmap:101 telephone-event/8000"), version=2))
    assert leg.params is not None
    assert (leg.params.codec, leg.params.clock_rate_hz, leg.params.payload_type) == ("PCMA", 8000, 8)
    leg.make_offer(prefer="G722")
    leg.take_answer(body(line("9 101", "rtpmap:101 telephone-event/8000"), version=3))
    assert (leg.params.codec, leg.params.clock_rate_hz) == ("G722", 8000)


def test_a_number_that_the_peer_uses_for_another_thing_is_not_given_twice() -> None:
    leg = make(("opus", "L16"))
    leg.make_answer(body(line("97 101", "rtpmap:97 opus/48000/2", "rtpmap:101 telephone-event/8000")))
    leg.make_answer(
        body(line("101 97", "rtpmap:101 opus/48000/2", "rtpmap:97 telephone-event/8000"), version=2)
    )
    assert leg.params is not None
    assert (leg.params.payload_type, leg.params.event_payload_type) == (101, 97)
    offer = SessionDescription.parse(leg.make_offer()).audio
    assert offer is not None
    assert len(set(offer.formats)) == len(offer.formats)


@pytest.mark.parametrize(
    ("attributes", "codec", "expected"),
    [
        (("ptime:30",), "PCMU", 30),
        (("ptime:30",), "opus", 20),
        (("ptime:50",), "opus", 40),
        (("ptime:60", "maxptime:40"), "PCMU", 40),
        (("maxptime:10",), "PCMU", 10),
        (("ptime:1",), "PCMU", 10),
        (("ptime:1",), "opus", 10),
        (("ptime:10000",), "opus", 60),
        (("ptime:99999999999999999999",), "PCMU", 20),
        (("ptime:-20",), "PCMU", 20),
        (("ptime:0", "maxptime:0"), "PCMU", 10),
        (("ptime:20.0",), "PCMU", 20),
        (("ptime:abc",), "PCMU", 20),
    ],
)
def test_packet_times_are_kept_within_what_the_codec_has(
    attributes: tuple[str, ...], codec: CodecName, expected: int
) -> None:
    leg = make((codec,))
    leg.make_answer(body(line("96 0", "rtpmap:96 opus/48000/2", *attributes)))
    assert leg.params is not None
    assert leg.params.ptime_ms == expected
    answer = SessionDescription.parse(leg.local_body).audio
    assert answer is not None
    assert answer.ptime == expected


def bombs() -> dict[str, bytes]:
    """The shape bombs of reliability D08."""
    head = b"v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n"
    formats = b" ".join(str(number).encode() for number in range(10_000))
    maps = b"".join(b"a=rtpmap:%d opus/48000/2\r\n" % (number % 128) for number in range(10_000))
    return {
        "10,000 formats": head + b"m=audio 4000 RTP/AVP " + formats + b"\r\n",
        "10,000 rtpmaps": head + b"m=audio 4000 RTP/AVP 0\r\n" + maps,
        "500 media lines": head + b"m=audio 4000 RTP/AVP 0\r\n" * 500,
        "one format 10,000 times": head + b"m=audio 4000 RTP/AVP" + b" 0" * 10_000 + b"\r\n",
        "127 codecs of no use": head
        + b"m=audio 4000 RTP/AVP "
        + b" ".join(str(number).encode() for number in range(1, 128))
        + b"\r\n"
        + b"".join(b"a=rtpmap:%d x/8000\r\n" % number for number in range(1, 128)),
    }


@pytest.mark.parametrize("name", bombs())
def test_shape_bombs_are_refused(name: str) -> None:
    with pytest.raises((ParseError, NoCommonCodec)) as caught:
        make().make_answer(bombs()[name])
    assert isinstance(caught.value, NoCommonCodec) or caught.value.status_hint == 488


@given(
    st.lists(st.integers(0, 127), min_size=1, max_size=12),
    st.lists(
        st.tuples(
            st.integers(0, 127),
            st.sampled_from(["opus", "PCMU", "PCMA", "G722", "G729", "L16", "telephone-event", "CN", "x"]),
            st.sampled_from([8000, 16000, 48000, 0]),
            st.sampled_from(["", "/1", "/2"]),
        ),
        max_size=12,
    ),
    st.sampled_from(ALL),
)
def test_any_line_is_answered_with_its_own_numbers_or_refused(
    formats: list[int], maps: list[tuple[int, str, int, str]], prefer: CodecName
) -> None:
    offered = line(
        " ".join(map(str, formats)),
        *(f"rtpmap:{kind} {encoding}/{rate}{channels}" for kind, encoding, rate, channels in maps),
    )
    leg = make()
    try:
        answer = SessionDescription.parse(leg.make_answer(body(offered))).audio
    except CallError:
        return
    assert answer is not None
    assert set(answer.formats) <= set(offered.formats)
    leg.reconsider(prefer)
    again = SessionDescription.parse(leg.make_offer()).audio
    assert again is not None
    assert len(set(again.formats)) == len(again.formats)
    leg.withdraw()
