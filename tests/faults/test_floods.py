"""Floods at their real rates in virtual time: B01, B02, B03 and B05 of the reliability catalogue.

``SIPCC_FLOOD=30`` makes floods last so many seconds.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.faults.attacker import GUARDED, STRANGER, Attacker
from tests.flow.centre import Centre

from sipcc.sip.settings import GuardSettings
from sipcc.testing.phone import Answer

NEWCOMER = "203.0.113.99"
SECONDS = int(os.environ.get("SIPCC_FLOOD", "3"))
TICKS = 50
"""How often in a second a flood sends what is due."""


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[Centre]:
    async with Centre(tmp_path, extra=GUARDED) as made:
        yield made
        assert made.switch.endpoint.counters["crashes"] == 0


async def one_call(centre: Centre) -> None:
    """The carrier calls the agent."""
    caller = await centre.carrier.call("4008000005")
    await caller.answered(timeout=3.0)
    await caller.hangup()


@pytest.mark.parametrize("method", ["OPTIONS", "REGISTER", "INVITE"])
async def test_b01_b03_twenty_thousand_a_second_of_one_source(centre: Centre, method: str) -> None:
    """It is banned within two seconds, and a phone from elsewhere that nobody knows yet is served."""
    await centre.phone("1001", Answer(after=0.2))
    began = asyncio.get_running_loop().time()
    attacker = Attacker(centre)
    newcomer = Attacker(centre, NEWCOMER)
    number = 0
    for second in range(SECONDS):
        for _ in range(TICKS):
            for _ in range(20_000 // TICKS):
                number += 1
                attacker.throw(attacker.request(method, number=number))
            await asyncio.sleep(1 / TICKS)
        answer = await newcomer.guess("1002", "secret-two-2", second)
        assert answer is not None
        assert answer.status == 200
        await one_call(centre)
    [ban, *_] = centre.told("GuardBanned")
    assert ban.at - began <= 2.0
    assert {event.source for event in centre.told("GuardBanned")} == {STRANGER}  # type: ignore[attr-defined]
    counters = centre.switch.endpoint.counters
    assert counters["blocked"] > 0.9 * number
    assert len(await attacker.answers()) <= GuardSettings().stranger_rate * 3 + 2
    assert len(centre.switch.endpoint.layer) <= 5 * SECONDS + 10  # those of the good ones


async def test_b02_two_hundred_sources_with_fifty_a_second_each(centre: Centre) -> None:
    """Each with another identity each time: trunk and agents do not notice, and nothing is kept."""
    alice = await centre.phone("1001", Answer(after=0.2))
    attackers = [Attacker(centre, f"198.51.{i // 200}.{i % 200}") for i in range(200)]
    methods = ("REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE")
    number = 0
    for _ in range(SECONDS):
        for _ in range(TICKS):
            for attacker in attackers:
                number += 1
                data = attacker.request(methods[number % 4], user=f"u{number}", number=number)
                attacker.throw(data)
            await asyncio.sleep(1 / TICKS)
        assert await alice.register() == 200
        await one_call(centre)
    answered = sum([len(await attacker.answers(0.0)) for attacker in attackers])
    rate = GuardSettings().strangers_rate
    assert answered <= rate * (3 + SECONDS + 3)  # the burst, and the seconds of flood and calls
    assert len(centre.switch.registrar) == 1
    assert len(centre.switch.endpoint.layer) <= 5 * SECONDS + 10  # those of the good ones


async def test_b03_a_burst_just_under_the_limit_is_no_offence(centre: Centre) -> None:
    """A site whose phones all start at once after a power cut; nobody knew it before."""
    site = Attacker(centre, NEWCOMER)
    count = int(GuardSettings().stranger_rate * 3) - 1
    for number in range(count):
        site.throw(site.request("REGISTER", number=number + 1))
    assert len(await site.answers()) == count
    assert centre.told("GuardBanned") == []
    await asyncio.sleep(1.0)
    answer = await site.guess("1001", "secret-one-1", 500)
    assert answer is not None
    assert answer.status == 200


@pytest.mark.parametrize("method", ["INVITE", "REGISTER", "OPTIONS", "BYE", "SUBSCRIBE"])
async def test_b05_who_repeats_in_the_name_of_a_victim_sends_as_much_as_the_victim_gets(
    centre: Centre, method: str
) -> None:
    victim = Attacker(centre, NEWCOMER)
    data = victim.request(method)
    copies = 0
    for pause in (0.5, 1.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0):  # as timers A and E have it
        victim.throw(data)
        copies += 1
        await asyncio.sleep(pause)
    answers = await victim.answers(64.0)
    assert len(answers) <= copies
    assert sum(map(len, answers)) <= 1.3 * victim.sent_bytes
    assert len(centre.switch.endpoint.layer) == 0
