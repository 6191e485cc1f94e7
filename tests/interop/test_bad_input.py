"""Bytes that are no SIP, and SIP that is wrong, against the running daemon: calls do not notice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.interop.centre import Centre
from tests.interop.family import Family
from tests.rfc.conftest import need_corpus

from sipcc.sip import NameAddr, SipUri
from sipcc.sip.transport.base import Address
from sipcc.testing.carrier import FakeCarrier

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

STRANGER = "127.0.0.9"
CALLER_HZ = 620.0


def shapes(corpus: Path) -> list[bytes]:
    """The 49 messages of RFC 4475, each with some damage, and noise."""
    bits = random.Random(4475)
    found = []
    for path in sorted(corpus.glob("*.dat")):
        data = path.read_bytes()
        found.append(data)
        for _ in range(10):
            damaged = bytearray(data)
            for _ in range(bits.randrange(1, 8)):
                damaged[bits.randrange(len(damaged))] = bits.randrange(256)
            found.append(bytes(damaged[: bits.randrange(1, len(damaged) + 1)]))
    return found + [bits.randbytes(bits.randrange(1, 1400)) for _ in range(1500)]


def throw(data: list[bytes], port: int) -> None:
    """Send everything as datagrams, and over streams in pieces of odd sizes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((STRANGER, 0))
        for each in data:
            sock.sendto(each, ("127.0.0.1", port))
    for start in range(0, len(data), 50):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.bind((STRANGER, 0))
            sock.settimeout(5)
            sock.connect(("127.0.0.1", port))
            try:
                for each in data[start : start + 50]:
                    for at in range(0, len(each), 97):
                        sock.send(each[at : at + 97])
            except OSError:
                continue  # the daemon has closed a stream whose framing is lost, as it should


@asynccontextmanager
async def carrier_of(centre: Centre) -> AsyncIterator[FakeCarrier]:
    """A carrier on real sockets, stopped whatever happens."""
    server = Address("127.0.0.1", centre.port)
    carrier = FakeCarrier("carrier", "127.0.0.2", server=server, tone_hz=CALLER_HZ)
    await carrier.start()
    try:
        yield carrier
    finally:
        await carrier.stop()


async def test_calls_do_not_notice_bad_input(start: Callable[..., Centre]) -> None:
    centre = start()
    async with carrier_of(centre) as carrier:
        call = await carrier.call("4008123453")
        await call.answered()
        await call.hears(CALLER_HZ)
        await asyncio.to_thread(throw, shapes(need_corpus("rfc4475")), centre.port)
        await call.hears(CALLER_HZ)
        await call.hangup()
        me = NameAddr(SipUri(user="carrier", host="127.0.0.2"))
        alive = await carrier.endpoint.request(
            "OPTIONS", SipUri(host="127.0.0.1", port=centre.port), from_=me, to=me, destination=carrier.server
        )
        assert alive.status == 200
        again = await carrier.call("4008123453")
        await again.answered()
        await again.hangup()
    centre.stop()


async def test_a_call_outlives_its_media_worker(start: Callable[..., Centre]) -> None:
    centre = start(workers=1)
    async with carrier_of(centre) as carrier:
        call = await carrier.call("4008123453")
        await call.answered()
        await call.hears(CALLER_HZ)
        [worker] = Family(centre.config).workers
        os.kill(worker, signal.SIGKILL)
        await call.hears(CALLER_HZ)
        again = await carrier.call("4008123453")
        await again.answered()
        await again.hears(CALLER_HZ)
        await again.hangup()
        await call.hears(CALLER_HZ)
        await call.hangup()
    assert centre.program.end(15) == 0
    assert "media.worker_lost" in centre.program.output
    assert "Traceback" not in centre.program.output
