"""The figures for Prometheus, of a day in memory, and what they must never do: grow with the calls."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.flow.test_api import client, until

from sipcc.acd import AgentStateChanged, QueueJoined, QueueLeft, TalkEnded
from sipcc.api.lag import WINDOW_S, LagWatch
from sipcc.api.metrictable import METRICS
from sipcc.call.events import CallEndedEvent, CallStarted, LegEnded, LegStarted, RecordingFinished
from sipcc.rtp.flow import RtpStats
from sipcc.sip.transport.base import Address


def value(page: str, sample: str) -> float:
    """The value of one line, 0 when it is not there."""
    found = [line.rpartition(" ")[2] for line in page.splitlines() if line.startswith(f"{sample} ")]
    return float(found[0]) if found else 0.0


async def test_every_name_of_the_table_is_on_the_page(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        page = (await api.get("/metrics")).text
        told = {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE ")}
        assert {name for name in told if not name.endswith("_created")} == set(METRICS)


async def test_a_talk_with_an_agent(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        await api.centre.phone("1001")
        caller = await api.centre.carrier.call("4008000006")
        await until(lambda: api.centre.switch.acd.floor.staff.agents["alice"].state == "talking")
        page = (await api.get("/metrics")).text
        assert value(page, "sipcc_registrations") == 1
        assert value(page, 'sipcc_trunk_up{trunk="carrier"}') == 1
        assert value(page, 'sipcc_calls_active{direction="in",trunk="carrier"}') == 1
        assert value(page, 'sipcc_calls_active{direction="out",trunk="carrier"}') == 0
        await asyncio.sleep(10.0)
        await caller.hangup()
        await until(lambda: api.centre.switch.acd.floor.staff.agents["alice"].state == "ready")
        page = (await api.get("/metrics")).text
        assert value(page, 'sipcc_handle_seconds_count{queue="sales"}') == 1
        assert 15.0 <= value(page, 'sipcc_handle_seconds_sum{queue="sales"}') <= 17.0  # 5 s of them wrap-up
        assert value(page, "sipcc_rtp_jitter_seconds_count") == 2
        assert value(page, "sipcc_rtp_packets_lost_total") == 0
        assert value(page, 'sipcc_sip_requests_total{method="INVITE"}') == 2
        assert value(page, 'sipcc_sip_requests_total{method="BYE"}') == 2
        assert value(page, 'sipcc_sip_responses_total{code="180"}') >= 1
        assert value((await api.get("/metrics")).text, 'sipcc_sip_requests_total{method="BYE"}') == 2


async def test_what_is_counted_from_events(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        bus = api.centre.switch.bus
        stats = RtpStats(packets_received=500, lost=7, jitter_ms=30.0)
        bus.emit(LegStarted(at=1.0, call="c", leg="l", target="sip:x@example.com", trunk="carrier"))
        ended = LegEnded(
            at=2.0, call="c", leg="l", cause="busy", sip_status=486, ended_by="callee", stats=stats
        )
        bus.emit(ended)
        bus.emit(RecordingFinished(at=3.0, call="c", path="/x.wav", seconds=0.0, reason="error: disk full"))
        for agent, after in (("alice", "wrap_up"), ("bob", "ready")):
            bus.emit(TalkEnded(at=4.0, entry="e", queue="sales", call="c", agent=agent, talked=60.0))
            bus.emit(AgentStateChanged(at=4.0, agent=agent, before="talking", after=after))
        names = {"entry": "e2", "queue": "help", "call": "c2"}
        bus.emit(QueueJoined(at=5.0, caller="x", priority=0, position=1, callback="b", **names))
        bus.emit(QueueLeft(at=9.0, exit="answered", waited=4.0, **names))
        bus.emit(AgentStateChanged(at=14.0, agent="alice", before="wrap_up", after="ready"))
        page = (await api.get("/metrics")).text
        assert value(page, 'sipcc_calls_total{direction="out",disposition="busy",trunk="carrier"}') == 1
        assert value(page, "sipcc_rtp_packets_lost_total") == 7
        assert value(page, 'sipcc_rtp_jitter_seconds_bucket{le="0.03"}') == 1
        assert value(page, "sipcc_recording_failures_total") == 1
        assert value(page, 'sipcc_queue_wait_seconds_count{queue="help"}') == 0  # nobody waited
        assert value(page, 'sipcc_handle_seconds_sum{queue="sales"}') == 130.0


async def test_labels_do_not_grow_with_what_strangers_send(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        before = (await api.get("/metrics")).text.count("\n")
        for number in range(50):
            call = f"c{number}"
            started = CallStarted(
                at=1.0, call=call, caller="x", called="x", trunk="carrier", sip_call_id="x", source="x"
            )
            api.centre.switch.bus.emit(started)
            ended = CallEndedEvent(at=2.0, call=call, cause=call, sip_status=200, ended_by="caller")
            api.centre.switch.bus.emit(ended)
        for number in range(50):
            for text in (b"ODD%d sip:x@example.com SIP/2.0" % number, b"SIP/2.0 %d Odd" % (700 + number)):
                data = text + b"\r\nCall-ID: x\r\n\r\n"
                api.centre.network.send_datagram(Address("127.0.0.2", 5060), api.centre.server, data)
        await asyncio.sleep(1.0)
        after = (await api.get("/metrics")).text
        assert value(after, 'sipcc_calls_total{direction="in",disposition="other",trunk="carrier"}') == 50
        assert after.count("\n") < before + 20


async def test_lag_is_the_worst_of_the_last_seconds() -> None:
    watch = LagWatch()
    assert watch.worst == 0.0
    now = asyncio.get_running_loop().time()
    watch.note(0.3, now=now)
    watch.start()
    await asyncio.sleep(1.0)
    assert watch.worst == 0.3
    await asyncio.sleep(WINDOW_S)
    assert watch.worst == 0.0
    watch.stop()
    watch.stop()
