from __future__ import annotations

import asyncio

from sipcc.driver import Driver


class Alarm:
    """A core that wants to be woken at given times."""

    def __init__(self, *times: float) -> None:
        self.times = list(times)
        self.woken: list[float] = []

    @property
    def deadline(self) -> float | None:
        return self.times[0] if self.times else None

    def expire(self, *, now: float) -> None:
        while self.times and self.times[0] <= now:
            self.woken.append(self.times.pop(0))


async def test_a_core_is_woken_at_each_deadline_and_flushed_after_each_step() -> None:
    start = asyncio.get_running_loop().time()
    core = Alarm(start + 1, start + 2, start + 600)
    flushes = 0

    def flush() -> None:
        nonlocal flushes
        flushes += 1

    driver = Driver(core, flush)
    driver.pump()
    await asyncio.sleep(601)
    assert core.woken == [start + 1, start + 2, start + 600]
    assert flushes == 4


async def test_an_earlier_deadline_moves_the_timer_forward() -> None:
    start = asyncio.get_running_loop().time()
    core = Alarm(start + 100)
    driver = Driver(core, lambda: None)
    driver.pump()
    core.times.insert(0, start + 1)
    driver.pump()
    await asyncio.sleep(2)
    assert core.woken == [start + 1]
    driver.close()


async def test_a_timer_that_fires_early_expires_nothing() -> None:
    start = asyncio.get_running_loop().time()
    core = Alarm(start + 1)
    driver = Driver(core, lambda: None)
    driver.pump()
    core.times[0] = start + 50
    await asyncio.sleep(10)
    assert core.woken == []
    await asyncio.sleep(60)
    assert core.woken == [start + 50]


async def test_a_closed_driver_never_wakes_its_core() -> None:
    core = Alarm(asyncio.get_running_loop().time() + 1)
    driver = Driver(core, lambda: None)
    driver.pump()
    driver.close()
    driver.pump()
    await asyncio.sleep(10)
    assert core.woken == []
