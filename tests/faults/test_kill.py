"""Media workers that are killed, stopped and fed garbage under calls (reliability P4, H08, H18).

Real processes on loopback with two-way RTP; the longest gap and the packets lost are printed (``-s``), by
`tests.faults.rtp_probe`. ``KILL_ROUNDS=20`` in the environment, as ``make faults`` has it, kills so often.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.faults.rtp_probe import CROWDED, Party, Traffic, waited_s

from sipcc.rtp import MediaEvent, MediaSettings, PlayTone, RecordingEnded, StreamParams, WorkerPool
from sipcc.rtp.port import EnginePort
from sipcc.rtp.worker import OLDEST_S
from sipcc.testing import audio

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(180)]

ROUNDS = int(os.environ.get("KILL_ROUNDS", "2"))
CALLS = 6
LIVE_S = 2.2
"""Longer than a worker must live for its end to count as chance."""


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # a test looks on from outside
            await asyncio.sleep(0.01)


def tell(text: str) -> None:
    """Print a figure (``pytest -s`` shows it)."""
    sys.stdout.write(f"{text}\n")


def is_running(pid: int) -> bool:
    """True for a process that is there and no zombie."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def settings(**changes: object) -> MediaSettings:
    values: dict[str, object] = {"ports": (25000, 25199), "workers": 1}
    return MediaSettings(**{**values, **changes})  # type: ignore[arg-type]


def connect(port: EnginePort, party: Party, *, alaw: bool = False, talks: bool = True) -> None:
    port.configure(
        StreamParams(
            remote_host=party.host,
            remote_port=party.port,
            remote_rtcp_port=party.port + 1,
            codec="PCMA" if alaw else "PCMU",
            payload_type=8 if alaw else 0,
            event_payload_type=101,
        )
    )
    if talks:
        party.to = (port.host, port.port)


@asynccontextmanager
async def calls(pool: WorkerPool, count: int) -> AsyncIterator[tuple[Traffic, list[EnginePort]]]:
    """So many calls of two parties each, bridged, with audio both ways."""
    await pool.start()
    traffic = Traffic(2 * count)
    ports: list[EnginePort] = []
    try:
        for caller, agent in zip(traffic.parties[::2], traffic.parties[1::2], strict=True):
            one = await pool.open()
            two = await pool.open(near=one)
            connect(one, caller)
            connect(two, agent)
            one.bridge(two)
            ports += [one, two]
        traffic.start()
        await asyncio.sleep(0.5)
        yield traffic, ports
    finally:
        traffic.close()
        await pool.stop()


async def strike(traffic: Traffic, pool: WorkerPool, blow: int, *, what: str) -> tuple[float, int]:
    """Hit the worker and measure until its successor has worked for a while."""
    await asyncio.sleep(LIVE_S)
    traffic.forget()
    await asyncio.sleep(0.4)
    [old] = pool.pids
    struck_at, waited = time.monotonic(), waited_s()
    os.kill(old, blow)
    await until(lambda: pool.pids and old not in pool.pids)
    await asyncio.sleep(0.8)
    traffic.crowded = waited_s() - waited > CROWDED * (time.monotonic() - struck_at)
    gap, lost = traffic.figures()
    tell(f"{what}: longest gap {gap * 1000:.0f} ms, {lost} packets lost of {len(traffic.parties)} streams")
    return gap, lost


def all_unbroken(traffic: Traffic) -> bool:
    """True when each party heard one stream: one SSRC, and each sequence number once, without a hole."""
    return traffic.unbroken() == len(traffic.parties)


@pytest.mark.parametrize("standby", [True, False], ids=["hot", "cold"])
async def test_a_killed_worker_loses_no_packet(standby: bool) -> None:
    pool = WorkerPool(settings(standby=standby))
    async with calls(pool, CALLS) as (traffic, ports):
        for number in range(ROUNDS if standby else 1):
            gap, lost = await strike(traffic, pool, signal.SIGKILL, what=f"kill -9 ({standby=}) {number + 1}")
            if standby or gap < OLDEST_S:
                assert lost <= traffic.may_lose(gap, OLDEST_S)
                assert lost or all_unbroken(traffic)
        for port in ports:  # the figures are those of the whole call, but for the last second of each life
            assert (await port.close()).packets_received > 100
        assert len(pool.pids) == 1


async def test_a_worker_that_hangs_is_replaced() -> None:
    """What waited for more than 200 ms is dropped on purpose: calls would keep the delay for ever."""
    pool = WorkerPool(settings())
    async with calls(pool, CALLS) as (traffic, _):
        gap, lost = await strike(traffic, pool, signal.SIGSTOP, what="SIGSTOP")
        assert gap < 5.0
        assert lost <= len(traffic.parties) * 50 * gap
        assert pool.restarts == 1


async def test_what_plays_and_what_is_recorded_goes_on(tmp_path: Path) -> None:
    pool = WorkerPool(settings())
    async with calls(pool, 1) as (traffic, ports):
        events: list[MediaEvent] = []
        port = await pool.open()
        port.on_event = events.append
        listener = Party("127.0.0.3", 77)
        connect(port, listener, talks=False)
        port.play([PlayTone((440,), 60_000)], token=3)
        path = tmp_path / "call.wav"
        ports[0].record(str(path))
        await strike(traffic, pool, signal.SIGKILL, what="while playing and recording")
        listener.hear(0.0)
        assert len(listener.heard.ssrcs) == 1
        steps = listener.heard.steps()
        assert 0 not in steps, "a number was used twice"
        assert max(steps) <= 4, "it may only jump a little"
        assert events == []
        await asyncio.sleep(0.2)
        ports[0].on_event = events.append
        ports[0].stop_recording()
        await until(lambda: events)
        assert events == [RecordingEnded(ports[0].id, str(path), events[0].seconds, "stopped")]
        left, right, _ = audio.read_stereo(path)
        assert len(left) == len(right)
        assert len(left) / 8000 > LIVE_S + 1.0, "the recording goes on in the same file, on the same clock"
        listener.socket.close()


async def test_garbage_on_the_link_resets_it_and_calls_go_on() -> None:
    pool = WorkerPool(settings())
    async with calls(pool, 2) as (traffic, ports):
        traffic.forget()
        for noise in (bytes(range(256)) * 4, b"\x00\x00\x00\x04junk", b"\xff" * 64):
            pool.break_link(0, noise)
            await asyncio.sleep(0.2)
            port = await pool.open()  # by the new link
            await port.close()
        gap, lost = traffic.figures()
        tell(f"garbage on the link: longest gap {gap * 1000:.0f} ms, {lost} packets lost")
        assert lost == 0
        assert all_unbroken(traffic)
        assert pool.restarts == 0
        assert (await ports[0].close()).packets_received > 10


async def test_workers_end_with_the_process_that_made_them() -> None:
    pool = WorkerPool(settings(workers=2))
    await pool.start()
    pids = pool.pids
    assert len(pids) == 2
    await pool.stop()
    assert not any(is_running(pid) for pid in pids)
