"""Several things at once, and errors that somebody else raises."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

from sipcc.errors import CallEnded, SipccError
from sipcc.tasks import TaskScope

_T = TypeVar("_T")


class Over(Exception):
    """The application has ended the call, or given it away."""


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


async def meanwhile(
    tasks: TaskScope, doing: Coroutine[Any, Any, _T], filling: Coroutine[Any, Any, None]
) -> _T:
    """What `doing` comes to; until then `filling` goes on, whose errors are raised at once."""
    main = tasks.spawn(caught(doing), name="doing")
    other = tasks.spawn(caught(filling), name="filling")
    try:
        await asyncio.wait({main, other}, return_when=asyncio.FIRST_COMPLETED)
        if other.done() and not main.done():
            unpacked(other.result())  # a caller who has gone
            await asyncio.wait({main})
        result: _T = unpacked(main.result())
        return result
    finally:
        main.cancel()
        other.cancel()
        await asyncio.wait({main, other})


async def while_there(tasks: TaskScope, doing: Coroutine[Any, Any, _T], gone: asyncio.Event) -> _T:
    """What `doing` comes to; raises CallEnded when the caller is `gone` before that."""
    main = tasks.spawn(caught(doing), name="asking")
    leaving = tasks.spawn(gone.wait(), name="gone")
    try:
        await asyncio.wait({main, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not main.done():
            raise CallEnded("the caller has hung up")
        result: _T = unpacked(main.result())
        return result
    finally:
        main.cancel()
        leaving.cancel()
        await asyncio.wait({main, leaving})
