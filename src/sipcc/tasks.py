"""Owned tasks: every task has a name and an owner, and a crash is logged once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from sipcc.log import get_logger

_log = get_logger("sipcc.tasks")


class TaskScope:
    """Owns tasks: keeps them alive, logs what they raise, and ends them together."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.crashes = 0
        """How many tasks ended with an exception."""
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, coroutine: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Start `coroutine` as a task of this scope."""
        task = asyncio.get_running_loop().create_task(coroutine, name=f"{self.name}/{name}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def close(self) -> None:
        """Cancel what still runs and wait until it has ended."""
        current = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not current]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)

    async def join(self) -> None:
        """Wait until every task has ended by itself."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.crashes += 1
            _log.error("task.crashed", task=task.get_name(), exc_info=error)
