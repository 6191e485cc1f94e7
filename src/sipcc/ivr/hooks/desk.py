"""Callers whom applications have put into queues, for applications that speak with the next one themselves.

Agents serve queues; this is for a call that takes the first caller out of the line. The two meet in a
conference of their own, which is over when either leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sipcc.ivr.session import Session
from sipcc.ivr.steps import Conference, Left, Waiting

LOOK = 0.25
"""Seconds between two looks at a line in which nobody waits."""


class Meeting:
    """The conversation of two calls."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._over = asyncio.Event()

    def end(self) -> None:
        """Nobody comes any more, or nobody stays."""
        self._over.set()

    async def join(self, session: Session) -> float:
        """Speak until either leaves; seconds. Raises CallEnded when `session` is gone."""
        began = session.now()
        talking = asyncio.ensure_future(session.conference(Conference(name=self.name)))
        over = asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait({talking, over}, return_when=asyncio.FIRST_COMPLETED)
            if talking.done():
                talking.result()
            return session.now() - began
        finally:
            self.end()
            talking.cancel()
            over.cancel()
            await asyncio.wait({talking, over})


class Waiter:
    """A caller in a queue whom an application may take out of it."""

    def __init__(self, call: str, priority: int) -> None:
        self.call, self.priority = call, priority
        self.waiting: Waiting | None = None
        """None before the caller stands in the line."""
        self.meeting: Meeting | None = None
        """With whom it speaks once it was taken."""


class Desk:
    """Who waits, by queue; one for a switch."""

    def __init__(self) -> None:
        self._lines: dict[str, list[Waiter]] = {}
        self._count = 0

    def add(self, queue: str, waiter: Waiter) -> Callable[[], None]:
        """Let a caller be found; what is returned lets it be found no more."""
        line = self._lines.setdefault(queue, [])
        line.append(waiter)

        def remove() -> None:
            line.remove(waiter)
            if not line:
                self._lines.pop(queue, None)

        return remove

    async def take(
        self, session: Session, queue: str, timeout: float | None, call: str = ""
    ) -> Meeting | None:
        """Take the first caller out of a line, the one of `call` if that is given.

        None when there was none for `timeout` seconds.
        """
        until = None if timeout is None else session.now() + timeout
        while True:
            meeting = self._taken(queue, call)
            if meeting is not None or (until is not None and session.now() >= until):
                return meeting
            await session.wait(LOOK)

    def _taken(self, queue: str, call: str) -> Meeting | None:
        line = [
            waiter
            for waiter in self._lines.get(queue, ())
            if waiter.waiting is not None and waiter.meeting is None and call in ("", waiter.call)
        ]
        # a caller whose agent is being rung has no place any more; it stays the agent's
        line = [waiter for waiter in line if waiter.waiting is not None and waiter.waiting.position]
        if not line:
            return None
        first = max(line, key=lambda waiter: waiter.priority)
        self._count += 1
        first.meeting = Meeting(f"dequeue-{self._count}-{first.call}")
        assert first.waiting is not None
        first.waiting.leave()
        return first.meeting


def bridged(left: Left, seconds: float) -> Left:
    """How a caller left a queue that somebody took it out of; `seconds` is the conversation."""
    return Left(exit="answered", seconds=left.seconds, agent="dequeue", ended_by="agent" if seconds else "")
