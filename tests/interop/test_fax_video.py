"""Fax by T.38 and video between two SIPp parties: passed on byte for byte, or refused without harm to audio.

SIPp plays one stream at a time, and sends to the address in the last description that it saw, a refused one
too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from tests.interop import pcap
from tests.interop.field import Field
from tests.interop.programs import Capture, ended
from tests.interop.scenario import Script, callee, caller, sdp
from tests.interop.sipp import Sipp

FAX = (
    "m=image [media_port+2] udptl t38\na=T38FaxVersion:0\na=T38MaxBitRate:14400\n"
    "a=T38FaxRateManagement:transferredTCF\na=T38FaxMaxDatagram:176\na=T38FaxUdpEC:t38UDPRedundancy"
)
VIDEO = "m=video [media_port+4] RTP/AVP 97\na=rtpmap:97 H264/90000\na=fmtp:97 profile-level-id=42e01f"
NO_AUDIO = (
    "v=0\no=- 53655765 2 IN IP4 [local_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\nm=audio 0 RTP/AVP 0 101\n" + FAX
)


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    field = Field(
        tmp_path_factory.mktemp("fax"),
        callers={"outside": {}},
        callees={"far": {}},
        workers=1,
        media='video = "pass"',
    )
    yield field
    field.close()


def begins(name: str) -> tuple[Script, Script]:
    """Two who talk: the caller and the callee."""
    near = caller(f"{name}, caller").invite().recv(100, optional=True).recv(180, optional=True)
    near.recv(200, dialog=True).ack().play()
    far = callee(f"{name}, callee").recv("INVITE").answer(200, body=sdp(), wait=True).recv("ACK").play()
    return near, far


class Talk:
    """A call between two scripts, and what was captured of it."""

    def __init__(self, field: Field, near: Script, far: Script, **keys: str) -> None:
        hosts = field.host("outside"), field.host("far")
        self.capture = Capture(field.folder, f"udp and (host {hosts[0]} or host {hosts[1]})")
        with ended(self.capture):
            self.far = field.take(far, at="far", keys=keys)
            self.near = field.call(near, by="outside", number=field.number("far"), keys=keys)
            self.near.succeed()
            self.far.succeed()

    def got(self, run: Sipp, kind: str) -> list[bytes]:
        """The datagrams that came to a party for a kind of media."""
        texts = [m.text for m in run.messages() if m.direction == "sent"]
        ports = [int(found[1]) for text in texts for found in re.finditer(rf"(?m)^m={kind} (\d+) ", text)]
        rows = self.capture.rows(f"udp.dstport == {max(ports)}", "udp.payload")
        return [bytes.fromhex(row[0].replace(":", "")) for row in rows]

    def times(self, run: Sipp) -> list[float]:
        """When audio came to a party."""
        found = re.search(
            r"(?m)^m=audio ([1-9]\d*) ", "".join(m.text for m in run.messages() if m.direction == "sent")
        )
        assert found is not None
        rows = self.capture.rows(f"udp.dstport == {found[1]}", "frame.time_epoch")
        return [float(row[0]) for row in rows]


def udptl(path: Path, seed: int) -> list[bytes]:
    """Write datagrams such as fax machines send: a number, a packet, and earlier ones again."""
    found = [
        index.to_bytes(2, "big") + bytes((seed + index * k) & 255 for k in range(40)) for index in range(60)
    ]
    pcap.write_datagrams(path, ((index * 0.03, data) for index, data in enumerate(found)))
    return found


def video(path: Path, seed: int) -> list[bytes]:
    """Write RTP of video: several packets a picture, of which the last one is marked."""
    found = []
    for index in range(120):
        body = bytes((seed * index + k) & 255 for k in range(900 if index % 4 else 300))
        found.append(pcap.rtp(97, 65500 + index, index // 4 * 3000, seed, body, marker=index % 4 == 3))
    pcap.write_datagrams(
        path, ((index // 4 * 0.05 + index % 4 * 0.001, data) for index, data in enumerate(found))
    )
    return found


def test_a_fax_goes_through(field: Field) -> None:
    """The callee changes to T.38; each end's datagrams reach the other one as they are."""
    one, two = field.folder / "fax-1.pcap", field.folder / "fax-2.pcap"
    from_near, from_far = udptl(one, 3), udptl(two, 8)
    near, far = begins("fax")
    near.recv("INVITE", keep="invite1").answer(200, to="invite1", body=NO_AUDIO, wait=True).recv("ACK")
    near.pause(200).play("one", kind="image").pause(2300).bye()
    far.pause(500).request("INVITE", cseq=1, body=NO_AUDIO).recv(100, optional=True).recv(200).ack()
    far.pause(200).play("two", kind="image").recv("BYE").answer(200, to="bye")
    talk = Talk(field, near, far, one=str(one), two=str(two))
    offered = talk.near.first("INVITE", "received").text
    assert re.search(r"(?m)^m=audio 0 ", offered)
    assert re.search(r"(?m)^m=image [1-9]\d* udptl t38", offered)
    assert "a=T38FaxMaxDatagram:176" in offered
    assert "a=T38MaxBitRate:14400" in talk.far.all("SIP/2.0 200", "received", method="INVITE")[-1].text
    assert talk.got(talk.near, "image") == from_far
    assert talk.got(talk.far, "image") == from_near


def test_a_fax_that_is_not_taken_leaves_the_audio_as_it_was(field: Field) -> None:
    near, far = begins("no fax")
    near.recv("INVITE", keep="invite1").answer(488, "Not Acceptable Here", to="invite1").recv("ACK")
    changed = sdp(version=2, ptime=40)  # one that changes nothing would be passed on as a sign of life
    near.request("INVITE", cseq=2, body=changed).recv(100, optional=True).recv(200).ack(cseq=2)
    near.play().pause(1500).bye(cseq=3)
    far.pause(500).request("INVITE", cseq=1, body=NO_AUDIO).recv(100, optional=True).recv(488)
    far.ack_refusal().recv("BYE").answer(200, to="bye")
    talk = Talk(field, near, far)
    refused = talk.far.first("SIP/2.0 488", "received").at
    for party in (talk.near, talk.far):
        times = talk.times(party)
        assert times[0] < refused - 0.3
        assert times[-1] > refused + 1.0
        assert max(later - earlier for earlier, later in pairwise(times)) < 0.2


def test_video_goes_through(field: Field) -> None:
    """The caller offers it at once; both are asked as soon as they talk."""
    one, two = field.folder / "video-1.pcap", field.folder / "video-2.pcap"
    from_near, from_far = video(one, 5), video(two, 7)
    both = sdp(version=2, more=VIDEO)
    near = caller("sees").invite(sdp(more=VIDEO)).recv(100, optional=True).recv(180, optional=True)
    near.recv(200, dialog=True).ack().recv("INVITE", keep="invite1")
    near.answer(200, to="invite1", body=both, wait=True).recv("ACK")
    near.play().pause(100).play("one", kind="video").pause(2200).bye()
    far = callee("is seen").recv("INVITE").answer(200, body=sdp(), wait=True).recv("ACK")
    far.recv("INVITE", keep="invite1").answer(200, to="invite1", body=both, wait=True).recv("ACK")
    far.play().pause(300).play("two", kind="video").recv("BYE").answer(200, to="bye")
    talk = Talk(field, near, far, one=str(one), two=str(two))
    offered = talk.far.all("INVITE", "received")[-1].text
    assert "a=fmtp:97 profile-level-id=42e01f" in offered
    assert talk.got(talk.near, "video") == from_far
    assert talk.got(talk.far, "video") == from_near
    assert min(len(talk.times(party)) for party in (talk.near, talk.far)) > 5


def test_video_is_refused_by_default(tmp_path: Path) -> None:
    field = Field(tmp_path, callers={"outside": {}}, numbers={"4009001000": "echo"}, workers=1)
    near = (
        caller("wants to see").invite(sdp(more=VIDEO)).recv(100, optional=True).recv(200, dialog=True).ack()
    )
    run = field.call(near.play().pause(1000).bye(), by="outside", number="4009001000")
    run.succeed()
    answer = run.first("SIP/2.0 200", "received", method="INVITE").text
    assert re.search(r"(?m)^m=audio [1-9]", answer)
    assert re.search(r"(?m)^m=video 0 ", answer)
    [record] = field.centre.cdrs(1)
    assert record["stats"]["packets_received"] > 40
    field.close()
