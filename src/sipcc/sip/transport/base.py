"""What the SIP endpoint asks of a network: flows of bytes, and a factory for them.

`sipcc.sip.transport.manager.SocketNetwork` implements this on asyncio; `sipcc.testing.network` does it in
memory, with loss, delay, duplication and reordering. The endpoint cannot tell them apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    import socket

TransportName = Literal["udp", "tcp", "tls", "ws", "wss"]


class Address(NamedTuple):
    """An IP address in text and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Flow(Protocol):
    """A way to one peer: a UDP (local, remote) pair or one stream connection.

    A response leaves on the flow that its request came in on (RFC 3261 §18.2.2, RFC 3581).
    """

    transport: TransportName
    local: Address
    remote: Address
    reliable: bool
    """True for streams: no retransmission over them (RFC 3261 §17)."""
    closed: bool
    peer_names: frozenset[str]
    """Names of the peer's verified certificate, in lower case; empty where there is none."""

    def send(self, data: bytes) -> None:
        """Send one message. On a closed flow this raises TransportError."""
        ...

    def close(self) -> None:
        """Give the flow up; on UDP a no-op."""
        ...


class Receiver(Protocol):
    """Where a transport delivers what arrives."""

    def blocked(self, host: str) -> bool:
        """True when nothing from `host` is wanted: asked before a connection or a datagram is taken."""
        ...

    def datagram_received(self, data: bytes, flow: Flow, waited: float | None = None) -> None:
        """One UDP datagram; `waited` is how many seconds a request that opens something had to wait."""
        ...

    def stream_received(self, data: bytes, flow: Flow) -> None:
        """Some bytes of a stream, cut anywhere."""
        ...

    def message_received(self, data: bytes, flow: Flow) -> None:
        """One message of a WebSocket: one whole message of SIP, or a keep-alive (RFC 7118 §5)."""
        ...

    def flow_closed(self, flow: Flow, error: Exception | None) -> None:
        """A stream ended; `error` is None when the peer closed it."""
        ...


class Listener(Protocol):
    """An open listening socket."""

    transport: TransportName
    local: Address

    def flow_to(self, remote: Address) -> Flow:
        """UDP only: the flow from this socket to `remote`."""
        ...

    async def close(self) -> None:
        """Stop listening and close the streams that were accepted here."""
        ...


class Holder(Protocol):
    """Holds listening sockets for the process that comes after this one (`sipcc.kept`)."""

    def take(self, name: str) -> socket.socket | None:
        """The socket that was held under `name`, which is the caller's from now on; None without one."""
        ...

    def hold(self, name: str, sock: socket.socket) -> None:
        """Hold a socket that was opened."""
        ...


class Network(Protocol):
    """Makes listeners and connections."""

    async def listen(self, transport: TransportName, local: Address, receiver: Receiver) -> Listener:
        """Open a socket; port 0 picks a free one (see `Listener.local`). Raises TransportError."""
        ...

    async def connect(
        self,
        remote: Address,
        receiver: Receiver,
        *,
        transport: TransportName = "tcp",
        name: str = "",
        local_host: str | None = None,
    ) -> Flow:
        """Open a stream, with the handshakes of its transport.

        Over TLS and WSS the certificate of the peer must speak for `name`, a domain or an address; empty
        means the address of `remote`. `Flow.peer_names` then holds it.

        Raises:
            ConnectError: nobody answers there, or a handshake fails.
        """
        ...
