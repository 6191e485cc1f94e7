"""The example that watches a lamp, beside a switch whose phone places a call."""

import asyncio
from pathlib import Path

import pytest
from tests.examples.stage import PASSWORDS, SERVER, Stage, load_example, write_world

from sipcc.sip import Credentials


async def test_11_watch_a_lamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_world(tmp_path)
    monkeypatch.chdir(tmp_path)
    example = load_example("11_watch_a_lamp")
    async with Stage(load_example("02_answer_and_echo").app) as stage:
        phone = await stage.phone("1001")
        endpoint = example.make_endpoint("127.0.0.7", network=stage.network.host("127.0.0.7"))
        await endpoint.start()
        lamp = example.Lamp(endpoint, SERVER, "pbx.example.com", Credentials("1002", PASSWORDS["1002"]))
        lines = lamp.changes("1001")
        assert await anext(lines) == "1001: idle"
        await asyncio.sleep(2)
        call = await phone.call("602")
        assert await anext(lines) == "1001: trying to sip:602@pbx.example.com"
        await call.answered()
        assert await anext(lines) == "1001: confirmed to sip:602@pbx.example.com"
        await call.hangup()
        assert await anext(lines) == "1001: idle"
        await lines.aclose()
        stranger = example.Lamp(endpoint, SERVER, "pbx.example.com", Credentials("1002", "guessed-wrong"))
        assert [line async for line in stranger.changes("1001")] == ["1001: over, 401"]
        await endpoint.stop()
