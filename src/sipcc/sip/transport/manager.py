"""Chooses, opens, reuses and drops flows, and knows under which address a peer can reach us."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from typing import cast

from sipcc.errors import ConfigError, ConnectError, TransportError
from sipcc.sip.nat import default_port, plain_host, reach_of
from sipcc.sip.settings import SipSettings, TlsSettings
from sipcc.sip.transport.base import Address, Flow, Holder, Listener, Network, Receiver, TransportName
from sipcc.sip.transport.stream import Layer
from sipcc.sip.transport.tcp import Connections, connect_stream, listen_stream, open_stream
from sipcc.sip.transport.tls import TlsLayer, client_context, server_context
from sipcc.sip.transport.udp import UdpListener, open_udp
from sipcc.tasks import SharedTasks

_LISTEN = re.compile(r"(udp|tcp|tls|ws|wss):(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+):([0-9]{1,5})")
_WILDCARDS = frozenset({"0.0.0.0", "::", ""})

_SECURE = frozenset({"tls", "wss"})
_Key = tuple[TransportName, Address, str]

CONNECT_TIMEOUT = 8.0
"""Seconds for a connection and its handshakes; well below Timer B, so that fail-over is possible."""


def parse_listen(text: str) -> tuple[TransportName, Address]:
    """Read ``udp:0.0.0.0:5060`` or ``tls:[::]:5061``.

    Raises:
        ConfigError: it is none.
    """
    match = _LISTEN.fullmatch(text)
    if match is None or int(match[3]) > 65535:
        raise ConfigError("sip.listen", f"not a listening address: {text!r}", hint="udp:0.0.0.0:5060")
    transport = cast(TransportName, match[1])
    return transport, Address(match[2].strip("[]"), int(match[3]))


def local_host_towards(remote_host: str) -> str:
    """The local address from which the kernel would send to `remote_host`; no packet is sent.

    Loopback when no route leads there.
    """
    family = socket.AF_INET6 if ":" in remote_host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((remote_host, 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"


class SocketNetwork:
    """The `Network` of production: UDP, TCP, TLS and WebSocket, over IPv4 and IPv6."""

    def __init__(self, settings: SipSettings | None = None, *, holder: Holder | None = None) -> None:
        """`holder` keeps listening sockets over a crash of this process, and what waits in them."""
        self._settings = settings or SipSettings()
        self._holder = holder
        self.connections = Connections(self._settings.connections)
        """How many streams others hold to us."""
        self._client: ssl.SSLContext | None = None
        self._servers: dict[TransportName, ssl.SSLContext] = {}

    def read_certificates(self) -> Callable[[], None]:
        """Read all files of ``[sip.tls]`` again; what comes back uses them for the connections that follow.

        Raises:
            ConfigError: a file cannot be used; nothing has changed.
        """
        tls = self._settings.tls
        servers = {name: _server_context(tls, name) for name in self._servers}
        client = None if self._client is None else client_context(tls)

        def use() -> None:
            self._servers, self._client = servers, client

        return use

    async def listen(self, transport: TransportName, local: Address, receiver: Receiver) -> Listener:
        """Open a socket; port 0 picks a free one.

        Raises:
            ConfigError: the certificate that it needs cannot be used.
            TransportError: the address cannot be bound.
        """
        if transport == "udp":
            return UdpListener(self._open(transport, local), receiver)
        layers = self._layers_for_callers(transport)
        return await listen_stream(
            transport,
            self._open(transport, local),
            receiver,
            connections=self.connections,
            layers=layers,
        )

    def _open(self, transport: TransportName, local: Address) -> socket.socket:
        """A listening socket: the one that was held for us, or a new one."""
        name = f"{transport}:{local}"
        held = self._holder.take(name) if self._holder is not None else None
        if held is not None:
            held.setblocking(False)
            return held
        opened = open_udp(local) if transport == "udp" else open_stream(transport, local)
        if self._holder is not None:
            self._holder.hold(name, opened)
        return opened

    async def connect(
        self,
        remote: Address,
        receiver: Receiver,
        *,
        transport: TransportName = "tcp",
        name: str = "",
        local_host: str | None = None,
    ) -> Flow:
        """Open a stream and shake hands on it; see `Network.connect`."""
        layers: list[Layer] = []
        name = name or remote.host
        if transport in _SECURE:
            if self._client is None:
                try:
                    self._client = client_context(self._settings.tls)
                except ConfigError as error:
                    raise ConnectError(f"no connection to {remote}: {error}") from error
            layers.append(TlsLayer(self._client, server=False, name=name))
        if transport in ("ws", "wss"):
            from sipcc.sip.transport.ws import WsClientLayer

            host = Address(name, remote.port)
            layers.append(WsClientLayer(f"{transport}://{host}{self._settings.websocket.path}"))
        return await connect_stream(transport, remote, receiver, local_host=local_host, layers=layers)

    def _layers_for_callers(self, transport: TransportName) -> Callable[[], Sequence[Layer]]:
        """What makes the layers of a connection that somebody opens to us."""
        makers: list[Callable[[], Layer]] = []
        if transport in _SECURE:
            self._servers[transport] = _server_context(self._settings.tls, transport)
            makers.append(lambda: TlsLayer(self._servers[transport], server=True))
        if transport in ("ws", "wss"):
            from sipcc.sip.transport.ws import WsServerLayer

            rules = self._settings.websocket
            makers.append(lambda: WsServerLayer(rules))
        return lambda: [make() for make in makers]


def _server_context(tls: TlsSettings, transport: TransportName) -> ssl.SSLContext:
    return server_context(tls, for_browsers=transport == "wss")


class Unopened:
    """Stands for the flow of a session until there is one."""

    local = Address("0.0.0.0", 0)
    reliable = False
    closed = True
    peer_names: frozenset[str] = frozenset()

    def __init__(self, transport: TransportName, remote: Address) -> None:
        self.transport: TransportName = transport
        self.remote = remote

    def send(self, data: bytes) -> None:
        """Raise TransportError, always."""
        raise TransportError(f"no flow to {self.remote} yet")

    def close(self) -> None:
        """Nothing to close."""


class FlowManager:
    """All listeners and streams of one endpoint."""

    def __init__(
        self,
        network: Network,
        receiver: Receiver,
        *,
        find_local: Callable[[str], str] = local_host_towards,
        advertise: str = "",
    ) -> None:
        self.listeners: list[Listener] = []
        self._network = network
        self._receiver = receiver
        self._find_local = find_local
        self._advertise = advertise
        self._local_hosts: dict[str, str] = {}
        self._streams: dict[_Key, Flow] = {}
        self._keys: dict[Flow, set[_Key]] = {}
        self._opening: SharedTasks[Flow] = SharedTasks()

    @property
    def open_streams(self) -> int:
        """How many streams are known, whoever opened them; 0 when all peers are gone."""
        return len(self._keys)

    def read_certificates(self) -> Callable[[], None]:
        """Read the certificates again; see `SocketNetwork.read_certificates`."""
        network = self._network
        return network.read_certificates() if isinstance(network, SocketNetwork) else lambda: None

    async def listen(self, addresses: Iterable[str]) -> None:
        """Open every listener, or none.

        Raises:
            ConfigError: an address cannot be read, or a certificate cannot be used.
            TransportError: one cannot be opened.
        """
        wanted = [parse_listen(text) for text in addresses]
        try:
            for transport, local in wanted:
                self.listeners.append(await self._network.listen(transport, local, self._receiver))
        except BaseException:  # a listener that is left open keeps uvloop from closing its loop
            await self.close()
            raise

    async def close(self) -> None:
        """Close all listeners and streams; who waits for a stream gets ConnectError."""
        await self._opening.close()
        for flow in list(self._keys):
            flow.close()
        self._streams.clear()
        self._keys.clear()
        listeners, self.listeners = self.listeners, []
        for listener in listeners:
            await listener.close()

    def open_flow(
        self, transport: TransportName, remote: Address, *, like: Flow | None = None, name: str = ""
    ) -> Flow | None:
        """The flow to `remote` that needs no waiting: any UDP one, or a stream that is open.

        `like` is a UDP flow whose local socket should be used again. `name` is whom we mean, a domain or
        an address: a TLS or WSS connection is used for those names only that its certificate has proved,
        never because its address fits (RFC 5923 §9.2). Without `name` we mean the address.

        Raises:
            TransportError: no UDP listener has the family of `remote`.
        """
        if transport != "udp":
            flow = self._streams.get(_key(transport, remote, name))
            return None if flow is None or flow.closed else flow
        if like is not None and like.transport == "udp":
            if like.remote == remote:
                return like
            for listener in self.listeners:
                if listener.transport == "udp" and listener.local == like.local:
                    return listener.flow_to(remote)
        found = self._listener("udp", remote.host)
        if found is None:
            raise ConnectError(f"no UDP listener for {remote}")
        return found.flow_to(remote)

    async def connect(self, remote: Address, *, transport: TransportName = "tcp", name: str = "") -> Flow:
        """A stream to `remote`; several callers share one attempt. `name` is as in `open_flow`.

        Raises:
            ConnectError: nobody answers there, or somebody else than `name`.
        """
        return await self._opening.join(
            _key(transport, remote, name),
            lambda: self._connect(transport, remote, name),
            name=f"sip/connect {transport} {remote}",
            closed=lambda: ConnectError(f"no connection to {remote}: the endpoint has stopped"),
        )

    def adopt(self, flow: Flow) -> None:
        """Remember a stream, so that requests to that very address, and to a name it has proved, reuse it."""
        names = flow.peer_names if flow.transport in _SECURE else {""}
        keys = {_key(flow.transport, flow.remote, name) for name in names}
        self._keys[flow] = keys
        for key in keys:
            self._streams[key] = flow

    def forget(self, flow: Flow) -> None:
        """Forget a stream that has ended."""
        for key in self._keys.pop(flow, ()):
            if self._streams.get(key) is flow:
                del self._streams[key]

    def sent_by(self, flow: Flow) -> Address:
        """Our address as the peer of `flow` sees it, for Via and Contact.

        For a stream that we opened this is the port where we listen, not the one it left from. On a
        WebSocket that we opened without listening for any, as browsers do, nobody can reach us but on it:
        the host says so (RFC 7118 §5).
        """
        host = flow.local.host
        if self._advertise and reach_of(flow.remote.host) == "public":
            host = self._advertise
        elif host in _WILDCARDS:
            host = self._local_host(flow.remote.host)
        if flow.transport == "udp":
            return Address(host, flow.local.port)
        listener = self._listener(flow.transport, flow.remote.host)
        if listener is None and flow.transport in ("ws", "wss"):
            return Address(f"flow-{flow.local.port}.invalid", default_port(flow.transport))
        return Address(host, flow.local.port if listener is None else listener.local.port)

    def _listener(self, transport: TransportName, remote_host: str) -> Listener | None:
        six = ":" in remote_host
        for listener in self.listeners:
            if listener.transport == transport and (":" in listener.local.host) == six:
                return listener
        return None

    def _local_host(self, remote_host: str) -> str:
        known = self._local_hosts.get(remote_host)
        if known is None:
            if len(self._local_hosts) > 4096:
                self._local_hosts.clear()
            known = self._local_hosts[remote_host] = self._find_local(remote_host)
        return known

    async def _connect(self, transport: TransportName, remote: Address, name: str) -> Flow:
        listener = self._listener(transport, remote.host)
        local = listener.local.host if listener is not None else None
        if local in _WILDCARDS:
            local = None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                flow = await self._network.connect(
                    remote, self._receiver, transport=transport, name=name, local_host=local
                )
        except TimeoutError as error:
            raise ConnectError(f"no connection to {remote} in {CONNECT_TIMEOUT:g} s") from error
        self.adopt(flow)
        return flow


def _key(transport: TransportName, remote: Address, name: str) -> _Key:
    """What a stream is found by: where certificates are checked, the name that was meant counts too."""
    who = plain_host(name or remote.host) if transport in _SECURE else ""
    return transport, Address(plain_host(remote.host), remote.port), who
