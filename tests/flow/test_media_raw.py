"""Raw ports, and what a port tells of its audio, in this process and in workers alike."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from sipcc.errors import PortsExhausted
from sipcc.rtp import (
    LocalEngine,
    MediaEngine,
    MediaEvent,
    MediaPort,
    MediaSettings,
    RtpBegan,
    StreamParams,
    WorkerPool,
    packet,
)

pytestmark = pytest.mark.realtime

HOST = "127.0.0.3"


@pytest.fixture(params=["local", "pool"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[MediaEngine]:
    settings = MediaSettings(ports=(24000, 24199), workers=1)
    engine: MediaEngine = LocalEngine(settings) if request.param == "local" else WorkerPool(settings)
    await engine.start()
    yield engine
    await engine.stop()


@pytest.fixture
def parties() -> Iterator[list[socket.socket]]:
    made = []
    for _ in range(3):
        made.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        made[-1].bind((HOST, 0))
        made[-1].setblocking(False)
    yield made
    for party in made:
        party.close()


def aim(port: MediaPort, party: socket.socket) -> None:
    number = party.getsockname()[1]
    port.configure(
        StreamParams(
            remote_host=HOST, remote_port=number, remote_rtcp_port=number + 1, codec="PCMU", payload_type=0
        )
    )


async def got(party: socket.socket) -> bytes:
    async with asyncio.timeout(5):
        return await asyncio.get_running_loop().sock_recv(party, 4096)


async def test_datagrams_of_any_kind_pass(engine: MediaEngine, parties: list[socket.socket]) -> None:
    one, two, stranger = parties
    first = await engine.open()
    second = await engine.open(near=first)
    left, right = await engine.open_raw(beside=first), await engine.open_raw(beside=second)
    assert left.port % 2 == 0
    for raw, party in ((left, one), (right, two)):
        raw.aim(HOST, party.getsockname()[1], party.getsockname()[1] + 1)
    left.bridge(right)
    await asyncio.sleep(0.1)
    one.sendto(b"\x00\x01fax", ("127.0.0.1", left.port))
    assert await got(two) == b"\x00\x01fax"
    two.sendto(bytes(1400), ("127.0.0.1", right.port))
    assert await got(one) == bytes(1400)
    stranger.sendto(b"x", ("127.0.0.1", left.port))
    await asyncio.sleep(0.1)
    stats = await left.close()
    assert (stats.packets_received, stats.packets_sent, stats.foreign_packets) == (1, 1, 1)
    await first.close()
    await second.close()  # and with it the raw port beside it
    assert (await right.close()).packets_received == 1
    with pytest.raises(PortsExhausted):
        await engine.open_raw(beside=first)


async def test_a_port_tells_that_audio_has_begun(engine: MediaEngine, parties: list[socket.socket]) -> None:
    one = parties[0]
    port = await engine.open()
    events: asyncio.Queue[MediaEvent] = asyncio.Queue()
    port.on_event = events.put_nowait
    aim(port, one)
    port.notice(True)
    data = packet.build(bytes(160), payload_type=0, sequence=1, timestamp=160, ssrc=3)
    one.sendto(data, ("127.0.0.1", port.port))
    async with asyncio.timeout(5):
        assert await events.get() == RtpBegan(port.id)
    await port.close()
