"""One heap for the deadlines of many cores, with lazy deletion.

A core is in the heap at most once per deadline it ever had; an entry that its core no longer means is
dropped when it comes to the top. So starting and stopping a timer, which happens far more often than one
fires, costs no search.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Generic, Protocol, TypeVar

_COMPACT_AT = 8192
"""Below this many entries, stale ones are not worth collecting."""


class HasDeadline(Protocol):
    """A core that may be kept in a heap; `heaped` belongs to `Deadlines`."""

    heaped: float | None

    @property
    def deadline(self) -> float | None:
        """When the core wants to be woken, or None."""
        ...


T = TypeVar("T", bound=HasDeadline)


class Deadlines(Generic[T]):
    """The earliest deadline of all noted cores."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._count = 0
        self._compact_at = _COMPACT_AT

    def note(self, core: T) -> None:
        """Look at the deadline of `core` again; to be called after each step that may make it earlier."""
        deadline = core.deadline
        if deadline is not None and (core.heaped is None or deadline < core.heaped):
            core.heaped = deadline
            self._count += 1
            heappush(self._heap, (deadline, self._count, core))
            if len(self._heap) > self._compact_at:
                self._compact()

    @property
    def first(self) -> float | None:
        """The earliest deadline, or None."""
        heap = self._heap
        while heap:
            at, _, core = heap[0]
            if core.heaped == at and core.deadline == at:
                return at
            heappop(heap)
            if core.heaped == at:
                core.heaped = None
                self.note(core)
        return None

    @property
    def hint(self) -> float | None:
        """Not later than `first`, and cheap: a wake-up too early costs less than looking after each step."""
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> Iterator[T]:
        """Take out each core whose deadline is not after `now`; the caller steps and notes it again."""
        while True:
            first = self.first
            if first is None or first > now:
                return
            core = heappop(self._heap)[2]
            core.heaped = None
            yield core

    def _compact(self) -> None:
        self._heap = [entry for entry in self._heap if entry[2].heaped == entry[0]]
        heapify(self._heap)
        self._compact_at = max(_COMPACT_AT, 2 * len(self._heap))
