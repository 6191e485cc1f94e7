"""Listening for streams and opening them; TLS and WebSocket are layers on the same connections."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections import Counter
from collections.abc import Callable, Sequence

from sipcc.errors import ConnectError, TransportError
from sipcc.sip.settings import ConnectionSettings
from sipcc.sip.transport.base import Address, Flow, Receiver, TransportName
from sipcc.sip.transport.stream import Layer, StreamFlow

BACKLOG = 1024
"""Connections that wait in the kernel while the loop is busy: phones that all come back at once."""


class Connections:
    """How many streams others hold to us, by source: one count for all listeners of an endpoint."""

    def __init__(self, settings: ConnectionSettings = ConnectionSettings()) -> None:  # noqa: B008  # frozen
        self.refused = 0
        """Connections closed at once because their source, or all together, had too many."""
        self._settings = settings
        self._total = 0
        self._by_source: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._total

    def admit(self, host: str) -> bool:
        """Count a connection from `host` in; False when there are too many."""
        source = _source_of(host)
        if self._total >= self._settings.total or self._by_source[source] >= self._settings.per_source:
            self.refused += 1
            return False
        self._total += 1
        self._by_source[source] += 1
        return True

    def release(self, host: str) -> None:
        """Count a connection from `host` out."""
        source = _source_of(host)
        self._total -= 1
        self._by_source[source] -= 1
        if not self._by_source[source]:
            del self._by_source[source]


def _source_of(host: str) -> str:
    """Whom a connection is counted for: one IPv6 customer has the 2**64 addresses of a /64."""
    if ":" not in host:
        return host
    return str(ipaddress.ip_network((host, 64), strict=False))


class StreamListener:
    """One listening TCP socket; `layers` makes those of each connection."""

    def __init__(
        self,
        transport: TransportName,
        local: Address,
        receiver: Receiver,
        *,
        connections: Connections,
        layers: Callable[[], Sequence[Layer]] = tuple,
    ) -> None:
        self.transport: TransportName = transport
        self.local = local
        self._receiver = receiver
        self._connections = connections
        self._layers = layers
        self._server: asyncio.Server | None = None
        self._flows: set[StreamFlow] = set()

    def __len__(self) -> int:
        return len(self._flows)

    async def start(self, opened: socket.socket) -> None:
        """Listen on a socket that is bound."""
        self._server = await asyncio.get_running_loop().create_server(
            lambda: StreamFlow(self.transport, self._receiver, self._layers(), self),
            sock=opened,
            backlog=BACKLOG,
        )

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

    def admit(self, flow: StreamFlow) -> bool:
        """Count a new connection in; False for a banned source, and when there are too many."""
        host = flow.remote.host
        if self._receiver.blocked(host) or not self._connections.admit(host):
            return False
        self._flows.add(flow)
        return True

    def release(self, flow: StreamFlow, *, counted: bool) -> None:
        """Count a connection out."""
        self._flows.discard(flow)
        if counted:
            self._connections.release(flow.remote.host)


async def connect_stream(
    transport: TransportName,
    remote: Address,
    receiver: Receiver,
    *,
    local_host: str | None = None,
    layers: Sequence[Layer] = (),
) -> StreamFlow:
    """Open a connection and wait until SIP may flow on it.

    Raises:
        ConnectError: nobody answers there, or a handshake fails.
    """
    try:
        _transport, flow = await asyncio.get_running_loop().create_connection(
            lambda: StreamFlow(transport, receiver, layers),
            remote.host,
            remote.port,
            local_addr=(local_host, 0) if local_host else None,
        )
    except OSError as error:
        raise ConnectError(f"no connection to {remote}: {error.strerror or error}") from error
    try:
        await flow.opened
    except asyncio.CancelledError:
        flow.close()
        raise
    return flow


def open_stream(transport: TransportName, local: Address) -> socket.socket:
    """Bind a TCP socket for a listener; port 0 picks a free one.

    Raises:
        TransportError: the address cannot be bound.
    """
    family = socket.AF_INET6 if ":" in local.host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((local.host, local.port))
    except OSError as error:
        opened.close()
        raise TransportError(f"cannot open {transport} {local}: {error.strerror or error}") from error
    return opened


async def listen_stream(
    transport: TransportName,
    opened: socket.socket,
    receiver: Receiver,
    *,
    connections: Connections,
    layers: Callable[[], Sequence[Layer]] = tuple,
) -> StreamListener:
    """Listen on a socket that is bound."""
    name = opened.getsockname()
    local = Address(name[0], name[1])
    listener = StreamListener(transport, local, receiver, connections=connections, layers=layers)
    await listener.start(opened)
    return listener
