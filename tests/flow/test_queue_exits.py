"""Whole calls that leave a queue unserved: each goes on to where the settings say, and none for ever."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.flow.centre import AGENT_HZ, CONFIG, WELCOME_HZ, Centre

from sipcc.acd import QueueJoined, QueueLeft


def config(sales: str, help_: str = "") -> str:
    """The centre's configuration with more settings for its two queues."""
    sales, help_ = (text.replace("{", "{{").replace("}", "}}") for text in (sales, help_))
    return CONFIG.replace('strategy = "linear"', f'strategy = "linear"\n{sales}').replace(
        'strategy = "ring-all"', f'strategy = "ring-all"\n{help_}'
    )


def exits(centre: Centre) -> list[tuple[str, str, str]]:
    return [(event.queue, event.exit, event.to) for event in centre.events if isinstance(event, QueueLeft)]


async def test_a_caller_goes_on_to_the_queue_that_has_an_agent(tmp_path: Path) -> None:
    rules = 'overflow = [{ when = "no_agent", at = 3.0, to = "queue:help" }]'
    async with Centre(tmp_path, config=config(rules, "ring_timeout = 30")) as centre:
        caller = await centre.carrier.call("4008000006")
        await caller.answered()
        await asyncio.sleep(3.5)
        assert exits(centre) == [("sales", "overflowed", "queue:help")]
        await centre.phone("1003")
        await caller.hears(AGENT_HZ["1003"], timeout=30.0)
        assert exits(centre)[1:] == [("help", "answered", "")]
        await caller.hangup()


async def test_after_the_longest_wait_a_caller_goes_on_to_then(tmp_path: Path) -> None:
    async with Centre(tmp_path, config=config('then = "play:welcome"\nno_agent = "leave"')) as centre:
        caller = await centre.carrier.call("4008000006")
        await caller.answered()
        await caller.hears(WELCOME_HZ, timeout=2.0)
        assert exits(centre) == [("sales", "no_agent", "play:welcome")]
        await caller.hangup()


@pytest.mark.parametrize("through", ["queue:help", "menu:main"])
async def test_queues_that_overflow_into_each_other_let_a_caller_go_after_five_hops(
    tmp_path: Path, through: str
) -> None:
    first = f'overflow = [{{ when = "no_agent", to = "{through}" }}]'
    second = 'overflow = [{ when = "no_agent", to = "queue:sales" }]'
    async with Centre(tmp_path, config=config(first, second)) as centre:
        caller = await centre.carrier.call("4008000006")
        await caller.answered()
        await caller.ended(timeout=120.0)
        joined = [event.queue for event in centre.events if isinstance(event, QueueJoined)]
        assert joined == ["sales", "help", "sales", "help", "sales", "help"]
        assert len(exits(centre)) == 6
        assert centre.switch.queueing._hops == {}


@pytest.mark.parametrize("announced", ["false", "true"])
async def test_a_key_leads_to_its_destination_and_is_not_heard_again_there(
    tmp_path: Path, announced: str
) -> None:
    keys = f'keys = {{ "1" = "menu:main" }}\nannounce_position = {announced}'
    async with Centre(tmp_path, config=config(keys)) as centre:
        caller = await centre.carrier.call("4008000006")
        await caller.answered()
        await asyncio.sleep(1.0)
        await caller.press("1")
        await asyncio.sleep(0.2)
        assert exits(centre) == [("sales", "key_exit", "menu:main")]
        await caller.hears(WELCOME_HZ, timeout=1.0)
        await asyncio.sleep(3.0)
        assert len([event for event in centre.events if isinstance(event, QueueJoined)]) == 1
        await caller.hangup()
