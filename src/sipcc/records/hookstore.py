"""The messages of webhooks in the database: made from the event log, and gone when they were taken.

A message is made in the transaction that moves the webhook's place in the log, so each event becomes one
message, once, whatever dies when. Its body is read from the log when it is sent.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from sipcc.records.database import reading
from sipcc.records.export import iso_time
from sipcc.records.outbox import Message
from sipcc.records.tables import cdr, event_log, webhook, webhook_message

CALL_RECORD = "CallRecord"
"""The kind of a message with the record of a call; it is made from its last event."""
CALL_ENDED = "CallEnded"
ALL = "*"

PAGE = 500
"""Rows at a time."""


class DeadMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was given up."""

    key: str
    webhook: str
    kind: str
    call: str
    attempts: int
    begun: float
    """Unix time of the first try."""
    error: str
    """What the last try came to."""


class HookStore:
    """Reads and writes the messages of all webhooks."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def open(self, hook: str) -> None:
        """Know `hook` from now on; a new one is told of what happens from here."""
        async with self._engine.begin() as connection:
            await connection.run_sync(_open, hook)

    async def collect(self, hook: str, events: Collection[str]) -> int:
        """Make messages of what the log has got since; how many rows of the log were looked at."""
        async with reading(self._engine) as connection:
            if not await connection.run_sync(_has_news, hook):
                return 0
        async with self._engine.begin() as connection:
            return await connection.run_sync(_collect, hook, frozenset(events))

    async def waiting(self, hook: str, *, behind: int = 0) -> list[Message]:
        """The oldest messages that are to be sent, of events behind one in the log, with their bodies."""
        columns = webhook_message.c
        query = _bodies().where(columns.webhook == hook, columns.dead == 0, columns.seq > behind)
        query = query.order_by(columns.seq, columns.key).limit(PAGE)
        async with reading(self._engine) as connection:
            rows = (await connection.execute(query)).all()
        return [_message(row) for row in rows]

    async def taken(self, key: str) -> None:
        """The receiver has it."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(webhook_message).where(webhook_message.c.key == key))

    async def put_off(self, message: Message) -> None:
        """A try failed."""
        values = {
            "attempts": message.attempts,
            "begun": message.begun,
            "due": message.due,
            "error": message.error[:256],
            "dead": int(message.dead),
        }
        async with self._engine.begin() as connection:
            query = update(webhook_message).where(webhook_message.c.key == message.key)
            await connection.execute(query.values(**values))

    async def counts(self) -> dict[str, tuple[int, int]]:
        """By webhook: how many messages wait, and how many are dead."""
        columns = webhook_message.c
        query = select(columns.webhook, columns.dead, func.count()).group_by(columns.webhook, columns.dead)
        async with reading(self._engine) as connection:
            rows = (await connection.execute(query)).all()
        found: dict[str, tuple[int, int]] = {}
        for hook, dead, count in rows:
            waiting, lost = found.get(hook, (0, 0))
            found[hook] = (waiting, lost + count) if dead else (waiting + count, lost)
        return found

    async def dead(self, hook: str = "", *, limit: int = PAGE) -> list[DeadMessage]:
        """The oldest messages that were given up, of one webhook or of all."""
        columns = webhook_message.c
        query = select(webhook_message).where(columns.dead == 1).order_by(columns.seq).limit(limit)
        if hook:
            query = query.where(columns.webhook == hook)
        async with reading(self._engine) as connection:
            rows = (await connection.execute(query)).all()
        return [
            DeadMessage(
                key=row.key,
                webhook=row.webhook,
                kind=row.kind,
                call=row.call,
                attempts=row.attempts,
                begun=row.begun,
                error=row.error,
            )
            for row in rows
        ]

    async def replay(self, hook: str, keys: Sequence[str] = ()) -> int:
        """Send messages that were given up once more: those with `keys`, or all; how many there are."""
        columns = webhook_message.c
        query = update(webhook_message).where(columns.webhook == hook, columns.dead == 1)
        if keys:
            query = query.where(columns.key.in_(keys))
        async with self._engine.begin() as connection:
            done = await connection.execute(query.values(dead=0, attempts=0, begun=0.0, due=0.0))
        return int(done.rowcount)


def _open(connection: Connection, hook: str) -> None:
    known = connection.execute(select(webhook.c.seq).where(webhook.c.name == hook)).first()
    if known is None:
        last = connection.execute(select(func.max(event_log.c.seq))).scalar() or 0
        connection.execute(insert(webhook).values(name=hook, token=secrets.token_hex(4), seq=last))


def _has_news(connection: Connection, hook: str) -> bool:
    place = select(webhook.c.seq).where(webhook.c.name == hook).scalar_subquery()
    return (
        connection.execute(select(event_log.c.seq).where(event_log.c.seq > place).limit(1)).first()
        is not None
    )


def _collect(connection: Connection, hook: str, events: frozenset[str]) -> int:
    place = connection.execute(select(webhook).where(webhook.c.name == hook)).one()
    log = event_log.c
    query = select(log.seq, log.type, log.call).where(log.seq > place.seq).order_by(log.seq).limit(PAGE)
    rows = connection.execute(query).all()
    if not rows:
        return 0
    made: list[dict[str, Any]] = []
    for seq, kind, call in rows:
        if kind in events or ALL in events:
            made.append(_row(f"msg_{place.token}_{seq}", hook, seq, kind, call))
        if kind == CALL_ENDED and CALL_RECORD in events:
            made.append(_row(f"rec_{place.token}_{seq}", hook, seq, CALL_RECORD, call))
    if made:
        connection.execute(insert(webhook_message), made)
    connection.execute(update(webhook).where(webhook.c.name == hook).values(seq=rows[-1].seq))
    return len(rows)


def _row(key: str, hook: str, seq: int, kind: str, call: str) -> dict[str, Any]:
    fresh = {"attempts": 0, "begun": 0.0, "due": 0.0, "error": "", "dead": 0}
    return {"key": key, "webhook": hook, "seq": seq, "kind": kind, "call": call, **fresh}


def _bodies() -> Select[Any]:
    table = webhook_message.outerjoin(event_log, event_log.c.seq == webhook_message.c.seq)
    table = table.outerjoin(
        cdr, (cdr.c.id == webhook_message.c.call) & (webhook_message.c.kind == CALL_RECORD)
    )
    return select(webhook_message, event_log.c.wall, event_log.c.json, cdr.c.record).select_from(table)


def _message(row: Any) -> Message:
    data = row.record if row.kind == CALL_RECORD else row.json
    head = {"id": row.key, "type": row.kind, "timestamp": iso_time(row.wall)}
    body = msgspec.json.encode(head)[:-1] + b',"data":' + (data or b"null") + b"}"
    return Message(
        key=row.key,
        seq=row.seq,
        order=row.call,
        body=body,
        attempts=row.attempts,
        begun=row.begun,
        due=row.due,
        error=row.error,
    )
