"""Agents of the caller's own region first, on the whole switch."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.flow.centre import AGENT_HZ, CONFIG, Centre

from sipcc.acd import OfferMade

REGIONAL = CONFIG.replace(
    'user = "1002"\nqueues = ["sales"]', 'user = "1002"\nregions = ["上海"]\nqueues = ["sales"]'
).replace("max_wait = 60", "max_wait = 60\nregion_wait = 15")
assert REGIONAL.count("上海") == REGIONAL.count("region_wait") == 1


def offered(centre: Centre) -> list[str]:
    return [event.agent for event in centre.events if isinstance(event, OfferMade)]


@pytest.mark.parametrize(
    ("caller", "user", "agent"), [("02161234567", "1002", "bob"), ("01081234567", "1001", "alice")]
)
async def test_the_region_chooses(tmp_path: Path, caller: str, user: str, agent: str) -> None:
    async with Centre(tmp_path, config=REGIONAL) as centre:
        await centre.phone("1001")
        await centre.phone("1002")
        call = await centre.carrier.call("4008000006", caller=caller)
        await call.answered()
        await call.hears(AGENT_HZ[user])
        await call.hangup()
        assert offered(centre) == [agent]


async def test_a_busy_agent_of_the_region_is_waited_for_and_no_longer(tmp_path: Path) -> None:
    async with Centre(tmp_path, config=REGIONAL) as centre:
        await centre.phone("1001")
        await centre.phone("1002")
        centre.switch.acd.pause("bob", "lunch")
        call = await centre.carrier.call("4008000006", caller="02161234567")
        await call.answered()
        await asyncio.sleep(14.0)
        assert offered(centre) == []
        await call.hears(AGENT_HZ["1001"])
        await call.hangup()
        assert offered(centre) == ["alice"]


async def test_nobody_of_the_region_is_there(tmp_path: Path) -> None:
    async with Centre(tmp_path, config=REGIONAL) as centre:
        await centre.phone("1001")
        call = await centre.carrier.call("4008000006", caller="02161234567")
        await call.answered()
        await call.hears(AGENT_HZ["1001"])
        await call.hangup()
