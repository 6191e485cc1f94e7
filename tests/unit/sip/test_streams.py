"""How long the rest of a message on a stream may take, seen from outside; and what else keeps a way open."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from sipcc.clock import LoopClock
from sipcc.ids import Ids
from sipcc.sip import Address, Endpoint, SipSettings
from sipcc.sip.settings import ConnectionSettings
from sipcc.sip.transport.base import Flow, TransportName
from sipcc.testing.network import MemoryNetwork
from sipcc.testing.wires import MemoryStream

HOST = "10.0.0.2"
PORTS: dict[str, int] = {"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 8080, "wss": 8443}
OPTIONS = (
    b"OPTIONS sip:10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
    b"From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
    b"Content-Length: 4\r\n\r\nbody"
)


class Peer:
    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.closed_at: float | None = None

    def blocked(self, host: str) -> bool:
        return False

    def stream_received(self, data: bytes, flow: Flow) -> None:
        self.heard.append(data)

    message_received = datagram_received = stream_received

    def flow_closed(self, flow: Flow, error: Exception | None) -> None:
        self.closed_at = asyncio.get_running_loop().time()


class World:
    def __init__(self) -> None:
        self.network = MemoryNetwork()
        self.peer = Peer()
        self.endpoint = Endpoint(
            SipSettings(
                listen=tuple(f"{name}:{HOST}:{port}" for name, port in PORTS.items()),
                connections=ConnectionSettings(idle=300),
            ),
            network=self.network.host(HOST),
            clock=LoopClock(wall=0.0),
            ids=Ids(random.Random(1)),
        )

    async def connect(self, transport: TransportName) -> Flow:
        far = Address(HOST, PORTS[transport])
        if transport == "udp":
            return (await self.network.listen("udp", Address("10.0.0.1", 5060), self.peer)).flow_to(far)
        return await self.network.connect(far, self.peer, transport=transport, local_host="10.0.0.1")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    await world.endpoint.start()
    yield world
    assert world.endpoint.counters["crashes"] == 0
    await world.endpoint.stop()


HEAD = OPTIONS.index(b"\r\n\r\n") + 4


@pytest.mark.parametrize("transport", ["tcp", "tls"])
@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        (b"O", 10.0),
        (b"\r", 10.0),
        (OPTIONS[: HEAD - 1], 10.0),
        (OPTIONS[:HEAD], 20.0),
        (OPTIONS[:-1], 20.0),
        (OPTIONS, 300.0),
        (b"\r\n\r\n", 300.0),
        (OPTIONS + OPTIONS[:5], 10.0),
    ],
)
async def test_what_began_must_end(
    world: World, transport: TransportName, sent: bytes, seconds: float
) -> None:
    flow = await world.connect(transport)
    began = asyncio.get_running_loop().time()
    flow.send(sent)
    await asyncio.sleep(seconds + 40)
    assert world.peer.closed_at is not None
    assert world.peer.closed_at - began == pytest.approx(seconds, abs=0.2)
    assert world.endpoint.counters["streams_timed_out"] == 1


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_one_byte_a_second_gains_no_time(world: World, transport: TransportName) -> None:
    flow = await world.connect(transport)
    began = asyncio.get_running_loop().time()
    for position in range(len(OPTIONS)):
        if flow.closed:
            break
        flow.send(OPTIONS[position : position + 1])
        await asyncio.sleep(1)
    assert world.peer.closed_at is not None
    assert world.peer.closed_at - began == pytest.approx(10, abs=0.2)


@pytest.mark.parametrize("transport", ["tcp", "tls", "ws", "wss"])
async def test_a_connection_that_speaks_now_and_then_stays(world: World, transport: TransportName) -> None:
    flow = await world.connect(transport)
    for _ in range(10):
        flow.send(OPTIONS if transport in ("tcp", "tls") else OPTIONS.replace(b"Content-Length: 4\r\n", b""))
        await asyncio.sleep(200)
    assert world.peer.closed_at is None
    assert len([data for data in world.peer.heard if data.startswith(b"SIP/2.0 200")]) >= 1
    await asyncio.sleep(101)
    assert world.peer.closed_at is not None


@pytest.mark.parametrize("transport", ["tcp", "tls", "ws", "wss"])
@pytest.mark.parametrize(
    ("pieces", "pongs"),
    [
        ([b"\r\n\r\n"], 1),
        ([b"\r\n\r\n"] * 3, 3),
        ([b"\r\n"], 0),
        ([OPTIONS, b"\r\n\r\n", OPTIONS.replace(b"z9hG4bK1", b"z9hG4bK2")], 1),
    ],
)
async def test_a_double_crlf_is_answered(
    world: World, transport: TransportName, pieces: list[bytes], pongs: int
) -> None:
    flow = await world.connect(transport)
    for piece in pieces:
        flow.send(piece)
        await asyncio.sleep(0.01)
    assert world.peer.heard.count(b"\r\n") == pongs
    answers = [data for data in world.peer.heard if data.startswith(b"SIP/2.0 200")]
    assert len(answers) == sum(piece.startswith(b"OPTIONS") for piece in pieces)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
@pytest.mark.parametrize("cut", [1, 2, 3])
async def test_a_ping_cut_in_two_is_answered_once(world: World, transport: TransportName, cut: int) -> None:
    flow = await world.connect(transport)
    for piece in (b"\r\n\r\n"[:cut], b"\r\n\r\n"[cut:]):
        flow.send(piece)
        await asyncio.sleep(0.5)
    assert world.peer.heard == [b"\r\n"]
    flow.send(OPTIONS)
    await asyncio.sleep(0.1)
    assert world.peer.heard[-1].startswith(b"SIP/2.0 200")


async def test_a_browser_needs_no_content_length_and_smuggles_no_second_message(world: World) -> None:
    flow = await world.connect("wss")
    flow.send(OPTIONS.replace(b"Content-Length: 4\r\n", b""))
    flow.send(OPTIONS.replace(b"z9hG4bK1", b"z9hG4bK2") + OPTIONS.replace(b"z9hG4bK1", b"z9hG4bK3"))
    flow.send(b"\xff\xfe\xfd")
    flow.send(b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12))
    await asyncio.sleep(0.1)
    assert len(world.peer.heard) == 2
    assert world.peer.closed_at is None
    assert world.endpoint.counters["malformed"] == 2


async def test_stun_on_the_sip_port(world: World) -> None:
    flow = await world.connect("udp")
    flow.send(b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12))
    flow.send(b"\x00\x01\x00\x05\x21\x12\xa4\x42" + bytes(12))
    flow.send(b"\x03")
    await asyncio.sleep(0.1)
    assert [data[:2] for data in world.peer.heard] == [b"\x01\x01"]
    assert (world.endpoint.counters["stun"], world.endpoint.counters["malformed"]) == (1, 2)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
@pytest.mark.parametrize(
    ("length", "status"),
    [
        (b"Content-Length: -1", 400),
        (b"Content-Length: +4", 400),
        (b"Content-Length: 1_0", 400),
        (b"Content-Length: 0x4", 400),
        (b"Content-Length: 4 4", 400),
        (b"Content-Length:", 400),
        ("Content-Length: ٤".encode(), 400),
        (b"Content-Length: 2147483648", 513),
        (b"Content-Length: 4294967328", 513),
        (b"Content-Length: 99999999999999999999", 400),
        (b"Content-Length: 4\r\nContent-Length: 5", 400),
        (b"Content-Length: 4\r\nl: 4", 400),
        (b"X: y", 400),
    ],
)
async def test_a_length_that_lies_ends_the_stream_and_no_body_becomes_a_message(
    world: World, transport: TransportName, length: bytes, status: int
) -> None:
    flow = await world.connect(transport)
    inner = OPTIONS.replace(b"z9hG4bK1", b"z9hG4bKsmuggled")
    flow.send(OPTIONS.replace(b"Content-Length: 4", length).replace(b"body", inner) + inner)
    await asyncio.sleep(0.1)
    assert [data[:11] for data in world.peer.heard] == [b"SIP/2.0 %d" % status]
    assert world.peer.closed_at is not None
    assert world.endpoint.counters["received"] == 1


@pytest.mark.parametrize("transport", ["tcp", "tls"])
@pytest.mark.parametrize(("body", "answers"), [(b"bo", 0), (b"body and more", 1)])
async def test_a_body_too_short_waits_and_one_too_long_ends_the_stream(
    world: World, transport: TransportName, body: bytes, answers: int
) -> None:
    flow = await world.connect(transport)
    flow.send(OPTIONS.replace(b"body", body))
    await asyncio.sleep(30)
    assert sum(data.startswith(b"SIP/2.0 200") for data in world.peer.heard) == answers
    assert world.peer.closed_at is not None


@pytest.mark.parametrize("transport", ["tcp", "tls", "ws", "wss"])
@pytest.mark.parametrize("after", [0.0, 0.01, 0.6])
async def test_streams_that_break_while_calls_are_made_leave_nothing(
    world: World, transport: TransportName, after: float
) -> None:
    """CVE-2018-7286, CVE-2020-28327: a burst of INVITE, and the connection is gone."""
    world.endpoint.on_invite = lambda session: session.accept(SDP)
    for number in range(20):
        flow = await world.connect(transport)
        for branch in range(5):
            flow.send(INVITE % (transport.upper().encode(), number, branch, number, branch))
        await asyncio.sleep(after)
        assert isinstance(flow, MemoryStream)
        flow.abort()
    await asyncio.sleep(120)
    assert (len(world.endpoint.layer), world.endpoint.sessions) == (0, 0)
    assert world.endpoint.counters["handler_crashes"] == 0


SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
INVITE = (
    b"INVITE sip:10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/%b 10.0.0.1;branch=z9hG4bK%dx%d\r\nMax-Forwards: 70\r\n"
    b"From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: %dx%d\r\nCSeq: 1 INVITE\r\n"
    b"Contact: <sip:a@10.0.0.1>\r\nContent-Length: 0\r\n\r\n"
)
