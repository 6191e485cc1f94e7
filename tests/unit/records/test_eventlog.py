"""Events to rows and back."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from sqlalchemy import insert

from sipcc.acd.events import AgentStateChanged
from sipcc.call.events import CallEndedEvent, CallRinging
from sipcc.records.database import open_engine
from sipcc.records.eventlog import PAGE_ROWS, REGISTRY, EventLog, Scribe, printable
from sipcc.records.tables import event_log
from sipcc.rtp.flow import RtpStats

pytestmark = pytest.mark.realtime  # SQLite works in a thread, which a virtual clock would overtake


def test_all_events_of_this_version_are_known() -> None:
    assert {"CallStarted", "CallEnded", "LegEnded", "QueueJoined", "QueueLeft", "AgentStateChanged"} <= set(
        REGISTRY.types
    )
    assert "Event" not in REGISTRY.types


def test_a_row_and_back() -> None:
    event = CallEndedEvent(
        at=1.5, call="c1", cause="normal", sip_status=200, ended_by="caller", stats=RtpStats(jitter_ms=0.1)
    )
    row = REGISTRY.encode(event, wall=1_790_000_000.123)
    assert (row.type, row.call, row.wall) == ("CallEnded", "c1", 1_790_000_000.123)
    assert REGISTRY.decode(row.type, row.json) == event


def test_an_event_of_no_call_has_an_empty_call() -> None:
    event = AgentStateChanged(at=0, agent="bob", before="ready", after="ringing")
    assert REGISTRY.encode(event, wall=0.0).call == ""


@pytest.mark.parametrize("data", [b"{}", b"not json", b'{"type":"CallRinging","at":"x","call":"c"}'])
def test_rows_of_another_version_are_none(data: bytes) -> None:
    assert REGISTRY.decode("CallRinging", data) is None
    assert REGISTRY.decode("NeverHeardOf", data) is None


def test_printable_replaces_what_is_no_text() -> None:
    event = CallRinging(at=0.0, call="a\udc80b")
    assert REGISTRY.encode(event, wall=0.0).call == "a?b"
    assert printable(event) == CallRinging(at=0.0, call="a?b")


async def test_reading_in_pages_from_anywhere(kept: Any) -> None:
    for number in range(PAGE_ROWS + 10):
        kept.bus.emit(CallRinging(at=float(number), call=f"c{number % 2}"))
    await kept.keeper.flush(10.0)
    log = kept.keeper.log
    assert [seq async for seq, _, _ in log.replay()] == list(range(1, PAGE_ROWS + 11))
    assert [seq async for seq, _, _ in log.replay(since=PAGE_ROWS + 7)] == [
        PAGE_ROWS + 8,
        PAGE_ROWS + 9,
        PAGE_ROWS + 10,
    ]
    assert len([row async for row in log.read(call="c1")]) == (PAGE_ROWS + 10) // 2
    late = [event.at async for _, _, event in log.replay(from_wall=1_790_000_000.0 + PAGE_ROWS + 8)]
    assert late == [PAGE_ROWS + 8.0, PAGE_ROWS + 9.0]


async def test_unknown_rows_stay_and_are_counted(kept: Any) -> None:
    kept.bus.emit(CallRinging(at=0.0, call="c1"))
    await kept.keeper.flush(5.0)
    raw = msgspec.json.encode({"type": "FromTheFuture", "at": 1.0})
    engine = open_engine(str(kept.path))
    async with engine.begin() as connection:
        await connection.execute(
            insert(event_log), [{"wall": 1.0, "type": "FromTheFuture", "call": "c1", "json": raw}]
        )
    log = EventLog(engine)
    assert [type(event).__name__ async for _, _, event in log.replay()] == ["CallRinging"]
    assert log.skipped == 1
    read = [row async for row in log.read()]
    assert (read[1].event, read[1].json) == (None, raw)
    await engine.dispose()


def test_an_event_is_written_once_for_all_who_ask() -> None:
    scribe = Scribe()
    event = CallRinging(at=1.0, call="\udcff")
    written, body = scribe.write(event)
    again = scribe.write(event)
    assert again[0] is written
    assert again[1] is body
    assert (written, json.loads(body)["call"]) == (CallRinging(at=1.0, call="?"), "?")
    other = CallRinging(at=1.0, call="c")
    assert scribe.write(other)[0] is other
    assert scribe.write(event)[0] == written
