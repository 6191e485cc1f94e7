"""Who has the caller of a call: its handler, or a transfer that has taken it over for a while.

Lendings stack up: whoever has the caller may transfer it in its turn, and the one before waits until that is
over. The one that has the caller is known by its task and those that it starts, through a context variable,
so the same verbs serve handlers and transfers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count

_numbers = count(1)
_holder: ContextVar[int] = ContextVar("holder", default=0)


class Lending:
    """The lendings of one call's caller."""

    def __init__(self) -> None:
        self._stack: list[int] = []
        self._changed = asyncio.Event()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """While this lasts, the caller is with the task that runs this, and with those that it starts."""
        number = next(_numbers)
        self._stack.append(number)
        before = _holder.get()
        _holder.set(number)
        try:
            yield
        finally:
            _holder.set(before)
            self._stack.remove(number)
            self._changed.set()
            self._changed = asyncio.Event()

    @property
    def elsewhere(self) -> bool:
        """True while somebody else than this task has the caller."""
        return bool(self._stack) and self._stack[-1] != _holder.get()

    async def back(self) -> None:
        """Wait until this task has the caller."""
        while self.elsewhere:
            await self._changed.wait()
