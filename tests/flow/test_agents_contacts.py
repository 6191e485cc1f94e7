"""Agents at several places, and mobile numbers that must press a key before the call is theirs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, CONFIG, MUSIC_HZ, WELCOME_HZ, Centre

from sipcc.testing.phone import Answer, Behaviour, Decline, FakePhone, Ignore

CELLS = "127.0.0.9"
MOBILE_HZ = 2200.0

SHOP = """
[[trunks]]
name = "cells"
addresses = ["127.0.0.9"]
[[queues]]
name = "shop"
ring_timeout = 10
wrap_up = 0
max_misses = 0
[[numbers]]
number = "4008000020"
to = "queue:shop"
[[agents]]
name = "dora"
queues = ["shop"]
"""


@asynccontextmanager
async def shop(
    tmp_path: Path, agent: str, *behaviours: Behaviour, more: str = ""
) -> AsyncIterator[tuple[Centre, FakePhone]]:
    """A centre whose agent dora has `agent` as settings, and the mobile that is rung over a trunk."""
    async with Centre(tmp_path, config=CONFIG, extra=SHOP + agent + more) as centre:
        mobile = await centre.outside("mobile", CELLS, tone_hz=MOBILE_HZ)
        mobile.behaviours[:] = behaviours or [Answer(after=1.0)]
        try:
            yield centre, mobile
        finally:
            await mobile.stop()


def outcomes(centre: Centre) -> list[tuple[str, str]]:
    told: list[Any] = centre.told("OfferEnded")
    return [(event.agent, event.outcome) for event in told]


async def first_outcome(centre: Centre) -> tuple[str, str]:
    """The end of the first offer, which may still be on its way."""
    over = asyncio.Event()
    centre.switch.bus.on_all(lambda event: over.set() if type(event).__name__ == "OfferEnded" else None)
    if not outcomes(centre):
        await over.wait()
    return outcomes(centre)[0]


KEYED = 'uri = "cells/13800138000"\naccept_key = "1"\naccept_prompt = "welcome"\naccept_timeout = 6\n'


async def test_a_mobile_is_bridged_after_its_key(tmp_path: Path) -> None:
    async with shop(tmp_path, KEYED) as (centre, mobile):
        caller = await centre.carrier.call("4008000020")
        asked = await mobile.next_call()
        await asked.answered()
        await asked.hears(WELCOME_HZ)
        await caller.hears(MUSIC_HZ)
        assert centre.switch.acd.floor.staff.get("dora").state.value == "ringing"
        await asked.press("21")
        await caller.hears(MOBILE_HZ)
        await asked.hears(CALLER_HZ)
        assert outcomes(centre) == [("dora", "answered")]
        await caller.hangup()
        await asked.ended()
        assert centre.switch.acd.invariants() == []


async def test_a_voicemail_gets_no_caller(tmp_path: Path) -> None:
    async with shop(tmp_path, KEYED, Answer(after=1.0), Ignore()) as (centre, mobile):
        caller = await centre.carrier.call("4008000020")
        voicemail = await mobile.next_call()
        await voicemail.answered()
        assert await voicemail.ended(timeout=8.0) == "peer"
        await mobile.next_call()  # the next offer: the caller has stayed in line
        assert outcomes(centre)[0] == ("dora", "no_answer")
        await caller.hears(MUSIC_HZ)
        await caller.hangup()


@pytest.mark.parametrize("who", ["party", "caller"])
async def test_somebody_leaves_while_the_key_is_asked_for(tmp_path: Path, who: str) -> None:
    async with shop(tmp_path, KEYED, Answer(after=1.0), Ignore()) as (centre, mobile):
        caller = await centre.carrier.call("4008000020")
        asked = await mobile.next_call()
        await asked.answered()
        await asked.hears(WELCOME_HZ)
        if who == "party":
            await asked.hangup()
            await mobile.next_call()
            assert outcomes(centre)[0] == ("dora", "no_answer")
            await caller.hangup()
        else:
            await caller.hangup()
            await asked.ended()
            assert await first_outcome(centre) == ("dora", "cancelled")
        assert centre.switch.acd.invariants() == []


async def test_a_phone_and_a_mobile_one_after_the_other(tmp_path: Path) -> None:
    agent = 'user = "1001"\ncontacts = [{ to = "cells/13800138000", after = 4 }]\n'
    async with shop(tmp_path, agent) as (centre, mobile):
        softphone = await centre.phone("1001", Ignore())
        caller = await centre.carrier.call("4008000020")
        at_desk = await softphone.next_call()
        await at_desk.ringing()
        assert mobile.calls == []
        away = await mobile.next_call()
        await caller.hears(MOBILE_HZ)
        assert await at_desk.ended() == "cancelled"
        assert outcomes(centre) == [("dora", "answered")]
        await away.hangup()


@pytest.mark.parametrize(
    ("desk", "cell", "outcome"),
    [
        (None, Answer(after=0.5), "answered"),  # the desk is not registered: the mobile rings at once
        (Decline(486), Answer(after=0.5), "answered"),
        (Decline(486), Decline(404), "busy"),
        (Decline(603, after=3.0), Decline(486), "declined"),
        (None, Decline(404), "no_answer"),  # it rang first
    ],
)
async def test_the_outcome_of_several_places(
    tmp_path: Path, desk: Behaviour | None, cell: Behaviour, outcome: str
) -> None:
    agent = 'user = "1001"\ncontacts = [{ to = "cells/13800138000", after = 2 }]\n'
    async with shop(tmp_path, agent, cell) as (centre, mobile):
        if desk is not None:
            await centre.phone("1001", desk)
        caller = await centre.carrier.call("4008000020")
        await mobile.next_call()
        assert await first_outcome(centre) == ("dora", outcome)
        await caller.hears(MOBILE_HZ if outcome == "answered" else MUSIC_HZ)
        await caller.hangup()


async def test_two_phones_answer_at_once_and_one_has_the_call(tmp_path: Path) -> None:
    agent = 'user = "1001"\ncontacts = [{ to = "1002" }]\n'
    async with shop(tmp_path, agent) as (centre, _):
        first = await centre.phone("1001", Answer(after=1.0))
        second = await centre.phone("1002", Answer(after=1.0))
        caller = await centre.carrier.call("4008000020")
        legs = [await first.next_call(), await second.next_call()]
        heard = {AGENT_HZ["1001"]: legs[0], AGENT_HZ["1002"]: legs[1]}
        await caller.answered()
        over = [leg for leg in legs if leg is not None]
        for tone_hz, leg in heard.items():
            try:
                await caller.hears(tone_hz, timeout=3.0)
            except AssertionError:
                assert await leg.ended() in {"cancelled", "peer"}
                over.remove(leg)
        assert len(over) == 1
        await caller.hangup()
        await over[0].ended()


async def test_an_agent_with_two_phones_is_there_while_one_is(tmp_path: Path) -> None:
    agent = 'user = "1001"\ncontacts = [{ to = "1002" }]\n'
    async with shop(tmp_path, agent) as (centre, _):
        first, second = await centre.phone("1001"), await centre.phone("1002")
        staff = centre.switch.acd.floor.staff
        assert await first.unregister() == 200
        assert staff.get("dora").state.value == "ready"
        assert await second.unregister() == 200
        assert staff.get("dora").state.value == "offline"
