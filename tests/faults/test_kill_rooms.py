"""Who hears whom, proved by tones, before and after a worker is killed (reliability P4, H05)."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.faults.rtp_probe import HEADER, Party, Traffic
from tests.faults.test_kill import connect, settings, strike, until

from sipcc.rtp import AudioTapped, MediaEvent, PlayEnded, PlayStream, WorkerPool
from sipcc.rtp.codec import g711
from sipcc.rtp.port import EnginePort
from sipcc.rtp.tones import make_tone, measure_tone
from sipcc.testing import audio

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(120)]

TONES = (500.0, 700.0, 1000.0, 1300.0)
HEARD_BYTES = 12 + 160


class Singer(Party):
    """A party that says a tone of its own and keeps what it hears."""

    def __init__(self, host: str, name: int) -> None:
        super().__init__(host, name)
        self.tone = TONES[name]
        self.audio: list[bytes] = []
        self._frames = audio.payloads(make_tone((self.tone,), 1000))
        self._said = 0

    def close_packet(self, packet: bytes) -> bytes | None:
        self._said += 1
        return packet[: HEADER.size] + self._frames[self._said % 50]

    def open_packet(self, data: bytes) -> bytes | None:
        if len(data) == HEARD_BYTES and data[1] & 0x7F == 0:
            self.audio.append(data[12:])
        return data

    def hears(self) -> list[float]:
        """The tones in what it heard in the last half second; no audio at all is silence."""
        samples = g711.decode(b"".join(self.audio[-25:]), "PCMU")
        return [tone for tone in TONES if len(samples) > 1600 and measure_tone(samples, tone) > -35]


@asynccontextmanager
async def singers(pool: WorkerPool) -> AsyncIterator[tuple[Traffic, list[EnginePort], list[Singer]]]:
    """Four parties that each say a tone to a port of their own."""
    await pool.start()
    traffic = Traffic(4, make=Singer)
    parties = [party for party in traffic.parties if isinstance(party, Singer)]
    ports: list[EnginePort] = []
    try:
        for party in parties:
            ports.append(await pool.open(near=ports[0] if ports else None))
            connect(ports[-1], party)
        traffic.start()
        yield traffic, ports, parties
    finally:
        traffic.close()
        await pool.stop()


async def heard_by_all(parties: list[Singer]) -> list[list[float]]:
    """What each one hears from now on."""
    await asyncio.sleep(0.4)
    for party in parties:
        party.audio.clear()
    await asyncio.sleep(0.8)
    return [party.hears() for party in parties]


def conference(ports: list[EnginePort]) -> None:
    for port in ports:
        port.join("board")
    ports[3].mute(True)


def quiet_listener(ports: list[EnginePort]) -> None:
    ports[0].bridge(ports[1])
    ports[2].supervise(ports[1], "listen")


def whisper(ports: list[EnginePort]) -> None:
    ports[0].bridge(ports[1])
    ports[2].supervise(ports[1], "whisper")


def barge_in(ports: list[EnginePort]) -> None:
    ports[0].bridge(ports[1])
    ports[2].supervise(ports[1], "talk")
    ports[3].supervise(ports[2], "whisper")


def coach_in_a_conference(ports: list[EnginePort]) -> None:
    for port in ports[:3]:
        port.join("board")
    ports[3].join("board", role="whisper", coached=ports[2])


def coached_party_has_left(ports: list[EnginePort]) -> None:
    """The listener stays with who is left, and does not follow who has left into another talk."""
    ports[0].bridge(ports[1])
    ports[2].supervise(ports[1], "listen")
    ports[1].unbridge()
    ports[1].bridge(ports[3])


def muted_in_a_talk_that_is_over(ports: list[EnginePort]) -> None:
    ports[0].bridge(ports[1])
    ports[0].mute(True)
    ports[0].unbridge()
    ports[0].bridge(ports[2])
    ports[3].echo()


@pytest.mark.parametrize(
    "arrange",
    [
        conference,
        quiet_listener,
        whisper,
        barge_in,
        coach_in_a_conference,
        coached_party_has_left,
        muted_in_a_talk_that_is_over,
    ],
)
async def test_rooms_are_as_before(arrange: object) -> None:
    assert callable(arrange)
    pool = WorkerPool(settings())
    async with singers(pool) as (traffic, ports, parties):
        arrange(ports)
        before = await heard_by_all(parties)
        await strike(traffic, pool, signal.SIGKILL, what=arrange.__name__)
        assert await heard_by_all(parties) == before
        assert any(before)


async def test_taps_paused_recordings_and_the_consent_tone_go_on(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    pool = WorkerPool(settings())
    async with singers(pool) as (traffic, ports, parties):
        ports[0].bridge(ports[1])
        taps: list[MediaEvent] = []
        ports[0].on_event = taps.append
        ports[0].tap(True)
        ports[0].record(str(path))
        ports[1].consent_tone(1.0)
        await asyncio.sleep(1.0)
        ports[0].pause_recording(True)
        await strike(traffic, pool, signal.SIGKILL, what="tap, paused recording, consent tone")
        taps.clear()
        parties[1].audio.clear()
        await asyncio.sleep(1.5)
        assert sum(isinstance(event, AudioTapped) for event in taps) > 60
        beeps = [
            frame for frame in parties[1].audio if measure_tone(g711.decode(frame, "PCMU"), 1400.0) > -35
        ]
        assert beeps, "the consent tone is heard on"
        ports[0].pause_recording(False)
        await asyncio.sleep(1.0)
        ports[0].stop_recording()
        await until(lambda: any(type(event).__name__ == "RecordingEnded" for event in taps))
        left, _, _ = audio.read_stereo(path)
        middle, end = left[2 * 8000 : 4 * 8000], left[-4000:]
        assert measure_tone(middle, parties[0].tone) < -60, "what was said in the pause is not in the file"
        assert measure_tone(end, parties[0].tone) > -35


async def test_speech_that_is_made_while_it_is_heard_ends_after_a_kill() -> None:
    pool = WorkerPool(settings())
    async with singers(pool) as (traffic, ports, _):
        events: list[MediaEvent] = []
        ports[0].on_event = events.append
        speech = make_tone((1000.0,), 5000).tobytes()
        ports[0].play([PlayStream()], token=5)
        ports[0].feed(5, speech, last=True)
        await strike(traffic, pool, signal.SIGKILL, what="streamed speech")
        await until(lambda: PlayEnded in {type(event) for event in events}, 6.0)
        [ended] = [event for event in events if isinstance(event, PlayEnded)]
        assert (ended.token, ended.reason) == (5, "done")


async def test_video_goes_on_beside_the_audio() -> None:
    pool = WorkerPool(settings())
    async with singers(pool) as (traffic, ports, _):
        ports[0].bridge(ports[1])
        cameras = [Party("127.0.0.3", 90), Party("127.0.0.3", 91)]
        raws = [await pool.open_raw(beside=port) for port in ports[:2]]
        for camera, raw in zip(cameras, raws, strict=True):
            raw.aim(camera.host, camera.port, camera.port + 1)
            camera.to = (raw.host, raw.port)
        raws[0].bridge(raws[1])
        for _ in range(2):
            for camera in cameras:
                camera.say()
            await asyncio.sleep(0.2)
            for camera in cameras:
                camera.hear(0.0)
            assert [camera.heard.numbers for camera in cameras] != [[], []]
            await strike(traffic, pool, signal.SIGKILL, what="with video")
        for camera in cameras:
            camera.say()
        await asyncio.sleep(0.2)
        for camera in cameras:
            camera.hear(0.0)
            assert camera.heard.numbers == [0, 1, 2]
            camera.socket.close()
