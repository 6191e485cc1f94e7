"""Keys on real sockets, in this process and in a worker: converted, and secret for leg and recording."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.flow.realtime import parties_at
from tests.flow.test_media_keys import key_sound, keys_in, leaked_ms

from sipcc.rtp import (
    DigitBegan,
    DigitEnded,
    LocalEngine,
    MediaEngine,
    MediaEvent,
    MediaPort,
    MediaSettings,
    RecordingEnded,
    StreamParams,
    WorkerPool,
)
from sipcc.testing import audio
from sipcc.testing.media import FakeMedia, Peer

pytestmark = pytest.mark.realtime


@pytest.fixture(params=["local", "pool"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[MediaEngine]:
    settings = MediaSettings(ports=(23600, 23799), workers=1)
    engine: MediaEngine = LocalEngine(settings) if request.param == "local" else WorkerPool(settings)
    await engine.start()
    yield engine
    await engine.stop()


@pytest.fixture
async def parties() -> AsyncIterator[Callable[[], FakeMedia]]:
    with parties_at("127.0.0.4", ssrc=0x3000) as make:
        yield make


def join(port: MediaPort, party: FakeMedia, events: int | None) -> list[MediaEvent]:
    """Connect a party with a port; returns the list that the port's events go to."""
    told: list[MediaEvent] = []
    port.on_event = told.append
    port.configure(
        StreamParams(
            remote_host=party.host,
            remote_port=party.port,
            remote_rtcp_port=party.port + 1,
            codec="PCMU",
            payload_type=0,
            event_payload_type=events,
        )
    )
    party.be_silent()
    party.start(Peer(host=port.host, port=port.port, codec="PCMU", payload_type=0, event_payload_type=events))
    return told


def digits(told: list[MediaEvent]) -> str:
    began = "".join(event.digit for event in told if isinstance(event, DigitBegan))
    assert began == "".join(event.digit for event in told if isinstance(event, DigitEnded))
    return began


async def test_tones_to_events_and_back_and_secrets(
    engine: MediaEngine, parties: Callable[[], FakeMedia], tmp_path: Path
) -> None:
    one = await engine.open()
    two = await engine.open(near=one)
    caller, agent = parties(), parties()
    told = join(one, caller, None)
    answers = join(two, agent, 101)
    one.bridge(two)
    await asyncio.sleep(0.5)
    caller.say(key_sound("48#"))
    agent.press("15")
    await asyncio.sleep(1.8)
    assert digits(told) == "48#"
    assert agent.digits == "48#"
    assert keys_in(agent.heard(1.8)) == ""
    assert digits(answers) == "15"
    assert keys_in(caller.heard(2.2)) == "15"
    two.record(str(tmp_path / "two.wav"))
    one.record(str(tmp_path / "one.wav"))
    one.secure_keys(True)
    caller.be_silent()
    await asyncio.sleep(0.2)
    caller.say(key_sound("411"))
    await asyncio.sleep(1.2)
    assert digits(told) == "48#411"
    assert agent.digits == "48#"
    heard = agent.heard(1.2)
    assert keys_in(heard) == ""
    assert leaked_ms(heard) <= 10
    one.stop_recording()
    two.stop_recording()
    async with asyncio.timeout(5):
        while not all(isinstance(events[-1], RecordingEnded) for events in (told, answers)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    for name in ("one.wav", "two.wav"):
        for side in audio.read_stereo(tmp_path / name)[:2]:
            assert keys_in(side) == ""
            assert leaked_ms(side) <= 10
    await one.close()
    await two.close()
