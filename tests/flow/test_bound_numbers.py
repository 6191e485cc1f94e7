"""Fifty outside numbers bound to one queue: rung in order, in turn, at random, all at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.flow.centre import CALLER_HZ, CONFIG, Centre

from sipcc.testing.fakecall import FakeCall
from sipcc.testing.phone import Answer, Behaviour, Decline, FakePhone, Ignore

CELLS = "127.0.0.9"
CELL_HZ = 2200.0
COUNT = 50
NUMBERS = [f"138001380{index:02d}" for index in range(COUNT)]


def field(strategy: str) -> str:
    bound = ", ".join(f'"cells/{number}"' for number in NUMBERS)
    return f"""
[[trunks]]
name = "cells"
addresses = ["{CELLS}"]
[[queues]]
name = "field"
strategy = "{strategy}"
ring_timeout = 5
max_wait = 0
busy_backoff = 600
max_misses = 0
bound = [{bound}]
[[numbers]]
number = "4008000020"
to = "queue:field"
"""


@asynccontextmanager
async def cells(
    tmp_path: Path, strategy: str, *behaviours: Behaviour
) -> AsyncIterator[tuple[Centre, FakePhone]]:
    """A centre with the fifty, and the network that carries all their calls."""
    async with Centre(tmp_path, config=CONFIG, extra=field(strategy)) as centre:
        phones = await centre.outside("cells", CELLS, tone_hz=CELL_HZ)
        phones.behaviours[:] = behaviours
        try:
            yield centre, phones
        finally:
            await phones.stop()


def rung(phones: FakePhone) -> list[str]:
    """The numbers that were rung, in their order."""
    return [call.request.uri.user for call in phones.calls if call.request is not None]


async def test_all_are_rung_in_the_order_of_the_setting(tmp_path: Path) -> None:
    async with cells(tmp_path, "linear", *[Decline(486)] * (COUNT - 1), Answer(1.0)) as (centre, phones):
        caller = await centre.carrier.call("4008000020")
        await caller.hears(CELL_HZ, 30.0)
        assert rung(phones) == NUMBERS
        await phones.calls[-1].hears(CALLER_HZ)
        await caller.hangup()


async def test_each_gets_its_turn(tmp_path: Path) -> None:
    async with cells(tmp_path, "round-robin", Answer(0.1)) as (centre, phones):
        for _ in range(COUNT + 1):
            caller = await centre.carrier.call("4008000020")
            await (await phones.next_call()).answered()
            await caller.hangup()
            await asyncio.sleep(1.0)
        assert rung(phones) == [*NUMBERS, NUMBERS[0]]


async def test_chance_leaves_out_nobody(tmp_path: Path) -> None:
    async with cells(tmp_path, "random", *[Decline(486)] * (COUNT - 1), Answer(1.0)) as (centre, phones):
        caller = await centre.carrier.call("4008000020")
        await caller.hears(CELL_HZ, 30.0)
        assert sorted(rung(phones)) == NUMBERS != rung(phones)
        await caller.hangup()


@pytest.mark.parametrize("together", [1, 2, COUNT])
async def test_all_at_once_and_one_gets_the_caller(tmp_path: Path, together: int) -> None:
    """`together` of them answer in the same instant; the others ring on until they are called off."""
    answers = [Answer(2.0)] * together + [Ignore()] * (COUNT - together)
    async with cells(tmp_path, "ring-all", *answers, Ignore()) as (centre, phones):
        caller = await centre.carrier.call("4008000020")
        await caller.hears(CELL_HZ, 10.0)
        begin = centre.switch.clock.now()
        await asyncio.sleep(0.3)
        assert sorted(rung(phones)) == NUMBERS
        bridged = [call for call in phones.calls if call.state == "answered"]
        assert len(bridged) == 1
        await bridged[0].hears(CALLER_HZ)
        answered = _moment(bridged[0], "answered")
        assert all(_moment(call, "ended") - answered <= 0.2 for call in phones.calls if call not in bridged)
        assert answered <= begin
        await caller.hangup()
        await bridged[0].ended()
        assert centre.switch.acd.invariants() == []


def _moment(call: FakeCall, what: str) -> float:
    return next(moment.at for moment in call.moments if moment.what == what)
