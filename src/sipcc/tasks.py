"""Owned tasks: every task has a name and an owner, and a crash is logged once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from sipcc.log import get_logger

_log = get_logger("sipcc.tasks")

T = TypeVar("T")


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


class SharedTasks(Generic[T]):
    """One attempt for all who want the same thing at the same time, such as a connection or an answer.

    Who waits may give up; the attempt goes on for the others.
    """

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[T]] = {}
        self._closed = False

    async def join(
        self,
        key: Hashable,
        attempt: Callable[[], Coroutine[Any, Any, T]],
        *,
        name: str,
        closed: Callable[[], Exception],
    ) -> T:
        """The outcome of the attempt called `key`, which is begun when there is none.

        Raises what the attempt raises, or what `closed` makes when `close` ended it.
        """
        if self._closed:
            raise closed()
        task = self._running.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(attempt(), name=name)
            self._running[key] = task
            task.add_done_callback(lambda done: self._done(key, done))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            waiter = asyncio.current_task()
            if not task.cancelled() or (waiter is not None and waiter.cancelling()):
                raise
            # the attempt was given up and not its waiter, who must not believe to be cancelled
            raise closed() from None

    async def close(self) -> None:
        """Give up all attempts, and begin no new ones."""
        self._closed = True
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _done(self, key: Hashable, task: asyncio.Task[T]) -> None:
        self._running.pop(key, None)
        if not task.cancelled():
            task.exception()  # whoever waited may have given up before it failed: no news for the log
