"""Our RTP and RTCP, XR included, as tshark reads them: from captures that the engine's own traffic makes."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import pytest
from tests.flow.test_media_faults import HOST, Stage
from tests.interop.programs import need

from sipcc.rtp import PlayTone
from sipcc.sip.capture import file_header, record
from sipcc.testing.loop import run_virtual

pytestmark = pytest.mark.interop

ONE, TWO = "10.0.1.1", "10.0.1.2"
BURSTS = (1, 2, 7, 1, 30, 1, 3)


def played(folder: Path, scene: Callable[[Stage], Awaitable[None]]) -> Capture:
    """The capture of a scene, which takes place on a clock that jumps."""

    async def play() -> Capture:
        stage = Stage()
        await scene(stage)
        await asyncio.sleep(0.1)
        for party in stage.parties:
            party.close()
        await stage.engine.stop()
        return Capture(stage, folder / "call.pcap")

    return run_virtual(play())


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    return played(tmp_path_factory.mktemp("talk"), converse)


def write(stage: Stage, path: Path, *, start: float) -> set[int]:
    """Write all that went over the memory network; returns the UDP ports in it."""
    packets = list(stage.network.captured)
    assert len(packets) < stage.network.captured.maxlen  # type: ignore[operator]
    records = [
        record(packet.data, source=packet.source, destination=packet.target, wall=1e9 + packet.at - start)
        for packet in packets
    ]
    path.write_bytes(file_header() + b"".join(records))
    return {address.port for packet in packets for address in (packet.source, packet.target)}


class Capture:
    """A file and what tshark says of it."""

    def __init__(self, stage: Stage, path: Path) -> None:
        need("tshark")
        self.path = path
        ports = write(stage, path, start=0.0)
        self.decode = [
            option
            for port in sorted(ports)
            for option in ("-d", f"udp.port=={port},{'rtcp' if port % 2 else 'rtp'}")
        ]

    def _run(self, *options: str) -> str:
        command = ["tshark", "-n", "-r", str(self.path), *self.decode, *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rows(self, wanted: str, *fields: str) -> list[list[str]]:
        """The fields of each packet that a filter passes; several values of one field with commas."""
        options = [option for field in fields for option in ("-e", field)]
        out = self._run("-Y", wanted, "-T", "fields", *options)
        return [line.split("\t") for line in out.splitlines()]

    def streams(self) -> dict[str, tuple[int, int]]:
        """Packets and lost packets of each RTP stream, by its source host."""
        found = {}
        for line in self._run("-q", "-z", "rtp,streams").splitlines():
            words = line.split()
            match = re.search(r"0x[0-9A-F]+ .*? ([0-9]+) +(-?[0-9]+) \(", line)
            if match is not None:
                found[next(word for word in words if word.count(".") == 3)] = int(match[1]), int(match[2])
        return found


async def converse(stage: Stage) -> None:
    """A prompt, keys, and a relayed talk whose caller loses packets in bursts."""
    one, two = stage.party(ONE, ssrc=0x1111), stage.party(TWO, ssrc=0x2222)
    first, second = await stage.port(one), await stage.port(two)
    one.say_tone(500)
    two.say_tone(900)
    stage.start(one, first)
    stage.start(two, second)
    first.play([PlayTone((440,), 1000)])
    await asyncio.sleep(2)
    first.send_digits("15#")
    await asyncio.sleep(2)
    first.bridge(second)
    for burst in BURSTS:
        await asyncio.sleep(3)
        one.sequence = (one.sequence + burst) & 0xFFFF
    await asyncio.sleep(6)
    stats = await first.close()
    await second.close()
    assert stats.lost == sum(BURSTS)


def test_tshark_reads_our_rtp(talk: Capture) -> None:
    assert talk.rows("_ws.malformed", "frame.number") == []
    fields = ("rtp.ssrc", "rtp.seq", "rtp.timestamp", "rtp.p_type", "rtp.marker", "rtp.version")
    rows = talk.rows(f"rtp && ip.src == {HOST} && ip.dst == {ONE}", *fields)
    assert len(rows) > 1000
    assert len({row[0] for row in rows}) == 1
    numbers = [int(row[1]) for row in rows]
    assert all((after - before) & 0xFFFF == 1 for before, after in pairwise(numbers))
    assert {row[3] for row in rows} == {"0", "101"}
    assert {row[5] for row in rows} == {"2"}
    events = talk.rows(
        f"rtpevent && ip.dst == {ONE}", "rtpevent.event_id", "rtpevent.end_of_event", "rtp.timestamp"
    )
    assert [row[0] for row in events if row[1] in ("1", "True")] == ["1"] * 3 + ["5"] * 3 + ["11"] * 3
    assert len({row[2] for row in events}) == 3


def test_tshark_counts_the_loss_that_we_report(talk: Capture) -> None:
    """Its own count of the stream that came to us, and the one in our report."""
    streams = talk.streams()
    assert streams[ONE][1] == sum(BURSTS)
    reports = talk.rows(
        f"rtcp.pt == 200 && ip.src == {HOST} && ip.dst == {ONE}", "rtcp.ssrc.cum_nr", "rtcp.ssrc.identifier"
    )
    assert int(reports[-1][0]) == sum(BURSTS)
    assert "0x00001111" in reports[-1][1]


def test_tshark_reads_our_rtcp_and_xr(talk: Capture) -> None:
    mine = f"rtcp && ip.src == {HOST} && ip.dst == {ONE}"
    rows = talk.rows(mine, "rtcp.pt", "rtcp.length_check", "rtcp.sdes.type")
    kinds = [row[0] for row in rows]
    assert "200,202,207" in kinds
    assert kinds[-1] == "200,202,207,203"  # the last one says goodbye
    assert {row[1] for row in rows} <= {"1", "True"}
    names = (
        "bt", "bl", "voipmetrics.burstdensity", "voipmetrics.burstduration", "voipmetrics.gmin",
        "voipmetrics.rfactor", "voipmetrics.moslq", "voipmetrics.moscq", "voipmetrics.rtdelay",
    )  # fmt: skip
    [*_, last] = talk.rows(mine, *(f"rtcp.xr.{name}" for name in names))
    values = dict(zip(names, last, strict=True))
    assert (values["bt"], values["bl"], values["voipmetrics.gmin"]) == ("7", "8", "16")
    assert values["voipmetrics.burstdensity"] == "255"
    assert values["voipmetrics.burstduration"] == str(20 * (2 + 7 + 30 + 3) // 4)
    assert 40 <= int(values["voipmetrics.rfactor"]) <= 93
    assert 3.0 <= float(values["voipmetrics.moslq"]) <= 4.5
    assert float(values["voipmetrics.moscq"]) <= float(values["voipmetrics.moslq"])


def test_tshark_reads_our_muxed_reports(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        one = stage.party(ONE, ssrc=0x1111)
        port = await stage.port(one, rtcp_mux=True)
        stage.start(one, port)
        port.echo()
        await asyncio.sleep(12)
        await port.close()

    capture = played(tmp_path, scene)
    rows = capture.rows(f"ip.src == {HOST} && rtcp", "rtcp.pt", "udp.srcport", "udp.dstport")
    assert len(rows) >= 3
    assert all(int(row[1]) % 2 == int(row[2]) % 2 == 0 for row in rows)  # both are ports of RTP
    assert capture.rows("_ws.malformed", "frame.number") == []
