"""The flow in Python of the examples, called."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.examples.stage import CONFIG, PROMPT_HZ, Stage, load_example, write_world
from tests.examples.test_bank import QuickVoice

from sipcc.ivr.events import NodeEntered
from sipcc.ivr.flows.load import NODES

NUMBER = '\n[[numbers]]\nnumber = "4008001900"\nto = "app:orders"\n'


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_world(tmp_path, CONFIG + NUMBER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def test_a_caller_hears_of_its_order_and_comes_to_a_person() -> None:
    app = load_example("21_flow_in_python").app
    voice = QuickVoice()
    app.use(voice=voice)
    async with Stage(app) as stage:
        bob = await stage.phone("1002")
        caller = await stage.carrier.call("4008001900")
        await caller.answered()
        await caller.hears(PROMPT_HZ["welcome"])
        await caller.press("9999")
        await asyncio.sleep(0.3)
        await caller.press("1001")
        await asyncio.sleep(1)
        await caller.press("1")
        talk = await bob.next_call()
        await talk.answered()
        await caller.hangup()
        kinds = [event.kind for event in stage.events if isinstance(event, NodeEntered)]
        assert kinds == ["say", "gather", "lookup", "say", "gather", "lookup", "say", "menu"]
        assert set(kinds) <= NODES.keys()
        assert "Your order is on its way. Days to go:" in voice.said


async def test_whoever_types_nothing_comes_to_a_person_too() -> None:
    app = load_example("21_flow_in_python").app
    app.use(voice=QuickVoice())
    async with Stage(app) as stage:
        bob = await stage.phone("1002")
        caller = await stage.carrier.call("4008001900")
        talk = await bob.next_call(timeout=40)
        await talk.answered()
        await caller.hangup()
