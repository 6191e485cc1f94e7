"""Legs to browsers in the engine, on a virtual clock: nothing leaves and nothing is believed without proof.

The browser here is made of the cores of the library; that others understand them is proved in
``tests/interop/test_browser_audio.py``.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import msgspec
import pytest
from tests.flow.stage import Stage

from sipcc import stun
from sipcc.rtp import BrowserParams, MediaEvent, MediaPort, MediaTimedOut, PlayEnded, PlayTone, StreamParams
from sipcc.rtp.dtls import DtlsEndpoint, make_identity
from sipcc.rtp.latch import Address
from sipcc.rtp.packet import HEADER
from sipcc.rtp.srtp import Shield
from sipcc.testing import audio
from sipcc.testing.wires import MemorySockets

OURS, THEIRS = make_identity(wall=1.8e9), make_identity(wall=1.8e9)
WAY = BrowserParams(
    local_ufrag="ours",
    local_password="our-password-of-22-chars",
    remote_ufrag="them",
    remote_password="their-password-of-24-char",
    fingerprints=(THEIRS.fingerprint,),
    identity=OURS,
)


class Browser:
    """Checks, shakes hands, and says a tone once it has keys; remembers all that comes."""

    def __init__(self, sockets: MemorySockets, host: str, port: MediaPort) -> None:
        self.address = (host, 40000)
        self.port = port
        self.events: list[MediaEvent] = []
        port.on_event = self.events.append
        self.params = StreamParams(
            remote_host="169.254.169.254",  # what an SDP names is nothing to us
            remote_port=80,
            remote_rtcp_port=80,
            codec="PCMU",
            payload_type=0,
            rtcp_mux=True,
            browser=WAY,
        )
        self.arrived: list[bytes] = []
        self.heard: list[tuple[float, bytes]] = []
        self.checking = True
        self.talking = True
        self.shield: Shield | None = None
        self._dtls = DtlsEndpoint(THEIRS, (OURS.fingerprint,), active=True)
        self._loop = asyncio.get_running_loop()
        self._sockets = sockets
        self._handle = sockets.open(host, 40000)
        sockets.on_arrival = self._drain
        self._task = asyncio.create_task(self._run())

    def send(self, data: bytes) -> None:
        self._sockets.send(self._handle, data, (self.port.host, self.port.port))

    async def _run(self) -> None:
        payloads = audio.payloads(audio.tone(600, 1.0))
        for n in range(1_000_000):
            if self.checking and n % 50 == 1:  # a test may stop it before the first
                self.send(check())
            if self.shield is not None and self.talking:
                header = HEADER.pack(0x80, 0, n & 0xFFFF, n * 160, 77)
                self.send(self.shield.protect(header + payloads[n % 50]) or b"")
            await asyncio.sleep(0.02)

    def _drain(self) -> None:
        now = self._loop.time()
        for _, data, _ in self._sockets.drain():
            self.arrived.append(data)
            waiting: list[bytes] = []
            if data[0] < 4:
                waiting = self._dtls.begin(now=now) if data[:2] == b"\x01\x01" else []
            elif 20 <= data[0] <= 63:
                waiting = self._dtls.receive(data, now=now)
            elif self.shield is not None and not 192 <= data[1] <= 223:
                clear = self.shield.unprotect(data)
                if clear is not None:
                    self.heard.append((now, clear[12:]))
            if self.shield is None and self._dtls.keys is not None:
                self.shield = Shield(self._dtls.keys)
            for answer in waiting:
                self.send(answer)

    def tones(self) -> list[int]:
        recent = [payload for at, payload in self.heard if at > self._loop.time() - 0.5]
        if len(recent) < 10:
            return []
        from sipcc.rtp.codec import g711

        return [round(hz) for hz in audio.find_tones(g711.decode(b"".join(recent), "PCMU"))]

    def close(self) -> None:
        self._task.cancel()
        self._sockets.on_arrival = None


def check(password: str = WAY.local_password, *, signed: bool = True) -> bytes:
    body = stun.attribute(stun.USERNAME, b"ours:them") + stun.attribute(0x0024, bytes(4))
    body += stun.attribute(0x0025, b"")
    return stun.seal(stun.REQUEST, os.urandom(12), body, key=password.encode() if signed else b"")


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.close()


@pytest.fixture
async def browser(stage: Stage) -> AsyncIterator[Browser]:
    host = "10.0.2.1"
    browser = Browser(stage.network.sockets(host), host, await stage.engine.open())
    yield browser
    browser.close()


async def test_a_browser_and_a_telephone_hear_each_other(stage: Stage, browser: Browser) -> None:
    phone = await stage.join(tone=900)
    browser.port.configure(browser.params)
    browser.port.bridge(phone.port)
    await asyncio.sleep(3)
    assert browser.tones() == [900]
    assert phone.party.tones() == [600]
    assert phone.party.breaks() == []
    stats = browser.port.read_stats()
    assert (stats.foreign_packets, stats.malformed_packets, stats.srtp_rejected) == (0, 0, 0)


async def test_a_prompt_waits_for_the_keys_and_is_heard_from_its_start(browser: Browser) -> None:
    browser.checking = False
    browser.port.configure(browser.params)
    browser.port.play([PlayTone((700,), 1000)], token=5)
    await asyncio.sleep(3)
    assert browser.arrived == []
    assert browser.events == []
    browser.checking = True
    await asyncio.sleep(3)
    assert browser.events == [PlayEnded(browser.port.id, 5, "done", 1000)]
    assert len(browser.heard) == 50


async def test_without_a_right_check_nothing_leaves_whoever_speaks(stage: Stage, browser: Browser) -> None:
    """Reliability D05: C13 and C23, and addresses of the SDP that are not to be sent to."""
    phone = await stage.join(tone=900)
    browser.checking = False
    browser.port.configure(browser.params)
    browser.port.bridge(phone.port)
    hello = DtlsEndpoint(THEIRS, (OURS.fingerprint,), active=True).begin(now=0)[0]
    browser.send(hello)
    browser.send(check(signed=False))
    browser.send(HEADER.pack(0x80, 0, 1, 160, 77) + bytes(160))
    browser.send(b"\x80\xc8" + bytes(26))
    await asyncio.sleep(2)
    assert [stun.HEADER.unpack_from(data)[0] for data in browser.arrived] == [stun.ERROR]
    assert browser.port.read_stats().foreign_packets == 4
    assert phone.party.tones() == []
    from_us = {packet.target.host for packet in stage.network.sent(source=browser.port.host)}
    assert from_us <= {browser.address[0], phone.party.host}


async def test_a_stranger_gets_nothing_and_changes_nothing_in_a_call(stage: Stage, browser: Browser) -> None:
    phone = await stage.join(tone=900)
    browser.port.configure(browser.params)
    browser.port.bridge(phone.port)
    await asyncio.sleep(2)
    sockets = stage.network.sockets("10.0.9.9")
    stranger = sockets.open("10.0.9.9", 40000)
    target: Address = (browser.port.host, browser.port.port)
    forger = make_identity(wall=0.0)
    hello = DtlsEndpoint(forger, (OURS.fingerprint,), active=True).begin(now=0)[0]
    for n in range(100):
        noise = (hello, check("guessed-password-of-22"), HEADER.pack(0x80, 0, n, n * 160, 78) + bytes(160))
        for data in noise:
            sockets.send(stranger, data, target)
        await asyncio.sleep(0.02)
    answers = stage.network.sent(source=browser.port.host)
    told = [packet.data for packet in answers if packet.target.host == "10.0.9.9"]
    assert 0 < len(told) <= 50
    assert {stun.HEADER.unpack_from(data)[0] for data in told} == {stun.ERROR}
    assert browser.tones() == [900]
    assert phone.party.tones() == [600]
    assert browser.port.read_stats().foreign_packets == 300


async def test_the_wrong_certificate_hears_nothing(stage: Stage, browser: Browser) -> None:
    phone = await stage.join(tone=900)
    wrong = msgspec.structs.replace(WAY, fingerprints=(OURS.fingerprint,))
    browser.port.configure(msgspec.structs.replace(browser.params, browser=wrong))
    browser.port.bridge(phone.port)
    await asyncio.sleep(3)
    assert [data for data in browser.arrived if data[0] > 63] == []
    assert phone.party.tones() == []


async def test_checks_are_life_and_without_them_we_fall_silent(stage: Stage, browser: Browser) -> None:
    phone = await stage.join(tone=900)
    browser.port.configure(browser.params)
    browser.port.bridge(phone.port)
    browser.talking = False
    await asyncio.sleep(60)
    assert [event for event in browser.events if isinstance(event, MediaTimedOut)] == []
    assert browser.tones() == [900]
    browser.checking = False
    await asyncio.sleep(45)
    assert browser.tones() == [], "30 s without a check: the consent is over"
    assert [type(event) for event in browser.events if isinstance(event, MediaTimedOut)] == [MediaTimedOut]


async def test_a_hold_and_an_ice_restart_keep_the_line(stage: Stage, browser: Browser) -> None:
    phone = await stage.join(tone=900)
    browser.port.configure(browser.params)
    browser.port.bridge(phone.port)
    await asyncio.sleep(2)
    browser.port.configure(msgspec.structs.replace(browser.params, send=False, receive=False))
    await asyncio.sleep(2)
    assert browser.tones() == phone.party.tones() == []
    renamed = msgspec.structs.replace(WAY, local_ufrag="newer", remote_ufrag="anew")
    browser.port.configure(msgspec.structs.replace(browser.params, browser=renamed))
    await asyncio.sleep(2)
    assert browser.tones() == [900], "the old way is used until a new one is proved"
    assert phone.party.tones() == [600]
    assert phone.party.breaks() == []


async def test_a_million_random_bytes_are_only_counted(stage: Stage, browser: Browser) -> None:
    browser.port.configure(browser.params)
    await asyncio.sleep(1)
    for n in range(4000):
        browser.send(bytes([n % 256]) + os.urandom(n % 250))
        if n % 100 == 0:
            await asyncio.sleep(0.02)
    await asyncio.sleep(1)
    core = stage.engine._core
    assert core is not None
    assert (core.crashes, core.last_crash) == (0, None)
    browser.port.echo()
    await asyncio.sleep(1)
    assert browser.tones() == [600]
