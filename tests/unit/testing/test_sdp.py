from __future__ import annotations

import pytest

from sipcc.testing import sdp


def test_what_is_written_is_understood() -> None:
    body = sdp.write("10.0.0.1", 30000, codecs=("PCMA", "PCMU"), direction="sendonly", version=3)
    assert sdp.read(body) == sdp.Description(
        host="10.0.0.1",
        port=30000,
        codecs=((8, "PCMA"), (0, "PCMU")),
        event_payload_type=101,
        direction="sendonly",
        version=3,
    )
    assert sdp.read(sdp.write("10.0.0.1", 30000, events=False)).event_payload_type is None


def test_static_types_need_no_rtpmap_and_the_stream_goes_before_the_session() -> None:
    body = (
        b"v=0\r\no=- 1 9 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=sendonly\r\n"
        b"m=audio 4000 RTP/AVP 18 8 0 96\r\nc=IN IP4 192.0.2.2\r\na=rtpmap:96 telephone-event/8000\r\n"
    )
    seen = sdp.read(body)
    assert seen.host == "192.0.2.2"
    assert seen.codecs == ((18, "G729"), (8, "PCMA"), (0, "PCMU"))
    assert (seen.event_payload_type, seen.direction, seen.version) == (96, "sendonly", 9)
    peer = sdp.peer_of(seen, ("PCMU", "PCMA"))
    assert peer is not None
    assert (peer.codec, peer.payload_type, peer.event_payload_type, peer.send) == ("PCMA", 8, 96, False)
    assert sdp.peer_of(seen, ()) is None


@pytest.mark.parametrize(
    "body",
    [b"", b"v=0\r\n", b"v=0\nm=audio 1 RTP/AVP 0\n", b"v=0\r\no=- 1 1 IN IP4 h\r\nm=audio x RTP/AVP 0\r\n"],
)
def test_what_is_no_description_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"audio|description|line"):
        sdp.read(body)


def test_answers_turn_the_direction() -> None:
    pairs = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
    assert {offer: sdp.answer_direction(offer) for offer in pairs} == pairs  # type: ignore[arg-type]
