"""Reports, quality figures, alarms and time-outs of media ports, and how they reach the records of a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.flow.centre import Centre
from tests.flow.test_media_faults import HOST, Stage

from sipcc.call.events import CallEndedEvent, QualityAlarm
from sipcc.rtp import MediaAlarm, MediaPort, MediaTimedOut, PlayTone, RtpBegan, RtpPaused, packet, rtcp, xr
from sipcc.rtp.emodel import estimate_mos
from sipcc.rtp.rtcp import ExtendedReport, Goodbye, SenderReport
from sipcc.rtp.stats import ReportBlock
from sipcc.testing.media import FakeMedia


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    for party in stage.parties:
        party.close()
    await stage.engine.stop()


class Control:
    """The RTCP of a fake party: what comes to it, and what it says."""

    def __init__(self, stage: Stage, host: str = "10.0.1.1", port: int = 7001) -> None:
        self.sockets = stage.network.sockets(host)
        self.handle = self.sockets.open(host, port)

    def send(self, data: bytes, port: MediaPort) -> None:
        self.sockets.send(self.handle, data, (HOST, port.port + 1))

    def compounds(self) -> list[tuple[rtcp.RtcpPacket, ...]]:
        return [rtcp.parse(data).packets for handle, data, _ in self.sockets.drain() if handle == self.handle]


def lose(party: FakeMedia, count: int) -> None:
    """The next `count` packets of a party are lost."""
    party.sequence = (party.sequence + count) & 0xFFFF


async def listen(stage: Stage, **changes: object) -> tuple[MediaPort, FakeMedia, Control]:
    caller, control = stage.party("10.0.1.1", ssrc=1), Control(stage)
    port = await stage.port(caller, remote_rtcp_port=7001, **changes)
    caller.say_tone(500)
    stage.start(caller, port)
    return port, caller, control


async def test_a_report_says_what_was_lost_to_the_packet(stage: Stage) -> None:
    port, caller, control = await listen(stage)
    port.echo()
    lost = 0
    for burst in (1, 2, 7, 1, 30, 1, 3):
        await asyncio.sleep(4)
        lose(caller, burst)
        lost += burst
    await asyncio.sleep(8)
    compounds = control.compounds()
    report, description, extended = compounds[-1]
    assert isinstance(report, SenderReport)
    assert report.blocks[0].cumulative_lost == lost == port.read_stats().lost
    assert isinstance(description, rtcp.SourceDescription)
    assert isinstance(extended, ExtendedReport)
    [metrics] = extended.metrics
    assert metrics.ssrc == caller._ssrc
    assert metrics.loss_rate == 256 * lost // (report.blocks[0].highest_sequence - caller_base(compounds))
    assert metrics.burst_density == 255
    assert metrics.burst_ms == 20 * (2 + 7 + 30 + 3) // 4
    assert metrics.gmin == 16
    stats = port.read_stats()
    assert stats.mos is not None
    expected = report.blocks[0].highest_sequence - caller_base(compounds)
    model = estimate_mos(loss=lost / expected, delay_ms=stats.jitter_ms, burst_ratio=4.0)
    assert stats.mos == pytest.approx(model, abs=0.1)
    assert metrics.mos_lq == pytest.approx(10 * model, abs=1)
    assert stats.codec == "PCMU"


def caller_base(compounds: list[tuple[rtcp.RtcpPacket, ...]]) -> int:
    """The number before the first one that was counted, from the numbers and losses of the last report."""
    report = compounds[-1][0]
    assert isinstance(report, SenderReport)
    [metrics] = next(item for item in compounds[-1] if isinstance(item, ExtendedReport)).metrics
    highest, lost = report.blocks[0].highest_sequence, report.blocks[0].cumulative_lost
    expected = next(n for n in range(lost, 10_000) if 256 * lost // n == metrics.loss_rate)
    return highest - expected


async def test_what_the_peer_reports_is_kept(stage: Stage) -> None:
    port, _, control = await listen(stage)
    port.echo()
    await asyncio.sleep(10)
    [report, *_] = control.compounds()[-1]
    assert isinstance(report, SenderReport)
    block = ReportBlock(report.ssrc, 64, 12, 500, 160, report.ntp >> 16 & 0xFFFFFFFF, 0)
    metrics = xr.VoipMetrics(report.ssrc, loss_rate=64, mos_lq=37, mos_cq=35, r_factor=70)
    other = xr.VoipMetrics(99, mos_lq=11)
    control.send(rtcp.build_report(1, "phone", block=block, metrics=metrics), port)
    control.send(rtcp.build_report(1, "phone", metrics=other), port)
    await asyncio.sleep(0.1)
    stats = port.read_stats()
    assert (stats.remote_lost, stats.remote_lost_fraction, stats.remote_jitter_ms) == (12, 0.25, 20.0)
    assert (stats.remote_mos, stats.remote_mos_cq) == (3.7, 3.5)
    assert stats.rtt_ms is not None
    assert stats.mos is not None
    assert stats.mos_cq is not None
    assert stats.mos_cq < stats.mos  # the round trip counts in a conversation


async def test_muxed_reports_share_the_port(stage: Stage) -> None:
    caller = stage.party("10.0.1.1", ssrc=1)
    port = await stage.port(caller, rtcp_mux=True)
    stage.start(caller, port)
    port.echo()
    seen: list[bytes] = []
    await asyncio.sleep(12)
    for datagram in stage.network.captured:
        if datagram.source == (HOST, port.port) and datagram.data[1:2] in (b"\xc8", b"\xc9"):
            seen.append(datagram.data)
            assert datagram.target == (caller.host, caller.port)
    assert len(seen) >= 2
    assert not [d for d in stage.network.captured if d.source == (HOST, port.port + 1)]


async def test_without_extended_reports_there_are_none() -> None:
    stage = Stage(extended_reports=False)
    port, _, control = await listen(stage)
    port.echo()
    await asyncio.sleep(12)
    await port.close()
    await asyncio.sleep(0.1)
    compounds = control.compounds()
    assert isinstance(compounds[-1][-1], Goodbye)
    assert not [item for packets in compounds for item in packets if isinstance(item, ExtendedReport)]
    await stage.engine.stop()


def alarms(stage: Stage) -> list[tuple[str, bool]]:
    return [(event.kind, event.active) for event in stage.events if isinstance(event, MediaAlarm)]


async def test_one_way_audio_is_told_by_the_peers_own_reports(stage: Stage) -> None:
    port, caller, control = await listen(stage)
    port.play([PlayTone((440,), 1000)], loop=True)
    await asyncio.sleep(5)
    caller.muted = True  # its packets are lost on the way; it says that it sends
    for count in range(4):
        sender = SenderReport(caller._ssrc, 1, 1, 250 + 200 * count, 1)
        control.send(rtcp.build_report(caller._ssrc, "phone", sender=sender), port)
        await asyncio.sleep(4)
    assert alarms(stage) == [("one_way_in", True)]
    caller.muted = False
    await asyncio.sleep(2)
    assert alarms(stage) == [("one_way_in", True), ("one_way_in", False)]
    assert port.read_stats().alarms == ("one_way_in",)


async def test_a_silent_party_raises_no_alarm(stage: Stage) -> None:
    """It reports that it sends nothing, or sends comfort noise now and then, or is on hold."""
    port, caller, control = await listen(stage)
    port.play([PlayTone((440,), 1000)], loop=True)
    await asyncio.sleep(5)
    caller.muted = True
    sender = SenderReport(caller._ssrc, 1, 1, 250, 1)
    for count in range(12):
        control.send(rtcp.build_report(caller._ssrc, "phone", sender=sender), port)
        noise = packet.build(
            b"\x40", payload_type=13, sequence=caller.sequence + count, timestamp=count, ssrc=caller._ssrc
        )
        if count > 5:
            caller._sockets.send(caller._rtp, noise, (HOST, port.port))
            sender = sender._replace(packets=sender.packets + 1)
        await asyncio.sleep(5)
    stage.configure(port, caller, remote_rtcp_port=7001, receive=False)
    for count in range(6):
        sender = sender._replace(packets=sender.packets + 100 * count)
        control.send(rtcp.build_report(caller._ssrc, "phone", sender=sender), port)
        await asyncio.sleep(5)
    assert stage.events == []


async def test_nothing_of_ours_arrives_there(stage: Stage) -> None:
    port, _, control = await listen(stage)
    port.play([PlayTone((440,), 1000)], loop=True)
    await asyncio.sleep(8)
    [report, *_] = control.compounds()[-1]
    assert isinstance(report, SenderReport)
    for _ in range(4):
        block = ReportBlock(report.ssrc, 255, 100, 77, 0, 0, 0)
        control.send(rtcp.build_report(1, "phone", block=block), port)
        await asyncio.sleep(5)
    assert alarms(stage) == [("one_way_out", True)]


async def test_loss_begins_an_alarm_and_ends_it(stage: Stage) -> None:
    _, caller, _ = await listen(stage)
    await asyncio.sleep(10)
    for _ in range(10):
        lose(caller, 5)
        await asyncio.sleep(1)
    assert alarms(stage) == [("loss", True)]
    await asyncio.sleep(15)
    assert alarms(stage) == [("loss", True), ("loss", False)]


async def test_reports_keep_a_silent_leg_alive_and_so_does_noise(stage: Stage) -> None:
    port, caller, control = await listen(stage)
    await asyncio.sleep(2)
    caller.muted = True
    for count in range(60):
        if count < 30:
            control.send(rtcp.build_report(caller._ssrc, "phone"), port)
        else:
            noise = packet.build(
                b"\x40", payload_type=13, sequence=caller.sequence + count, timestamp=9, ssrc=caller._ssrc
            )
            caller._sockets.send(caller._rtp, noise, (HOST, port.port))
        await asyncio.sleep(20)
    assert stage.events == []
    await asyncio.sleep(31)
    assert [type(event) for event in stage.events] == [MediaTimedOut]


@pytest.mark.parametrize(("held", "limit"), [(False, 12.0), (True, 100.0)])
async def test_time_outs_are_settings(held: bool, limit: float) -> None:
    stage = Stage(timeout=12.0, hold_timeout=100.0)
    caller = stage.party("10.0.1.1", ssrc=1)
    await stage.port(caller, send=not held)
    await asyncio.sleep(limit - 0.5)
    assert stage.events == []
    await asyncio.sleep(1)
    [event] = stage.events
    assert isinstance(event, MediaTimedOut)
    assert event.silent_s == pytest.approx(limit, abs=0.1)
    caller.close()
    await stage.engine.stop()


async def test_a_port_tells_when_audio_begins_pauses_and_comes_again(stage: Stage) -> None:
    caller = stage.party("10.0.1.1", ssrc=1)
    port = await stage.port(caller)
    port.notice(True)
    await asyncio.sleep(3)
    assert stage.events == []
    caller.be_silent()
    stage.start(caller, port)
    await asyncio.sleep(0.05)
    began, paused = RtpBegan(port.id), RtpPaused(port.id)
    assert stage.events == [began]
    await asyncio.sleep(5)
    caller.muted = True
    await asyncio.sleep(1.9)
    assert stage.events == [began]
    await asyncio.sleep(0.2)
    assert stage.events == [began, paused]
    caller.muted = False
    await asyncio.sleep(0.1)
    assert stage.events == [began, paused, began]
    port.notice(True)  # it says what is so now
    await asyncio.sleep(0.1)
    assert stage.events == [began, paused, began, began]
    port.notice(False)
    caller.muted = True
    await asyncio.sleep(5)
    assert stage.events == [began, paused, began, began]


async def test_bad_audio_is_told_and_stands_in_the_record(tmp_path: Path) -> None:
    async with Centre(tmp_path) as centre:
        caller = await centre.carrier.call("4008000001")
        await caller.answered()
        await asyncio.sleep(10)
        for _ in range(10):
            lose(caller.media, 8)
            await asyncio.sleep(1)
        await caller.hangup()
        await asyncio.sleep(3)
        told = [event for event in centre.events if isinstance(event, QualityAlarm)]
        assert [(event.kind, event.active) for event in told] == [("loss", True)]
        assert 0.05 <= told[0].value < 0.5
        [ended] = [event for event in centre.events if isinstance(event, CallEndedEvent)]
        assert ended.stats is not None
        assert ended.stats.alarms == ("loss",)
        assert ended.stats.lost == 80
        assert ended.stats.burst_packets == pytest.approx(8)
