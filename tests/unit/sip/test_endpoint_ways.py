"""Which way messages take: NATs, streams that break, gateways with two ports."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from sipcc.clock import LoopClock
from sipcc.ids import Ids
from sipcc.sip import (
    Address,
    Endpoint,
    InviteSession,
    NameAddr,
    Request,
    SessionEvents,
    SipSettings,
    SipUri,
)
from sipcc.sip import response as build_response
from sipcc.sip.forks import MAX_FORKS
from sipcc.sip.transport.base import Flow
from sipcc.testing.network import MemoryNetwork

SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"


class Log(SessionEvents):
    def __init__(self) -> None:
        self.said: list[str] = []

    def on_ended(self, session: InviteSession, by: str, request: Request | None) -> None:
        self.said.append(by)


class World:
    def __init__(self) -> None:
        self.network = MemoryNetwork()
        self.made: list[Endpoint] = []
        self.incoming: list[InviteSession] = []
        self.at_caller, self.at_called = Log(), Log()

    async def endpoint(self, host: str) -> Endpoint:
        endpoint = Endpoint(
            SipSettings(listen=(f"udp:{host}:5060", f"tcp:{host}:5060")),
            network=self.network.host(host),
            clock=LoopClock(wall=0.0),
            ids=Ids(random.Random(host)),
        )
        await endpoint.start()
        endpoint.on_invite = self._on_invite
        self.made.append(endpoint)
        return endpoint

    def _on_invite(self, session: InviteSession) -> None:
        session.listener = self.at_called
        self.incoming.append(session)
        session.accept(SDP)

    async def call(self, caller: Endpoint, host: str, transport: str = "udp") -> InviteSession:
        out = caller.invite(
            SipUri.parse(f"sip:bob@{host};transport={transport}"),
            from_=NameAddr.parse("<sip:alice@example.com>"),
            body=SDP,
            listener=self.at_caller,
        )
        await asyncio.sleep(0.1)
        return out


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await asyncio.sleep(100)
    for endpoint in world.made:
        assert (len(endpoint.layer), endpoint.sessions, endpoint.counters["crashes"]) == (0, 0, 0)
        await endpoint.stop()


async def test_a_caller_behind_a_nat_is_hung_up_on_its_flow(world: World) -> None:
    world.network.add_nat("203.0.113.9", "192.168.1.5")
    phone, server = await world.endpoint("192.168.1.5"), await world.endpoint("198.51.100.2")
    await world.call(phone, "198.51.100.2")
    session = world.incoming[0]
    assert session.flow.remote.host == "203.0.113.9"
    assert str(session.remote_contact) == "sip:192.168.1.5:5060"
    session.bye()
    await asyncio.sleep(0.1)
    assert world.at_caller.said == ["peer"]
    assert server.sessions == phone.sessions == 0


@pytest.mark.parametrize("who", ["caller", "called"])
async def test_a_broken_stream_is_opened_anew_in_the_middle_of_a_call(world: World, who: str) -> None:
    alice, bob = await world.endpoint("10.0.0.1"), await world.endpoint("10.0.0.2")
    out = await world.call(alice, "10.0.0.2", "tcp")
    out.flow.close()
    await asyncio.sleep(0.1)
    session = out if who == "caller" else world.incoming[0]
    assert session.flow.closed
    session.bye()
    await asyncio.sleep(0.1)
    assert sorted(world.at_caller.said + world.at_called.said) == ["peer", "us"]
    assert bob.sessions == 0


class Gateway:
    """Sends from one port and listens on another, without rport."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def blocked(self, host: str) -> bool:
        return False

    def datagram_received(self, data: bytes, flow: Flow) -> None:
        self.heard.append(data)

    def stream_received(self, data: bytes, flow: Flow) -> None: ...
    def flow_closed(self, flow: Flow, error: Exception | None) -> None: ...


async def test_a_gateway_with_two_ports(world: World) -> None:
    await world.endpoint("10.0.0.2")
    talking, listening = Gateway(), Gateway()
    sender = await world.network.listen("udp", Address("10.0.0.1", 50001), talking)
    await world.network.listen("udp", Address("10.0.0.1", 5060), listening)
    sender.flow_to(Address("10.0.0.2", 5060)).send(
        b"OPTIONS sip:10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1\r\n"
        b"Max-Forwards: 70\r\nFrom: <sip:g@10.0.0.1>;tag=1\r\nTo: <sip:10.0.0.2>\r\nCall-ID: 1\r\n"
        b"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
    await asyncio.sleep(0.1)
    assert talking.heard == []
    assert listening.heard[0].startswith(b"SIP/2.0 200")


async def test_an_answer_whose_stream_is_gone_takes_a_new_one(world: World) -> None:
    alice, bob = await world.endpoint("10.0.0.1"), await world.endpoint("10.0.0.2")
    bob.on_invite = world.incoming.append
    out = await world.call(alice, "10.0.0.2", "tcp")
    world.incoming[0].flow.close()
    world.incoming[0].reject(486)
    await asyncio.sleep(0.1)
    assert bob.counters["send_errors"] >= 1
    assert bob.counters["answers_lost"] == 0
    assert out.failure is not None or out.state == "terminated"


async def test_a_stream_that_ended_is_told_once(world: World) -> None:
    bob = await world.endpoint("10.0.0.2")
    ended: list[Flow] = []
    bob.on_flow_closed = ended.append
    for data in (b"OPTIONS", b"\r\n\r\n", b"no SIP at all\r\n\r\n"):
        flow = await world.network.connect(Address("10.0.0.2", 5060), Gateway(), local_host="10.0.0.1")
        flow.send(data)
        await asyncio.sleep(0.1)
        flow.close()
        await asyncio.sleep(0.1)
    assert len(set(ended)) == len(ended) == 3
    assert all(flow.closed for flow in ended)


async def test_a_listener_of_ended_streams_that_fails_harms_nobody(world: World) -> None:
    bob = await world.endpoint("10.0.0.2")

    def fail(_flow: Flow) -> None:
        raise RuntimeError("no")

    bob.on_flow_closed = fail
    flow = await world.network.connect(Address("10.0.0.2", 5060), Gateway(), local_host="10.0.0.1")
    flow.send(b"\r\n\r\n")
    await asyncio.sleep(0.1)
    flow.close()
    await asyncio.sleep(0.1)
    assert bob.counters.pop("crashes") == 1


@pytest.mark.parametrize(("second", "arrives"), [("sip.example.net", True), ("sip.example.org", False)])
async def test_a_dialog_over_tls_goes_on_with_who_proves_the_same_name(second: str, arrives: bool) -> None:
    network = MemoryNetwork()
    network.certify("10.0.0.2", "sip.example.net")
    ends = []
    for host in ("10.0.0.1", "10.0.0.2"):
        settings = SipSettings(listen=(f"tls:{host}:5061",))
        ids = Ids(random.Random(host))
        ends.append(Endpoint(settings, network=network.host(host), clock=LoopClock(wall=0.0), ids=ids))
        await ends[-1].start()
    ours, carrier = ends
    calls: list[InviteSession] = []

    def on_invite(session: InviteSession) -> None:
        calls.append(session)
        session.accept(SDP)

    ours.on_invite = on_invite
    log = Log()
    carrier.invite(
        SipUri.parse("sip:4008123456@10.0.0.1;transport=tls"),
        from_=NameAddr.parse("<sip:13800138000@example.net>"),
        body=SDP,
        listener=log,
    )
    await asyncio.sleep(1.0)
    [call] = calls
    assert call.flow.peer_names == {"sip.example.net"}
    network.certify("10.0.0.2", second)
    call.flow.close()
    await asyncio.sleep(1.0)
    call.bye()
    await asyncio.sleep(1.0)
    assert log.said == (["peer"] if arrives else [])
    for end in ends:
        await end.stop()


async def test_answers_of_ever_more_forks_do_not_make_a_fountain_of_us(world: World) -> None:
    alice = await world.endpoint("10.0.0.1")
    session = alice.invite(
        SipUri.parse("sip:bob@10.0.0.2"),
        from_=NameAddr.parse("<sip:alice@example.com>"),
        body=SDP,
        listener=Log(),
    )
    await asyncio.sleep(0.1)
    invite = session.request
    flow = alice.listeners[0].flow_to(Address("10.0.0.2", 5060))
    for tag in range(200):
        headers = [("Contact", "<sip:victim@10.0.0.99>")]
        answer = build_response(invite, 200, to_tag=str(tag), headers=headers, body=SDP)
        alice.inbound.datagram_received(bytes(answer), flow)
    await asyncio.sleep(0.1)
    byes = {packet.data for packet in world.network.sent(b"BYE")}
    assert len(byes) == MAX_FORKS
    session.bye()
    await asyncio.sleep(200)
    assert (len(alice.layer), alice.sessions) == (0, 0)
