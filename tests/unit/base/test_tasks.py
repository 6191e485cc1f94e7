from __future__ import annotations

import asyncio

import pytest

from sipcc.tasks import TaskScope


async def test_a_crash_is_counted_and_does_not_stop_the_others() -> None:
    scope = TaskScope("test")
    done: list[str] = []

    async def crash() -> None:
        raise RuntimeError("boom")

    async def work() -> None:
        await asyncio.sleep(5)
        done.append("work")

    scope.spawn(crash(), name="crash")
    scope.spawn(work(), name="work")
    await scope.join()
    assert scope.crashes == 1
    assert done == ["work"]
    assert len(scope) == 0


async def test_close_cancels_and_waits() -> None:
    scope = TaskScope("test")
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("work")

    task = scope.spawn(work(), name="work")
    await asyncio.sleep(0)
    await scope.close()
    assert ended == ["work"]
    assert task.cancelled()
    with pytest.raises(asyncio.CancelledError):
        task.result()
