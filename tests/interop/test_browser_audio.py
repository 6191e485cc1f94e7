"""Audio with browsers: aiortc against our engine alone, and Chromium through the real daemon."""

from __future__ import annotations

import asyncio
import fractions
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError
from aiortc.rtcrtpreceiver import RemoteStreamTrack
from av import AudioFrame
from tests.interop.browser import Chromium, Page, pin, web_server
from tests.interop.centre import AGENT_HZ, CALLER_HZ, SWITCH, WELCOME_HZ, Centre
from tests.interop.conftest import Cast
from tests.interop.programs import ended, wait_until
from tests.interop.test_browser import Desk, expect
from tests.interop.test_captures import tshark
from tests.interop.test_main_job import check_recording

from sipcc.call.browser import BrowserKeying
from sipcc.call.negotiate import MediaNegotiation
from sipcc.ids import Ids
from sipcc.rtp import LocalEngine, MediaEngine, MediaPort, MediaSettings, PlayTone, WorkerPool
from sipcc.rtp.dtls import make_identity
from sipcc.rtp.udp import Datagram, UdpSockets
from sipcc.sip.capture import file_header, record
from sipcc.sip.transport.base import Address
from sipcc.testing import audio
from sipcc.testing.audio import Samples

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
        self.heard: list[tuple[int, Samples]] = []
        self._reading: set[asyncio.Task[None]] = set()
        self.pc.on("track", self._track)

    def _track(self, track: RemoteStreamTrack) -> None:
        task = asyncio.create_task(self._read(track))
        self._reading.add(task)

    async def _read(self, track: RemoteStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            assert isinstance(frame, AudioFrame)
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
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
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


class Recorded(UdpSockets):
    """Real sockets that remember all that went through them, and may lose some of it."""

    def __init__(self) -> None:
        super().__init__()
        self.packets: list[tuple[Address, Address, bytes]] = []
        self.lose: Callable[[bytes], bool] = lambda data: False

    def drain(self) -> Iterator[Datagram]:
        for handle, data, source in super().drain():
            if not self.lose(data):
                self.packets.append((Address(*source), self._here(handle), data))
                yield handle, data, source

    def send(self, handle: int, data: bytes | bytearray | memoryview, address: tuple[str, int]) -> None:
        if not self.lose(bytes(data)):
            self.packets.append((self._here(handle), Address(*address), bytes(data)))
            super().send(handle, data, address)

    def _here(self, handle: int) -> Address:
        return Address("127.0.0.1", self.port_of(handle))


@pytest.fixture
async def recorded() -> AsyncIterator[tuple[LocalEngine, Recorded]]:
    sockets = Recorded()
    engine = LocalEngine(MediaSettings(ports=(24400, 24499)), sockets=sockets)
    await engine.start()
    yield engine, sockets
    await engine.stop()
    sockets.close_all()


@pytest.mark.parametrize("flight", [2, 4])
async def test_a_lost_flight_of_dtls_is_sent_again(
    recorded: tuple[LocalEngine, Recorded], browser: Aiortc, flight: int
) -> None:
    engine, sockets = recorded
    flights: list[bytes] = []

    def lose(data: bytes) -> bool:
        """The whole of our second or fourth flight of the handshake, once."""
        if 20 <= data[0] <= 63:
            flights.append(data)
            return len(flights) == flight
        return False

    sockets.lose = lose
    port, _ = await speak(engine, browser, trickle=False)
    await until(lambda: browser.tones() == [OUR_HZ], "our tone in the browser")
    assert len(flights) > 4
    await port.close()


async def test_tshark_reads_all_of_it(
    recorded: tuple[LocalEngine, Recorded], browser: Aiortc, tmp_path: Path
) -> None:
    engine, sockets = recorded
    port, leg = await speak(engine, browser, trickle=False)
    await until(lambda: browser.tones() == [OUR_HZ], "our tone in the browser")
    await port.close()
    path = tmp_path / "browser.pcap"
    # a machine with several addresses checks the way from each; one of them speaks
    there, _ = Counter(source for source, _, _ in sockets.packets if source.port != port.port).most_common(1)[
        0
    ]
    here = Address(port.host, port.port)
    # tshark learns from the descriptions what the packets are, by the address of the c= line
    offer = re.sub(r"(?m)^c=IN IP4 .*$", f"c=IN IP4 {there.host}\r", str(browser.pc.localDescription.sdp))
    packets = [(there, here, sip("INVITE sip:a@example.com SIP/2.0", offer.encode()))]
    packets += [(here, there, sip("SIP/2.0 200 OK", leg.local_body))]
    packets = [(Address(a.host, 5060), Address(b.host, 5060), data) for a, b, data in packets]
    records = [
        record(data, source=source, destination=to, wall=1_700_000_000 + at / 1000)
        for at, (source, to, data) in enumerate(packets + sockets.packets)
    ]
    path.write_bytes(file_header() + b"".join(records))
    mine = f"udp.srcport == {port.port}"
    assert {row[0] for row in tshark(path, f"stun && {mine}", "stun.type")} == {"0x0101"}
    assert tshark(path, "stun.type == 0x0001", "frame.number")
    assert tshark(path, f"dtls.handshake && {mine}", "frame.number")
    rows = tshark(path, f"rtp && !dtls && {mine}", "_ws.col.Protocol", "rtp.p_type", "rtp.ssrc")
    assert len(rows) > 25
    assert {tuple(row) for row in rows} == {("SRTP", "0", rows[0][2])}
    assert {row[0] for row in tshark(path, f"srtcp && {mine}", "_ws.col.Protocol")} == {"SRTCP"}
    # beyond its first header SRTCP is cipher text, which tshark reads as reports all the same; in some of it
    # the bytes look like a report that is cut off
    assert {row[0].split(",")[0] for row in tshark(path, f"srtcp && {mine}", "rtcp.pt")} <= {"200", "201"}
    assert tshark(path, "_ws.malformed && !srtcp", "frame.number") == []


def sip(first: str, body: bytes) -> bytes:
    """A message of SIP that carries a description."""
    lines = (
        first,
        "Via: SIP/2.0/UDP a.example.com;branch=z9hG4bK1",
        "From: <sip:b@example.com>;tag=1",
        "To: <sip:a@example.com>;tag=2",
        "Call-ID: 1",
        "CSeq: 1 INVITE",
        "Content-Type: application/sdp",
        f"Content-Length: {len(body)}",
        "",
        "",
    )
    return "\r\n".join(lines).encode() + body


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A daemon and Chromium."""
    with web_server() as web_port:
        sip = f'websocket = {{ origins = ["http://127.0.0.1:{web_port}"] }}'
        centre = Centre(tmp_path, sip=sip, secure=True, workers=1)
        try:
            chromium = Chromium(tmp_path, trusts=pin(tmp_path / f"trusted-{SWITCH}-False.pem"))
            with ended(chromium):
                yield Desk(centre, chromium, web_port)
            centre.stop()
        finally:
            centre.program.end(1)


def hear(page: Page, hertz: int, seconds: float = 8.0) -> None:
    """Wait until a page hears a tone."""
    assert page.run(f"phone.sound.hear({hertz}, {seconds})", seconds=seconds + 5)


def ready(page: Page) -> Callable[[], bool]:
    return lambda: bool(page.run("phone.session && phone.session.isReadyToReOffer()"))


@pytest.mark.parametrize("trickle", ["false", "true"])
def test_chromium_hears_itself_and_a_prompt_and_holds(desk: Desk, trickle: str) -> None:
    page = desk.registered()
    page.run(f"phone.talk(600, 'sip:4008123453@{desk.centre.host}', {trickle}); 0")
    expect(page, "phone", "confirmed")
    hear(page, 600)
    wait_until(ready(page), 5, "the first offer is over")
    assert page.run("new Promise((done) => phone.session.hold({}, () => done(true)))")
    hear(page, 0)
    wait_until(ready(page), 5, "the hold is over")
    assert page.run("new Promise((done) => phone.session.unhold({}, () => done(true)))")
    hear(page, 600)
    page.run("phone.session.terminate(); 0")
    expect(page, "phone", "ended")
    page.run(f"phone.talk(600, 'sip:4008123454@{desk.centre.host}'); 0")
    expect(page, "phone", "confirmed")
    hear(page, WELCOME_HZ)
    page.run("phone.session.terminate(); 0")
    expect(page, "phone", "ended")


def test_an_agent_in_chromium_answers_a_queue_call(desk: Desk, cast: Cast) -> None:
    page = desk.registered()
    carrier = cast.carrier(desk.centre, "carrier_hangs_up_pcma", pause_ms=6500)
    expect(page, "phone", "incoming")
    page.run(f"phone.talk({AGENT_HZ}); 0")
    hear(page, CALLER_HZ)
    carrier.succeed()
    expect(page, "phone", "ended")
    [cdr] = desk.centre.cdrs(1)
    assert desk.centre.exits() == ["answered"]
    check_recording(cdr, desk.centre.folder)
