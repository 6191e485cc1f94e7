"""Bots written in Python speak with callers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, CONFIG, WELCOME_HZ, Centre
from tests.flow.test_no_garbage import no_collector

from sipcc import Call
from sipcc.ivr.bots.python import Bot, Line, run_bot
from sipcc.ivr.bots.words import Cleared
from sipcc.ivr.events import BotLeft, ContextGiven
from sipcc.ivr.steps import Streamed
from sipcc.testing.audio import find_tones, tone
from sipcc.testing.phone import Answer

LINE = "4008000100"
BOT_HZ = 500.0


def pcm(frequency_hz: float, seconds: float, rate_hz: int = 8000) -> bytes:
    return tone(frequency_hz, seconds, rate_hz=rate_hz).astype("<i2").tobytes()


class Noted(Bot):
    """A bot that takes note of all it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.heard = b""

    async def on_start(self, line: Line) -> None:
        self.line = line

    async def on_audio(self, pcm: bytes, at_ms: int) -> None:
        self.heard += pcm

    async def on_dtmf(self, digit: str) -> None:
        self.told.append(digit)

    async def on_mark(self, name: str, heard: bool) -> None:
        self.told.append((name, heard))

    async def on_end(self) -> None:
        self.told.append("end")


def centre_with(folder: Path, make: Callable[[], Bot], results: list[Streamed], **more: Any) -> Centre:
    centre: Centre

    async def handler(call: Call) -> None:
        services = centre.switch.treatments.services
        results.append(await run_bot(call, make(), parameters={"mood": "good"}, services=services))

    centre = Centre(folder, apps={LINE: handler}, **more)
    return centre


@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000])
async def test_a_bot_hears_speaks_clears_and_hangs_up(tmp_path: Path, rate_hz: int) -> None:
    cleared: list[Cleared] = []

    class Speaker(Noted):
        async def on_start(self, line: Line) -> None:
            await super().on_start(line)
            assert line.facts.parameters == {"mood": "good"}
            assert (line.facts.caller, line.facts.dialled) == ("13800138000", LINE)
            await line.audio(pcm(BOT_HZ, 0.5, rate_hz))
            line.mark("first")
            await line.audio(pcm(BOT_HZ, 8.0, rate_hz))
            line.mark("second")

        async def on_dtmf(self, digit: str) -> None:
            await super().on_dtmf(digit)
            if digit == "1":
                cleared.append(await self.line.clear())
            else:
                await asyncio.sleep(1)
                self.line.hangup()

    bot, results = Speaker(), list[Streamed]()
    bot.rate_hz = rate_hz
    async with centre_with(tmp_path, lambda: bot, results) as centre:
        caller = await centre.carrier.call(LINE)
        await caller.hears(BOT_HZ)
        await asyncio.sleep(1)
        await caller.press("1")
        await caller.hears_silence()
        await caller.press("2")
        await caller.ended()
        await asyncio.sleep(0.1)
    assert bot.told == [("first", True), "1", ("second", False), "2", "end"]
    assert results == [Streamed(ended_by="program")]
    [word] = cleared
    assert word.total_ms - word.ms in range(495, 502)
    assert 900 < word.total_ms < 3000
    heard = np.frombuffer(bot.heard, dtype="<i2").astype(np.int16)
    assert round(find_tones(heard[rate_hz // 2 : rate_hz], rate_hz)[0], -1) == CALLER_HZ
    [left] = centre.told("BotLeft")
    assert isinstance(left, BotLeft)
    assert (left.bot, left.ended_by) == ("Speaker", "program")


async def test_a_bot_hands_over_to_a_queue_with_what_it_knows(tmp_path: Path) -> None:
    class Receptionist(Noted):
        async def on_start(self, line: Line) -> None:
            await line.audio(pcm(BOT_HZ, 1.0))
            line.enqueue("help", "wants help", {"order": "12"})

    results: list[Streamed] = []
    async with centre_with(tmp_path, Receptionist, results) as centre:
        await centre.phone("1003", Answer(after=0.1))
        caller = await centre.carrier.call(LINE)
        await caller.hears(BOT_HZ)
        await caller.hears(AGENT_HZ["1003"])
        await caller.hangup()
    [given] = centre.told("ContextGiven")
    assert isinstance(given, ContextGiven)
    assert (given.queue, given.context) == ("help", {"order": "12", "transcript": "wants help"})


async def test_a_bot_hears_when_the_caller_begins_to_speak_and_stops(tmp_path: Path) -> None:
    speech: list[tuple[bool, float]] = []

    class Ear(Noted):
        async def on_speech(self, speaking: bool) -> None:
            speech.append((speaking, asyncio.get_running_loop().time()))
            if not speaking:
                self.line.leave()

    results: list[Streamed] = []
    async with centre_with(tmp_path, Ear, results, config=CONFIG) as centre:
        caller = await centre.carrier.call(LINE)
        await asyncio.sleep(2)
        assert [speaking for speaking, _ in speech] == [True]
        caller.media.be_silent()
        await caller.ended()
    assert [speaking for speaking, _ in speech] == [True, False]
    assert results == [Streamed(ended_by="program")]


@pytest.mark.parametrize("where", ["on_start", "on_audio", "on_dtmf"])
async def test_a_bot_that_raises_is_lost_and_the_program_goes_on(tmp_path: Path, where: str) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("no idea")

    bot = Noted()
    setattr(bot, where, fail)
    results: list[Streamed] = []

    async def handler(call: Call) -> None:
        results.append(await run_bot(call, bot))
        await call.play("welcome")

    async with Centre(tmp_path, apps={LINE: handler}) as centre:
        caller = await centre.carrier.call(LINE)
        if where == "on_dtmf":
            await caller.press("1")
        await caller.hears(WELCOME_HZ)
        await caller.hangup()
    assert results == [Streamed(ended_by="lost")]


async def test_a_bot_that_is_far_ahead_is_made_to_wait_and_a_clearing_lets_it_go_on(tmp_path: Path) -> None:
    class Talker(Noted):
        async def on_start(self, line: Line) -> None:
            await super().on_start(line)
            self.said = 0
            asyncio.ensure_future(self.talk(line))  # noqa: RUF006  # it lives as long as the test

        async def talk(self, line: Line) -> None:
            while self.said < 40:
                await line.audio(pcm(BOT_HZ, 1.0))
                self.said += 1
                await asyncio.sleep(0.01)

    bot, results = Talker(), list[Streamed]()
    async with centre_with(tmp_path, lambda: bot, results) as centre:
        caller = await centre.carrier.call(LINE)
        await asyncio.sleep(2)
        assert 11 <= bot.said <= 14
        before = bot.said
        await asyncio.sleep(2)
        assert bot.said == before
        await bot.line.clear()
        await asyncio.sleep(2)
        assert bot.said > before + 8
        await caller.hangup()


async def test_a_bot_that_is_over_leaves_no_ring_of_objects(tmp_path: Path) -> None:
    class Short(Bot):
        async def on_start(self, line: Line) -> None:
            await line.audio(pcm(BOT_HZ, 0.5))
            line.leave()

    results: list[Streamed] = []
    async with centre_with(tmp_path, Short, results) as centre:
        with no_collector() as garbage:
            for _ in range(3):
                caller = await centre.carrier.call(LINE)
                await caller.ended()
            await asyncio.sleep(40)
    assert [kind for kind in garbage if ".bots." in kind or ".call." in kind] == []
    assert len(results) == 3
