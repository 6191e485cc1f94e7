"""Deletes recordings whose time is over, or whose subject wants it so, and nothing that somebody holds.

Files go first, then the proof is told: whoever is killed in between finds the row again and goes on. The row
of the index goes with the proof, when it is written to the log; the call's record keeps the digest.

The index is behind the events by as much as waits to be written, so it is asked only after that is stored.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from sipcc.clock import Clock
from sipcc.errors import SipccError
from sipcc.events import Event
from sipcc.log import get_logger
from sipcc.records.archive import PAGE_ROWS, RecordingIndex
from sipcc.records.events import RecordingDeleted, RecordingHeld
from sipcc.records.recordings import DAY_S, Recording

_log = get_logger("sipcc.records")


class Telling(Protocol):
    """Takes events to the log: a bus does, or whoever writes them himself."""

    def emit(self, event: Event) -> None:
        """Take an event."""
        ...


class RecordsBehind(SipccError):
    """What was told is not stored yet, so nobody knows what is held; later it is."""

    def __init__(self) -> None:
        super().__init__("the database does not take what was told: try again")


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the recordings of a subject."""

    deleted: tuple[str, ...] = ()
    """The recordings that are gone."""
    held: tuple[str, ...] = ()
    """Those that a hold keeps."""
    left: tuple[str, ...] = ()
    """Those that still run, or whose files cannot be deleted: try again."""


class Retention:
    """The rules of one archive."""

    def __init__(
        self,
        index: Callable[[], RecordingIndex],
        *,
        telling: Telling,
        clock: Clock,
        stored: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        """Take the rules' surroundings.

        Args:
            index: what there is of recordings.
            telling: is told of holds and deletions.
            clock: gives wall times.
            stored: waits until the index has all that was told, False when it could not; None for whoever
                has nothing waiting.
        """
        self._index, self._telling, self._clock, self._stored = index, telling, clock, stored
        self._behind = False
        """A hold was told since the index was last up to date."""
        self._deleting = asyncio.Lock()

    async def run(self, closing: asyncio.Event) -> None:
        """Sweep now and once a day, until `closing` is set; what is in hand then is brought to its end."""
        while not closing.is_set():
            try:
                await self.sweep(unless=closing.is_set)
            except Exception as error:  # a database that is locked today is there tomorrow
                _log.warning("recordings.sweep_failed", error=str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DAY_S):
                    await closing.wait()

    async def sweep(self, *, page: int = PAGE_ROWS, unless: Callable[[], bool] = lambda: False) -> int:
        """Delete what is due, `page` recordings at a time, `unless` says no more; how many went.

        Raises:
            RecordsBehind: nothing can be deleted now.
        """
        await self._catch_up()
        wall = self._clock.wall_of(self._clock.now())
        gone, last = 0, None
        while due := await self._index().due(wall, limit=page, after=last):
            for one in due:
                if unless():
                    return gone
                gone += await self._delete(one.id, "expired") == "deleted"
            last = due[-1].expires, due[-1].id
        if gone:
            _log.info("recordings.swept", deleted=gone)
        return gone

    async def erase(self, number: str, *, by: str) -> Erased:
        """Delete every recording of a call from or to `number`, but for those that are held.

        Raises:
            RecordsBehind: nothing was deleted.
        """
        await self._catch_up()
        deleted: list[str] = []
        held: list[str] = []
        left: list[str] = []
        for one in await self._index().of_subject(number):
            now = await self._delete(one.id, "erased", by)
            {"held": held, "left": left, "deleted": deleted}[now].append(one.id)
        return Erased(deleted=tuple(deleted), held=tuple(held), left=tuple(left))

    async def hold(self, call: str, *, held: bool, by: str, why: str = "") -> None:
        """Keep the recordings of a call whatever their age, or no longer; done when the index has it.

        Raises:
            RecordsBehind: the index has it later; until then nothing is deleted.
        """
        async with self._deleting:
            self._telling.emit(RecordingHeld(at=self._clock.now(), call=call, held=held, by=by, why=why))
            self._behind = True
            if not await self._settled():
                raise RecordsBehind

    async def _catch_up(self) -> None:
        async with self._deleting:
            self._behind = True
            if not await self._settled():
                raise RecordsBehind

    async def _settled(self) -> bool:
        """Whether the index has every hold that was told; under the lock, so that none comes meanwhile."""
        if self._behind:
            self._behind = self._stored is not None and not await self._stored()
        return not self._behind

    async def _delete(
        self, key: str, why: Literal["expired", "erased"], by: str = ""
    ) -> Literal["deleted", "held", "left"]:
        """Delete a recording as it stands now: it may be held since the list was made."""
        async with self._deleting:
            if not await self._settled():
                return "left"
            one = await self._index().get(key)
            if one is None:
                return "deleted"
            if one.held or one.running:
                return "held" if one.held else "left"
            try:
                await asyncio.to_thread(_remove, one)
            except OSError as error:
                _log.warning("recordings.not_deleted", recording=key, path=one.path, error=str(error))
                return "left"
            self._telling.emit(
                RecordingDeleted(
                    at=self._clock.now(),
                    call=one.call,
                    recording=key,
                    sha256=one.sha256,
                    size_bytes=one.size_bytes,
                    why=why,
                    by=by,
                )
            )
            return "deleted"


def _remove(one: Recording) -> None:
    """Delete the files of a recording; one that is gone already is fine."""
    for name in (one.path, one.waveform):
        if name:
            Path(name).unlink(missing_ok=True)
