from __future__ import annotations

import asyncio
import threading
import time

import pytest

from sipcc.testing.loop import START_S, DeadlockError, VirtualClockLoop, run_virtual


async def test_the_default_loop_of_tests_is_virtual() -> None:
    assert isinstance(asyncio.get_running_loop(), VirtualClockLoop)


@pytest.mark.realtime
async def test_realtime_tests_get_a_real_loop() -> None:
    assert type(asyncio.get_running_loop()).__module__.startswith("uvloop")


async def test_an_hour_passes_at_once() -> None:
    loop = asyncio.get_running_loop()
    real, virtual = time.monotonic(), loop.time()
    await asyncio.sleep(3600)
    assert loop.time() - virtual == 3600
    assert time.monotonic() - real < 60  # a machine that is busy with others may stop us for seconds


async def test_timers_fire_in_order_at_their_exact_time() -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    fired: list[float] = []
    for delay in (0.3, 0.1, 31.5, 0.2):
        loop.call_later(delay, lambda: fired.append(loop.time() - start))
    await asyncio.sleep(40)
    assert fired == pytest.approx([0.1, 0.2, 0.3, 31.5])


async def test_timeouts_work() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(32):
            await asyncio.Event().wait()


def test_a_deadlock_is_told_with_the_waiting_line() -> None:
    async def wait_for_ever() -> None:
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        await asyncio.create_task(wait_for_ever(), name="stuck")

    with pytest.raises(DeadlockError, match=r"stuck: .*test_loop\.py:\d+ in wait_for_ever"):
        run_virtual(main())


async def test_the_clock_stands_still_while_a_thread_works() -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    timer_fired = asyncio.Event()
    loop.call_later(0.001, timer_fired.set)
    release = threading.Event()

    def work() -> str:
        release.wait(0.05)
        return "done"

    assert await asyncio.to_thread(work) == "done"
    assert loop.time() == started
    await timer_fired.wait()
    assert loop.time() == pytest.approx(started + 0.001)


async def test_hold_waits_for_a_foreign_thread() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualClockLoop)
    answer: asyncio.Future[int] = loop.create_future()
    timer = threading.Timer(0.02, lambda: loop.call_soon_threadsafe(answer.set_result, 7))
    timer.start()
    with loop.hold():
        async with asyncio.timeout(5):
            assert await answer == 7
    assert loop.time() == START_S
    timer.join()


async def test_aiosqlite_answers_before_the_clock_moves() -> None:
    aiosqlite = pytest.importorskip("aiosqlite")
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(0.5), aiosqlite.connect(":memory:") as connection:
        await connection.execute("CREATE TABLE t (a INTEGER)")
        async with connection.execute("SELECT count(*) FROM t") as cursor:
            assert await cursor.fetchone() == (0,)
    assert loop.time() == START_S
