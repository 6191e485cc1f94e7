"""Keeps the records of a running switch: bus -> folds -> one writer -> database.

A call never waits for a record. Each event is folded and queued when it is told; a task stores batches.
While the database is locked or gone the queue grows up to its bound (see `sipcc.records.writer`) and
what is lost is counted. The folds live in memory, so the figures on a wallboard stay right meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import msgspec
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from sipcc.acd.events import AgentStateChanged, QueueJoined, QueueLeft, QueueResumed
from sipcc.bus import Bus
from sipcc.call.events import (
    BridgeEnded,
    CallEndedEvent,
    CallResumed,
    DiskFilling,
    TrunkDown,
    TrunkUp,
)
from sipcc.clock import Clock
from sipcc.errors import ConfigError
from sipcc.events import Event
from sipcc.log import get_logger
from sipcc.numbers import Plan
from sipcc.records.alerts import AlertFold, AlertSettings
from sipcc.records.archive import RecordingIndex
from sipcc.records.cdr import Cdr, CdrFold
from sipcc.records.database import database_url, migrate, open_engine, probe, sqlite_path
from sipcc.records.eventlog import REGISTRY, EventLog, Registry, Scribe
from sipcc.records.kpi import KpiFold
from sipcc.records.outcome import OutcomeFold, QueueOutcome
from sipcc.records.retention import Retention
from sipcc.records.settings import RecordSettings, WebhookSettings
from sipcc.records.spool import Spool, rows_of
from sipcc.records.store import PAGE_ROWS, Item, RecordStore, is_passing
from sipcc.records.webhooks import Webhooks
from sipcc.records.writer import BatchWriter
from sipcc.tasks import TaskScope

_log = get_logger("sipcc.records")

SETTLE_S = 5.0
"""How long a hold or an erasure of recordings waits for the database, in seconds."""

ALERT_EVERY_S = 5.0
"""How often alerts are judged while nothing happens, in seconds."""


_OF_ITS_RUN = AgentStateChanged | TrunkDown | TrunkUp | DiskFilling
"""Nothing of this is any more what it was in a run before: a new run tells it anew."""
_JUDGED = QueueJoined | QueueLeft | _OF_ITS_RUN
"""After these events an alert may be due."""


class RecordCounters(msgspec.Struct, frozen=True, kw_only=True):
    """How record keeping goes."""

    stored: int = 0
    waiting: int = 0
    """Events in memory that are not stored yet."""
    dropped: int = 0
    """Events lost because the bound was reached or the daemon stopped without a database."""
    refused: int = 0
    """Events that the database will never take."""
    failures: int = 0
    """Batches that had to be tried again."""
    last_error: str = ""
    violations: int = 0
    """Broken invariants of queue entries."""


class RecordKeeper:
    """Writes every event of a bus to the log, with the records folded from them."""

    def __init__(
        self,
        settings: RecordSettings,
        bus: Bus,
        clock: Clock,
        *,
        registry: Registry = REGISTRY,
        service_levels: Mapping[str, float] | None = None,
        figures_since: float | None = None,
        queue_limit: int = 20_000,
        alerts: Sequence[AlertSettings] = (),
        members: Mapping[str, Sequence[str]] | None = None,
        webhooks: Sequence[WebhookSettings] = (),
        plan: Plan | None = None,
    ) -> None:
        """Take the settings; nothing is opened before `start`.

        Args:
            settings: where the database is.
            bus: what is recorded.
            clock: gives wall times.
            registry: the events that can be read back.
            service_levels: threshold of each queue by name, for `kpi`.
            figures_since: Unix time from which `kpi` counts what earlier runs logged, such as midnight;
                None to begin at zero.
            queue_limit: events kept in memory at most while the database does not take them.
            alerts: rules whose alerts are told on the bus.
            members: the agents of each queue, for rules about them.
            webhooks: programs that are told of events.
            plan: how numbers are written here; None takes them as they are.
        """
        self._settings = settings
        self._bus = bus
        self._clock = clock
        self._registry = registry
        self._limit = queue_limit
        self._plan = plan
        self._figures_since = figures_since
        self._engine: AsyncEngine | None = None
        self._ready = False
        self._writer: BatchWriter[Item] | None = None
        self.scribe = Scribe()
        """Makes the JSON of events, for the log and for whoever follows them."""
        self.cdrs = CdrFold()
        self.outcomes = OutcomeFold()
        self.kpi = KpiFold(service_levels)
        self.alerts = AlertFold(alerts, self.kpi, members=members or {})
        self.webhooks = Webhooks(webhooks, clock)
        self.retention = Retention(
            lambda: self.recordings, telling=bus, clock=clock, stored=lambda: self.flush(SETTLE_S)
        )
        """Holds, deletes and erases recordings; one for all, so that none goes while it is being held."""
        self._watches = bool(alerts)
        self._scope = TaskScope("records.alerts")
        self._keep: frozenset[str] = frozenset()
        self._spool: Spool | None = None
        self._resumed: set[str] = set()
        """Calls whose conversation another process has begun."""
        self._left: set[str] = set()
        """Calls of another process that may be taken up yet."""
        self._queued: set[str] = set()
        """Calls whose stay in a queue goes on."""
        self.interrupted = 0
        """Calls of an earlier run that were closed at start, because it died with them."""

    def load(
        self,
        alerts: Sequence[AlertSettings],
        *,
        members: Mapping[str, Sequence[str]],
        service_levels: Mapping[str, float],
        webhooks: Sequence[WebhookSettings] = (),
    ) -> None:
        """Judge other alerts from now on, with other agents and queues, and tell others; see `__init__`."""
        self.webhooks.load(webhooks)
        self.alerts.load(alerts, members=members)
        self.kpi.load(service_levels)
        if alerts and not self._watches:
            self._watches = True
            self._scope.spawn(self._watch(), name="watch")

    async def start(self, *, keep: Collection[str] = ()) -> None:
        """Open the database, close what a crash left open but for the calls `keep`, and begin to listen.

        Raises:
            ConfigError: the database cannot be opened for a reason that will not pass.
        """
        self._engine = open_engine(self._settings.database)
        self._keep = frozenset(keep)
        self._left = set(keep)
        path = sqlite_path(database_url(self._settings.database))
        self._spool = self._make_spool(path)
        try:
            if path is not None:
                probe(path)
            await self._prepare()
            await self._refill()
        except Exception as error:
            if not self._may_pass(error):
                await self._engine.dispose()
                raise self._explained(error) from error
            _log.warning("records.database_unavailable", error=str(error))
        self._writer = BatchWriter(self._store, passing=is_passing, limit=self._limit)
        self._writer.start()
        self._bus.on_all(self._on_event)
        if self._watches:
            self._scope.spawn(self._watch(), name="watch")
        await self.webhooks.start(self._engine)

    async def stop(self, timeout: float = 5.0) -> None:
        """Stop listening, store what is queued within `timeout` seconds, and close the database."""
        await self._scope.close()
        if self._writer is not None:
            self._bus.off_all(self._on_event)
            await self._writer.stop(timeout)
        await self.webhooks.stop()
        if self._engine is not None:
            await self._engine.dispose()
        if self._spool is not None:
            self._spool.close()

    async def flush(self, timeout: float | None = None) -> bool:
        """Wait until all events so far are stored; False when `timeout` seconds did not suffice."""
        return True if self._writer is None else await self._writer.flush(timeout)

    @property
    def store(self) -> RecordStore:
        """The records in the database; after `start`."""
        return RecordStore(self._opened(), self._plan)

    @property
    def recordings(self) -> RecordingIndex:
        """The recordings that there are; after `start`."""
        return RecordingIndex(self._opened(), self._plan)

    @property
    def log(self) -> EventLog:
        """The event log; after `start`."""
        return EventLog(self._opened(), self._registry)

    @property
    def counters(self) -> RecordCounters:
        """How record keeping goes."""
        if (writer := self._writer) is None:
            return RecordCounters()
        return RecordCounters(
            stored=writer.stored,
            waiting=writer.waiting,
            dropped=writer.dropped,
            refused=writer.refused,
            failures=writer.failures,
            last_error=writer.last_error,
            violations=self.outcomes.violation_count,
        )

    def _opened(self) -> AsyncEngine:
        if self._engine is None:
            raise RuntimeError("RecordKeeper.start() was not called")
        return self._engine

    def _on_event(self, event: Event) -> None:
        if isinstance(event, CallEndedEvent | BridgeEnded) and event.call in self._resumed:
            self._close_visits(event)  # the queue that would tell of it died with its process
        elif isinstance(event, CallEndedEvent) and event.call in self._left:
            self._close_visits(event)  # and so did the call
        self._take(event)
        if self._watches and isinstance(event, _JUDGED):
            self._judge(event.at)
        if isinstance(event, QueueResumed):
            self._queued.add(event.call)
        elif isinstance(event, CallResumed):
            self._left.discard(event.call)
            if event.call in self._queued:
                self._queued.discard(event.call)  # its queue tells of it
            elif event.talking:
                self._resumed.add(event.call)
            else:
                self._close_visits(event)

    def _judge(self, at: float) -> None:
        for alert in self.alerts.judge(now=at, wall=self._clock.wall_of(at)):
            self._bus.emit(alert)

    async def _watch(self) -> None:
        """Judge also while nothing happens: waits grow, and windows move on."""
        while True:
            await asyncio.sleep(ALERT_EVERY_S)
            self._judge(self._clock.now())

    def _close_visits(self, event: CallEndedEvent | BridgeEnded | CallResumed) -> None:
        self._resumed.discard(event.call)
        self._left.discard(event.call)
        wall = round(self._clock.wall_of(event.at), 3)
        for closing in self.outcomes.closing(event.at, wall, call=event.call):
            self._bus.emit(closing)

    def _take(self, event: Event) -> None:
        # To the millisecond, before folding: what is stored is then exactly what was folded.
        wall = round(self._clock.wall_of(event.at), 3)
        event, body = self.scribe.write(event)
        row = self._registry.encode(event, wall=wall, body=body)
        cdr = self.cdrs.apply(event, wall)
        outcomes = self.outcomes.apply(event, wall)
        self.kpi.apply(event, wall)
        self.alerts.apply(event, wall)
        number = self._spool.append(row) if self._spool is not None else 0
        item = Item(row, () if cdr is None else (cdr,), tuple(outcomes), number)
        if self._writer is not None:
            self._writer.put(item, precious=cdr is not None or bool(outcomes))

    def _make_spool(self, path: Path | None) -> Spool | None:
        """Beside the database, or beside the recordings when the database is a server; none in memory."""
        if path is not None:
            return Spool(path.with_name(path.name + ".spool"))
        if self._settings.database == ":memory:":
            return None
        return Spool(Path(self._settings.recordings).parent / "sipcc.spool")

    async def _store(self, items: Sequence[Item]) -> None:
        if not self._ready:
            await self._prepare()
        spool = self._spool
        if spool is None:
            await self.store.write(items)
        else:
            await self.store.write(items, run=spool.run)
            spool.stored(items[-1].number)
        self.webhooks.stored()

    async def _prepare(self) -> None:
        engine = self._opened()
        await migrate(engine)
        if self._spool is not None:
            await self._read_spools(self._spool)
        self.interrupted += await close_interrupted(engine, self._registry, keep=self._keep)
        for call in self._keep:
            await self._read_back(call)
        self._keep = frozenset()
        self._ready = True

    async def _read_spools(self, spool: Spool) -> None:
        """Store what runs before this one were told and could not store any more."""
        for path in spool.leftovers():
            run = path.name.rpartition(".")[2]
            data = await asyncio.to_thread(path.read_bytes)
            known = await self.store.stored_of(run)
            items = [Item(row, number=number) for number, row in rows_of(data) if number > known]
            for start in range(0, len(items), PAGE_ROWS):
                await self.store.write(items[start : start + PAGE_ROWS], run=run)
            if items:
                _log.info("records.spool_read", run=run, events=len(items))
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def _read_back(self, call: str) -> None:
        """Know of a call that goes on what the log knows, so that its record is one."""
        async for logged in self.log.read(call=call):
            if logged.event is not None:
                self.cdrs.apply(logged.event, logged.wall)
                self.outcomes.apply(logged.event, logged.wall)

    async def _refill(self) -> None:
        """Count what earlier runs logged, before the first event of this one."""
        if self._figures_since is not None:
            async for _, wall, event in self.log.replay(from_wall=self._figures_since):
                self.kpi.apply(event, wall)
                if not isinstance(event, _OF_ITS_RUN):
                    self.alerts.apply(event, wall)

    def _may_pass(self, error: Exception) -> bool:
        """A database that is locked or unreachable may come; a file that cannot be made will not."""
        path = sqlite_path(database_url(self._settings.database))
        return is_passing(error) and (path is None or "locked" in str(error) or "busy" in str(error))

    def _explained(self, error: Exception) -> ConfigError:
        cause = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        return ConfigError(
            "records.database",
            f"cannot use {self._settings.database!r}: {cause}",
            hint="the folder must exist and be writable by the daemon",
        )


async def close_interrupted(
    engine: AsyncEngine, registry: Registry = REGISTRY, *, keep: Collection[str] = ()
) -> int:
    """Close the calls that were up when an earlier run died, but for `keep`; returns how many there were.

    Their end is the last that the log knows of them; the cause is ``failed``. The end is appended to the
    log as an event like any other, so that a replay gives the same records.
    """
    store, log = RecordStore(engine), EventLog(engine, registry)
    calls = [call for call in await store.unfinished() if call not in keep]
    for call in calls:
        cdrs, outcomes = CdrFold(), OutcomeFold()
        changed: dict[str, QueueOutcome] = {}
        at = wall = 0.0
        done: Cdr | None = None
        async for logged in log.read(call=call):
            if logged.event is not None:
                at, wall = logged.event.at, logged.wall
                done = cdrs.apply(logged.event, wall) or done
                changed |= {outcome.entry: outcome for outcome in outcomes.apply(logged.event, wall)}
        if done is not None:  # it ended in time, and only its record was not stored any more
            await store.put([done], list(changed.values()))
            continue
        if call not in cdrs.live:
            continue  # its first event is of another version: there is nothing to make a record from
        items: list[Item] = []
        for event in [
            *outcomes.closing(at, wall),
            CallEndedEvent(at=at, call=call, cause="failed", sip_status=500, ended_by="us"),
        ]:
            cdr: Cdr | None = cdrs.apply(event, wall)
            changed |= {outcome.entry: outcome for outcome in outcomes.apply(event, wall)}
            items.append(
                Item(registry.encode(event, wall=wall), (cdr,) if cdr else (), tuple(changed.values()))
            )
        await store.write(items)
    if calls:
        _log.warning("records.calls_interrupted", count=len(calls))
    return len(calls)
