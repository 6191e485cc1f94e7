"""Conferences and supervision through the whole switch, proved by tones."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.flow.centre import AGENT_HZ, Centre

from sipcc import Call
from sipcc.call.events import ConferenceJoined, ConferenceLeft, SupervisionChanged
from sipcc.call.rooms import Conferences, Supervision
from sipcc.errors import CallEnded
from sipcc.rtp.tones import measure_tone
from sipcc.testing.phone import Answer

CUSTOMER_HZ, BOSS_HZ = 1000, 440
TALK, BOSS, MEETING = "4008000100", "4008000101", "4008000102"


def hears(party: object, tone: float) -> bool:
    return measure_tone(party.media.heard(0.5), tone) > -40  # type: ignore[attr-defined]


async def test_three_callers_meet_and_one_leaves(tmp_path: Path) -> None:
    conferences = Conferences()

    async def meeting(call: Call) -> None:
        nonlocal conferences
        conferences = call.context.conferences
        stay = await call.join("board")
        await stay.wait_over()

    async with Centre(tmp_path, apps={MEETING: meeting}) as centre:
        callers = []
        for tone in (1000, 440, 620):
            caller = await centre.carrier.call(MEETING)
            await caller.answered()
            caller.media.say_tone(tone)
            callers.append(caller)
        await asyncio.sleep(2)
        assert [[tone for tone in (1000, 440, 620) if hears(caller, tone)] for caller in callers] == [
            [440, 620],
            [1000, 620],
            [1000, 440],
        ]
        await callers[0].hangup()
        await asyncio.sleep(1)
        assert not hears(callers[1], 1000)
        assert hears(callers[1], 620)
        joined, left = centre.told("ConferenceJoined"), centre.told("ConferenceLeft")
        assert all(isinstance(event, ConferenceJoined) for event in joined)
        assert len(joined) == 3
        assert [event.conference for event in left if isinstance(event, ConferenceLeft)] == ["board"]
        assert len(conferences.members("board")) == 2


class Office:
    """A customer who talks to an agent, and a boss who calls in to supervise."""

    def __init__(self) -> None:
        self.customer: Call | None = None
        self.supervision: Supervision | None = None
        self.over = ""

    async def talk(self, call: Call) -> None:
        self.customer = call
        leg = await call.dial("1001")
        await call.bridge(leg)

    async def boss(self, call: Call) -> None:
        assert self.customer is not None
        self.supervision = await call.supervise(self.customer)
        self.over = await self.supervision.wait_over()


async def test_a_supervisor_listens_whispers_barges_in_and_leaves(tmp_path: Path) -> None:
    office = Office()
    async with Centre(tmp_path, apps={TALK: office.talk, BOSS: office.boss}) as centre:
        agent = await centre.phone("1001", Answer(after=0.1))
        customer = await centre.carrier.call(TALK)
        await asyncio.sleep(2)
        boss = await centre.carrier.call(BOSS)
        boss.media.say_tone(BOSS_HZ)
        await asyncio.sleep(2)
        supervision = office.supervision
        assert supervision is not None
        talking = await agent.next_call()
        assert hears(boss, CUSTOMER_HZ)
        assert hears(boss, AGENT_HZ["1001"])
        assert (hears(customer, BOSS_HZ), hears(talking, BOSS_HZ)) == (False, False)
        supervision.role = "whisper"
        await asyncio.sleep(1)
        assert (hears(customer, BOSS_HZ), hears(talking, BOSS_HZ)) == (False, True)
        supervision.role = "barge"
        await asyncio.sleep(1)
        assert (hears(customer, BOSS_HZ), hears(talking, BOSS_HZ)) == (True, True)
        supervision.leave()
        await asyncio.sleep(1)
        assert office.over == "left"
        assert (hears(customer, BOSS_HZ), hears(talking, BOSS_HZ)) == (False, False)
        assert hears(customer, AGENT_HZ["1001"])
        told = [event.role for event in centre.events if isinstance(event, SupervisionChanged)]
        assert told == ["listen", "whisper", "barge", "left"]


async def test_a_supervisor_takes_the_call_over(tmp_path: Path) -> None:
    office = Office()
    async with Centre(tmp_path, apps={TALK: office.talk, BOSS: office.boss}) as centre:
        agent = await centre.phone("1001", Answer(after=0.1))
        customer = await centre.carrier.call(TALK)
        await asyncio.sleep(2)
        boss = await centre.carrier.call(BOSS)
        boss.media.say_tone(BOSS_HZ)
        await asyncio.sleep(1)
        assert office.supervision is not None
        talking = await agent.next_call()
        await office.supervision.take_over()
        await asyncio.sleep(1.5)
        assert await talking.ended() == "peer"
        assert hears(customer, BOSS_HZ)
        assert hears(boss, CUSTOMER_HZ)
        assert customer.media.breaks() == boss.media.breaks() == []
        await boss.hangup()
        assert await customer.ended() == "peer"


async def test_supervision_ends_with_the_call_it_supervises(tmp_path: Path) -> None:
    office = Office()
    async with Centre(tmp_path, apps={TALK: office.talk, BOSS: office.boss}) as centre:
        await centre.phone("1001", Answer(after=0.1))
        customer = await centre.carrier.call(TALK)
        await asyncio.sleep(2)
        await centre.carrier.call(BOSS)
        await asyncio.sleep(1)
        await customer.hangup()
        await asyncio.sleep(1)
        assert office.over == "ended"
        assert office.customer is not None
        assert office.customer.supervisors == []


async def test_a_call_that_is_over_cannot_be_supervised(tmp_path: Path) -> None:
    office = Office()
    refused: list[str] = []

    async def late(call: Call) -> None:
        assert office.customer is not None
        with pytest.raises(CallEnded):
            await call.supervise(office.customer)
        refused.append(call.id)

    async with Centre(tmp_path, apps={TALK: office.talk, BOSS: late}) as centre:
        customer = await centre.carrier.call(TALK)
        await asyncio.sleep(1)
        await customer.hangup()
        await asyncio.sleep(1)
        await centre.carrier.call(BOSS)
        await asyncio.sleep(1)
        assert len(refused) == 1
