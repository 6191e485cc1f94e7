"""Media workers that are killed under many calls (reliability P4), and with many descriptors.

The calls that live, the longest gap and the packets lost are printed (``-s``). ``KILL_CALLS=200`` in the
environment, as ``make faults`` has it, is so many calls.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.faults.rtp_crowd import Crowd, Heard
from tests.faults.rtp_probe import IN_HAND, PERIOD_S
from tests.faults.test_kill import LIVE_S, tell, until

from sipcc.lifeline import raise_descriptor_limit
from sipcc.rtp import MediaSettings, StreamParams, WorkerPool

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(180)]

CALLS = int(os.environ.get("KILL_CALLS", "20"))
SOAK_S = float(os.environ.get("SOAK_S", "6"))
ROUNDS = min(int(os.environ.get("KILL_ROUNDS", "1")), 10)
MANY = 400
"""Calls of which one worker has 1600 sockets, so that numbers of descriptors go beyond 1024."""


@asynccontextmanager
async def crowd_of(pool: WorkerPool, calls: int, period_s: float = PERIOD_S) -> AsyncIterator[Crowd]:
    """So many bridged calls, all speaking."""
    loop = asyncio.get_running_loop()
    crowd = await loop.run_in_executor(None, lambda: Crowd(2 * calls, period_s=period_s))
    try:
        await pool.start()
        ports = []
        for number in crowd.ports:
            port = await pool.open(near=ports[-1] if len(ports) % 2 else None)
            port.configure(
                StreamParams(
                    remote_host=crowd.host,
                    remote_port=number,
                    remote_rtcp_port=0,
                    codec="PCMU",
                    payload_type=0,
                    event_payload_type=101,
                )
            )
            if len(ports) % 2:
                port.bridge(ports[-1])
            ports.append(port)
        crowd.start([(port.host, port.port) for port in ports])
        await asyncio.sleep(1.0)
        yield crowd
    finally:
        await loop.run_in_executor(None, crowd.close)
        await pool.stop()


async def strike(crowd: Crowd, pool: WorkerPool, what: str) -> Heard:
    """Kill a worker and measure until its successor has worked for a while."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(LIVE_S)
    await loop.run_in_executor(None, crowd.forget)
    await asyncio.sleep(0.5)
    old = pool.pids[0]
    os.kill(old, signal.SIGKILL)
    await until(lambda: len(pool.pids) == pool.settings.workers and old not in pool.pids)
    await asyncio.sleep(1.5)
    heard = await loop.run_in_executor(None, crowd.heard)
    tell(
        f"{what}: {heard.alive // 2} of {heard.parties // 2} calls live, "
        f"longest gap {heard.gap_s * 1000:.0f} ms, {heard.lost} of {heard.packets} packets lost, "
        f"the probe itself paused for {heard.paused_s * 1000:.0f} ms"
    )
    return heard


def settings(calls: int, **changes: object) -> MediaSettings:
    """Workers for so many calls, of which none is refused for the load of the machine."""
    values: dict[str, object] = {
        "ports": (26000, 26000 + 4 * calls + 99),
        "workers": 1,
        "max_busy": 1.0,
        "max_late_ms": 1000.0,
    }
    return MediaSettings(**{**values, **changes})  # type: ignore[arg-type]


def judge(heard: Heard, parties: int) -> None:
    """Everybody hears everything, but for what the worker had in its hand."""
    assert heard.alive == parties
    assert heard.lost <= IN_HAND
    assert heard.unbroken >= parties - heard.lost


async def test_no_packet_is_lost_under_load() -> None:
    pool = WorkerPool(settings(CALLS, workers=2))
    async with crowd_of(pool, CALLS) as crowd:
        for number in range(ROUNDS):
            heard = await strike(crowd, pool, f"kill -9 under load, round {number + 1}")
            judge(heard, 2 * CALLS)


async def test_a_worker_with_more_than_a_thousand_sockets_is_replaced_without_loss() -> None:
    pool = WorkerPool(settings(MANY))
    async with crowd_of(pool, MANY, period_s=0.2) as crowd:
        assert pool.restarts == 0
        heard = await strike(crowd, pool, "kill -9 of a worker with 1600 sockets")
        judge(heard, 2 * MANY)


async def test_many_orders_one_by_one_do_not_make_a_worker_oversleep() -> None:
    pool = WorkerPool(settings(4))
    await pool.start()
    for _ in range(1500):
        await (await pool.open()).close()
    await asyncio.sleep(0.8)
    assert pool.restarts == 0
    await pool.stop()


async def test_a_process_with_more_than_a_thousand_descriptors_can_have_workers() -> None:
    """Its standby gets a lifeline with a number that select() refuses."""
    raise_descriptor_limit()
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    pool = WorkerPool(settings(4))
    try:
        await pool.start()
        assert len(pool.pids) == 1
        await (await pool.open()).close()
    finally:
        await pool.stop()
        for descriptor in held:
            os.close(descriptor)


def descriptors(pid: int) -> int:
    """How many a process has."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def test_calls_that_come_and_go_under_kills_leave_nothing() -> None:
    """Five calls begin in each second, and the worker dies in every third; ``SOAK_S`` is for how long."""
    pool = WorkerPool(settings(50))
    await pool.start()

    async def call() -> None:
        one = await pool.open()
        two = await pool.open(near=one)
        one.bridge(two)
        await asyncio.sleep(1.5)
        await one.close()
        await two.close()

    try:
        await asyncio.gather(*(call() for _ in range(5)))
        await asyncio.sleep(0.2)
        before = [descriptors(pid) for pid in (os.getpid(), pool.pids[0])]
        calls: list[asyncio.Task[None]] = []
        kills = 0
        while len(calls) < 5 * SOAK_S:
            calls.append(asyncio.create_task(call()))
            await asyncio.sleep(0.2)
            if len(calls) % 15 == 0:
                kills += 1
                os.kill(pool.pids[0], signal.SIGKILL)
        await asyncio.gather(*calls)
        await until(lambda: pool.restarts == kills and len(pool.pids) == 1)
        await asyncio.sleep(0.2)
        assert pool.open_ports == 0
        assert [descriptors(pid) for pid in (os.getpid(), pool.pids[0])] == before
    finally:
        await pool.stop()
