"""Writes batches of log rows with the records that they finish, and reads records back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, Table, delete, exists, insert, select, update
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from sipcc.numbers import Plan, ways
from sipcc.records import archive
from sipcc.records.cdr import Cdr
from sipcc.records.database import reading
from sipcc.records.eventlog import LogRow
from sipcc.records.outcome import QueueOutcome
from sipcc.records.tables import cdr, cdr_leg, event_log, queue_entry, spool_mark
from sipcc.rtp.flow import RtpStats

PAGE_ROWS = 500
"""Records read at a time."""

_cdr_decoder = msgspec.json.Decoder(Cdr)
_outcome_decoder = msgspec.json.Decoder(QueueOutcome)


class Item(msgspec.Struct, frozen=True):
    """One event for the log, and what it finished or changed. They are stored together or not at all."""

    row: LogRow
    cdrs: tuple[Cdr, ...] = ()
    outcomes: tuple[QueueOutcome, ...] = ()
    number: int = 0
    """Of the row in the spool; 0 without one."""


class CdrFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which call records to read. Empty and None do not restrict."""

    since: float | None = None
    """Started at this Unix time or later."""
    until: float | None = None
    """Started before this Unix time."""
    caller: str = ""
    """From this number, however it or the record's is written."""
    called: str = ""
    """To this number, likewise."""
    agent: str = ""
    """Rang this agent."""
    queue: str = ""
    """Entered this queue."""
    trunk: str = ""
    cause: str = ""
    answered: bool | None = None


class RecordStore:
    """The records in the database."""

    def __init__(self, engine: AsyncEngine, plan: Plan | None = None) -> None:
        """`plan` is how numbers are written here; None takes them as they are."""
        self._engine, self._plan = engine, plan or Plan()

    async def write(self, items: Sequence[Item], *, run: str = "") -> None:
        """Append rows to the log and put their records in place, in one transaction.

        `run` names the spool that the rows are numbered in: how far it is stored is marked as well.
        """
        async with self._engine.begin() as connection:
            await connection.run_sync(_write, items)
            if run:
                await connection.run_sync(_mark, run, items[-1].number)

    async def stored_of(self, run: str) -> int:
        """Up to which number the rows of a spool are in the log."""
        query = select(spool_mark.c.stored).where(spool_mark.c.run == run)
        async with reading(self._engine) as connection:
            return (await connection.execute(query)).scalar() or 0

    async def put(self, cdrs: Sequence[Cdr], outcomes: Sequence[QueueOutcome]) -> None:
        """Put records in place that follow from rows which are in the log already."""
        async with self._engine.begin() as connection:
            await connection.run_sync(_put, cdrs, outcomes)

    async def cdrs(
        self,
        where: CdrFilter | None = None,
        *,
        limit: int = 50,
        newest_first: bool = True,
        after: tuple[float, str] | None = None,
    ) -> list[Cdr]:
        """Up to `limit` records, by the time of their start; those behind `after`, a start and an id."""
        columns = cdr.c
        order = (columns.started.desc(), columns.id) if newest_first else (columns.started, columns.id)
        query = _filtered(where or CdrFilter(), self._plan).order_by(*order).limit(limit)
        if after is not None:
            started, key = after
            beyond = columns.started < started if newest_first else columns.started > started
            query = query.where(beyond | ((columns.started == started) & (columns.id > key)))
        async with reading(self._engine) as connection:
            rows = (await connection.execute(query)).all()
        return [_cdr_decoder.decode(row.record) for row in rows]

    async def all_cdrs(self, where: CdrFilter | None = None) -> AsyncIterator[Cdr]:
        """Every record, oldest first, read in pages."""
        columns = cdr.c
        last: tuple[float, str] | None = None
        while True:
            query = (
                _filtered(where or CdrFilter(), self._plan)
                .order_by(columns.started, columns.id)
                .limit(PAGE_ROWS)
            )
            if last is not None:
                started, key = last
                query = query.where(
                    (columns.started > started) | ((columns.started == started) & (columns.id > key))
                )
            async with reading(self._engine) as connection:
                rows = (await connection.execute(query)).all()
            for row in rows:
                yield _cdr_decoder.decode(row.record)
            if len(rows) < PAGE_ROWS:
                return
            last = (rows[-1].started, rows[-1].id)

    async def interaction(self, call: str) -> list[Cdr]:
        """The records of all calls of the visit that `call` is a part of, oldest first; empty for none.

        One that was joined to a call that was joined to another one in its turn is a part of that, too.
        """
        columns, known, found = cdr.c, {call}, dict[str, Cdr]()
        async with reading(self._engine) as connection:
            while True:
                query = select(cdr.c.record).where(columns.id.in_(known) | columns.interaction.in_(known))
                for row in (await connection.execute(query)).all():
                    record = _cdr_decoder.decode(row.record)
                    found[record.id] = record
                reached = (
                    known | found.keys() | {record.interaction or record.id for record in found.values()}
                )
                if reached == known:
                    return sorted(found.values(), key=lambda record: (record.started, record.id))
                known = reached

    async def find_cdrs(self, key: str, *, limit: int = 10) -> list[Cdr]:
        """The records whose id, or its part behind the first dash, begins with `key`."""
        text = key.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        patterns = [cdr.c.id.like(f"{text}%", escape="\\"), cdr.c.id.like(f"call-{text}%", escape="\\")]
        query = select(cdr).where(patterns[0] | patterns[1]).order_by(cdr.c.id).limit(limit)
        async with reading(self._engine) as connection:
            rows = (await connection.execute(query)).all()
        return [_cdr_decoder.decode(row.record) for row in rows]

    async def outcomes(
        self, *, call: str = "", queue: str = "", since: float | None = None, until: float | None = None
    ) -> list[QueueOutcome]:
        """Queue entries in the order of their joining."""
        query = select(queue_entry).order_by(queue_entry.c.joined, queue_entry.c.entry)
        if call:
            query = query.where(queue_entry.c.call == call)
        if queue:
            query = query.where(queue_entry.c.queue == queue)
        if since is not None:
            query = query.where(queue_entry.c.joined >= since)
        if until is not None:
            query = query.where(queue_entry.c.joined < until)
        async with reading(self._engine) as connection:
            rows = (await connection.execute(query)).all()
        return [_outcome_decoder.decode(row.record) for row in rows]

    async def unfinished(self) -> list[str]:
        """Calls that started in the log and have no record: they were up when a daemon died."""
        log = event_log.c
        has_record = exists().where(cdr.c.id == log.call)
        query = select(log.call).where(log.type == "CallStarted", ~has_record).order_by(log.seq)
        async with reading(self._engine) as connection:
            return list((await connection.execute(query)).scalars())


def is_passing(error: Exception) -> bool:
    """True for what may go away by itself: a locked, full or unreachable database."""
    if isinstance(error, DBAPIError):
        return isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
    return isinstance(error, OSError)


def _write(connection: Connection, items: Sequence[Item]) -> None:
    connection.execute(insert(event_log), [msgspec.structs.asdict(item.row) for item in items])
    for item in items:
        archive.take(connection, item.row)
    _put(
        connection,
        [record for item in items for record in item.cdrs],
        [record for item in items for record in item.outcomes],
    )


def _mark(connection: Connection, run: str, stored: int) -> None:
    changed = connection.execute(update(spool_mark).where(spool_mark.c.run == run).values(stored=stored))
    if not changed.rowcount:
        connection.execute(insert(spool_mark).values(run=run, stored=stored))


def _put(connection: Connection, records: Sequence[Cdr], entries: Sequence[QueueOutcome]) -> None:
    cdrs = {record.id: record for record in records}
    outcomes = {record.entry: record for record in entries}
    if cdrs:
        connection.execute(delete(cdr_leg).where(cdr_leg.c.cdr.in_(cdrs)))
        _replace(connection, cdr, "id", {key: _cdr_row(record) for key, record in cdrs.items()})
        legs = [row for record in cdrs.values() for row in _leg_rows(record)]
        if legs:
            connection.execute(insert(cdr_leg), legs)
    if outcomes:
        _replace(connection, queue_entry, "entry", {key: _entry_row(r) for key, r in outcomes.items()})


def _replace(connection: Connection, table: Table, key: str, rows: dict[str, dict[str, Any]]) -> None:
    """Put rows in place of those with the same key; deleting first is the same on every database."""
    connection.execute(delete(table).where(table.c[key].in_(rows)))
    connection.execute(insert(table), list(rows.values()))


def _cdr_row(record: Cdr) -> dict[str, Any]:
    return {
        "id": record.id,
        "caller": _clip(record.caller, 128),
        "called": _clip(record.called, 128),
        "trunk": record.trunk,
        "started": record.started,
        "answered": record.answered,
        "ended": record.ended,
        "duration": record.duration,
        "cause": _clip(record.cause, 32),
        "sip_status": record.sip_status,
        **_quality(record.stats),
        "record": msgspec.json.encode(record),
        "interaction": record.interaction or record.id,
    }


def _leg_rows(record: Cdr) -> list[dict[str, Any]]:
    return [
        {
            "cdr": record.id,
            "position": position,
            "leg": leg.leg,
            "target": _clip(leg.target, 256),
            "agent": leg.agent,
            "started": leg.started,
            "answered": leg.answered,
            "ended": leg.ended,
            "talked": leg.talked,
            "cause": _clip(leg.cause, 32),
            "sip_status": leg.sip_status,
            **_quality(leg.stats),
        }
        for position, leg in enumerate(record.legs)
    ]


def _quality(stats: RtpStats | None) -> dict[str, Any]:
    """How a leg sounded, and the kinds of alarms that it raised."""
    return {
        "mos": stats.mos if stats else None,
        "mos_cq": stats.mos_cq if stats else None,
        "alarms": " ".join(stats.alarms) if stats and stats.alarms else None,
    }


def _entry_row(record: QueueOutcome) -> dict[str, Any]:
    return {
        "entry": record.entry,
        "queue": record.queue,
        "call": record.call,
        "caller": _clip(record.caller, 128),
        "joined": record.joined,
        "waited": record.waited,
        "exit": record.exit,
        "agent": record.agent,
        "talked": record.talked,
        "record": msgspec.json.encode(record),
    }


def _clip(text: str, length: int) -> str:
    """`text` as a column takes it: PostgreSQL refuses NUL and what is too long; `record` has it whole."""
    return text.replace("\0", "")[:length]


def _filtered(where: CdrFilter, plan: Plan) -> Select[Any]:
    columns = cdr.c
    query = select(cdr)
    for column, number in ((columns.caller, where.caller), (columns.called, where.called)):
        if number:
            query = query.where(column.in_(ways(number, plan)))
    for column, value in ((columns.trunk, where.trunk), (columns.cause, where.cause)):
        if value:
            query = query.where(column == value)
    if where.since is not None:
        query = query.where(columns.started >= where.since)
    if where.until is not None:
        query = query.where(columns.started < where.until)
    if where.answered is not None:
        query = query.where(columns.answered.is_not(None) if where.answered else columns.answered.is_(None))
    if where.agent:
        query = query.where(exists().where(cdr_leg.c.cdr == columns.id, cdr_leg.c.agent == where.agent))
    if where.queue:
        query = query.where(
            exists().where(queue_entry.c.call == columns.id, queue_entry.c.queue == where.queue)
        )
    return query
