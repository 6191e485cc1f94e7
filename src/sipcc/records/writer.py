"""One batching writer: takes items at once, stores them soon, and outlives a database that is gone.

Policy when full: an item that finishes a record may use a reserve that plain items may not; past that the
newest item is dropped and counted in `dropped`. Nothing that is kept is ever reordered: a batch leaves
the queue only after it was stored, so what fails for a passing reason is tried again, with a growing
pause. A batch that fails for any other reason is stored item by item, and the item that the database
will never take is left out and counted in `refused`, so that one bad row cannot block the log.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Generic, TypeVar

from sipcc.log import get_logger
from sipcc.tasks import TaskScope

ItemT = TypeVar("ItemT")

_log = get_logger("sipcc.records.writer")


class BatchWriter(Generic[ItemT]):
    """Collects items and hands them to `store` in batches, in order."""

    def __init__(
        self,
        store: Callable[[Sequence[ItemT]], Awaitable[None]],
        *,
        passing: Callable[[Exception], bool] = lambda error: True,
        limit: int = 20_000,
        reserve: int = 2_000,
        batch: int = 200,
        window: float = 0.5,
        retry: tuple[float, float] = (0.2, 5.0),
    ) -> None:
        """Set the bounds.

        Args:
            store: stores a batch in one transaction, or raises and has stored nothing.
            passing: whether an exception of `store` has a passing reason.
            limit: plain items kept at most.
            reserve: further items kept at most, for those that finish a record.
            batch: items stored at a time at most; that many make the writer start at once.
            window: seconds for which the first item waits for company.
            retry: first and longest pause after a failure, in seconds.
        """
        self._store = store
        self._passing = passing
        self._singly = 0
        self._limit = limit
        self._reserve = reserve
        self._batch = batch
        self._window = window
        self._retry = retry
        self._queue: deque[ItemT] = deque()
        self._wake = asyncio.Event()
        self._full = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._hurry = 0
        self._scope = TaskScope("records.writer")
        self.stored = 0
        self.dropped = 0
        self.refused = 0
        self.failures = 0
        """Batches that could not be stored and were tried again."""
        self.last_error = ""

    @property
    def waiting(self) -> int:
        """Items that are not stored yet."""
        return len(self._queue)

    def start(self) -> None:
        """Begin to write."""
        self._scope.spawn(self._run(), name="run")

    def put(self, item: ItemT, *, precious: bool = False) -> bool:
        """Take `item`; False when there is no room, see the policy above."""
        if len(self._queue) >= self._limit + (self._reserve if precious else 0):
            if not self.dropped:
                _log.error("records.queue_full", kept=len(self._queue), last_error=self.last_error)
            self.dropped += 1
            return False
        self._queue.append(item)
        self._wake.set()
        self._drained.clear()
        if len(self._queue) >= self._batch:
            self._full.set()
        return True

    async def flush(self, timeout: float | None = None) -> bool:
        """Wait until all that was taken is stored; False when `timeout` seconds did not suffice."""
        self._hurry += 1
        self._full.set()
        try:
            async with asyncio.timeout(timeout):
                await self._drained.wait()
        except TimeoutError:
            return False
        finally:
            self._hurry -= 1
        return True

    async def stop(self, timeout: float = 5.0) -> None:
        """Store what is left, within `timeout` seconds, and end; what remains counts as dropped."""
        if len(self._scope):
            await self.flush(timeout)
        await self._scope.close()
        if self._queue:
            self.dropped += len(self._queue)
            _log.error("records.lost_at_stop", count=len(self._queue), last_error=self.last_error)
            self._queue.clear()

    async def _run(self) -> None:
        pause = self._retry[0]
        while True:
            await self._wake.wait()
            await self._gather()
            if await self._store_one():
                pause = self._retry[0]
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, self._retry[1])

    async def _gather(self) -> None:
        """Let a batch fill up, for at most the window."""
        if self._hurry or len(self._queue) >= self._batch:
            return
        self._full.clear()
        try:
            async with asyncio.timeout(self._window):
                await self._full.wait()
        except TimeoutError:
            pass

    async def _store_one(self) -> bool:
        """Store the next batch; False when a pause is due before the next attempt."""
        items = list(islice(self._queue, 1 if self._singly else self._batch))
        try:
            await self._store(items)
        except Exception as error:
            return self._failed(items, error)
        if self.last_error:
            _log.info("records.store_recovered", failures=self.failures, waiting=len(self._queue))
            self.last_error = ""
        self.stored += len(items)
        self._remove(len(items))
        return True

    def _failed(self, items: Sequence[ItemT], error: Exception) -> bool:
        self.failures += 1
        if self.last_error != (text := f"{type(error).__name__}: {error}"):
            self.last_error = text
            _log.warning("records.store_failed", error=text, waiting=len(self._queue))
        if self._passing(error):
            return False
        if len(items) == 1:
            self.refused += 1
            _log.error("records.item_refused", error=text)
            self._remove(1)
        else:
            self._singly = len(items)
        return True

    def _remove(self, count: int) -> None:
        for _ in range(count):
            self._queue.popleft()
        self._singly = max(0, self._singly - count)
        if not self._queue:
            self._wake.clear()
            self._drained.set()
