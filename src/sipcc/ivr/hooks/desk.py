"""Who takes callers out of queues for applications; the switch has one over its real queues."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeAlias

from sipcc.errors import LocalProtocolError
from sipcc.ivr.hooks.model import Take, Taken
from sipcc.ivr.session import Session, Speaker

Whisper: TypeAlias = Callable[[Speaker, str, str, float], Coroutine[Any, Any, None]]
"""Speaks with a caller who has waited: its call, its number, and its wait in seconds."""


class Desk(Protocol):
    """Lets a caller speak with somebody who waits."""

    async def take(self, session: Session, take: Take, whisper: Whisper | None = None) -> Taken:
        """Let the caller of `session` speak with the first one of a line, until either leaves.

        `whisper` says something to that one before.

        Raises:
            CallEnded: the caller of `session` has hung up.
            LocalProtocolError: there is no such queue.
        """
        ...


class NoDesk:
    """Where there are no queues."""

    async def take(self, session: Session, take: Take, whisper: Whisper | None = None) -> Taken:
        """Refuse."""
        raise LocalProtocolError(f"there is no queue {take.queue!r} here")
