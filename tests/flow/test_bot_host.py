"""Python bots for callers of other platforms: the switch's own side of each wire plays the platform."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.flow.centre import CALLER_HZ, CONFIG, Centre

from sipcc.ivr.bots.host import serve_bots
from sipcc.ivr.bots.links import connect
from sipcc.ivr.bots.python import Bot, Line
from sipcc.ivr.bots.twilio import TwilioPlatform
from sipcc.ivr.bots.words import Cleared, Facts
from sipcc.ivr.events import BotLeft
from sipcc.testing.audio import find_tones, tone

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(60)]

BOT_HZ = 500.0

BOTS = """
[[bots]]
name = "other"
url = "{url}"
wire = "{wire}"
secret = "{secret}"
fallback = "busy"
[[numbers]]
number = "4008000101"
to = "bot:other"
"""


def pcm(frequency_hz: float, seconds: float) -> bytes:
    return tone(frequency_hz, seconds, rate_hz=16000).astype("<i2").tobytes()


class Talker(Bot):
    """Says five seconds at once, clears by key 1, leaves by key 2."""

    rate_hz = 16000
    all: list[Talker]

    async def on_start(self, line: Line) -> None:
        self.line, self.heard, self.told, self.cleared = line, b"", list[object](), list[Cleared]()
        self.over = asyncio.Event()
        Talker.all.append(self)
        await line.audio(pcm(BOT_HZ, 0.4))
        line.mark("first")
        await line.audio(pcm(BOT_HZ, 5.0))
        line.mark("second")

    async def on_audio(self, pcm: bytes, at_ms: int) -> None:
        self.heard += pcm

    async def on_mark(self, name: str, heard: bool) -> None:
        self.told.append((name, heard))

    async def on_dtmf(self, digit: str) -> None:
        self.told.append(digit)
        if digit == "1":
            self.cleared.append(await self.line.clear())
        else:
            await self.line.audio(pcm(BOT_HZ, 0.3))
            self.line.hangup()

    async def on_end(self) -> None:
        self.told.append("end")
        self.over.set()


@pytest.fixture(autouse=True)
def nobody() -> None:
    Talker.all = []


WIRES = [
    "twilio",
    "telnyx",
    "exotel",
    "plivo",
    "vonage",
    "genesys",
    "asterisk",
    "asterisk-text",
    "audiosocket",
]


@pytest.mark.parametrize("wire", WIRES)
async def test_a_bot_for_another_platform_hears_speaks_clears_and_leaves(tmp_path: Path, wire: str) -> None:
    scheme, secret = ("tcp", "") if wire == "audiosocket" else ("ws", "abc")
    spoken: Any = wire.removesuffix("-text")
    async with serve_bots(Talker, wire=spoken, secret=secret) as port:
        bots = BOTS.format(url=f"{scheme}://127.0.0.1:{port}", wire=wire, secret=secret)
        async with Centre(tmp_path, config=CONFIG + bots) as centre:
            caller = await centre.carrier.call("4008000101")
            await caller.hears(BOT_HZ)
            await asyncio.sleep(0.8)
            await caller.press("1")
            await caller.hears_silence()
            await asyncio.sleep(0.3)
            await caller.press("2")
            await caller.hears(BOT_HZ)
            assert await caller.ended() == "peer"
            await asyncio.sleep(0.1)
        [left] = centre.told("BotLeft")
    [bot] = Talker.all
    assert isinstance(left, BotLeft)
    assert (left.ended_by, left.dropped) == ("program", 0)
    assert bot.told == [("first", True), "1", ("second", False), "2", "end"]
    assert bot.line.facts.form.rate_hz == 8000
    [word] = bot.cleared
    assert 600 < word.total_ms < 3000
    heard = np.frombuffer(bot.heard[16000:48000], dtype="<i2").astype(np.int16)
    assert round(find_tones(heard, 16000)[0], -1) == CALLER_HZ


async def test_who_does_not_know_the_secret_or_is_one_too_many_is_refused() -> None:
    async with serve_bots(Talker, secret="abc", limit=1) as port:
        url = f"ws://127.0.0.1:{port}/"
        with pytest.raises(OSError, match="401"):
            await connect(url, protocols=(), headers={"Authorization": "abd"}, timeout=5)
        first = await connect(url, protocols=(), headers={"Authorization": "abc"}, timeout=5)
        second = await connect(url, protocols=(), headers={"Authorization": "abc"}, timeout=5)
        with pytest.raises(Exception, match="closed"):
            await second.receive()
        await first.close()
        await second.close()


async def test_a_platform_that_sends_junk_or_dies_harms_nobody() -> None:
    async with serve_bots(Talker) as port:
        link = await connect(f"ws://127.0.0.1:{port}/", protocols=(), headers={}, timeout=5)
        for junk in ("", "{}", b"bytes", '{"event":"media","media":{"payload":"AAAA"}}'):
            await link.send(junk)
        wire = TwilioPlatform(Facts(call="c", stream="s"))
        for message in wire.begin():
            await link.send(message)
        assert "media" in str(await link.receive())
        await link.close()
        async with asyncio.timeout(5):
            await Talker.all[0].over.wait()
        assert Talker.all[0].told[-1] == "end"
