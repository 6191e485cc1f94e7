"""What the switch does about recordings that calls and the ACD do not do by themselves."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from sipcc.call import Call, CallContext, Handler, NumberSettings
from sipcc.call.events import RecordingFinished
from sipcc.log import get_logger
from sipcc.recordpolicy import RecordPolicy
from sipcc.tasks import TaskScope

if TYPE_CHECKING:
    from sipcc.records import RecordKeeper

_log = get_logger("sipcc.switch")


def recorded(settings: NumberSettings, handler: Handler) -> Handler:
    """`handler` for calls that are recorded as their number says; as it is where the number says nothing."""
    if settings.record is None:
        return handler
    policy = RecordPolicy(when=settings.record, rules=settings.recording, number=settings.number)

    async def treat(call: Call) -> None:
        await call.prepare_recording(policy)
        await handler(call)

    return treat


class Archivist:
    """Finishes recordings that a crash has left, and deletes those whose time is over."""

    def __init__(self) -> None:
        self._scope = TaskScope("archivist")
        self._closing = asyncio.Event()

    def start(self, context: CallContext, keeper: RecordKeeper, *, live: Collection[str]) -> None:
        """Begin; the recordings of the calls `live` go on."""

        async def work() -> None:
            await _finish_left(context, keeper, frozenset(live), unless=self._closing.is_set)
            await keeper.retention.run(self._closing)

        self._scope.spawn(work(), name="retention")

    async def stop(self) -> None:
        """End; a query that is under way is waited for, because its connection would stay open."""
        self._closing.set()
        await self._scope.join()


async def _finish_left(
    context: CallContext, keeper: RecordKeeper, live: frozenset[str], *, unless: Callable[[], bool]
) -> None:
    """Bring what an earlier process has recorded into its final form, in the order of its recording."""
    try:
        left = await keeper.recordings.open()
    except Exception as error:  # a database that is locked: the next start does it
        _log.warning("recordings.not_looked_at", error=str(error))
        return
    for one in left:
        if unless():
            return
        if one.call in live:
            continue
        seconds = one.seconds
        if not one.reason:
            seconds = await asyncio.to_thread(_seconds_in, one.path)
            context.bus.emit(
                RecordingFinished(
                    at=context.clock.now(),
                    call=one.call,
                    path=one.path,
                    seconds=seconds,
                    reason="interrupted" if seconds else "error: the process died before it was written",
                )
            )
        if seconds > 0:
            await context.finisher.finish(one.call, one.path, context)


def _seconds_in(path: str) -> float:
    """How much of a recording reached the disk."""
    from sipcc.rtp.frame import SAMPLE_RATE_HZ
    from sipcc.rtp.recorder import HEADER_BYTES

    try:
        size = os.stat(path).st_size
    except OSError:
        return 0.0
    return max(0, size - HEADER_BYTES) / 2 / SAMPLE_RATE_HZ
