"""Audio with browsers: aiortc against our engine alone, and Chromium through the real daemon."""

from __future__ import annotations

import asyncio
import fractions
import random
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError
from av import AudioFrame

from sipcc.call.browser import BrowserKeying
from sipcc.call.negotiate import MediaNegotiation
from sipcc.ids import Ids
from sipcc.rtp import LocalEngine, MediaEngine, MediaPort, MediaSettings, PlayTone, WorkerPool
from sipcc.rtp.dtls import make_identity
from sipcc.testing import audio

pytestmark = pytest.mark.realtime

IDENTITY = make_identity(wall=1_800_000_000.0)
BROWSER_HZ, OUR_HZ = 600, 900


class Tone(AudioStreamTrack):
    """A tone at 8 kHz in frames of 20 ms."""

    def __init__(self, hertz: float) -> None:
        super().__init__()
        self._samples = audio.tone(round(hertz), 1.0)
        self._at = 0
        self._begin = 0.0

    async def recv(self) -> AudioFrame:
        loop = asyncio.get_running_loop()
        self._begin = self._begin or loop.time()
        await asyncio.sleep(max(0.0, self._begin + self._at / 8000 - loop.time()))
        samples = np.take(self._samples, range(self._at, self._at + 160), mode="wrap").astype(np.int16)
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 8000, self._at, fractions.Fraction(1, 8000)
        self._at += 160
        return frame


class Aiortc:
    """A browser made of aiortc: says a tone, and remembers what it heard."""

    def __init__(self) -> None:
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.pc.addTrack(Tone(BROWSER_HZ))
        self.heard: list[np.ndarray] = []
        self._reading: set[asyncio.Task[None]] = set()
        self.pc.on("track", self._track)

    def _track(self, track: AudioStreamTrack) -> None:
        task = asyncio.create_task(self._read(track))
        self._reading.add(task)

    async def _read(self, track: AudioStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            self.heard.append((frame.sample_rate, frame.to_ndarray()[0][:: len(frame.layout.channels)]))

    def tones(self, frames: int = 25) -> list[int]:
        if len(self.heard) < frames:
            return []
        rate = self.heard[-1][0]
        samples = np.concatenate([samples for _, samples in self.heard[-frames:]])
        step = rate // 8000
        return [round(hz) for hz in audio.find_tones(samples[::step].astype(np.int16))]

    async def offer(self, *, trickle: bool = False) -> bytes:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        text = self.pc.localDescription.sdp
        if trickle:  # as a browser that has gathered nothing yet
            lines = [line for line in text.splitlines() if not line.startswith(("a=candidate", "a=end-of"))]
            text = "\r\n".join([*lines, "a=ice-options:trickle", ""])
        return text.encode()

    async def take_answer(self, sdp: bytes) -> None:
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp.decode(), "answer"))

    async def answer(self, sdp: bytes) -> bytes:
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp.decode(), "offer"))
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        return str(self.pc.localDescription.sdp).encode()

    async def close(self) -> None:
        await self.pc.close()
        for task in self._reading:
            task.cancel()


async def until(condition: Callable[[], bool], what: str, seconds: float = 8.0) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"not within {seconds:g} s: {what}")


@pytest.fixture(params=["local", "pool"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[MediaEngine]:
    settings = MediaSettings(ports=(24000, 24199), workers=1)
    engine: MediaEngine = LocalEngine(settings) if request.param == "local" else WorkerPool(settings)
    await engine.start()
    yield engine
    await engine.stop()


@pytest.fixture
async def browser() -> AsyncIterator[Aiortc]:
    browser = Aiortc()
    yield browser
    await browser.close()


def describe(port: MediaPort) -> MediaNegotiation:
    ids = Ids(random.Random(5))
    return MediaNegotiation(
        host=port.host,
        port=port.port,
        codecs=("PCMU", "PCMA"),
        keying=BrowserKeying(IDENTITY, ids.bits),
        ptime_ms=20,
        session_id=1,
    )


async def speak(engine: MediaEngine, browser: Aiortc, *, trickle: bool) -> tuple[MediaPort, MediaNegotiation]:
    """A call that the browser makes: it hears our tone, and its own comes back to a recording port."""
    port = await engine.open()
    leg = describe(port)
    answer = leg.make_answer(await browser.offer(trickle=trickle))
    assert leg.params is not None
    port.configure(leg.params)
    port.play([PlayTone((OUR_HZ,), 60_000)], loop=True)
    await browser.take_answer(answer)
    return port, leg


@pytest.mark.parametrize("trickle", [False, True])
async def test_aiortc_calls_us(engine: MediaEngine, browser: Aiortc, trickle: bool) -> None:
    port, leg = await speak(engine, browser, trickle=trickle)
    await until(lambda: browser.tones() == [OUR_HZ], "our tone in the browser")
    port.stop_playing()
    port.echo()
    await until(lambda: browser.tones() == [BROWSER_HZ], "the browser's own tone back")
    # a re-offer keeps names and roles, and the audio goes on
    before = leg.params
    answer = leg.make_answer(await browser.offer())
    assert leg.params is not None
    assert before is not None
    assert leg.params.browser == before.browser
    assert b"a=setup:passive" in answer
    port.configure(leg.params)
    await browser.take_answer(answer)
    browser.heard.clear()
    await until(lambda: browser.tones() == [BROWSER_HZ], "audio after the re-offer")
    stats = await port.close()
    assert stats.packets_received > 50
    assert (stats.foreign_packets, stats.malformed_packets) == (0, 0)


async def test_we_call_aiortc_and_hold_it(engine: MediaEngine, browser: Aiortc) -> None:
    port = await engine.open()
    leg = describe(port)
    leg.take_answer(await browser.answer(leg.make_offer()))
    assert leg.params is not None
    port.configure(leg.params)
    port.play([PlayTone((OUR_HZ,), 60_000)], loop=True)
    await until(lambda: browser.tones() == [OUR_HZ], "our tone in the browser")
    names = leg.params.browser
    leg.local_hold = "sendonly"
    leg.take_answer(await browser.answer(leg.make_offer()))
    assert leg.params.browser == names
    port.configure(leg.params)
    browser.heard.clear()
    await until(lambda: browser.tones() == [OUR_HZ], "music on hold in the browser")
    await port.close()
