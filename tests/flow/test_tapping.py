"""The audio of a call as a stream, for programs that listen in."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
from tests.flow.centre import AGENT_HZ, CALLER_HZ, Centre

from sipcc import Call
from sipcc.call import tapping
from sipcc.testing import audio
from sipcc.testing.phone import Answer

TALK = "4008000100"


def tone_of(frames: list[bytes]) -> int:
    pcm = np.frombuffer(b"".join(frames), dtype="<i2").astype(np.int16)
    return round(audio.find_tones(pcm)[0])


async def test_a_program_hears_both_sides_of_a_talk(tmp_path: Path) -> None:
    said: list[bytes] = []
    heard: list[bytes] = []

    async def handler(call: Call) -> None:
        leg = await call.dial("1001")
        tap = call.tap()

        async def read() -> None:
            async for frame in tap:
                said.append(frame.said)
                heard.append(frame.heard)

        reading = asyncio.ensure_future(read())
        await call.bridge(leg)
        await reading

    async with Centre(tmp_path, apps={TALK: handler}) as centre:
        await centre.phone("1001", Answer(after=0.1))
        caller = await centre.carrier.call(TALK)
        await asyncio.sleep(4)
        await caller.hangup()
        await asyncio.sleep(1)
    assert tone_of(said[50:100]) == round(CALLER_HZ)
    assert tone_of(heard[50:100]) == round(AGENT_HZ["1001"])
    assert len(said) > 100


async def test_a_reader_that_sleeps_loses_the_oldest_and_holds_nobody_up(tmp_path: Path) -> None:
    taps: list[tapping.AudioTap] = []

    async def handler(call: Call) -> None:
        await call.answer()
        with call.tap() as tap:
            taps.append(tap)
            call.start_playing("welcome", loop=True)
            await call.wait(10)

    async with Centre(tmp_path, apps={TALK: handler}) as centre:
        caller = await centre.carrier.call(TALK)
        await asyncio.sleep(9)
        [tap] = taps
        assert 150 <= tap.dropped <= 205
        assert await caller.ended() == "peer"
        left = [frame async for frame in tap]
        assert len(left) == tapping.KEPT
        assert tone_of([frame.heard for frame in left[:50]]) == 700
