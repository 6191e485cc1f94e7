from __future__ import annotations

import asyncio
from typing import cast

import pytest

from sipcc.errors import ConnectError, TransportError
from sipcc.rtp.flow import PacketSockets
from sipcc.sip.transport.base import Address, Flow, Listener, Network, TransportName
from sipcc.testing.link import Link
from sipcc.testing.network import HostNetwork, MemoryNetwork
from sipcc.testing.wires import MemoryListener, MemorySockets, MemoryStream, MemoryUdpFlow

A = Address("10.0.0.1", 5060)
B = Address("10.0.0.2", 5060)

_networks: tuple[type[Network], ...] = (MemoryNetwork, HostNetwork)
_listener: type[Listener] = MemoryListener
_flows: tuple[type[Flow], ...] = (MemoryUdpFlow, MemoryStream)
_sockets: type[PacketSockets] = MemorySockets


class Inbox:
    """Keeps what it is given, and when."""

    def __init__(self) -> None:
        self.received: list[tuple[float, bytes]] = []
        self.flows: list[Flow] = []
        self.closed: list[Exception | None] = []

    @property
    def data(self) -> list[bytes]:
        return [data for _, data in self.received]

    def blocked(self, host: str) -> bool:
        return False

    def datagram_received(self, data: bytes, flow: Flow) -> None:
        self.received.append((asyncio.get_running_loop().time(), data))
        self.flows.append(flow)

    stream_received = message_received = datagram_received

    def flow_closed(self, flow: Flow, error: Exception | None) -> None:
        self.closed.append(error)


async def udp_pair(network: MemoryNetwork) -> tuple[Flow, Inbox, Inbox]:
    a, b = Inbox(), Inbox()
    listener = await network.listen("udp", A, a)
    await network.listen("udp", B, b)
    return listener.flow_to(B), a, b


async def tcp_pair(network: MemoryNetwork) -> tuple[MemoryStream, Inbox, Inbox]:
    a, b = Inbox(), Inbox()
    await network.listen("tcp", B, b)
    flow = await network.connect(B, a, local_host=A.host)
    return cast("MemoryStream", flow), a, b


async def test_a_datagram_arrives_after_the_delay_and_is_answered_on_its_flow() -> None:
    network = MemoryNetwork(link=Link(delay=0.02))
    flow, a, b = await udp_pair(network)
    start = asyncio.get_running_loop().time()
    flow.send(b"ping")
    await asyncio.sleep(1)
    assert b.received == [(start + 0.02, b"ping")]
    assert b.flows[0].remote == A
    assert b.flows[0].local == B
    b.flows[0].send(b"pong")
    await asyncio.sleep(1)
    assert a.data == [b"pong"]
    assert a.flows[0] == flow


async def test_equal_delays_keep_the_order() -> None:
    network = MemoryNetwork(link=Link(delay=0.02))
    flow, _, b = await udp_pair(network)
    numbers = [str(number).encode() for number in range(200)]
    for number in numbers:
        flow.send(number)
    await asyncio.sleep(1)
    assert b.data == numbers


async def test_loss_duplication_and_reordering_are_counted() -> None:
    network = MemoryNetwork(seed=3, link=Link(loss=0.2, duplicate=0.2, reorder=0.2))
    flow, _, b = await udp_pair(network)
    for number in range(500):
        flow.send(b"%d" % number)
        await asyncio.sleep(0.02)
    await asyncio.sleep(1)
    order = [int(data) for data in b.data]
    assert network.counts["lost"] == len([p for p in network.captured if p.fate == "lost"])
    assert network.counts["lost"] + network.counts["sent"] == 500
    assert network.counts["delivered"] == len(order)
    assert order != sorted(order)
    assert len(order) > len(set(order))
    assert len(set(order)) == network.counts["sent"]


async def test_each_direction_has_its_own_link() -> None:
    network = MemoryNetwork()
    network.set_link(Link(loss=1.0), source=B.host)
    network.set_link(Link(delay=0.1), source=A.host, target=B.host)
    flow, a, b = await udp_pair(network)
    start = asyncio.get_running_loop().time()
    flow.send(b"there")
    await asyncio.sleep(1)
    assert b.received == [(start + 0.1, b"there")]
    b.flows[0].send(b"back")
    await asyncio.sleep(1)
    assert a.data == []


async def test_drop_loses_exactly_what_it_is_told() -> None:
    network = MemoryNetwork()
    flow, _, b = await udp_pair(network)
    network.drop(lambda packet: packet.data.startswith(b"ACK"), count=2)
    for data in (b"ACK 1", b"BYE", b"ACK 2", b"ACK 3"):
        flow.send(data)
    await asyncio.sleep(1)
    assert b.data == [b"BYE", b"ACK 3"]
    assert [p.fate for p in network.sent(b"ACK", source=A.host)] == ["dropped", "dropped", "sent"]


async def test_a_partition_loses_datagrams_and_holds_streams() -> None:
    network = MemoryNetwork()
    flow, _, b = await udp_pair(network)
    stream, _, stream_inbox = await tcp_pair(network)
    network.partition(A.host, B.host)
    flow.send(b"lost")
    stream.send(b"late")
    with pytest.raises(ConnectError):
        await network.connect(B, Inbox(), local_host=A.host)
    await asyncio.sleep(10)
    assert (b.data, stream_inbox.data) == ([], [])
    network.heal()
    await asyncio.sleep(1)
    assert (b.data, stream_inbox.data) == ([], [b"late"])


async def test_a_stream_is_whole_and_in_order_however_bad_the_link() -> None:
    network = MemoryNetwork(link=Link(loss=0.3, jitter=0.1, segment_bytes=3))
    stream, a, b = await tcp_pair(network)
    text = b"INVITE sip:4008123456@example.com SIP/2.0\r\n" * 20
    for start in range(0, len(text), 50):
        stream.send(text[start : start + 50])
    stream.close()
    with pytest.raises(TransportError):
        stream.send(b"more")
    await asyncio.sleep(30)
    assert b"".join(b.data) == text
    assert max(map(len, b.data)) == 3
    assert (b.closed, a.closed) == ([None], [])


async def test_an_aborted_stream_tells_both_ends() -> None:
    network = MemoryNetwork()
    stream, a, b = await tcp_pair(network)
    stream.abort()
    stream.abort()
    assert [type(error) for error in a.closed + b.closed] == [ConnectionResetError, ConnectionResetError]


async def test_taken_addresses_and_absent_listeners_are_errors() -> None:
    network = MemoryNetwork()
    await network.listen("udp", A, Inbox())
    with pytest.raises(TransportError):
        await network.listen("udp", A, Inbox())
    with pytest.raises(ConnectError):
        await network.connect(B, Inbox())
    with pytest.raises(OSError, match="taken"):
        network.sockets().open(A.host, A.port)


async def test_closing_a_listener_frees_the_address_and_ends_its_streams() -> None:
    network = MemoryNetwork()
    a, b = Inbox(), Inbox()
    listener = await network.listen("tcp", B, b)
    await network.connect(B, a, local_host=A.host)
    await listener.close()
    udp = await network.listen("udp", A, a)
    await udp.close()
    await asyncio.sleep(1)
    assert a.closed == [None]
    await network.listen("tcp", B, b)
    await network.listen("udp", A, a)


async def test_a_host_view_resolves_wildcards_and_free_ports() -> None:
    network = MemoryNetwork()
    host = network.host("10.0.0.9")
    first = await host.listen("udp", Address("0.0.0.0", 5060), Inbox())
    second = await host.listen("udp", Address("0.0.0.0", 0), Inbox())
    assert first.local == ("10.0.0.9", 5060)
    assert second.local.host == "10.0.0.9"
    assert second.local.port not in (0, 5060)
    await network.listen("tcp", B, Inbox())
    assert (await host.connect(B, Inbox())).local.host == "10.0.0.9"


async def test_media_sockets_wait_until_they_are_drained() -> None:
    network = MemoryNetwork(link=Link(delay=0.005))
    ours, theirs = network.host("10.0.0.1").sockets(), network.host("10.0.0.2").sockets()
    one = ours.open("0.0.0.0", 20000)
    other = theirs.open("10.0.0.2", 30000)
    ours.send(one, bytearray(b"rtp"), ("10.0.0.2", 30000))
    ours.send(one, b"rtcp", ("10.0.0.2", 30001))
    assert theirs.drain() == []
    await asyncio.sleep(0.01)
    assert theirs.drain() == [(other, b"rtp", ("10.0.0.1", 20000))]
    assert theirs.drain() == []
    assert network.counts["unreachable"] == 1
    ours.send(one, b"rtp", ("10.0.0.2", 30000))
    await asyncio.sleep(0.01)
    theirs.close(other)
    assert theirs.drain() == []
    assert theirs.open("10.0.0.2", 30000) != other


async def test_a_full_socket_buffer_drops_what_comes() -> None:
    network = MemoryNetwork()
    ours, theirs = network.sockets("10.0.0.1"), network.sockets("10.0.0.2")
    theirs.BUFFER_PACKETS = 2
    one = ours.open("", 20000)
    theirs.open("", 20000)
    for _ in range(3):
        ours.send(one, b"rtp", ("10.0.0.2", 20000))
    await asyncio.sleep(0.01)
    assert len(theirs.drain()) == 2
    assert network.counts["overflowed"] == 1


async def test_behind_a_nat_the_switch_sees_the_public_address_and_can_answer() -> None:
    network = MemoryNetwork()
    nat = network.add_nat("198.51.100.1", B.host)
    a, b = Inbox(), Inbox()
    switch = await network.listen("udp", A, a)
    phone = await network.listen("udp", B, b)
    switch.flow_to(Address(nat.public_host, 61000)).send(b"too early")
    await asyncio.sleep(1)
    phone.flow_to(A).send(b"REGISTER")
    await asyncio.sleep(1)
    assert a.flows[0].remote.host == nat.public_host
    a.flows[0].send(b"200")
    await asyncio.sleep(1)
    assert b.data == [b"200"]
    assert b.flows[0].remote == A
    assert network.counts["filtered"] == 1


@pytest.mark.parametrize("transport", ["tls", "ws", "wss"])
async def test_the_other_streams(transport: TransportName) -> None:
    network = MemoryNetwork(link=Link(segment_bytes=2))
    a, b = Inbox(), Inbox()
    await network.listen(transport, B, b)
    with pytest.raises(ConnectError):
        await network.connect(B, a)  # TCP
    flow = await network.connect(B, a, transport=transport, local_host=A.host)
    flow.send(b"hello")
    await asyncio.sleep(0.01)
    assert b.data == ([b"hello"] if transport in ("ws", "wss") else [b"he", b"ll", b"o"])
    assert b.flows[0].transport == transport
    assert network.captured[-1].transport == transport
    assert flow.peer_names == ({B.host} if transport in ("tls", "wss") else set())
    assert b.flows[0].peer_names == set()


@pytest.mark.parametrize("transport", ["tls", "wss"])
async def test_certificates(transport: TransportName) -> None:
    network = MemoryNetwork()
    a, b = Inbox(), Inbox()
    network.certify(A.host, "Carrier.example.net")
    network.certify(B.host, "pbx.example.com", B.host)
    await network.listen(transport, B, b)
    flow = await network.connect(B, a, transport=transport, name="PBX.example.com", local_host=A.host)
    flow.send(b"hello")
    await asyncio.sleep(0.01)
    assert flow.peer_names == {"pbx.example.com", B.host}
    assert b.flows[0].peer_names == {"carrier.example.net"}
    with pytest.raises(ConnectError, match=r"not for bank\.example\.com"):
        await network.connect(B, a, transport=transport, name="bank.example.com", local_host=A.host)


async def test_a_stream_through_a_nat_ends_in_silence_when_the_nat_reboots() -> None:
    network = MemoryNetwork()
    nat = network.add_nat("198.51.100.1", B.host, symmetric=True)
    a, b = Inbox(), Inbox()
    await network.listen("tcp", A, a)
    flow = await network.connect(A, b, local_host=B.host)
    flow.send(b"one")
    await asyncio.sleep(1)
    assert a.flows[0].remote.host == nat.public_host
    a.flows[0].send(b"two")
    await asyncio.sleep(1)
    nat.forget()
    flow.send(b"three")
    a.flows[0].send(b"four")
    flow.close()
    await asyncio.sleep(1)
    assert (a.data, b.data) == ([b"one"], [b"two"])
    assert not a.flows[0].closed
