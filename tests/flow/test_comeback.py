"""A browser that is reloaded in a talk gets the same call back; its caller hears no more than a gap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, CONFIG, Centre

from sipcc.acd import QueueLeft
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.phone import Answer, FakePhone, Ignore

QUEUE = "4008000006"


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[Centre]:
    listen = CONFIG.replace('"tcp:127.0.0.1:5060"]', '"tcp:127.0.0.1:5060", "ws:127.0.0.1:5066"]')
    async with Centre(tmp_path, config=listen) as centre:
        centre.server = centre.server._replace(port=5066)
        yield centre


async def talking(centre: Centre) -> tuple[FakeCall, FakePhone]:
    page = await centre.phone("1001", transport="ws")
    caller = await centre.carrier.call(QUEUE)
    talk = await page.next_call()
    await talk.hears(CALLER_HZ)
    await caller.hears(AGENT_HZ["1001"])
    return caller, page


async def reloaded(centre: Centre, *, after: float, answers: bool = True) -> FakePhone:
    """The page comes up again after so many seconds."""
    await asyncio.sleep(after)
    return await centre.phone("1001", Answer(after=0.2) if answers else Ignore(), transport="ws")


@pytest.mark.parametrize("after", [0.3, 1.0, 4.0])
async def test_the_page_that_registers_again_has_the_call_again(centre: Centre, after: float) -> None:
    caller, page = await talking(centre)
    await page.vanish()
    again = await reloaded(centre, after=after)
    talk = await again.next_call(timeout=2.0)
    await talk.hears(CALLER_HZ, timeout=1.0)
    await caller.hears(AGENT_HZ["1001"], timeout=1.0)
    await asyncio.sleep(30.0)  # the old leg is not missed
    assert centre.carrier.seen("BYE", "in") == []
    assert [event.exit for event in centre.events if isinstance(event, QueueLeft)] == ["answered"]
    assert centre.switch.acd.floor.staff.get("alice").state == "talking"
    await talk.hangup()
    assert await caller.ended() == "peer"
    await asyncio.sleep(1.0)
    assert caller.media.breaks() == []
    assert centre.switch.acd.floor.staff.get("alice").state == "wrap_up"
    assert centre.switch.acd.invariants() == []
    assert centre.switch.keeper.outcomes.violation_count == 0
    assert centre.switch.engine.open_ports == 0


async def test_it_is_asked_to_answer_by_itself(centre: Centre) -> None:
    caller, page = await talking(centre)
    await page.vanish()
    again = await reloaded(centre, after=1.0)
    await again.next_call(timeout=2.0)
    [invite] = again.seen("INVITE", "in")
    assert b"answer-after=0" in invite.data
    await caller.hangup()


async def test_a_page_that_has_only_lost_its_connection_keeps_its_leg(centre: Centre) -> None:
    caller, page = await talking(centre)
    flow = page.endpoint.manager.open_flow("ws", centre.server)
    assert flow is not None
    flow.close()
    await asyncio.sleep(0.5)
    assert await page.register() == 200
    await asyncio.sleep(5.0)
    assert len(page.calls) == 1
    await caller.hears(AGENT_HZ["1001"])
    await caller.hangup()


async def test_a_page_that_does_not_answer_leaves_the_caller_to_the_next_agent(centre: Centre) -> None:
    caller, page = await talking(centre)
    await page.vanish()
    await reloaded(centre, after=2.0, answers=False)
    centre.server = centre.server._replace(port=5060)
    bob = await centre.phone("1002")
    talk = await bob.next_call(timeout=60.0)
    await talk.hears(CALLER_HZ)
    assert [event.exit for event in centre.events if isinstance(event, QueueLeft)] == ["answered"] * 2
    await caller.hangup()
    await asyncio.sleep(20.0)
    assert centre.switch.acd.invariants() == []
