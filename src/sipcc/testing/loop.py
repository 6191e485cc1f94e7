"""An event loop whose clock jumps: an hour's sleep passes in a millisecond, and always in the same order.

The loop never waits for time. When nothing is ready it moves its clock to the next timer. Three kinds of
work live outside its clock, and for them it waits in real time without moving: calls handed to an
executor, futures that a library answers from a thread of its own (`THREADED_MODULES`), and whatever a test
marks with `VirtualClockLoop.hold`. When nothing is ready, no timer is armed and nothing is outside, nothing
can ever happen again: that is `DeadlockError`, which names every waiting task and its line.

Sockets do not fit this clock, because a jump can overtake the kernel: tests on this loop use
`sipcc.testing.network.MemoryNetwork`, and tests that need sockets are marked ``realtime``.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Executor
from types import CoroutineType
from typing import Any, TypeVar

T = TypeVar("T")

START_S = 1000.0
"""Where the clock starts: not 0, so that a time of 0.0 is never mistaken for "not set"."""

OUTSIDE_LIMIT_S = 10.0
"""Real seconds to wait for work outside the loop's clock before it counts as hung."""

THREADED_MODULES = frozenset({"aiosqlite.core", "sqlalchemy.dialects.sqlite.aiosqlite"})
"""Modules whose futures are answered by a thread of their own, unseen by `run_in_executor`."""


class DeadlockError(RuntimeError):
    """Every task waits and no timer is armed: nothing can ever happen again."""


class _JumpingSelector(selectors.BaseSelector):
    """A selector that asks its loop to move the clock where another one would wait."""

    def __init__(self) -> None:
        self.real = selectors.DefaultSelector()
        self.idle: Callable[[float | None], None] = lambda timeout: None
        self.outside = 0
        """How many pieces of work are outside the loop's clock."""

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self.real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.real.modify(fileobj, events, data)

    def close(self) -> None:
        self.real.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self.real.get_map()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self.real.select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self.outside:
            started = time.monotonic()
            ready = self.real.select(OUTSIDE_LIMIT_S)
            if not ready and time.monotonic() - started >= OUTSIDE_LIMIT_S:
                raise DeadlockError(f"work in a thread has not ended for {OUTSIDE_LIMIT_S:g} s")
            return ready
        self.idle(timeout)
        return []


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """An asyncio loop for tests, on a clock that jumps to the next timer when nothing is ready."""

    def __init__(self) -> None:
        self._selector_of_ours = _JumpingSelector()
        self._now = START_S
        super().__init__(self._selector_of_ours)
        self._selector_of_ours.idle = self._jump

    def time(self) -> float:
        """Seconds of the virtual clock."""
        return self._now

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Keep the clock still, and wait in real time, while work of the block goes on in a thread."""
        self._selector_of_ours.outside += 1
        try:
            yield
        finally:
            self._selector_of_ours.outside -= 1

    def create_future(self) -> asyncio.Future[Any]:
        """A future; one made by a module of `THREADED_MODULES` keeps the clock still until it is done."""
        future: asyncio.Future[Any] = super().create_future()
        if sys._getframe(1).f_globals.get("__name__") in THREADED_MODULES:
            self._keep_still_until(future)
        return future

    def run_in_executor(  # type: ignore[override]  # typeshed spells the same signature with TypeVarTuple
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run `func` in a thread; the clock stands still until it has ended."""
        future: asyncio.Future[T] = super().run_in_executor(executor, func, *args)
        self._keep_still_until(future)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:
        """Wait for the threads of the default executor, with the clock standing still."""
        with self.hold():
            await super().shutdown_default_executor(*args)

    def _keep_still_until(self, future: asyncio.Future[Any]) -> None:
        self._selector_of_ours.outside += 1
        future.add_done_callback(self._let_go)

    def _let_go(self, _: asyncio.Future[Any]) -> None:
        self._selector_of_ours.outside -= 1

    def _jump(self, timeout: float | None) -> None:
        if timeout is None:
            raise DeadlockError(self._describe_waiters())
        # The heap's own value, not now + timeout: the sum can miss the timer by the last bit.
        self._now = max(self._now, self._scheduled[0].when())  # type: ignore[attr-defined]

    def _describe_waiters(self) -> str:
        tasks = sorted(asyncio.all_tasks(self), key=lambda task: task.get_name())
        lines = [f"  {task.get_name()}: {_innermost(task.get_coro())}" for task in tasks]
        return "nothing is ready and no timer is armed; waiting are:\n" + ("\n".join(lines) or "  (no task)")


def _innermost(coroutine: Coroutine[Any, Any, Any] | Any) -> str:
    """Where a suspended coroutine waits, as ``file:line in function``, outermost first."""
    places: list[str] = []
    while isinstance(coroutine, CoroutineType) and coroutine.cr_frame is not None:
        frame = coroutine.cr_frame
        places.append(f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}")
        coroutine = coroutine.cr_await
    return " > ".join(places) or repr(coroutine)


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end on a fresh virtual loop, as `asyncio.run` would on a real one."""
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(main)
