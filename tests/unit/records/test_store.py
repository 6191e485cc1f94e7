"""Reading records back by what one looks for."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, OperationalError

from sipcc.acd.events import QueueJoined, QueueLeft
from sipcc.call.events import CallAnswered, CallEndedEvent, CallStarted, LegAnswered, LegEnded, LegStarted
from sipcc.records.store import PAGE_ROWS, CdrFilter, is_passing
from sipcc.records.tables import cdr, cdr_leg
from sipcc.rtp.flow import RtpStats

pytestmark = pytest.mark.realtime  # SQLite works in a thread, which a virtual clock would overtake

WALL = 1_790_000_000.0


def start(at: float, call: str, caller: str = "13800138000", called: str = "4008123456") -> CallStarted:
    return CallStarted(
        at=at, call=call, caller=caller, called=called, trunk="carrier", sip_call_id="x", source="s"
    )


def end(at: float, call: str, cause: str = "normal") -> CallEndedEvent:
    return CallEndedEvent(at=at, call=call, cause=cause, sip_status=200, ended_by="caller")


@pytest.fixture
async def filled(kept: Any) -> Any:
    events = [
        start(0.0, "call-aa1", caller="400-812-3456"),
        end(1.0, "call-aa1", "cancelled"),
        start(10.0, "call-ab2", called="x" * 500 + "\0"),
        CallAnswered(at=11.0, call="call-ab2"),
        QueueJoined(at=12.0, entry="e1", queue="sales", call="call-ab2", caller="x", priority=0, position=1),
        LegStarted(at=12.5, call="call-ab2", leg="l1", target="sip:a@example.com", agent="alice"),
        LegAnswered(at=13.0, call="call-ab2", leg="l1"),
        QueueLeft(at=13.0, entry="e1", queue="sales", call="call-ab2", exit="timed_out", waited=1.0),
        LegEnded(at=14.0, call="call-ab2", leg="l1", cause="normal", sip_status=200, ended_by="callee"),
        end(15.0, "call-ab2"),
    ]
    for event in events:
        kept.bus.emit(event)
    await kept.keeper.flush(5.0)
    return kept.keeper.store


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        (CdrFilter(), ["call-ab2", "call-aa1"]),
        (CdrFilter(caller="400-812-3456"), ["call-aa1"]),
        (CdrFilter(called="4008123456"), ["call-aa1"]),
        (CdrFilter(trunk="carrier", cause="cancelled"), ["call-aa1"]),
        (CdrFilter(answered=True), ["call-ab2"]),
        (CdrFilter(answered=False), ["call-aa1"]),
        (CdrFilter(agent="alice"), ["call-ab2"]),
        (CdrFilter(agent="bob"), []),
        (CdrFilter(queue="sales"), ["call-ab2"]),
        (CdrFilter(since=WALL + 10.0), ["call-ab2"]),
        (CdrFilter(until=WALL + 10.0), ["call-aa1"]),
    ],
)
async def test_filters(filled: Any, where: CdrFilter, ids: list[str]) -> None:
    assert [record.id for record in await filled.cdrs(where)] == ids


async def test_order_limit_and_ids(filled: Any) -> None:
    assert [record.id for record in await filled.cdrs(newest_first=False, limit=1)] == ["call-aa1"]
    assert [record.id for record in await filled.find_cdrs("call-a")] == ["call-aa1", "call-ab2"]
    assert [record.id for record in await filled.find_cdrs("ab")] == ["call-ab2"]
    assert await filled.find_cdrs("%") == []
    assert [entry.entry for entry in await filled.outcomes(queue="sales", since=WALL, until=WALL + 99)] == [
        "e1"
    ]
    assert await filled.unfinished() == []


async def test_long_and_odd_text_is_whole_in_the_record(filled: Any) -> None:
    (record,) = await filled.find_cdrs("call-ab2")
    assert record.called == "x" * 500 + "\0"


async def test_all_records_in_pages(kept: Any) -> None:
    for number in range(PAGE_ROWS + 3):
        kept.bus.emit(start(number // 2, f"c{number:04}"))  # pairs with one and the same start
        kept.bus.emit(end(number // 2 + 1, f"c{number:04}"))
    await kept.keeper.flush(10.0)
    ids = [record.id async for record in kept.keeper.store.all_cdrs()]
    assert ids == [f"c{number:04}" for number in range(PAGE_ROWS + 3)]


def test_what_may_pass() -> None:
    assert is_passing(OperationalError("x", None, Exception("database is locked")))
    assert is_passing(ConnectionRefusedError())
    assert not is_passing(IntegrityError("x", None, Exception("unique")))
    assert not is_passing(ValueError())


async def test_how_it_sounded_stands_in_columns(kept: Any) -> None:
    bad = RtpStats(packets_received=90, lost=10, mos=3.2, mos_cq=3.1, alarms=("loss", "one_way_in"))
    good = RtpStats(packets_received=90, mos=4.4, mos_cq=4.3)
    for event in (
        start(0.0, "call-q1"),
        LegStarted(at=1.0, call="call-q1", leg="l1", target="sip:a@example.com"),
        LegEnded(
            at=2.0, call="call-q1", leg="l1", cause="normal", sip_status=200, ended_by="callee", stats=bad
        ),
        CallEndedEvent(at=3.0, call="call-q1", cause="normal", sip_status=200, ended_by="caller", stats=good),
    ):
        kept.bus.emit(event)
    await kept.keeper.flush(5.0)
    async with kept.keeper.store._engine.connect() as connection:
        [whole] = (await connection.execute(select(cdr))).all()
        [leg] = (await connection.execute(select(cdr_leg))).all()
    assert (whole.mos, whole.mos_cq, whole.alarms) == (4.4, 4.3, None)
    assert (leg.mos, leg.mos_cq, leg.alarms) == (3.2, 3.1, "loss one_way_in")
    [record] = await kept.keeper.store.cdrs()
    assert record.legs[0].stats == bad
