"""Calls over a bad network, as recordings, call records and tshark show them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.interop import pcap
from tests.interop.centre import AGENT_HZ, CALLER_HZ
from tests.interop.field import Field
from tests.interop.programs import Capture, ended, wait_until
from tests.interop.scenario import callee, caller, sdp
from tests.interop.sipp import Sipp
from tests.interop.test_codecs import media_port

from sipcc.testing import audio

SECONDS = 10.0


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Field]:
    field = Field(tmp_path, callers={"outside": {}}, workers=1)
    yield field
    field.close()


class Talk(NamedTuple):
    """A customer and an agent."""

    carrier: Sipp
    agent: Sipp
    ears: bool
    """True when our jitter buffers play what comes; else it is passed on as it comes."""

    @property
    def ports(self) -> tuple[int, int]:
        """Where they receive, and send from."""
        return (
            media_port(self.carrier, "INVITE", "sent"),
            media_port(self.agent, "SIP/2.0 200", "sent"),
        )


class Packets:
    """What tshark makes of all that went to and from some ports."""

    FIELDS = ("udp.srcport", "udp.dstport", "_ws.malformed", "rtp.seq", "rtp.ssrc", "rtcp.pt",
              "rtcp.length_check", "rtcp.ssrc.cum_nr", "rtcp.xr.bt")  # fmt: skip

    def __init__(self, capture: Capture, ports: list[int]) -> None:
        wanted = ", ".join(f"{port}, {port + 1}" for port in ports)
        rows = capture.rows(f"udp.port in {{{wanted}}}", *self.FIELDS, rtp=ports)
        self._rows = [dict(zip(self.FIELDS, row, strict=True)) for row in rows]

    def of(self, end: str, port: int, field: str) -> list[dict[str, str]]:
        """The packets from (``src``) or to (``dst``) a port that have a field."""
        return [row for row in self._rows if row[f"udp.{end}port"] == str(port) and row[field]]

    def damage(self, port: int) -> tuple[int, int]:
        """How many packets from a port did not come, and how many came."""
        numbers = [int(row["rtp.seq"]) for row in self.of("src", port, "rtp.seq")]
        return max(numbers) + 1 - len(set(numbers)), len(numbers)


def begin(field: Field, user: str, host: str, *, ears: bool) -> Talk:
    """One call; an agent who asks for packets of 40 ms makes us play and cut anew."""
    paths = [field.folder / f"{user}-{side}.pcap" for side in ("customer", "agent")]
    for path, hz, seed in zip(paths, (CALLER_HZ, AGENT_HZ), (int(user), int(user) + 50), strict=True):
        pcap.write_damaged(path, tone_hz=hz, seconds=SECONDS, ssrc=seed, seed=seed)
    far = callee("agent").recv("INVITE").answer(200, body=sdp(ptime=40 if ears else 20), wait=True)
    far.recv("ACK").play().recv("BYE").answer(200, to="bye")
    near = caller("customer").invite().recv(100, optional=True).recv(180, optional=True)
    near.recv(200, dialog=True).ack().play().pause(round(SECONDS * 1000) + 500).bye()
    agent = field.agent(far, user=user, host=host, audio=paths[1])
    carrier = field.call(near, by="outside", number="4008123450", audio=paths[0])
    wait_until(lambda: agent.has("ACK", "received"), 5, agent.tail)
    return Talk(carrier, agent, ears)


def test_ten_seconds_of_a_bad_network(field: Field) -> None:
    """Each side loses a tenth; what comes is up to 200 ms late, overtakes and is doubled (reliability D09).

    Two calls at a time, of which one is passed on and the other one played.
    """
    hosts = "127.0.2.20", "127.0.2.21"
    capture = Capture(field.folder, f"udp and (host {field.host('outside')} or net 127.0.2.20/31)")
    with ended(capture):
        talks = [
            begin(field, user, host, ears=ears)
            for user, host, ears in zip(("1001", "1002"), hosts, (False, True), strict=True)
        ]
        for talk in talks:
            talk.carrier.succeed()
            talk.agent.succeed()
        records = field.centre.cdrs(2)
    packets = Packets(capture, [port for talk in talks for port in talk.ports])
    for talk, record in zip(talks, records, strict=True):
        check_record(talk, record, packets)
        check_recording(talk, field.folder / record["recordings"][0]["path"])
        check_reports(talk.ports, packets)


def check_record(talk: Talk, record: dict[str, Any], packets: Packets) -> None:
    """The figures of both legs are those of what came, counted from the first two packets in order."""
    [leg] = record["legs"]
    for stats, port in zip((record["stats"], leg["stats"]), talk.ports, strict=True):
        lost, came = packets.damage(port)
        assert stats["lost"] == pytest.approx(lost, abs=3)
        assert lost > 30
        assert stats["packets_received"] == came
        assert 40 < stats["max_jitter_ms"] < 120
        assert (stats["concealed_ms"] > 20 * lost * 0.8) == talk.ears
        assert 1.0 < stats["mos"] < 3.9
        assert stats["foreign_packets"] == stats["malformed_packets"] == 0
        assert {"loss", "jitter"} <= set(stats["alarms"])


def check_recording(talk: Talk, path: Path) -> None:
    """It is as long as the conversation was, and has both in it."""
    left, right, _ = audio.read_stereo(path)
    wall = talk.carrier.first("BYE", "sent").at - talk.agent.first("SIP/2.0 200", "sent").at
    assert len(left) / 8000 == pytest.approx(wall, abs=0.020)
    for side, tone in ((left, CALLER_HZ), (right, AGENT_HZ)):
        audio.assert_tone(side[16000:-16000], tone, share=0.5, what="the recording")


def check_reports(ports: tuple[int, int], packets: Packets) -> None:
    """tshark reads all that went to either party, and the reports have the loss that was made."""
    for port in ports:
        assert packets.of("dst", port, "_ws.malformed") == packets.of("dst", port + 1, "_ws.malformed") == []
        assert len(packets.of("dst", port, "rtp.seq")) > 200
        assert len({row["rtp.ssrc"] for row in packets.of("dst", port, "rtp.seq")}) == 1
        reports = packets.of("dst", port + 1, "rtcp.pt")
        kinds = [row["rtcp.pt"] for row in reports]
        assert set(kinds[:-1]) == {"200,202,207"}  # SR, SDES, XR
        assert kinds[-1] == "200,202,207,203"  # the last one says goodbye
        assert {row["rtcp.length_check"] for row in reports} <= {"1", "True"}
        assert {row["rtcp.xr.bt"] for row in reports} == {"7"}
        lost, _ = packets.damage(port)
        assert int(reports[-1]["rtcp.ssrc.cum_nr"]) == pytest.approx(
            lost, abs=12
        )  # less those that are doubled
