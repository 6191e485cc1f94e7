"""The sockets of a `MemoryNetwork`: what its hosts hold in their hands."""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import msgspec

from sipcc.errors import TransportError
from sipcc.sip.transport.base import Address, Flow, Receiver, TransportName
from sipcc.testing.link import Nat

if TYPE_CHECKING:
    from sipcc.testing.network import MemoryNetwork

WILDCARDS = frozenset({"", "0.0.0.0", "::"})

Fate = Literal["sent", "lost", "dropped", "partitioned", "unreachable", "filtered"]


class Packet(msgspec.Struct, frozen=True):
    """One send as it was captured. `fate` is what became of it at the moment of sending."""

    at: float
    transport: TransportName
    source: Address
    target: Address
    data: bytes
    fate: Fate


class MemoryListener:
    """A bound UDP address, or a listening address with the streams that it accepted."""

    def __init__(
        self, network: MemoryNetwork, transport: TransportName, local: Address, receiver: Receiver
    ) -> None:
        self.transport: TransportName = transport
        self.local = local
        self.receiver = receiver
        self.streams: list[MemoryStream] = []
        self._network = network

    def flow_to(self, remote: Address) -> Flow:
        """The UDP flow to `remote`."""
        if self.transport != "udp":
            raise TransportError("only UDP listeners make flows")
        return MemoryUdpFlow(self._network, self.local, remote)

    def deliver(self, data: bytes, source: Address) -> None:
        """Hand one datagram to the receiver, unless it wants nothing from there."""
        if not self.receiver.blocked(source.host):
            self.receiver.datagram_received(data, self.flow_to(source))

    async def close(self) -> None:
        """Free the address and close the accepted streams."""
        if self.transport == "udp":
            self._network.unbind(self.local)
            return
        self._network.unlisten(self.local)
        for stream in self.streams:
            stream.close()


class MemoryUdpFlow:
    """A (local, remote) pair over UDP; equal pairs are equal flows."""

    def __init__(self, network: MemoryNetwork, local: Address, remote: Address) -> None:
        self.transport: TransportName = "udp"
        self.reliable = False
        self.closed = False
        self.peer_names: frozenset[str] = frozenset()
        self.local = local
        self.remote = remote
        self._network = network

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MemoryUdpFlow) and (self.local, self.remote) == (other.local, other.remote)

    def __hash__(self) -> int:
        return hash((self.local, self.remote))

    def send(self, data: bytes) -> None:
        """Send one datagram."""
        self._network.send_datagram(self.local, self.remote, bytes(data))

    def close(self) -> None:
        """Do nothing: a UDP flow has nothing to close."""


class MemoryStream:
    """One end of a connection over TCP, TLS or WebSocket: what is sent arrives in order, however late.

    A WebSocket hands over whole messages, the others bytes that are cut anywhere. Nothing is encrypted.
    """

    def __init__(
        self,
        network: MemoryNetwork,
        local: Address,
        remote: Address,
        receiver: Receiver,
        *,
        transport: TransportName = "tcp",
        peer_names: frozenset[str] = frozenset(),
    ) -> None:
        self.transport: TransportName = transport
        self.reliable = True
        self.closed = False
        self.peer_names = peer_names
        self.local = local
        self.remote = remote
        self.peer: MemoryStream | None = None
        self._network = network
        self._receiver = receiver
        self._last_arrival = 0.0
        self._held: list[Callable[[], None]] = []
        self._nat: Nat | None = None
        self._reboots = 0

    def pass_through(self, nat: Nat) -> None:
        """Live as long as the mapping of a NAT."""
        self._nat, self._reboots = nat, nat.reboots

    def send(self, data: bytes) -> None:
        """Send some bytes. Raises TransportError when the stream is closed."""
        if self.closed:
            raise TransportError(f"the stream to {self.remote} is closed")
        now = asyncio.get_running_loop().time()
        self._network.record(Packet(now, self.transport, self.local, self.remote, bytes(data), "sent"))
        peer = self.peer
        assert peer is not None
        pieces = [bytes(data)]
        if self.transport not in ("ws", "wss"):
            pieces = self._network.link(self.local.host, self.remote.host).segments(bytes(data))
        for piece in pieces:
            self._travel(lambda piece=piece: peer.receive(piece))  # type: ignore[misc]

    def close(self) -> None:
        """Close both directions; what was sent still arrives."""
        if self.closed:
            return
        self.closed = True
        self._network.forget_stream(self)
        if self.peer is not None:
            peer = self.peer
            self._travel(lambda: peer.end(None))

    def abort(self) -> None:
        """Break the connection as a reset does: both ends are told at once."""
        error = ConnectionResetError(errno.ECONNRESET, "connection reset by the test")
        for end in (self, self.peer):
            if end is not None:
                end.end(error)

    def receive(self, data: bytes) -> None:
        """Bytes, or a message, have arrived at this end."""
        if self.closed:
            return
        if self.transport in ("ws", "wss"):
            self._receiver.message_received(data, self)
        else:
            self._receiver.stream_received(data, self)

    def end(self, error: Exception | None) -> None:
        """The connection is over at this end."""
        if not self.closed:
            self.closed = True
            self._network.forget_stream(self)
            self._receiver.flow_closed(self, error)

    def release_held(self) -> None:
        """Let travel what a partition held."""
        held, self._held = self._held, []
        for action in held:
            self._travel(action)

    def _travel(self, action: Callable[[], None]) -> None:
        if self._nat is not None and self._nat.reboots != self._reboots:
            return
        if self._network.is_cut(self.local.host, self.remote.host):
            self._held.append(action)
            return
        now = asyncio.get_running_loop().time()
        when = now + self._network.stream_delay(self.local.host, self.remote.host)
        self._last_arrival = max(when, self._last_arrival)
        self._network.schedule(self._last_arrival, action)


class MemorySockets:
    """UDP sockets of one host for a media engine: what arrives waits until it is drained."""

    BUFFER_PACKETS = 20_000
    """Datagrams that may wait; more are dropped and counted as ``overflowed``."""

    def __init__(self, network: MemoryNetwork, host: str) -> None:
        self._network = network
        self._host = host
        self._bound: dict[int, Address] = {}
        self._next_handle = 1
        self._waiting: deque[tuple[int, bytes, tuple[str, int]]] = deque()
        self.on_arrival: Callable[[], None] | None = None
        """Called when a datagram begins to wait; a real socket's reader callback, in memory."""

    def open(self, host: str, port: int) -> int:
        """Bind a socket. Raises OSError when the port is taken."""
        handle = self._next_handle
        address = Address(self._host if host in WILDCARDS and self._host else host, port)

        def deliver(data: bytes, source: Address) -> None:
            if len(self._waiting) >= self.BUFFER_PACKETS:
                self._network.counts["overflowed"] += 1
            else:
                self._waiting.append((handle, data, (source.host, source.port)))
                if self.on_arrival is not None:
                    self.on_arrival()

        self._bound[handle] = self._network.bind(address, deliver)
        self._next_handle += 1
        return handle

    def close(self, handle: int) -> None:
        """Close a socket; what waited in it is gone."""
        address = self._bound.pop(handle, None)
        if address is not None:
            self._network.unbind(address)
            self._waiting = deque(item for item in self._waiting if item[0] != handle)

    def drain(self) -> list[tuple[int, bytes, tuple[str, int]]]:
        """All datagrams that are waiting."""
        drained = list(self._waiting)
        self._waiting.clear()
        return drained

    def send(self, handle: int, data: bytes | bytearray | memoryview, address: tuple[str, int]) -> None:
        """Send one datagram from the socket."""
        self._network.send_datagram(self._bound[handle], Address(*address), bytes(data))
