"""Legs with keys, whose worker is killed: SRTP over the wrap of its numbers; browsers (reliability P4)."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
from tests.faults.rtp_probe import Party, Traffic
from tests.faults.test_kill import LIVE_S, settings, strike, tell, until

from sipcc import stun
from sipcc.rtp import BrowserParams, SrtpKeys, StreamParams, WorkerPool
from sipcc.rtp.dtls import DtlsEndpoint, make_identity
from sipcc.rtp.port import EnginePort
from sipcc.rtp.srtp import Shield
from sipcc.rtp.worker import OLDEST_S

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(120)]

ROUNDS = min(int(os.environ.get("KILL_ROUNDS", "2")), 10)
SUITES = ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"]
LENGTHS = {"AES_CM_128_HMAC_SHA1_80": 30, "AEAD_AES_256_GCM": 44}
PLAIN = StreamParams(
    remote_host="127.0.0.3",
    remote_port=0,
    remote_rtcp_port=0,
    codec="PCMU",
    payload_type=0,
    event_payload_type=101,
)
OURS, THEIRS = make_identity(wall=1.8e9), make_identity(wall=1.8e9)
WAY = BrowserParams(
    local_ufrag="ours",
    local_password="our-password-of-22-chars",
    remote_ufrag="them",
    remote_password="their-password-of-24-char",
    fingerprints=(THEIRS.fingerprint,),
    identity=OURS,
)


class Keyed(Party):
    """A party whose packets are protected, with keys of its own."""

    def __init__(self, host: str, name: int, suite: str) -> None:
        super().__init__(host, name)
        ours, theirs = (bytes([name + 1, way]) * (LENGTHS[suite] // 2) for way in (1, 2))
        self.keys = SrtpKeys(suite, ours, theirs)
        self.shield = Shield(SrtpKeys(suite, theirs, ours))

    def close_packet(self, packet: bytes) -> bytes | None:
        return self.shield.protect(packet)

    def open_packet(self, data: bytes) -> bytes | None:
        return None if 192 <= data[1] <= 223 else self.shield.unprotect(data)


class Browser(Party):
    """A party that checks its way each second, shakes hands, and then speaks."""

    def __init__(self, host: str, name: int) -> None:
        super().__init__(host, name)
        self.shield: Shield | None = None
        self.answered = 0
        self.handshakes = 0
        self._check_at = 0.0
        self.begin_handshake()

    def begin_handshake(self) -> None:
        """Forget the association; the next answer to a check begins another."""
        self._dtls = DtlsEndpoint(THEIRS, (OURS.fingerprint,), active=True)

    def say(self) -> None:
        if self.to is not None and time.monotonic() >= self._check_at:
            self._check_at = time.monotonic() + 0.3
            body = stun.attribute(stun.USERNAME, b"ours:them") + stun.attribute(0x0024, bytes(4))
            body += stun.attribute(0x0025, b"")
            key = WAY.local_password.encode()
            self.socket.sendto(stun.seal(stun.REQUEST, os.urandom(12), body, key=key), self.to)
        super().say()

    def close_packet(self, packet: bytes) -> bytes | None:
        return None if self.shield is None else self.shield.protect(packet)

    def open_packet(self, data: bytes) -> bytes | None:
        now = time.monotonic()
        if data[0] > 127:
            rtp = self.shield is not None and not 192 <= data[1] <= 223
            return self.shield.unprotect(data) if self.shield is not None and rtp else None
        answers: list[bytes] = []
        if data[0] < 4:
            self.answered += data[:2] == b"\x01\x01"
            answers = self._dtls.begin(now=now)
        else:
            keys = self._dtls.keys
            answers = self._dtls.receive(data, now=now)
            if self._dtls.keys is not keys and self._dtls.keys is not None:
                self.shield = Shield(self._dtls.keys)
                self.handshakes += 1
        if self.to is not None:  # None: the traffic is being ended, and this came late
            for answer in answers:
                self.socket.sendto(answer, self.to)
        return None


@asynccontextmanager
async def keyed_calls(
    pool: WorkerPool, make: Callable[[str, int], Party], params: Callable[[Party], StreamParams]
) -> AsyncIterator[tuple[Traffic, list[EnginePort]]]:
    """Two calls of two such parties each."""
    await pool.start()
    traffic = Traffic(4, make=make)
    ports: list[EnginePort] = []
    try:
        for party in traffic.parties:
            port = await pool.open()
            port.configure(msgspec.structs.replace(params(party), remote_port=party.port))
            if len(ports) % 2:
                port.bridge(ports[-1])
            ports.append(port)
            party.to = (port.host, port.port)
        traffic.start()
        await asyncio.sleep(0.5)
        yield traffic, ports
    finally:
        traffic.close()
        await pool.stop()


@pytest.mark.parametrize("suite", SUITES)
async def test_srtp_goes_on_over_the_wraps_of_its_numbers(suite: str) -> None:
    """The numbers leap ahead, so that both ways have rolled over twice before the worker dies."""

    def keyed(host: str, name: int) -> Keyed:
        return Keyed(host, name, suite)

    def params(party: Party) -> StreamParams:
        assert isinstance(party, Keyed)
        return msgspec.structs.replace(PLAIN, srtp=party.keys)

    pool = WorkerPool(settings())
    async with keyed_calls(pool, keyed, params) as (traffic, _):
        for party in traffic.parties:
            party.stride = 190
        begun = [party.heard.sequences[-1] for party in traffic.parties]
        await asyncio.sleep(2.2 * 65536 / 190 / 50)
        for party in traffic.parties:
            party.stride = 1
        await asyncio.sleep(0.3)
        assert all(min(party.heard.sequences) < begun[index] for index, party in enumerate(traffic.parties))
        for number in range(ROUNDS):
            gap, lost = await strike(traffic, pool, signal.SIGKILL, what=f"{suite}, round {number + 1}")
            assert lost <= traffic.may_lose(gap, OLDEST_S)
            assert traffic.unbroken() >= len(traffic.parties) - lost


async def test_browsers_hear_on_without_another_handshake() -> None:
    def params(party: Party) -> StreamParams:
        return msgspec.structs.replace(PLAIN, rtcp_mux=True, browser=WAY)

    pool = WorkerPool(settings())
    async with keyed_calls(pool, Browser, params) as (traffic, _):
        browsers = [party for party in traffic.parties if isinstance(party, Browser)]
        await until(lambda: all(browser.shield is not None for browser in browsers))
        for number in range(ROUNDS):
            answered = [browser.answered for browser in browsers]
            gap, lost = await strike(traffic, pool, signal.SIGKILL, what=f"browsers, round {number + 1}")
            assert lost <= traffic.may_lose(gap, OLDEST_S)
            assert traffic.unbroken() >= len(browsers) - lost
            assert [browser.handshakes for browser in browsers] == [1] * len(browsers)
            assert all(now.answered > before + 2 for now, before in zip(browsers, answered, strict=True))
        for browser in browsers:
            browser.begin_handshake()
        await until(lambda: all(browser.handshakes == 2 for browser in browsers))
        traffic.forget()
        await asyncio.sleep(0.5)
        assert all(len(browser.heard.numbers) > 15 for browser in browsers), "by the new keys"


async def test_a_browser_is_recorded_as_soon_as_it_has_keys() -> None:
    def params(party: Party) -> StreamParams:
        return msgspec.structs.replace(PLAIN, rtcp_mux=True, browser=WAY)

    pool = WorkerPool(settings())
    async with keyed_calls(pool, Browser, params) as (traffic, _):
        browsers = [party for party in traffic.parties if isinstance(party, Browser)]
        await until(lambda: all(browser.shield is not None for browser in browsers))
        [old] = pool.pids
        os.kill(old, signal.SIGKILL)
        await until(lambda: pool.pids and old not in pool.pids)
        await asyncio.sleep(0.5)
        traffic.forget()
        await asyncio.sleep(LIVE_S / 4)
        tell(f"killed at once: {[len(party.heard.numbers) for party in browsers]} packets heard since")
        assert all(len(browser.heard.numbers) > 15 for browser in browsers)
