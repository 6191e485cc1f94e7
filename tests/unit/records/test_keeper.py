"""From the bus to the database and back, with a database that fails."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from sipcc.acd.events import AgentStateChanged, OfferMade, QueueJoined, QueueLeft, TalkEnded
from sipcc.bus import Bus
from sipcc.call.events import CallAnswered, CallEndedEvent, CallRinging, CallStarted, LegStarted
from sipcc.clock import LoopClock
from sipcc.errors import ConfigError
from sipcc.events import Event
from sipcc.records.keeper import RecordKeeper
from sipcc.records.settings import RecordSettings

pytestmark = pytest.mark.realtime  # SQLite works in a thread, which a virtual clock would overtake

WALL = 1_790_000_000.0


def a_call(call: str, at: float = 0.0) -> list[Event]:
    return [
        CallStarted(
            at=at,
            call=call,
            caller="13800138000",
            called="4008123456",
            trunk="carrier",
            sip_call_id="x@example.com",
            source="127.0.0.2:5060",
        ),
        CallRinging(at=at + 0.1, call=call),
        CallAnswered(at=at + 0.2, call=call),
        QueueJoined(
            at=at + 1, entry=f"{call}-e", queue="sales", call=call, caller="x", priority=0, position=1
        ),
        QueueLeft(
            at=at + 3, entry=f"{call}-e", queue="sales", call=call, exit="answered", waited=2.0, agent="bob"
        ),
        TalkEnded(at=at + 9, entry=f"{call}-e", queue="sales", call=call, agent="bob", talked=6.0),
        CallEndedEvent(at=at + 9, call=call, cause="normal", sip_status=200, ended_by="caller"),
    ]


def tell(bus: Bus, events: list[Event]) -> None:
    for event in events:
        bus.emit(event)


def rows_of(path: Path, query: str) -> list[Any]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


async def test_events_become_rows_and_records(kept: Any) -> None:
    tell(kept.bus, a_call("c1"))
    assert await kept.keeper.flush(5.0)
    assert [row[0] for row in rows_of(kept.path, "select type from event_log order by seq")] == [
        "CallStarted",
        "CallRinging",
        "CallAnswered",
        "QueueJoined",
        "QueueLeft",
        "TalkEnded",
        "CallEnded",
    ]
    (record,) = await kept.keeper.store.cdrs()
    assert (record.id, record.duration, record.queues) == ("c1", 8.8, ("sales",))
    (entry,) = await kept.keeper.store.outcomes(call="c1")
    assert (entry.exit, entry.agent, entry.talked) == ("answered", "bob", 6.0)
    assert kept.keeper.counters.stored == 7
    assert kept.keeper.kpi.queue("sales").aht == 6.0


async def test_replay_gives_the_same_records(kept: Any) -> None:
    from sipcc.records.cdr import CdrFold
    from sipcc.records.outcome import OutcomeFold

    for index in range(3):
        tell(kept.bus, a_call(f"c{index}", at=index / 3))
    await kept.keeper.flush(5.0)
    cdrs, outcomes = CdrFold(), OutcomeFold()
    replayed, entries = {}, {}
    async for _, wall, event in kept.keeper.log.replay():
        if (record := cdrs.apply(event, wall)) is not None:
            replayed[record.id] = record
        entries |= {outcome.entry: outcome for outcome in outcomes.apply(event, wall)}
    assert replayed == {record.id: record for record in await kept.keeper.store.cdrs()}
    assert entries == {entry.entry: entry for entry in await kept.keeper.store.outcomes()}
    assert len(replayed) == len(entries) == 3


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite waits 50 ms for another writer, not two seconds."""
    monkeypatch.setattr("sipcc.records.database.BUSY_TIMEOUT_MS", 50)


async def test_a_locked_database_stops_nobody_and_loses_nothing(impatient: None, kept: Any) -> None:
    other = sqlite3.connect(kept.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    tell(kept.bus, a_call("c1"))
    assert not await kept.keeper.flush(0.2)
    assert kept.keeper.counters.failures >= 1
    assert "locked" in kept.keeper.counters.last_error
    assert kept.keeper.counters.waiting == 7
    other.execute("ROLLBACK")
    other.close()
    assert await kept.keeper.flush(5.0)
    assert (kept.keeper.counters.waiting, kept.keeper.counters.last_error) == (0, "")
    assert len(rows_of(kept.path, "select 1 from event_log")) == 7


async def test_the_bound_holds_and_records_go_first(tmp_path: Path) -> None:
    bus = Bus()
    keeper = RecordKeeper(
        RecordSettings(database=str(tmp_path / "sipcc.db")), bus, LoopClock(), queue_limit=3
    )
    await keeper.start()
    tell(bus, a_call("c1"))  # told at once: the writer has no chance in between
    assert keeper.counters.dropped == 1  # TalkEnded changed a record, QueueLeft too; QueueJoined did not
    await keeper.flush(5.0)
    (record,) = await keeper.store.cdrs()
    assert record.id == "c1"
    await keeper.stop()


async def test_text_that_is_no_unicode_is_recorded(kept: Any) -> None:
    start, *_ = a_call("c1")
    assert isinstance(start, CallStarted)
    bad = CallStarted(
        at=0.0,
        call="c1",
        caller="1380\udcff013",
        called="4008123456",
        trunk=None,
        sip_call_id="x",
        source="127.0.0.2:5060",
    )
    tell(kept.bus, [bad, *a_call("c1")[1:]])
    await kept.keeper.flush(5.0)
    assert kept.bus.handler_errors == 0
    (record,) = await kept.keeper.store.cdrs()
    assert record.caller == "1380?013"


async def test_calls_that_a_crash_cut_off_get_their_record(tmp_path: Path) -> None:
    settings = RecordSettings(database=str(tmp_path / "sipcc.db"))

    class At:
        def now(self) -> float:
            return 0.0

        def wall_of(self, at: float) -> float:
            return WALL + at

    bus = Bus()
    first = RecordKeeper(settings, bus, At())
    await first.start()
    talking, waiting, ended = a_call("talking"), a_call("waiting"), a_call("ended")
    leg = LegStarted(at=2.0, call="talking", leg="l1", target="sip:bob@example.com", agent="bob")
    offer = OfferMade(at=2.0, offer="o1", entry="waiting-e", queue="sales", call="waiting", agent="bob")
    tell(bus, [*talking[:4], leg, talking[4], *waiting[:4], offer, *ended])
    await first.stop()

    second = RecordKeeper(settings, Bus(), At(), figures_since=WALL)
    await second.start()
    assert second.interrupted == 2
    records = {record.id: record for record in await second.store.cdrs()}
    assert (records["talking"].cause, records["talking"].ended_by) == ("failed", "us")
    assert records["talking"].ended == WALL + 3.0  # the last that was known of it
    exits = {entry.call: (entry.exit, entry.talked) for entry in await second.store.outcomes()}
    assert exits == {"talking": ("answered", 0.0), "waiting": ("failed", None), "ended": ("answered", 6.0)}
    assert await second.store.unfinished() == []
    figures = second.kpi.queue("sales")  # counted on from what the first run logged
    assert (figures.joined, figures.answered, figures.waiting) == (3, 2, 0)
    await second.stop()

    third = RecordKeeper(settings, Bus(), At())
    await third.start()
    assert third.interrupted == 0
    await third.stop()


async def test_what_cannot_be_opened_stops_the_start(tmp_path: Path) -> None:
    keeper = RecordKeeper(RecordSettings(database=str(tmp_path / "none" / "x.db")), Bus(), LoopClock())
    with pytest.raises(ConfigError, match="unable to open database file") as caught:
        await keeper.start()
    assert caught.value.path == "records.database"
    await keeper.stop()


async def test_a_file_that_is_no_database_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("this is not a database, and it is longer than a header" * 20)
    keeper = RecordKeeper(RecordSettings(database=str(tmp_path / "x.db")), Bus(), LoopClock())
    with pytest.raises(ConfigError, match="not a database"):
        await keeper.start()


async def test_a_database_locked_at_start_is_taken_when_it_comes(impatient: None, tmp_path: Path) -> None:
    path = tmp_path / "sipcc.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    bus = Bus()
    keeper = RecordKeeper(RecordSettings(database=str(path)), bus, LoopClock())
    await keeper.start()
    other.execute("ROLLBACK")
    other.close()
    tell(bus, a_call("c1"))
    assert await keeper.flush(5.0)
    assert len(await keeper.store.cdrs()) == 1
    await keeper.stop()


async def test_stop_stores_the_last_event(tmp_path: Path) -> None:
    bus = Bus()
    keeper = RecordKeeper(RecordSettings(database=str(tmp_path / "sipcc.db")), bus, LoopClock())
    await keeper.start()
    bus.emit(AgentStateChanged(at=0.0, agent="bob", before="ready", after="offline"))
    await keeper.stop()
    bus.emit(AgentStateChanged(at=0.0, agent="bob", before="offline", after="ready"))
    assert rows_of(tmp_path / "sipcc.db", "select count(*) from event_log") == [(1,)]


async def test_before_start_there_is_nothing(tmp_path: Path) -> None:
    keeper = RecordKeeper(RecordSettings(database=str(tmp_path / "sipcc.db")), Bus(), LoopClock())
    assert keeper.counters.stored == 0
    assert await keeper.flush()
    with pytest.raises(RuntimeError, match="start"):
        _ = keeper.store
    await keeper.stop()
