"""Ringing and busy as the country of the settings has them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.flow.centre import CONFIG, Centre

from sipcc.rtp.toneplan import BUSY, RINGBACK, Region
from sipcc.rtp.tones import measure_tone
from sipcc.testing.audio import silence
from sipcc.testing.phone import Answer


def centre_of(tmp_path: Path, region: str) -> Centre:
    config = CONFIG.replace('"1" = "queue:sales"', '"1" = "busy"')
    return Centre(tmp_path, config=config, extra=f'\n[calls]\ntones = "{region}"\n')


@pytest.mark.parametrize("region", ["cn", "eu", "uk", "us"])
async def test_a_caller_that_was_answered_hears_ringing_and_busy(tmp_path: Path, region: Region) -> None:
    async with centre_of(tmp_path, region) as centre:
        await centre.phone("1001", Answer(after=6))
        for key, tone, seconds in (("1", BUSY[region], 5.0), ("3", RINGBACK[region], 6.0)):
            caller = await centre.carrier.call("4008123456")
            await caller.answered()
            await asyncio.sleep(0.5)
            caller.media.say(silence(1.0))
            await caller.press(key)
            await asyncio.sleep(4)
            heard = caller.media.heard(3.9)
            on_ms = sum(on for on, _ in tone.cadence_ms)
            share = on_ms / (on_ms + sum(off for _, off in tone.cadence_ms))
            loud = [
                all(measure_tone(heard[at : at + 320], hz) > -25 for hz in tone.frequencies_hz)
                for at in range(0, len(heard) - 320, 160)
            ]
            if key == "1":
                assert sum(loud) / len(loud) == pytest.approx(share, abs=0.12)
                assert await caller.ended(seconds) == "peer"
            else:
                assert any(loud)
                assert not all(loud)
                await caller.hangup()
