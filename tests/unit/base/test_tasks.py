from __future__ import annotations

import asyncio

import pytest

from sipcc.tasks import SharedTasks, TaskScope


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


async def test_one_attempt_for_all_who_want_the_same() -> None:
    begun: list[str] = []
    shared: SharedTasks[str] = SharedTasks()

    async def attempt(name: str) -> str:
        begun.append(name)
        await asyncio.sleep(1.0)
        return name

    def want(name: str) -> asyncio.Task[str]:
        return asyncio.ensure_future(
            shared.join(name, lambda: attempt(name), name=name, closed=lambda: OSError("closed"))
        )

    wishes = [want("a"), want("a"), want("b")]
    await asyncio.sleep(0.5)
    wishes[0].cancel()
    assert await wishes[1] == "a"
    assert await wishes[2] == "b"
    assert begun == ["a", "b"]
    left = want("c")
    await asyncio.sleep(0.5)
    await shared.close()
    for wish in (left, want("d")):
        with pytest.raises(OSError, match="closed"):
            await wish
