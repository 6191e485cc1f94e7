"""UDP on asyncio."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

from sipcc.errors import TransportError
from sipcc.sip.transport.base import Address, Flow, Receiver, TransportName

RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
"""What we ask the kernel for: about 3,000 INVITEs that wait while the loop is busy."""

MAX_FLOWS = 65536
"""Flows remembered per listener; strangers with forged sources must not grow our memory."""


class UdpFlow:
    """One (local, remote) pair of a UDP listener. It is never closed by itself."""

    __slots__ = ("_transport", "closed", "local", "peer_names", "reliable", "remote", "transport")

    def __init__(self, transport: asyncio.DatagramTransport, local: Address, remote: Address) -> None:
        self.transport: TransportName = "udp"
        self.local = local
        self.remote = remote
        self.reliable = False
        self.closed = False
        self.peer_names: frozenset[str] = frozenset()
        self._transport = transport

    def __repr__(self) -> str:
        return f"<udp {self.local} > {self.remote}>"

    def send(self, data: bytes) -> None:
        """Send one datagram; what the kernel refuses later shows as a missing answer.

        Raises:
            TransportError: the listener is closed.
        """
        if self._transport.is_closing():
            raise TransportError(f"udp {self.local} is closed")
        try:
            self._transport.sendto(data, tuple(self.remote))
        except (OSError, ValueError) as error:
            raise TransportError(f"cannot send to {self.remote}: {error}") from error

    def close(self) -> None:
        """Nothing to give up."""


class UdpListener(asyncio.DatagramProtocol):
    """One UDP socket."""

    def __init__(self, receiver: Receiver) -> None:
        self.transport: TransportName = "udp"
        self.local = Address("", 0)
        self.errors = 0
        """ICMP errors that the kernel reported."""
        self._receiver = receiver
        self._socket: asyncio.DatagramTransport | None = None
        self._flows: dict[tuple[Any, ...], UdpFlow] = {}
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def flow_to(self, remote: Address) -> Flow:
        """The flow from this socket to `remote`.

        Raises:
            TransportError: the listener is closed.
        """
        return self._flow(tuple(remote))

    async def close(self) -> None:
        """Close the socket."""
        if self._socket is not None and not self._closed.done():
            self._socket.close()
            await self._closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the socket is there."""
        self._socket = cast(asyncio.DatagramTransport, transport)
        name = transport.get_extra_info("sockname")
        self.local = Address(name[0], name[1])

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """asyncio: a datagram came."""
        if not self._receiver.blocked(addr[0]):
            self._receiver.datagram_received(data, self._flow(addr))

    def error_received(self, exc: Exception) -> None:
        """asyncio: an ICMP error came. Timers B and F decide, since such errors are easily forged."""
        self.errors += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the socket is closed."""
        if not self._closed.done():
            self._closed.set_result(None)

    def _flow(self, address: tuple[Any, ...]) -> UdpFlow:
        flow = self._flows.get(address)
        if flow is None:
            if self._socket is None:
                raise TransportError("the listener is not open")
            if len(self._flows) >= MAX_FLOWS:
                self._flows.clear()  # a flow holds no state that its next use would not bring back
            flow = UdpFlow(self._socket, self.local, Address(str(address[0]), int(address[1])))
            self._flows[address] = flow
        return flow


async def listen_udp(local: Address, receiver: Receiver) -> UdpListener:
    """Open a UDP listener; port 0 picks a free one.

    Raises:
        TransportError: the address cannot be bound.
    """
    family = socket.AF_INET6 if ":" in local.host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((local.host, local.port))
        _transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: UdpListener(receiver), sock=opened
        )
    except OSError as error:
        opened.close()
        raise TransportError(f"cannot open udp {local}: {error.strerror or error}") from error
    return protocol
