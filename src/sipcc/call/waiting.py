"""Waiting for work that loses its point when something ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def run_unless(
    ended: asyncio.Future[str],
    work: Coroutine[Any, Any, T],
    *,
    otherwise: Callable[[str], Exception],
    undo: Callable[[T], None] | None = None,
) -> T:
    """Run `work`; when `ended` is done first, cancel it and raise ``otherwise(ended.result())``.

    When we are cancelled in the very moment in which `work` is done, its result would be lost: `undo` is
    given it then.
    """
    task = asyncio.ensure_future(work)
    either: set[asyncio.Future[Any]] = {task, ended}
    try:
        if not ended.done():
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        if undo is not None and task.done() and not task.cancelled() and task.exception() is None:
            undo(task.result())
        raise
    finally:
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    try:
        if not task.cancelled():
            return task.result()
        raise otherwise(ended.result())
    finally:
        # an exception knows this frame, and the task the exception: not a ring that waits for the collector
        del task, either
