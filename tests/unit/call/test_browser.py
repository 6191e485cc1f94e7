"""Descriptions for browsers: what is answered and offered, what stays over re-offers, what is refused."""

from __future__ import annotations

import random
import re

import pytest

from sipcc.call.browser import MAX_FINGERPRINTS, BrowserKeying, EitherKeying
from sipcc.call.negotiate import MediaNegotiation
from sipcc.call.security import PlainKeying
from sipcc.errors import NoCommonCodec
from sipcc.ids import Ids
from sipcc.rtp.flow import BrowserParams, CodecName, Identity, StreamParams

IDENTITY = Identity(b"a certificate", b"a key")
DIGEST = ":".join(["AB"] * 32)
OTHER = ":".join(["CD"] * 32)

OFFER = f"""\
v=0
o=- 60698724 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS stream
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 0 8 13 110 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1 1 udp 2122194687 169.254.169.254 80 typ host generation 0 network-id 1
a=candidate:2 7 tcp 1518214911 224.0.0.1 9 typ host tcptype active
a=candidate:3 1 udp 2122194687 c0ffee00-0000-4000-8000-000000000000.local 40000 typ host
a=ice-ufrag:33WA
a=ice-pwd:fxMNO1Uymwo8VDGaGWrILeTm
a=ice-options:trickle
a=fingerprint:sha-256 {DIGEST}
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=sendrecv
a=msid:stream track
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:1140310786 cname:rK8X9dA73Rnb8Kdn
m=video 9 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=mid:1
a=rtpmap:96 VP8/90000
""".replace("\n", "\r\n")


def leg(
    *, keying: object = None, seed: int = 1, codecs: tuple[CodecName, ...] = ("PCMU", "PCMA")
) -> MediaNegotiation:
    ids = Ids(random.Random(seed))
    return MediaNegotiation(
        host="192.0.2.1",
        port=20000,
        codecs=codecs,
        keying=keying or BrowserKeying(IDENTITY, ids.bits),  # type: ignore[arg-type]
        ptime_ms=20,
        session_id=1,
    )


def browser_of(params: StreamParams | None) -> BrowserParams:
    assert params is not None
    assert params.browser is not None
    assert params.rtcp_mux
    return params.browser


def answer_of(negotiation: MediaNegotiation, offer: str = OFFER) -> str:
    return negotiation.make_answer(offer.encode()).decode()


def value(description: str, name: str) -> str:
    found = re.findall(rf"(?m)^a={name}(?::(.*?))?\r$", description)
    assert len(found) == 1, f"a={name} {len(found)} times"
    return str(found[0])


def test_an_offer_is_answered_as_the_lite_and_passive_end() -> None:
    negotiation = leg()
    answer = answer_of(negotiation)
    session, audio, video = answer.split("m=")
    assert value(session, "group") == "BUNDLE 0", "the refused line is in no bundle"
    assert value(session, "ice-lite") == ""
    assert audio.startswith("audio 20000 UDP/TLS/RTP/SAVPF 0 ")
    assert video.startswith("video 0 UDP/TLS/RTP/SAVPF 96")
    assert (value(audio, "mid"), value(audio, "setup"), value(audio, "rtcp-mux")) == ("0", "passive", "")
    assert value(audio, "fingerprint") == " ".join(IDENTITY.fingerprint)
    assert value(audio, "candidate") == "1 1 udp 2130706431 192.0.2.1 20000 typ host"
    assert value(audio, "end-of-candidates") == ""
    assert value(audio, "sendrecv") == ""
    assert "extmap" not in answer
    params = negotiation.params
    browser = browser_of(params)
    assert (browser.remote_ufrag, browser.remote_password) == ("33WA", "fxMNO1Uymwo8VDGaGWrILeTm")
    assert (browser.local_ufrag, browser.local_password) == (
        value(audio, "ice-ufrag"),
        value(audio, "ice-pwd"),
    )
    assert len(browser.local_ufrag) == 8
    assert len(browser.local_password) == 24
    assert browser.fingerprints == (("sha-256", DIGEST),)
    assert browser.setup == "passive"
    assert params is not None
    assert (params.codec, params.event_payload_type) == ("PCMU", 126)
    assert params.send
    assert params.receive
    assert not negotiation.remote_hold, "the null address of a browser is no hold"


def test_names_and_fingerprint_of_the_session_count_as_well() -> None:
    lines = re.findall(r"a=(?:ice-ufrag|ice-pwd|fingerprint|setup).*\r\n", OFFER)
    moved = OFFER
    for line in lines:
        moved = moved.replace(line, "")
    moved = moved.replace("a=group", "".join(lines) + "a=group")
    negotiation = leg()
    answer_of(negotiation, moved)
    assert browser_of(negotiation.params).remote_ufrag == "33WA"


def test_a_browser_that_bundles_nothing_is_not_answered_with_a_bundle() -> None:
    answer = answer_of(leg(), OFFER.replace("a=group:BUNDLE 0 1\r\n", ""))
    assert "a=group" not in answer


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("actpass", "passive"), ("active", "passive"), ("passive", "active"), ("holdconn", "passive")],
)
def test_our_role_follows_theirs(theirs: str, ours: str) -> None:
    negotiation = leg()
    answer = answer_of(negotiation, OFFER.replace("setup:actpass", f"setup:{theirs}"))
    assert value(answer, "setup") == ours
    assert browser_of(negotiation.params).setup == ours


def test_a_re_offer_keeps_names_and_role_and_a_hold_is_heard() -> None:
    negotiation = leg()
    first = answer_of(negotiation, OFFER.replace("setup:actpass", "setup:passive"))
    before = browser_of(negotiation.params)
    held = OFFER.replace("a=sendrecv", "a=sendonly").replace(" 2 IN", " 3 IN")
    second = answer_of(negotiation, held)
    for name in ("ice-ufrag", "ice-pwd", "fingerprint", "setup", "mid"):
        assert value(first, name) == value(second, name)
    assert browser_of(negotiation.params) == before
    assert negotiation.remote_hold
    assert value(second, "recvonly") == ""


def test_new_names_of_the_peer_restart_ice_and_leave_the_role_alone() -> None:
    negotiation = leg()
    first = answer_of(negotiation, OFFER.replace("setup:actpass", "setup:passive"))
    second = answer_of(negotiation, OFFER.replace("33WA", "newU"))
    assert value(first, "ice-ufrag") != value(second, "ice-ufrag")
    assert value(first, "ice-pwd") != value(second, "ice-pwd")
    assert value(first, "setup") == value(second, "setup") == "active"


def test_a_new_certificate_takes_the_role_anew() -> None:
    negotiation = leg()
    answer_of(negotiation, OFFER.replace("setup:actpass", "setup:passive"))
    second = answer_of(negotiation, OFFER.replace(DIGEST, OTHER))
    assert value(second, "setup") == "passive"


def test_our_offer_leaves_the_role_to_the_browser_and_its_answer_gives_it() -> None:
    for theirs, ours in (("active", "passive"), ("passive", "active")):
        negotiation = leg()
        offer = negotiation.make_offer().decode()
        assert value(offer, "setup") == "actpass"
        assert value(offer, "group") == "BUNDLE 0"
        assert re.search(r"m=audio 20000 UDP/TLS/RTP/SAVPF 0 8 \d+\r", offer)
        answer = OFFER[: OFFER.index("m=video")].replace("actpass", theirs).replace("BUNDLE 0 1", "BUNDLE 0")
        negotiation.take_answer(answer.encode())
        browser = browser_of(negotiation.params)
        assert browser.setup == ours
        assert browser.local_ufrag == value(offer, "ice-ufrag")
        negotiation.local_hold = "sendonly"
        again = negotiation.make_offer().decode()
        assert value(again, "setup") == "actpass"
        negotiation.take_answer(answer.replace("a=sendrecv", "a=recvonly").encode())
        assert browser_of(negotiation.params) == browser, "a hold of ours changes nothing of the way"


def test_a_move_to_another_port_moves_the_candidate() -> None:
    negotiation = leg()
    negotiation.make_offer()
    negotiation.withdraw()
    negotiation.move("192.0.2.9", 20500)
    assert "192.0.2.9 20500 typ host" in negotiation.make_offer().decode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a=rtcp-mux\r\n", ""),
        ("a=ice-ufrag:33WA\r\n", ""),
        ("a=ice-ufrag:33WA", "a=ice-ufrag:x"),
        ("a=ice-ufrag:33WA", "a=ice-ufrag:" + "u" * 257),
        ("a=ice-ufrag:33WA", "a=ice-ufrag:a:bc"),
        ("a=ice-pwd:fxMNO1Uymwo8VDGaGWrILeTm", "a=ice-pwd:short"),
        ("a=fingerprint", "a=finger"),
        ("sha-256 AB:", "sha-256 XX:"),
        ("UDP/TLS/RTP/SAVPF 111", "RTP/SAVPF 111"),
        ("UDP/TLS/RTP/SAVPF 111", "RTP/AVP 111"),
        ("UDP/TLS/RTP/SAVPF 111", "DTLS/SCTP 111"),
    ],
)
def test_what_is_missing_or_out_of_form_is_refused(old: str, new: str) -> None:
    assert old in OFFER
    negotiation = leg()
    with pytest.raises(NoCommonCodec):
        negotiation.make_answer(OFFER.replace(old, new).encode())
    assert negotiation.params is None
    answer_of(negotiation)


@pytest.mark.parametrize(
    ("codecs", "taken"), [(("PCMA", "PCMU", "opus"), "PCMA"), (("opus", "PCMU"), "opus")]
)
def test_our_order_of_codecs_counts_with_browsers(codecs: tuple[CodecName, ...], taken: str) -> None:
    negotiation = leg(codecs=codecs)
    answer_of(negotiation)
    assert negotiation.params is not None
    assert negotiation.params.codec == taken


def test_fingerprints_are_bounded() -> None:
    negotiation = leg()
    line = f"a=fingerprint:sha-256 {DIGEST}\r\n"
    answer_of(negotiation, OFFER.replace(line, line * 50))
    assert len(browser_of(negotiation.params).fingerprints) == MAX_FINGERPRINTS


def either(*, browser: bool) -> MediaNegotiation:
    ids = Ids(random.Random(3))
    return leg(keying=EitherKeying(BrowserKeying(IDENTITY, ids.bits), PlainKeying(), browser=browser))


PLAIN = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"


@pytest.mark.parametrize("browser", [True, False])
def test_the_first_offer_decides_whatever_was_thought(browser: bool) -> None:
    negotiation = either(browser=browser)
    audio = OFFER[: OFFER.index("m=video")]
    assert "ice-lite" in answer_of(negotiation, audio)
    browser_of(negotiation.params)
    with pytest.raises(NoCommonCodec):
        negotiation.make_answer(PLAIN.encode())  # what was decided stays for the life of the leg
    negotiation = either(browser=browser)
    assert "RTP/AVP 0" in answer_of(negotiation, PLAIN)
    assert negotiation.params is not None
    assert negotiation.params.browser is None
    assert negotiation.params.remote_host == "192.0.2.7"
    with pytest.raises(NoCommonCodec):
        negotiation.make_answer(audio.encode())


def test_where_we_speak_first_it_is_as_was_thought() -> None:
    assert "UDP/TLS/RTP/SAVPF" in either(browser=True).make_offer().decode()
    assert "RTP/AVP 0" in either(browser=False).make_offer().decode()


def test_an_offer_that_is_refused_decides_nothing() -> None:
    negotiation = either(browser=False)
    with pytest.raises(NoCommonCodec):
        negotiation.make_answer(OFFER.replace("a=rtcp-mux\r\n", "").encode())
    assert "RTP/AVP 0" in answer_of(negotiation, PLAIN)


def test_secrets_are_in_no_text() -> None:
    negotiation = leg()
    answer_of(negotiation)
    shown = repr(negotiation.params)
    browser = browser_of(negotiation.params)
    for secret in (browser.local_password, browser.remote_password, "a key"):
        assert secret not in shown
