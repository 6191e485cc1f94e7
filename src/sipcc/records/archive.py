"""The index of recordings in the database: brought up to date with the log, in the same transaction."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, Select, delete, exists, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from sipcc.call.events import (
    InteractionJoined,
    RecordingFinished,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStored,
)
from sipcc.events import Event
from sipcc.numbers import Plan, ways
from sipcc.records.database import reading
from sipcc.records.eventlog import REGISTRY, LogRow
from sipcc.records.events import RecordingDeleted, RecordingHeld
from sipcc.records.recordings import Recording, begun, folded
from sipcc.records.tables import cdr, cdr_leg, queue_entry, recording

PAGE_ROWS = 500

_TYPES = frozenset(
    kind.__name__
    for kind in (
        InteractionJoined,
        RecordingStarted,
        RecordingPaused,
        RecordingResumed,
        RecordingFinished,
        RecordingStored,
        RecordingHeld,
        RecordingDeleted,
    )
)

_decoder = msgspec.json.Decoder(Recording)


class RecordingFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which recordings to read. Empty and None do not restrict."""

    call: str = ""
    """Of this call, or of the visit that it began."""
    queue: str = ""
    """Of a caller who entered this queue."""
    agent: str = ""
    """Of a call that this agent has answered; known once it is over."""
    caller: str = ""
    """From this number, however it or the recording's is written."""
    since: float | None = None
    """Begun at this Unix time or later."""
    until: float | None = None
    """Begun before this Unix time."""


class RecordingIndex:
    """Reads the index."""

    def __init__(self, engine: AsyncEngine, plan: Plan | None = None) -> None:
        """`plan` is how numbers are written here; None takes them as they are."""
        self._engine, self._plan = engine, plan or Plan()

    async def get(self, key: str, *, agent: str = "") -> Recording | None:
        """The recording called `key`; with `agent` only if that one has answered its call."""
        found = await self._read(
            _filtered(RecordingFilter(agent=agent), self._plan).where(recording.c.id == key)
        )
        return found[0] if found else None

    async def find(
        self,
        where: RecordingFilter | None = None,
        *,
        limit: int = 50,
        after: tuple[float, str] | None = None,
    ) -> list[Recording]:
        """Up to `limit` recordings, newest first; those behind `after`, a start and an id."""
        columns = recording.c
        query = _filtered(where or RecordingFilter(), self._plan)
        query = query.order_by(columns.started.desc(), columns.id)
        if after is not None:
            started, key = after
            same = (columns.started == started) & (columns.id > key)
            query = query.where((columns.started < started) | same)
        return await self._read(query.limit(limit))

    async def due(
        self, wall: float, *, limit: int = PAGE_ROWS, after: tuple[float, str] | None = None
    ) -> list[Recording]:
        """Recordings whose time is over at the Unix time `wall` and that nobody holds, oldest first.

        With `after`, a time of expiry and an id, those behind that one.
        """
        columns = recording.c
        query = select(recording).where(columns.expires <= wall, ~columns.hold, ~columns.open)
        if after is not None:
            expires, key = after
            same = (columns.expires == expires) & (columns.id > key)
            query = query.where((columns.expires > expires) | same)
        return await self._read(query.order_by(columns.expires, columns.id).limit(limit))

    async def of_subject(self, number: str) -> list[Recording]:
        """Every recording of a call from `number`, or to it by a user of ours."""
        columns, written = recording.c, ways(number, self._plan)
        from_us = exists().where(cdr.c.id == columns.call, cdr.c.trunk.is_(None))
        called = columns.called.in_(written) & from_us
        query = select(recording).where(columns.caller.in_(written) | called)
        return await self._read(query.order_by(columns.started))

    async def open(self) -> list[Recording]:
        """Recordings that run, or have not their final form yet."""
        return await self._read(select(recording).where(recording.c.open).order_by(recording.c.started))

    async def _read(self, query: Select[Any]) -> list[Recording]:
        async with reading(self._engine) as connection:
            rows = (await connection.execute(query)).all()
        return [_decoder.decode(row.record) for row in rows]


def take(connection: Connection, row: LogRow) -> None:
    """Bring the index up to date with one row of the log."""
    if row.type not in _TYPES:
        return
    event = REGISTRY.decode(row.type, row.json)
    match event:
        case RecordingStarted():
            visit = event.interaction or event.call
            held = exists().where(recording.c.interaction == visit, recording.c.hold)
            new = begun(event, row.wall, held=bool(connection.execute(select(held)).scalar()))
            _put(connection, new, event.path)
        case RecordingDeleted():
            connection.execute(delete(recording).where(recording.c.id == event.recording))
        case RecordingHeld() | InteractionJoined():
            of_call = (recording.c.call == event.call) | (recording.c.interaction == event.call)
            _fold(connection, select(recording).where(of_call), event, row.wall)
        case RecordingPaused() | RecordingResumed() | RecordingFinished() | RecordingStored():
            one = select(recording).where(recording.c.call == event.call, recording.c.path == event.path)
            _fold(connection, one, event, row.wall)
        case _:
            return


def _fold(connection: Connection, query: Select[Any], event: Event, wall: float) -> None:
    for row in connection.execute(query).all():
        _put(connection, folded(_decoder.decode(row.record), event, wall), row.path)


def _put(connection: Connection, new: Recording, path: str) -> None:
    connection.execute(delete(recording).where(recording.c.id == new.id))
    connection.execute(insert(recording).values(_row(new, path)))


def _row(new: Recording, path: str) -> dict[str, Any]:
    return {
        "id": new.id,
        "call": new.call,
        "interaction": new.interaction,
        "path": path,
        "caller": new.caller.replace("\0", "")[:128],
        "called": new.called.replace("\0", "")[:128],
        "queue": new.queue,
        "started": new.started,
        "expires": new.expires,
        "hold": new.held,
        "open": new.running,
        "record": msgspec.json.encode(new),
    }


def _filtered(where: RecordingFilter, plan: Plan) -> Select[Any]:
    columns = recording.c
    query = select(recording)
    if where.call:
        query = query.where((columns.call == where.call) | (columns.interaction == where.call))
    if where.caller:
        query = query.where(columns.caller.in_(ways(where.caller, plan)))
    if where.since is not None:
        query = query.where(columns.started >= where.since)
    if where.until is not None:
        query = query.where(columns.started < where.until)
    if where.agent:
        leg = cdr_leg.c
        query = query.where(
            exists().where(leg.cdr == columns.call, leg.agent == where.agent, leg.answered.is_not(None))
        )
    if where.queue:
        query = query.where(
            exists().where(queue_entry.c.call == columns.call, queue_entry.c.queue == where.queue)
        )
    return query
