"""A caller books a callback on a whole centre in memory, and is called back over a trunk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.flow.centre import AGENT_HZ, CONFIG, Centre

from sipcc.acd.events import CallbackBooked, CallbackEnded, CallbackTried, QueueJoined, QueueLeft
from sipcc.records.report import ReportFold
from sipcc.testing.phone import Answer, Behaviour, Decline, FakePhone, Ignore

CELLS = "127.0.0.9"
CUSTOMER_HZ = 2200.0

RULES = """
[toll]
allow = ["1380*"]
[callbacks]
route = "cells"
caller_id = "4008123456"
retries = 1
pause = 30
ring_timeout = 20
[[trunks]]
name = "cells"
addresses = ["127.0.0.9"]
"""

SALES = 'strategy = "linear"\nkeys = {{ "1" = "callback" }}'


@asynccontextmanager
async def office(
    folder: Path, *behaviours: Behaviour, rules: str = RULES
) -> AsyncIterator[tuple[Centre, FakePhone]]:
    """A centre that calls back, and the customer's phone."""
    text = CONFIG.replace('strategy = "linear"', SALES)
    async with Centre(folder, config=text, extra=rules) as centre:
        customer = await centre.outside("customer", CELLS, tone_hz=CUSTOMER_HZ)
        customer.behaviours[:] = behaviours or [Answer(after=4.0)]
        try:
            yield centre, customer
        finally:
            await customer.stop()


def of(centre: Centre, kind: type) -> list[Any]:
    return [event for event in centre.events if type(event) is kind]


async def books(centre: Centre, number: str = "13800138000") -> None:
    caller = await centre.carrier.call("4008000006", caller=number)
    await caller.answered()
    await asyncio.sleep(3.0)
    await caller.press("1")
    await caller.ended(timeout=20.0)


async def test_who_booked_is_called_back_when_an_agent_has_picked_up(tmp_path: Path) -> None:
    async with office(tmp_path) as (centre, customer):
        await books(centre)
        (booked,) = of(centre, CallbackBooked)
        assert (booked.number, booked.queue) == ("13800138000", "sales")
        assert customer.calls == []
        phone = await centre.phone("1001")
        agent = await phone.next_call()
        assert agent.request is not None
        assert agent.request.from_.uri.user == "13800138000"
        assert customer.calls == []
        rung = await customer.next_call()
        assert rung.request is not None
        assert (rung.request.uri.user, rung.request.from_.uri.user) == ("13800138000", "4008123456")
        await rung.hears(AGENT_HZ["1001"], timeout=8.0)
        await agent.hears(CUSTOMER_HZ, timeout=5.0)
        await rung.hangup()
        await agent.ended(timeout=5.0)
        await asyncio.sleep(1.0)
        assert [event.outcome for event in of(centre, CallbackEnded)] == ["served"]
        left = [(event.exit, event.agent) for event in of(centre, QueueLeft)]
        assert left == [("callback_booked", None), ("answered", "alice")]
        assert len(centre.switch.calls) == 0
        assert centre.switch.acd.invariants() == []
        await centre.switch.keeper.flush()
        records = await centre.switch.keeper.store.cdrs(limit=10)
        back = next(record for record in records if record.called == "callback:sales")
        assert (back.caller, back.queues, back.cause) == ("13800138000", ("sales",), "normal")
        assert [leg.agent for leg in back.legs if leg.agent] == ["alice"]
        report = ReportFold("trunk", step=900.0)
        for event in centre.events:
            report.apply(event, event.at)
        rows = {key: cell for (_, key), cell in report.cells(since=0.0, until=1e9, now=1e9).items()}
        assert {key: (cell.attempts, cell.figures.callbacks) for key, cell in rows.items()} == {
            "carrier": (1, 0),
            "cells": (0, 1),
        }
        assert rows["cells"].figures.callbacks_served == 1


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [(Decline(486), "busy"), (Ignore(), "no_answer"), (Decline(603), "declined")],
)
async def test_who_is_not_reached_is_called_again_and_then_no_more(
    tmp_path: Path, behaviour: Behaviour, outcome: str
) -> None:
    async with office(tmp_path, behaviour) as (centre, customer):
        await books(centre)
        await centre.phone("1001")
        await asyncio.sleep(150.0)
        assert [event.outcome for event in of(centre, CallbackTried)] == [outcome, outcome]
        assert [event.outcome for event in of(centre, CallbackEnded)] == ["unreached"]
        assert [event.exit for event in of(centre, QueueLeft)] == ["callback_booked", "failed", "failed"]
        assert len(customer.calls) == 2
        assert centre.switch.acd.floor.staff.agents["alice"].state == "ready"
        assert len(centre.switch.calls) == 0


async def test_an_agent_who_hangs_up_while_the_customer_rings_ends_that_call(tmp_path: Path) -> None:
    async with office(tmp_path, Ignore()) as (centre, customer):
        await books(centre)
        phone = await centre.phone("1001")
        agent = await phone.next_call()
        rung = await customer.next_call()
        await agent.hangup()
        await rung.ended(timeout=5.0)
        await asyncio.sleep(1.0)
        assert [event.outcome for event in of(centre, CallbackTried)] == ["failed"]
        assert len(centre.switch.calls) == 0
        assert centre.switch.acd.invariants() == []


async def test_a_callback_is_served_before_who_came_later(tmp_path: Path) -> None:
    async with office(tmp_path, Answer(after=1.0)) as (centre, _):
        await books(centre)
        later = await centre.carrier.call("4008000006", caller="13800138001")
        await later.answered()
        await centre.phone("1001")
        await asyncio.sleep(6.0)
        (turn,) = [event for event in of(centre, QueueJoined) if event.callback]
        assert turn.caller == "13800138000"
        assert [event.outcome for event in of(centre, CallbackTried)] == ["answered"]
        await later.hangup()


async def test_a_drain_ends_calls_back_that_nobody_has_answered(tmp_path: Path) -> None:
    async with office(tmp_path, Ignore()) as (centre, customer):
        await books(centre)
        await centre.phone("1001")
        await customer.next_call()
        assert await centre.switch.drain(1.0) == 1
        assert len(centre.switch.calls) == 0


async def test_nobody_is_called_outside_the_hours_or_who_must_not_be(tmp_path: Path) -> None:
    rules = RULES.replace("[[trunks]]", 'hours = "never"\ndeny = ["13800138009"]\n[[trunks]]')
    rules += '[[hours]]\nname = "never"\ntimezone = "Asia/Shanghai"\nweek = {{}}\n'
    async with office(tmp_path, rules=rules.replace("{{}}", "{}")) as (centre, customer):
        await books(centre)
        denied = await centre.carrier.call("4008000006", caller="13800138009")
        await denied.answered()
        await asyncio.sleep(1.0)
        await denied.press("1")
        await asyncio.sleep(1.0)
        assert len(of(centre, CallbackBooked)) == 1
        await denied.hangup()
        await centre.phone("1001")
        await asyncio.sleep(200.0)
        assert customer.calls == []
        assert len(centre.switch.acd.callbacks()) == 1


async def test_a_customer_who_is_still_on_the_line_is_rung_when_it_has_hung_up(tmp_path: Path) -> None:
    async with office(tmp_path, Answer(after=1.0)) as (centre, customer):
        phone = await centre.phone("1001", Answer(after=0.1))
        centre.switch.acd.pause("alice")
        caller = await centre.carrier.call("4008000006")
        await caller.answered()
        await asyncio.sleep(2.0)
        await caller.press("1")
        centre.switch.acd.ready("alice")
        await phone.next_call()
        rung = await customer.next_call()
        assert caller.state == "ended"
        assert rung.moments[0].at >= caller.moments[-1].at
        await rung.hears(AGENT_HZ["1001"], timeout=8.0)
        await rung.hangup()


async def test_callbacks_outlive_the_process(tmp_path: Path) -> None:
    rules = RULES + f'[daemon]\njournal = "{tmp_path}/sipcc.calls"\n'
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
    async with office(tmp_path / "first", rules=rules) as (centre, _):
        await books(centre)
        (before,) = centre.switch.acd.callbacks()
    async with office(tmp_path / "second", rules=rules) as (centre, customer):
        (after,) = centre.switch.acd.callbacks()
        assert (after.id, after.number, after.queue) == (before.id, before.number, before.queue)
        await centre.phone("1001")
        rung = await customer.next_call()
        await rung.hears(AGENT_HZ["1001"], timeout=8.0)
        await rung.hangup()
        await asyncio.sleep(1.0)
        assert centre.switch.acd.callbacks() == []


async def test_a_drain_calls_no_more_customers_and_keeps_who_is_left(tmp_path: Path) -> None:
    async with office(tmp_path, Answer(after=1.0)) as (centre, customer):
        await books(centre)
        await books(centre, "13800138001")
        await centre.phone("1001")
        rung = await customer.next_call()
        await rung.hears(AGENT_HZ["1001"], timeout=8.0)
        drained = asyncio.ensure_future(centre.switch.drain(60.0))
        await asyncio.sleep(1.0)
        assert not drained.done()
        await rung.hangup()
        assert await drained == 0
        assert len(customer.calls) == 1
        assert [one.number for one in centre.switch.acd.callbacks()] == ["13800138001"]


async def test_an_agent_transfers_the_customer(tmp_path: Path) -> None:
    async with office(tmp_path, Answer(after=1.0)) as (centre, customer):
        await books(centre)
        phone = await centre.phone("1001")
        agent = await phone.next_call()
        rung = await customer.next_call()
        await rung.hears(AGENT_HZ["1001"], timeout=8.0)
        await centre.phone("1003")
        assert await agent.refer("sip:1003@pbx.example.com") == 202
        await rung.hears(AGENT_HZ["1003"], timeout=8.0)
        await asyncio.sleep(3.0)
        await rung.hears(AGENT_HZ["1003"], timeout=2.0)
        await rung.hangup()
        await asyncio.sleep(1.0)
        assert len(centre.switch.calls) == 0
        assert centre.switch.acd.invariants() == []
