"""TCP on asyncio."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from typing import cast

from sipcc.errors import ConnectError, TransportError
from sipcc.sip.transport.base import Address, Flow, Receiver, TransportName

WRITE_BUFFER_BYTES = 256 * 1024
"""What may wait for a peer that does not read; more closes the connection."""

MAX_STREAMS_PER_SOURCE = 256
"""Connections that one address may hold to one listener."""

MAX_STREAMS = 20_000
"""Connections that one listener holds."""


class TcpFlow(asyncio.Protocol):
    """One TCP connection, opened by either side."""

    def __init__(self, receiver: Receiver, listener: TcpListener | None = None) -> None:
        self.transport: TransportName = "tcp"
        self.local = Address("", 0)
        self.remote = Address("", 0)
        self.reliable = True
        self.closed = False
        self.peer_names: frozenset[str] = frozenset()
        self._receiver = receiver
        self._listener = listener
        self._stream: asyncio.Transport | None = None

    def __repr__(self) -> str:
        return f"<tcp {self.local} > {self.remote}>"

    def send(self, data: bytes) -> None:
        """Send one message.

        Raises:
            TransportError: the connection is closed, or the peer does not read.
        """
        stream = self._stream
        if self.closed or stream is None:
            raise TransportError(f"the connection to {self.remote} is closed")
        if stream.get_write_buffer_size() + len(data) > WRITE_BUFFER_BYTES:
            stream.abort()
            self.closed = True
            raise TransportError(f"{self.remote} does not read")
        stream.write(data)

    def close(self) -> None:
        """Close after what was written has left."""
        self.closed = True
        if self._stream is not None:
            self._stream.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection stands."""
        self._stream = cast(asyncio.Transport, transport)
        name, peer = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        if name is None or peer is None:  # reset between accept and now
            self.close()
            return
        self.local, self.remote = Address(name[0], name[1]), Address(peer[0], peer[1])
        if self._listener is not None and not self._listener.admit(self):
            self._stream.abort()

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came."""
        if not self.closed:
            self._receiver.stream_received(data, self)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone."""
        self.closed = True
        if self._listener is not None:
            self._listener.release(self)
        self._receiver.flow_closed(self, exc)


class TcpListener:
    """One listening TCP socket."""

    def __init__(self, local: Address, receiver: Receiver) -> None:
        self.transport: TransportName = "tcp"
        self.local = local
        self.refused = 0
        """Connections closed at once because their source, or all together, had too many."""
        self._receiver = receiver
        self._server: asyncio.Server | None = None
        self._flows: set[TcpFlow] = set()
        self._per_source: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._flows)

    async def start(self) -> None:
        """Listen. Raises TransportError when the address cannot be bound."""
        family = socket.AF_INET6 if ":" in self.local.host else socket.AF_INET
        try:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: TcpFlow(self._receiver, self),
                self.local.host,
                self.local.port,
                family=family,
                backlog=1024,
            )
        except OSError as error:
            raise TransportError(f"cannot open tcp {self.local}: {error.strerror or error}") from error
        name = self._server.sockets[0].getsockname()
        self.local = Address(name[0], name[1])

    def flow_to(self, remote: Address) -> Flow:
        """A stream has to be connected first: raises TransportError."""
        raise TransportError(f"no connection to {remote}")

    async def close(self) -> None:
        """Stop listening and close the connections that were accepted here."""
        if self._server is None:
            return
        self._server.close()
        for flow in list(self._flows):
            flow.close()
        await self._server.wait_closed()

    def admit(self, flow: TcpFlow) -> bool:
        """Count a new connection in; False when there are too many."""
        if len(self._flows) >= MAX_STREAMS or self._per_source[flow.remote.host] >= MAX_STREAMS_PER_SOURCE:
            self.refused += 1
            return False
        self._flows.add(flow)
        self._per_source[flow.remote.host] += 1
        return True

    def release(self, flow: TcpFlow) -> None:
        """Count a connection out."""
        if flow in self._flows:
            self._flows.remove(flow)
            self._per_source[flow.remote.host] -= 1
            if not self._per_source[flow.remote.host]:
                del self._per_source[flow.remote.host]


async def connect_tcp(remote: Address, receiver: Receiver, *, local_host: str | None = None) -> TcpFlow:
    """Open a connection.

    Raises:
        ConnectError: nobody answers there.
    """
    try:
        _transport, flow = await asyncio.get_running_loop().create_connection(
            lambda: TcpFlow(receiver),
            remote.host,
            remote.port,
            local_addr=(local_host, 0) if local_host else None,
        )
    except OSError as error:
        raise ConnectError(f"no connection to {remote}: {error.strerror or error}") from error
    return flow


async def listen_tcp(local: Address, receiver: Receiver) -> TcpListener:
    """Open a TCP listener; port 0 picks a free one.

    Raises:
        TransportError: the address cannot be bound.
    """
    listener = TcpListener(local, receiver)
    await listener.start()
    return listener
