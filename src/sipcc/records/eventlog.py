"""The event log: every event of the bus as one row, appended and never changed.

A row keeps the event's JSON as it was told. Reading gives typed events back through the registry of
event classes; a row whose type is not known here (written by a newer version, or by a plug-in that is
gone) stays in the log as it is, and is skipped with a count.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from types import ModuleType

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

import sipcc.acd.events
import sipcc.call.events
import sipcc.ivr.events
import sipcc.ivr.feedback
from sipcc.events import Event
from sipcc.records import events as records_events
from sipcc.records.database import reading
from sipcc.records.tables import event_log

PAGE_ROWS = 1000
"""Rows read at a time: no read transaction stays open while the reader works."""


class LogRow(msgspec.Struct, frozen=True):
    """One event as it is written."""

    wall: float
    """Unix seconds, rounded to the millisecond."""
    type: str
    call: str
    """The call it belongs to, or empty."""
    json: bytes


class LoggedEvent(msgspec.Struct, frozen=True):
    """One event as it is read back. `event` is None when its type is not known here."""

    seq: int
    wall: float
    type: str
    call: str
    json: bytes
    event: Event | None


def _tag_of(kind: type[Event]) -> str:
    return str(kind.__struct_config__.tag)


class Registry:
    """Knows the event classes by the tag that stands in the log."""

    def __init__(self, kinds: Iterable[type[Event]]) -> None:
        self._decoders = {_tag_of(kind): msgspec.json.Decoder(kind) for kind in kinds}
        self._scribe = Scribe()

    @property
    def types(self) -> list[str]:
        """The tags that can be read, sorted."""
        return sorted(self._decoders)

    def encode(self, event: Event, *, wall: float, body: bytes | None = None) -> LogRow:
        """The row of `event`, which happened at the Unix time `wall`; `body` is its JSON if it is known."""
        if body is None:
            event, body = self._scribe.write(event)
        return LogRow(wall, _tag_of(type(event)), getattr(event, "call", ""), body)

    def decode(self, kind: str, data: bytes) -> Event | None:
        """The event behind a row; None when its type is unknown or its fields are of another version."""
        decoder = self._decoders.get(kind)
        if decoder is None:
            return None
        try:
            return decoder.decode(data)
        except msgspec.MsgspecError:
            return None


class Scribe:
    """Makes the JSON of events, once for all who ask for the same event one after the other."""

    def __init__(self) -> None:
        self._encoder = msgspec.json.Encoder()
        self._last: tuple[Event, Event, bytes] | None = None

    def write(self, event: Event) -> tuple[Event, bytes]:
        """`event` as it can be written (see `printable`), and its JSON."""
        if self._last is None or self._last[0] is not event:
            written = event
            try:
                body = self._encoder.encode(event)
            except UnicodeEncodeError:
                written = printable(event)
                body = self._encoder.encode(written)
            self._last = event, written, body
        return self._last[1:]


def printable(event: Event) -> Event:
    """`event` with what is no Unicode text replaced by ``?``: raw bytes of a peer's header, mostly."""
    changes = {
        name: value.encode("utf-8", "replace").decode()
        for name, value in msgspec.structs.asdict(event).items()
        if isinstance(value, str)
    }
    return msgspec.structs.replace(event, **changes)


def events_in(*modules: ModuleType) -> list[type[Event]]:
    """The event classes that `modules` define."""
    return [
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
    ]


REGISTRY = Registry(
    events_in(sipcc.call.events, sipcc.ivr.events, sipcc.ivr.feedback, sipcc.acd.events, records_events)
)
"""All events of this version."""


class EventLog:
    """Reads the log."""

    def __init__(self, engine: AsyncEngine, registry: Registry = REGISTRY) -> None:
        self._engine = engine
        self._registry = registry
        self.skipped = 0
        """Rows that `replay` could not give as typed events."""

    async def read(
        self,
        *,
        since: int = 0,
        call: str | None = None,
        from_wall: float | None = None,
        page: int = PAGE_ROWS,
    ) -> AsyncIterator[LoggedEvent]:
        """All rows with a sequence number above `since`, in order, read `page` at a time.

        With `call` only those of that call; with `from_wall` only what happened at that Unix time or later.
        """
        columns = event_log.c
        while True:
            query = select(event_log).where(columns.seq > since).order_by(columns.seq).limit(page)
            if call is not None:
                query = query.where(columns.call == call)
            if from_wall is not None:
                query = query.where(columns.wall >= from_wall)
            async with reading(self._engine) as connection:
                rows = (await connection.execute(query)).all()
            for row in rows:
                event = self._registry.decode(row.type, row.json)
                yield LoggedEvent(row.seq, row.wall, row.type, row.call, row.json, event)
            if len(rows) < page:
                return
            since = rows[-1].seq

    async def replay(
        self, since: int = 0, *, from_wall: float | None = None, page: int = PAGE_ROWS
    ) -> AsyncIterator[tuple[int, float, Event]]:
        """``(seq, wall, event)`` for every row above `since` whose type is known; the others are counted."""
        async for logged in self.read(since=since, from_wall=from_wall, page=page):
            if logged.event is None:
                self.skipped += 1
            else:
                yield logged.seq, logged.wall, logged.event
