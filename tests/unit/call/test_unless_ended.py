from __future__ import annotations

import asyncio

import pytest

from sipcc.call.call import Call
from sipcc.errors import CallEnded


def make() -> Call:
    return Call(None, call_id="call-1", caller="a", called="b", trunk=None, language="en")  # type: ignore[arg-type]


async def after(seconds: float, result: str) -> str:
    await asyncio.sleep(seconds)
    return result


async def test_the_result_is_that_of_the_work() -> None:
    assert await make().unless_ended(after(1, "leg")) == "leg"


async def test_the_end_of_the_call_cancels_the_work() -> None:
    call = make()
    asyncio.get_running_loop().call_later(1, call._ended.set_result, "cancelled")
    with pytest.raises(CallEnded, match="cancelled"):
        await call.unless_ended(after(60, "leg"))


async def test_an_error_of_the_work_is_passed_on() -> None:
    async def fail() -> None:
        await asyncio.sleep(1)
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        await make().unless_ended(fail())


async def test_a_result_that_crosses_a_cancellation_is_undone() -> None:
    undone: list[str] = []
    task = asyncio.ensure_future(make().unless_ended(after(1, "leg"), undo=undone.append))
    loop = asyncio.get_running_loop()
    # just behind the end of the work in the same turn of the loop: its result is there, nobody has it yet
    loop.call_at(loop.time() + 1, lambda: loop.call_soon(task.cancel))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert undone == ["leg"]


async def test_cancelling_early_cancels_the_work_and_there_is_nothing_to_undo() -> None:
    undone: list[str] = []
    task = asyncio.ensure_future(make().unless_ended(after(60, "leg"), undo=undone.append))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert undone == []
