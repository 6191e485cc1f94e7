"""The contract of `MediaEngine`, held by the engine in this process and by worker processes alike."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from tests.flow.realtime import parties_at

from sipcc.errors import PortsExhausted
from sipcc.rtp import (
    DigitBegan,
    DigitEnded,
    LocalEngine,
    MediaEngine,
    MediaEvent,
    MediaPort,
    MediaSettings,
    PlayEnded,
    PlayFile,
    PlayTone,
    PromptMissing,
    RecordingEnded,
    StreamParams,
    VoiceBegan,
    WorkerLost,
    WorkerPool,
)
from sipcc.rtp.keeping import OwnWorkers
from sipcc.rtp.settings import RecordingSettings
from sipcc.testing import audio
from sipcc.testing.media import FakeMedia, Peer

pytestmark = pytest.mark.realtime

KINDS = ("local", "pool")


def settings(**changes: object) -> MediaSettings:
    values: dict[str, object] = {"ports": (23000, 23399), "workers": 2}
    return MediaSettings(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture(params=KINDS)
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[MediaEngine]:
    engine: MediaEngine = LocalEngine(settings()) if request.param == "local" else WorkerPool(settings())
    await engine.start()
    yield engine
    await engine.stop()


@pytest.fixture
async def parties() -> AsyncIterator[Callable[[], FakeMedia]]:
    with parties_at("127.0.0.3", ssrc=0x2000) as make:
        yield make


def join(port: MediaPort, party: FakeMedia, tone: float = 0) -> list[MediaEvent]:
    """Connect a party with a port; returns the list that the port's events go to."""
    events: list[MediaEvent] = []
    port.on_event = events.append
    port.configure(
        StreamParams(
            remote_host=party.host,
            remote_port=party.port,
            remote_rtcp_port=party.port + 1,
            codec="PCMU",
            payload_type=0,
            event_payload_type=101,
        )
    )
    if tone:
        party.say_tone(tone)
    party.start(Peer(host=port.host, port=port.port, codec="PCMU", payload_type=0, event_payload_type=101))
    return events


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # a test looks on from outside
            await asyncio.sleep(0.02)


async def test_bridge_keys_and_figures(engine: MediaEngine, parties: Callable[[], FakeMedia]) -> None:
    one = await engine.open()
    two = await engine.open(near=one)
    caller, agent = parties(), parties()
    events = join(one, caller, 500)
    join(two, agent, 900)
    one.bridge(two)
    await until(lambda: len(caller.received) > 40 and len(agent.received) > 40)
    assert caller.tones(0.4) == [900]
    assert agent.tones(0.4) == [500]
    caller.press("7")
    await until(lambda: len(events) == 2)
    assert [type(event) for event in events] == [DigitBegan, DigitEnded]
    await until(lambda: agent.digits == "7")
    figures = await one.close()
    assert figures.packets_received > 40
    assert figures.lost == 0
    assert one.read_stats() == figures
    await two.close()


async def test_play_record_and_missing_file(
    engine: MediaEngine, parties: Callable[[], FakeMedia], tmp_path: Path
) -> None:
    prompt, recording = tmp_path / "prompt.wav", tmp_path / "new" / "call.wav"
    audio.write_wav(prompt, audio.tone(440, 0.4))
    port = await engine.open()
    caller = parties()
    events = join(port, caller, 700)
    port.record(str(recording))
    port.play([PlayFile(str(prompt)), PlayTone((440,), 200)], token=5)
    await until(lambda: events)
    assert events == [PlayEnded(port.id, 5, "done", 600)]
    assert caller.tones(0.3, before=0.1) == [440]
    port.play([PlayFile(str(tmp_path / "none.wav"))], token=6)
    await until(lambda: len(events) > 1)
    assert isinstance(events[1], PromptMissing)
    port.stop_playing()
    port.stop_recording()
    await until(lambda: len(events) == 4)
    assert isinstance(events[2], PlayEnded)
    ended = events[3]
    assert isinstance(ended, RecordingEnded)
    assert ended.reason == "stopped"
    left, right, _ = audio.read_stereo(recording)
    audio.assert_tone(left[2000:4000], 700)
    audio.assert_tone(right[2000:4000], 440)
    await port.close()


async def test_a_port_that_closes_ends_its_play_and_recording(
    engine: MediaEngine, parties: Callable[[], FakeMedia], tmp_path: Path
) -> None:
    port = await engine.open()
    events = join(port, parties(), 700)
    port.record(str(tmp_path / "call.wav"))
    port.play([PlayTone((440,), 5000)], loop=True, token=9)
    await asyncio.sleep(0.2)
    await port.close()
    assert [type(event) for event in events] == [PlayEnded, RecordingEnded]
    assert [event.reason for event in events if isinstance(event, PlayEnded | RecordingEnded)] == [
        "closed",
        "closed",
    ]


async def test_a_port_that_closes_right_after_its_recordings_tells_of_each(
    engine: MediaEngine, parties: Callable[[], FakeMedia], tmp_path: Path
) -> None:
    for number in range(10):
        port = await engine.open()
        events = join(port, parties(), 700)
        paths = [str(tmp_path / f"{number}-{part}.wav") for part in range(2)]
        for path in paths:
            port.record(path)
            port.stop_recording()
        await port.close()
        assert [event.path for event in events if isinstance(event, RecordingEnded)] == paths


async def test_ports_run_out_and_come_back(engine: MediaEngine) -> None:
    small: MediaEngine = type(engine)(settings(ports=(23400, 23407)))  # type: ignore[call-arg]
    await small.start()
    try:
        ports = [await small.open() for _ in range(4)]
        with pytest.raises(PortsExhausted):
            await small.open()
        assert sorted(port.port for port in ports) == [23400, 23402, 23404, 23406]
        await ports[0].close()
        again = await small.open()
        assert again.port == ports[0].port
    finally:
        await small.stop()


async def test_a_port_taken_by_another_program_is_passed_over(engine: MediaEngine) -> None:
    small: MediaEngine = type(engine)(settings(ports=(23410, 23413), workers=1))  # type: ignore[call-arg]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 23411))
        await small.start()
        try:
            assert (await small.open()).port == 23412
        finally:
            await small.stop()


async def limited(kind: str, **changes: object) -> MediaEngine:
    """An engine of one process, with other limits than usual."""
    asked = settings(workers=1, **changes)
    engine: MediaEngine = LocalEngine(asked) if kind == "local" else WorkerPool(asked)
    await engine.start()
    return engine


async def open_again_and_again(engine: MediaEngine) -> None:
    for _ in range(100):
        await (await engine.open()).close()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_engine_at_its_limit_takes_no_calls_but_the_second_legs_of_those_it_has(
    kind: str, parties: Callable[[], FakeMedia]
) -> None:
    engine = await limited(kind, max_busy=1e-9)
    try:
        port = await engine.open()
        join(port, parties(), 500)
        with pytest.raises(PortsExhausted, match="limit"):
            await open_again_and_again(engine)
        await engine.open(near=port)
    finally:
        await engine.stop()


@pytest.mark.parametrize("kind", KINDS)
async def test_no_recording_begins_on_a_disk_that_is_nearly_full(
    kind: str, parties: Callable[[], FakeMedia], tmp_path: Path
) -> None:
    engine = await limited(kind, recording=RecordingSettings(min_free_mb=1 << 40))
    try:
        port = await engine.open()
        events = join(port, parties(), 500)
        port.record(str(tmp_path / "call.wav"))
        await until(lambda: events)
        assert isinstance(events[0], RecordingEnded)
        assert "MB left on the disk" in events[0].reason
    finally:
        await engine.stop()


async def test_strange_digits_are_refused(engine: MediaEngine) -> None:
    port = await engine.open()
    with pytest.raises(ValueError, match="not DTMF"):
        port.send_digits("12x")


async def test_a_killed_worker_is_replaced_and_its_call_goes_on(parties: Callable[[], FakeMedia]) -> None:
    pool = WorkerPool(settings(workers=2))
    await pool.start()
    try:
        one = await pool.open()
        two = await pool.open(near=one)
        caller, agent = parties(), parties()
        events = join(one, caller, 500)
        join(two, agent, 900)
        one.bridge(two)
        await until(lambda: len(agent.received) > 10)
        old = pool.pids[0]
        os.kill(old, signal.SIGKILL)
        waiting = await pool.open(near=one)  # ordered while nobody is there
        await until(lambda: len(pool.pids) == 2 and old not in pool.pids)
        heard = len(agent.received)
        await until(lambda: len(agent.received) > heard + 40)
        assert agent.tones(0.4) == [500]
        caller.press("7")
        await until(lambda: len(events) == 2)
        assert [type(event) for event in events] == [DigitBegan, DigitEnded]
        two.bridge(waiting)
        assert (await one.close()).packets_sent > 40
        assert pool.restarts == 1
    finally:
        await pool.stop()


async def test_a_voice_is_told_once_and_a_part_of_a_file_is_played(
    engine: MediaEngine, parties: Callable[[], FakeMedia], tmp_path: Path
) -> None:
    prompt = tmp_path / "prompt.wav"
    audio.write_wav(prompt, audio.tone(440, 1.0))
    port = await engine.open()
    caller = parties()
    events = join(port, caller, 0)
    caller.be_silent()
    port.listen_voice(True)
    port.play([PlayFile(str(prompt), 700)], token=7)
    await until(lambda: events)
    assert events == [PlayEnded(port.id, 7, "done", 300)]
    caller.say_tone(300)
    await until(lambda: len(events) > 1)
    assert events[1:] == [VoiceBegan(port.id)]
    await port.close()


async def test_a_port_that_nobody_could_take_over_is_reported() -> None:
    class Forgetful(OwnWorkers):
        """Its successors find empty memory."""

        def begin(
            self,
            places: Sequence[tuple[bytes, int]],
            on_link: Callable[[int, socket.socket], None],
            *,
            command: Sequence[str],
            standby: bool,
        ) -> None:
            super().begin([(body, 0) for body, _ in places], on_link, command=command, standby=standby)

    pool = WorkerPool(settings(workers=1, standby=False), workers=Forgetful())
    await pool.start()
    try:
        port = await pool.open()
        events: list[MediaEvent] = []
        port.on_event = events.append
        os.kill(pool.pids[0], signal.SIGKILL)
        await until(lambda: events)
        assert events == [WorkerLost(port.id)]
        await port.close()
        assert (await pool.open()).port
    finally:
        await pool.stop()
