"""VoiceXML on a real switch: keys over RTP, prompts recognised by their tones, transfers, and failures."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, WELCOME_HZ, Centre
from tests.flow.test_no_garbage import no_collector

from sipcc.call.events import Decision
from sipcc.testing.audio import tone, write_wav
from sipcc.testing.fakecall import FakeCall

NUMBER = "4008120019"
GOOD_HZ, ASK_HZ = 480.0, 880.0

CONFIG = """
[fetch]
folders = ["{folder}/app"]

[vxml]
documents = {{ shop = "{folder}/app/start.vxml" }}
fallback = "play:welcome"

[[numbers]]
number = "4008120019"
to = "vxml:shop"

[[numbers]]
number = "4008120020"
to = "vxml:file://{folder}/app/lost.vxml"
"""

START = """<?xml version="1.0" encoding="UTF-8"?>
<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml">
  <form>
    <field name="code" type="digits?length=4"><prompt><audio src="ask.wav"/></prompt>
      <noinput><reprompt/></noinput>
      <filled><if cond="code == '9999'"><throw event="error.made.up"/>
        <elseif cond="code == '5555'"/><goto next="#agent"/>
        <elseif cond="code == '7777'"/><goto next="#message"/></if></filled></field>
    <block><prompt><audio src="good.wav"/></prompt><exit/></block>
  </form>
  <form id="message">
    <record name="m" beep="false" finalsilence="1s" maxtime="2s"/>
    <block><prompt><audio src="good.wav"/><audio expr="m"/></prompt></block>
  </form>
  <form id="agent">
    <transfer name="t" dest="sip:1001@pbx.example.com" bridge="true" connecttimeout="5s"/>
    <block><log expr="t"/><prompt><audio src="good.wav"/></prompt></block>
  </form>
</vxml>
"""


SECRET = '<property name="sipcc.secret" value="true"/>'


class Shop(Centre):
    """A centre with a document."""

    def __init__(self, folder: Path) -> None:
        app = folder / "app"
        app.mkdir()
        (app / "start.vxml").write_text(START, encoding="utf-8")
        write_wav(app / "ask.wav", tone(ASK_HZ, 0.6))
        write_wav(app / "good.wav", tone(GOOD_HZ, 1.0))
        super().__init__(folder, extra=CONFIG.format(folder=folder))

    async def call(self, number: str = NUMBER) -> FakeCall:
        caller = await self.carrier.call(number)
        await caller.answered()
        return caller

    @property
    def decided(self) -> list[str]:
        return [event.what for event in self.events if isinstance(event, Decision)]


@pytest.fixture
async def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


async def test_keys_and_sounds_of_a_document(shop: Shop) -> None:
    async with shop:
        caller = await shop.call()
        await caller.hears(ASK_HZ, timeout=3)
        await caller.press("1234", duration_ms=60, gap_ms=60)
        await caller.hears(GOOD_HZ, timeout=3)
        await caller.ended()


async def test_a_caller_who_is_silent_is_asked_again(shop: Shop) -> None:
    async with shop:
        caller = await shop.call()
        await caller.hears(ASK_HZ, timeout=3)
        await asyncio.sleep(3)
        await caller.hears(ASK_HZ, timeout=6)
        await caller.hangup()


@pytest.mark.parametrize("way", ["an error", "a document that is not there"])
async def test_callers_of_a_document_that_fails_go_to_the_fallback(shop: Shop, way: str) -> None:
    async with shop:
        if way == "an error":
            caller = await shop.call()
            await caller.hears(ASK_HZ, timeout=3)
            await caller.press("9999", duration_ms=60, gap_ms=60)
        else:
            caller = await shop.call("4008120020")
        await caller.hears(WELCOME_HZ, timeout=30)
        assert any(what.endswith(": play:welcome") for what in shop.decided)
        await caller.hangup()


async def test_a_bridge_to_an_agent_and_back(shop: Shop) -> None:
    async with shop:
        agent = await shop.phone("1001")
        caller = await shop.call()
        await caller.hears(ASK_HZ, timeout=3)
        await caller.press("5555", duration_ms=60, gap_ms=60)
        await caller.hears(AGENT_HZ["1001"], timeout=8)
        await agent.calls[-1].hangup()
        await caller.hears(GOOD_HZ, timeout=5)
        await caller.ended()


async def test_a_message_is_played_back(shop: Shop) -> None:
    async with shop:
        caller = await shop.call()
        await caller.hears(ASK_HZ, timeout=3)
        await caller.press("7777", duration_ms=60, gap_ms=60)
        await caller.hears(GOOD_HZ, timeout=6)
        await caller.hears(CALLER_HZ, timeout=4)
        await caller.ended()


@pytest.mark.parametrize("secret", [True, False])
async def test_secret_keys_stand_nowhere(shop: Shop, secret: bool) -> None:
    if secret:
        document = shop.folder / "app" / "start.vxml"
        document.write_text(document.read_text().replace("<form>", SECRET + "<form>", 1))
    async with shop:
        caller = await shop.call()
        await caller.hears(ASK_HZ, timeout=3)
        await caller.press("1234", duration_ms=60, gap_ms=60)
        await caller.hears(GOOD_HZ, timeout=3)
        shown = [repr(event) for event in shop.events if "1234" in repr(event)]
        assert bool(shown) is not secret, shown
        await caller.ended()


async def test_an_ended_call_leaves_nothing_for_the_collector(shop: Shop) -> None:
    async with shop:
        await one_call(shop)
        with no_collector() as found:
            await one_call(shop)
        assert not [name for name in found if ".ivr." in name], found


async def one_call(shop: Shop) -> None:
    caller = await shop.call()
    await caller.hears(ASK_HZ, timeout=3)
    await caller.press("1234", duration_ms=60, gap_ms=60)
    await caller.hears(GOOD_HZ, timeout=3)
    await caller.ended()
    await asyncio.sleep(1)
