"""Conversations outlive the process that speaks SIP: it is killed, and its successor goes on with them."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Literal

import pytest
from tests.interop.centre import AGENT, CARRIER, PASSWORDS, WELCOME_HZ, Centre
from tests.interop.family import Family

from sipcc.sip.transport.base import Address
from sipcc.testing.carrier import FakeCarrier
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.phone import Answer, FakePhone

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

CALLER_HZ, AGENT_HZ = 620.0, 1130.0
QUEUE = "4008123450"


class Talk:
    """A caller and an agent who talk through a daemon whose media are carried by a worker."""

    def __init__(self, folder: Path, extra: str = "") -> None:
        self.centre = Centre(folder, workers=1, extra=extra)
        self.family = Family(self.centre.config)
        self.server = Address("127.0.0.1", self.centre.port)
        self.carrier = FakeCarrier("carrier", CARRIER, server=self.server, tone_hz=CALLER_HZ)
        self.phone = FakePhone(
            "1001",
            PASSWORDS["1001"],
            server=self.server,
            host=AGENT,
            domain="127.0.0.1",
            tone_hz=AGENT_HZ,
            behaviour=Answer(after=0.1),
        )

    async def __aenter__(self) -> Talk:
        await self.carrier.start()
        await self.phone.start()
        assert await self.phone.register() == 200
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.phone.stop()
        await self.carrier.stop()
        await asyncio.to_thread(self.centre.stop)

    async def begin(self) -> tuple[FakeCall, FakeCall]:
        caller = await self.carrier.call(QUEUE)
        await caller.answered()
        agent = await self.phone.next_call()
        await agent.answered()
        await self.hear(caller, agent)
        return caller, agent

    async def hear(self, caller: FakeCall, agent: FakeCall) -> None:
        await caller.hears(AGENT_HZ)
        await agent.hears(CALLER_HZ)

    async def kill_control(self) -> None:
        """kill -9, and wait for the one that takes its place."""
        dead = self.family.control
        os.kill(dead, signal.SIGKILL)
        for _ in range(200):
            if self.centre.program.output.count("switch.ready") > 1 and self.family.control not in (0, dead):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"nobody took the place of {dead}:\n{self.centre.program.tail()}")


@pytest.mark.parametrize("who", ["caller", "agent"])
async def test_either_side_ends_a_call_that_outlived_its_process(
    tmp_path: Path, who: Literal["caller", "agent"]
) -> None:
    async with Talk(tmp_path) as talk:
        caller, agent = await talk.begin()
        await talk.kill_control()
        await talk.hear(caller, agent)
        leaves, stays = (caller, agent) if who == "caller" else (agent, caller)
        await leaves.hangup()
        assert await stays.ended(timeout=5) == "peer"
        assert caller.media.breaks() == agent.media.breaks() == []
        assert caller.media.longest_gap() < 0.2
        assert agent.media.longest_gap() < 0.2
        [record] = talk.centre.cdrs(1)
        assert record["cause"] == "normal"
        assert record["ended_by"] == ("caller" if who == "caller" else "us")
        assert record["answered"]


async def test_a_call_that_outlived_its_process_can_be_held_and_taken_back(tmp_path: Path) -> None:
    async with Talk(tmp_path) as talk:
        caller, agent = await talk.begin()
        await talk.kill_control()
        assert await agent.hold() == 200
        await asyncio.sleep(0.5)
        assert round(AGENT_HZ) not in caller.tones(0.3)  # music, from the new process
        assert caller.tones(0.3)
        assert await agent.resume() == 200
        await talk.hear(caller, agent)
        await caller.hangup()
        assert await agent.ended(timeout=5) == "peer"


async def test_a_call_outlives_its_process_twice_and_is_recorded_in_one_piece(tmp_path: Path) -> None:
    async with Talk(tmp_path) as talk:
        caller, agent = await talk.begin()
        for _ in range(2):
            await talk.kill_control()
            await talk.hear(caller, agent)
        await caller.hangup()
        assert await agent.ended(timeout=5) == "peer"
        [record] = talk.centre.cdrs(1)
        [recording] = record["recordings"]
        seconds = recording["seconds"]
        assert seconds > 1.0


async def test_who_waits_in_a_queue_waits_on_and_is_served(tmp_path: Path) -> None:
    async with Talk(tmp_path) as talk:
        assert await talk.phone.unregister() == 200
        caller = await talk.carrier.call(QUEUE)
        await caller.answered()
        await asyncio.sleep(0.5)
        await talk.kill_control()
        await asyncio.sleep(0.5)
        assert caller.tones(0.3)  # music, from the new process
        assert await talk.phone.register() == 200
        agent = await talk.phone.next_call()
        await agent.answered()
        await talk.hear(caller, agent)
        assert caller.media.breaks() == []
        await agent.hangup()
        assert await caller.ended(timeout=5) == "peer"
        [record] = talk.centre.cdrs(1)
        assert record["cause"] == "normal"
        assert talk.centre.exits() == ["answered"]  # one entry, over the kill


async def test_who_is_in_a_menu_begins_it_again(tmp_path: Path) -> None:
    async with Talk(tmp_path) as talk:
        caller = await talk.carrier.call("4008123456")
        await caller.answered()
        await caller.hears(WELCOME_HZ)
        await talk.kill_control()
        await caller.hears(WELCOME_HZ)
        await caller.press("1")
        agent = await talk.phone.next_call()
        await agent.answered()
        await talk.hear(caller, agent)
        await caller.hangup()
        assert await agent.ended(timeout=5) == "peer"


FLOW = """
[[numbers]]
number = "4008123457"
to = "flow:shop"
[[flows]]
name = "shop"
fallback = "hangup"
[flows.nodes.first]
type = "menu"
prompt = "hello"
options = { "1" = "second" }
into = "chosen"
[flows.nodes.second]
type = "menu"
prompt = "hello"
options = { "5" = "where" }
[flows.nodes.where]
type = "switch"
when = [["chosen == 1", "queue:sales"]]
else = "hangup"
"""


async def test_who_is_in_a_flow_is_asked_the_same_again(tmp_path: Path) -> None:
    """What was answered before is still known: key 5 is none of the first question's."""
    async with Talk(tmp_path, FLOW) as talk:
        caller = await talk.carrier.call("4008123457")
        await caller.answered()
        await caller.hears(WELCOME_HZ)
        await caller.press("1")
        await asyncio.sleep(0.5)
        await talk.kill_control()
        await caller.hears(WELCOME_HZ)
        await caller.press("5")
        agent = await talk.phone.next_call()
        await agent.answered()
        await talk.hear(caller, agent)
        await caller.hangup()
        assert await agent.ended(timeout=5) == "peer"
