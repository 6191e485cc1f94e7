"""The examples of bots: each is started, called and listened to."""

import asyncio
from pathlib import Path

import pytest
from tests.examples.stage import AGENT_HZ, Stage, load_example, write_world

from sipcc.ivr.events import ContextGiven


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_world(tmp_path)
    monkeypatch.chdir(tmp_path)


async def test_20_echo_bot(capsys: pytest.CaptureFixture[str]) -> None:
    async with Stage(load_example("20_echo_bot").app) as stage:
        await stage.phone("1002")
        caller = await (await stage.phone("1001")).call("620")
        await caller.hears(AGENT_HZ["1001"])
        await caller.press("1")
        await caller.hears_silence()
        await caller.press("1")
        await caller.hears(AGENT_HZ["1001"])
        await caller.press("0")
        await caller.hears(AGENT_HZ["1002"])
        await caller.hangup()
        await asyncio.sleep(1)
        [given] = stage.told("ContextGiven")
    assert isinstance(given, ContextGiven)
    assert given.context == {"echo": "enough", "transcript": "wants a person"}
    assert "the caller has heard" in capsys.readouterr().out
