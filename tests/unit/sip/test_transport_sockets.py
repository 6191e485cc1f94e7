"""UDP and TCP on real loopback sockets."""

from __future__ import annotations

import asyncio

import pytest

from sipcc.errors import ConfigError, ConnectError, TransportError
from sipcc.sip import Address, Flow, SipSettings
from sipcc.sip.settings import ConnectionSettings
from sipcc.sip.transport import stream, tcp, udp
from sipcc.sip.transport.manager import (
    FlowManager,
    SocketNetwork,
    Unopened,
    local_host_towards,
    parse_listen,
)

pytestmark = pytest.mark.realtime


class Inbox:
    def __init__(self) -> None:
        self.got: asyncio.Queue[tuple[bytes, Flow]] = asyncio.Queue()
        self.closed: asyncio.Queue[Flow] = asyncio.Queue()

    def blocked(self, host: str) -> bool:
        return False

    def datagram_received(self, data: bytes, flow: Flow, waited: float | None = None) -> None:
        self.got.put_nowait((data, flow))

    def stream_received(self, data: bytes, flow: Flow) -> None:
        self.got.put_nowait((data, flow))

    message_received = stream_received

    def flow_closed(self, flow: Flow, error: Exception | None) -> None:
        self.closed.put_nowait(flow)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_udp_there_and_back(host: str) -> None:
    network, one, two = SocketNetwork(), Inbox(), Inbox()
    a = await network.listen("udp", Address(host, 0), one)
    b = await network.listen("udp", Address(host, 0), two)
    out = a.flow_to(b.local)
    out.send(b"hello")
    data, back = await two.got.get()
    assert (data, back.remote, back.reliable, back.transport) == (b"hello", a.local, False, "udp")
    back.send(b"world")
    data, again = await one.got.get()
    assert data == b"world"
    assert again is a.flow_to(again.remote) or host == "::1"
    await a.close()
    with pytest.raises(TransportError):
        out.send(b"too late")
    await b.close()


async def test_what_is_under_way_is_taken_before_what_is_new() -> None:
    network, one, two = SocketNetwork(), Inbox(), Inbox()
    a = await network.listen("udp", Address("127.0.0.1", 0), one)
    b = await network.listen("udp", Address("127.0.0.1", 0), two)
    out = a.flow_to(b.local)
    to = b" sip:x SIP/2.0\r\nTo: <sip:x>"
    sent = [
        b"INVITE" + to,
        b"BYE" + to + b";tag=1",
        b"CANCEL" + to,
        b"SIP/2.0 200 OK\r\nTo: <sip:x>",
        b"OPTIONS" + to,
    ]
    for data in sent:
        out.send(data)
    got = [(await two.got.get())[0] for _ in sent]
    invite, bye, cancel, ok, options = sent
    assert got == [bye, ok, options, invite, cancel], "a CANCEL stays behind its INVITE"
    await a.close()
    await b.close()


async def test_a_flood_of_what_is_under_way_lets_the_loop_turn() -> None:
    network, one, two = SocketNetwork(), Inbox(), Inbox()
    a = await network.listen("udp", Address("127.0.0.1", 0), one)
    b = await network.listen("udp", Address("127.0.0.1", 0), two)
    out = a.flow_to(b.local)
    for _ in range(300):
        out.send(b"BYE sip:x SIP/2.0")
    turns = 0
    while two.got.qsize() < 300:
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 300 // udp.URGENT_BATCH
    await a.close()
    await b.close()


async def test_a_flood_of_what_looks_urgent_does_not_keep_all_calls_out() -> None:
    network, one, two = SocketNetwork(), Inbox(), Inbox()
    a = await network.listen("udp", Address("127.0.0.1", 0), one)
    b = await network.listen("udp", Address("127.0.0.1", 0), two)
    out = a.flow_to(b.local)
    out.send(b"INVITE sip:x SIP/2.0\r\nTo: <sip:x>")
    for _ in range(10 * udp.URGENT_BATCH):
        out.send(b"BYE sip:x SIP/2.0")
    first = [(await two.got.get())[0][:6] for _ in range(3 * udp.URGENT_BATCH)]
    assert b"INVITE" in first
    await a.close()
    await b.close()


def test_what_waits_has_bounds_in_number_and_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "MAX_WAITING", 10)
    monkeypatch.setattr(udp, "MAX_WAITING_BYTES", 1000)
    queue = udp._Queue()
    assert sum(queue.put((0.0, bytes(1), ())) for _ in range(12)) == 2
    assert queue.put((0.0, bytes(995), ())) == 5, "the oldest go until there is room"
    assert len(queue) == 6
    assert queue.put((0.0, bytes(2000), ())) == 7, "what never has room is lost itself"
    assert len(queue) == 0


async def test_an_answer_goes_back_through_the_zone_that_its_question_came_from() -> None:
    network, box = SocketNetwork(), Inbox()
    listener = await network.listen("udp", Address("::1", 0), box)
    assert isinstance(listener, udp.UdpListener)
    sent: list[tuple[bytes, object]] = []
    listener.send = lambda data, peer: sent.append((data, peer))  # type: ignore[method-assign]
    peer = ("fe80::7", 5060, 0, 3)
    flow = listener._flow(peer)
    flow.send(b"x")
    assert sent == [(b"x", peer)]
    assert flow.remote == Address("fe80::7", 5060)
    await listener.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_tcp_there_and_back(host: str) -> None:
    network, one, two = SocketNetwork(), Inbox(), Inbox()
    listener = await network.listen("tcp", Address(host, 0), two)
    flow = await network.connect(listener.local, one)
    assert flow.reliable
    flow.send(b"hello")
    data, back = await two.got.get()
    assert (data, back.remote) == (b"hello", flow.local)
    back.send(b"world")
    assert (await one.got.get())[0] == b"world"
    flow.close()
    with pytest.raises(TransportError):
        flow.send(b"too late")
    assert await two.closed.get() is back
    assert back.closed
    with pytest.raises(TransportError):
        listener.flow_to(flow.local)
    await listener.close()


async def test_taken_and_deaf_addresses() -> None:
    network, inbox = SocketNetwork(), Inbox()
    for transport in ("udp", "tcp"):
        listener = await network.listen(transport, Address("127.0.0.1", 0), inbox)
        with pytest.raises(TransportError):
            await network.listen(transport, listener.local, inbox)
        await listener.close()
    with pytest.raises(ConnectError):
        await network.connect(listener.local, inbox)


async def test_one_source_cannot_take_all_connections() -> None:
    inbox, ours = Inbox(), Inbox()
    network = SocketNetwork(SipSettings(connections=ConnectionSettings(per_source=2)))
    listener = await network.listen("tcp", Address("127.0.0.1", 0), inbox)
    assert isinstance(listener, tcp.StreamListener)
    flows = [await network.connect(listener.local, ours) for _ in range(3)]
    assert await ours.closed.get() is flows[2]
    assert (len(listener), len(network.connections), network.connections.refused) == (2, 2, 1)
    flows[0].close()
    while len(listener) > 1:
        await inbox.closed.get()
    await listener.close()
    for flow in flows:
        flow.close()


async def test_a_peer_that_does_not_read_is_dropped() -> None:
    inbox, ours = Inbox(), Inbox()
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    name = server.sockets[0].getsockname()
    flow = await tcp.connect_stream("tcp", Address(name[0], name[1]), ours)
    with pytest.raises(TransportError, match="does not read"):
        flow.send(b"x" * (stream.WRITE_BUFFER_BYTES + 1))
    assert flow.closed
    assert await ours.closed.get() is flow
    server.close()
    assert inbox.got.empty()


async def test_the_manager_shares_and_forgets_streams() -> None:
    inbox = Inbox()
    manager = FlowManager(SocketNetwork(), inbox)
    await manager.listen(["udp:127.0.0.1:0", "tcp:127.0.0.1:0", "udp:[::1]:0"])
    remote = manager.listeners[1].local
    one, two = await asyncio.gather(manager.connect(remote), manager.connect(remote))
    assert one is two
    assert manager.open_flow("tcp", remote) is one
    assert manager.sent_by(one) == remote  # where we listen, not where it left from
    manager.forget(one)
    assert manager.open_flow("tcp", remote) is None
    udp = manager.open_flow("udp", Address("127.0.0.1", 9))
    assert udp is not None
    assert manager.open_flow("udp", Address("127.0.0.1", 9), like=udp) is udp
    six = manager.open_flow("udp", Address("::1", 9))
    assert six is not None
    assert six.local.host == "::1"
    one.close()
    await manager.close()
    with pytest.raises(ConnectError):
        manager.open_flow("udp", Address("127.0.0.1", 9))


async def test_a_wildcard_listener_is_named_by_the_address_in_use() -> None:
    manager = FlowManager(SocketNetwork(), Inbox())
    await manager.listen(["udp:0.0.0.0:0"])
    flow = manager.open_flow("udp", Address("127.0.0.1", 9))
    assert flow is not None
    assert manager.sent_by(flow) == Address("127.0.0.1", manager.listeners[0].local.port)
    assert local_host_towards("::1") == "::1"
    await manager.close()


async def test_all_listeners_or_none() -> None:
    manager = FlowManager(SocketNetwork(), Inbox())
    await manager.listen(["udp:127.0.0.1:0"])
    port = manager.listeners[0].local.port
    other = FlowManager(SocketNetwork(), Inbox())
    with pytest.raises(TransportError):
        await other.listen(["tcp:127.0.0.1:0", f"udp:127.0.0.1:{port}"])
    assert other.listeners == []
    await manager.close()


async def test_listening_addresses() -> None:
    assert parse_listen("tcp:[::]:5060") == ("tcp", Address("::", 5060))
    for wrong in ("sctp:0.0.0.0:5060", "udp:5060", "udp:::5060", "udp:0.0.0.0:99999"):
        with pytest.raises(ConfigError):
            parse_listen(wrong)
    with pytest.raises(TransportError):
        Unopened("udp", Address("192.0.2.1", 5060)).send(b"")


async def test_public_peers_are_told_the_advertised_address() -> None:
    manager = FlowManager(SocketNetwork(), Inbox(), advertise="203.0.113.7")
    await manager.listen(["udp:127.0.0.1:0"])
    port = manager.listeners[0].local.port
    for remote, told in (("8.8.8.8", "203.0.113.7"), ("10.1.2.3", "127.0.0.1"), ("127.0.0.9", "127.0.0.1")):
        flow = manager.open_flow("udp", Address(remote, 5060))
        assert flow is not None
        assert manager.sent_by(flow) == Address(told, port)
    await manager.close()
