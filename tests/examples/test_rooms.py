"""The examples with more than two in a talk, on a network in memory."""

import asyncio
from pathlib import Path

import pytest
from tests.examples.stage import AGENT_HZ, CALLER_HZ, PROMPT_HZ, Stage, load_example, write_world

from sipcc.rtp.tones import measure_tone
from sipcc.testing.fakecall import FakeCall


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_world(tmp_path)
    monkeypatch.chdir(tmp_path)


def heard(party: FakeCall, *tones: float) -> list[bool]:
    """Which of these tones a party has heard for the last half second."""
    return [measure_tone(party.media.heard(0.5), tone) > -40 for tone in tones]


async def test_15_conference(capsys: pytest.CaptureFixture[str]) -> None:
    async with Stage(load_example("15_conference").app) as stage:
        members = []
        for tone in (1000, 440, 620):
            caller = await stage.carrier.call("615")
            await caller.hears(PROMPT_HZ["enter_number"])
            caller.media.say_tone(tone)
            await caller.press("123#")
            members.append(caller)
        await asyncio.sleep(4)
        one, two, three = members
        assert [heard(each, 1000, 440, 620) for each in members] == [
            [False, True, True],
            [True, False, True],
            [True, True, False],
        ]
        await one.press("6")
        await asyncio.sleep(1)
        assert heard(two, 1000, 620) == heard(three, 1000, 440) == [False, True]
        await one.press("6")
        await asyncio.sleep(1)
        assert heard(two, 1000, 620) == [True, True]
        await two.press("#")
        await two.hears(PROMPT_HZ["thank_you"])
        await two.ended()
        assert heard(three, 1000, 440) == [True, False]
    assert "is in room 123 with 2 others" in capsys.readouterr().out


async def test_15_a_silent_caller_is_let_go() -> None:
    async with Stage(load_example("15_conference").app) as stage:
        caller = await stage.carrier.call("615")
        assert await caller.ended(timeout=60) == "peer"


async def test_16_supervisor(capsys: pytest.CaptureFixture[str]) -> None:
    boss_hz = AGENT_HZ["1002"]
    async with Stage(load_example("16_supervisor").app) as stage:
        phone, boss = await stage.phone("1001"), await stage.phone("1002")
        customer = await stage.carrier.call("4008001234")
        agent = await phone.next_call()
        await agent.hears(CALLER_HZ)
        supervisor = await boss.call("616")
        await asyncio.sleep(3)
        assert heard(supervisor, CALLER_HZ, AGENT_HZ["1001"]) == [True, True]
        for key, heard_by in (("", (0, 0)), ("2", (0, 1)), ("3", (1, 1)), ("1", (0, 0))):
            await supervisor.press(key)
            await asyncio.sleep(1)
            assert (*heard(customer, boss_hz), *heard(agent, boss_hz)) == heard_by
        await supervisor.press("4")
        assert await agent.ended() == "peer"
        await customer.hears(boss_hz)
        await supervisor.hears(CALLER_HZ)
        await customer.hangup()
        await supervisor.ended()
    assert "Traceback" not in capsys.readouterr().out


async def test_16_the_supervision_ends_with_the_talk(capsys: pytest.CaptureFixture[str]) -> None:
    async with Stage(load_example("16_supervisor").app) as stage:
        phone, boss = await stage.phone("1001"), await stage.phone("1002")
        nobody = await boss.call("616")
        await nobody.ended(timeout=30)
        customer = await stage.carrier.call("4008001234")
        agent = await phone.next_call()
        await agent.hears(CALLER_HZ)
        supervisor = await boss.call("616")
        await asyncio.sleep(2)
        assert heard(supervisor, CALLER_HZ, AGENT_HZ["1001"]) == [True, True]
        await customer.hangup()
        await supervisor.hears(PROMPT_HZ["thank_you"])
        await supervisor.ended()
    assert "the supervision has ended" in capsys.readouterr().out
