"""Several things at once: errors that somebody else raises, and limits of time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from sipcc.errors import SipccError

_T = TypeVar("_T")


class Over(Exception):
    """The application has ended the call, or given it away."""


async def within(limit: float | None, doing: Awaitable[_T]) -> _T | None:
    """What `doing` comes to; None when it took longer than `limit`."""
    try:
        async with asyncio.timeout(limit):
            return await doing
    except TimeoutError:
        return None


async def caught(doing: Awaitable[_T]) -> _T | SipccError | Over:
    """What `doing` comes to, also when it is an error that somebody else is to raise."""
    try:
        return await doing
    except (SipccError, Over) as error:
        return error


def unpacked(result: _T | SipccError | Over) -> _T:
    """What `caught` has caught: it is raised, or returned."""
    if isinstance(result, SipccError | Over):
        raise result
    return result
