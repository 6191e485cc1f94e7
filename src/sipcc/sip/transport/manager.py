"""Chooses, opens, reuses and drops flows, and knows under which address a peer can reach us."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable, Iterable

from sipcc.errors import ConfigError, ConnectError, ResolveError, TransportError
from sipcc.sip.nat import is_address
from sipcc.sip.transport.base import Address, Flow, Listener, Network, Receiver, TransportName
from sipcc.sip.transport.tcp import connect_tcp, listen_tcp
from sipcc.sip.transport.udp import listen_udp

_LISTEN = re.compile(r"(udp|tcp):(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+):([0-9]{1,5})")
_WILDCARDS = frozenset({"0.0.0.0", "::", ""})

CONNECT_TIMEOUT = 8.0
"""Seconds that a TCP connection may take to open; well below Timer B, so that fail-over is possible."""


def parse_listen(text: str) -> tuple[TransportName, Address]:
    """Read ``udp:0.0.0.0:5060`` or ``tcp:[::]:5060``.

    Raises:
        ConfigError: it is neither.
    """
    match = _LISTEN.fullmatch(text)
    if match is None or int(match[3]) > 65535:
        raise ConfigError("sip.listen", f"not a listening address: {text!r}", hint="udp:0.0.0.0:5060")
    transport: TransportName = "udp" if match[1] == "udp" else "tcp"
    return transport, Address(match[2].strip("[]"), int(match[3]))


def local_host_towards(remote_host: str) -> str:
    """The local address from which the kernel would send to `remote_host`; no packet is sent."""
    family = socket.AF_INET6 if ":" in remote_host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((remote_host, 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"


async def resolve(host: str, port: int) -> Address:
    """The first address of `host`; an IP address is taken as it is.

    Raises:
        ResolveError: the name has no address.
    """
    if is_address(host):
        return Address(host, port)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise ResolveError(f"{host} has no address: {error}") from error
    if not found:
        raise ResolveError(f"{host} has no address")
    return Address(str(found[0][4][0]), port)


class SocketNetwork:
    """The `Network` of production: UDP and TCP of the operating system, IPv4 and IPv6."""

    async def listen(self, transport: TransportName, local: Address, receiver: Receiver) -> Listener:
        """Open a socket; port 0 picks a free one. Raises TransportError."""
        if transport == "udp":
            return await listen_udp(local, receiver)
        return await listen_tcp(local, receiver)

    async def connect(self, remote: Address, receiver: Receiver, *, local_host: str | None = None) -> Flow:
        """Open a TCP connection. Raises ConnectError."""
        return await connect_tcp(remote, receiver, local_host=local_host)


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
    ) -> None:
        self.listeners: list[Listener] = []
        self._network = network
        self._receiver = receiver
        self._find_local = find_local
        self._local_hosts: dict[str, str] = {}
        self._streams: dict[Address, Flow] = {}
        self._opening: dict[Address, asyncio.Task[Flow]] = {}

    async def listen(self, addresses: Iterable[str]) -> None:
        """Open every listener, or none.

        Raises:
            ConfigError: an address cannot be read.
            TransportError: one cannot be opened.
        """
        wanted = [parse_listen(text) for text in addresses]
        try:
            for transport, local in wanted:
                self.listeners.append(await self._network.listen(transport, local, self._receiver))
        except TransportError:
            await self.close()
            raise

    async def close(self) -> None:
        """Close all listeners and streams."""
        for task in list(self._opening.values()):
            task.cancel()
        for flow in list(self._streams.values()):
            flow.close()
        self._streams.clear()
        listeners, self.listeners = self.listeners, []
        for listener in listeners:
            await listener.close()

    def open_flow(
        self, transport: TransportName, remote: Address, *, like: Flow | None = None
    ) -> Flow | None:
        """The flow to `remote` that needs no waiting: any UDP one, or a stream that is open.

        `like` is a UDP flow whose local socket should be used again.

        Raises:
            TransportError: no UDP listener has the family of `remote`.
        """
        if transport == "tcp":
            flow = self._streams.get(remote)
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

    async def connect(self, remote: Address) -> Flow:
        """A stream to `remote`; several callers share one attempt.

        Raises:
            ConnectError: nobody answers there.
        """
        task = self._opening.get(remote)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._connect(remote), name=f"sip/connect {remote}")
            self._opening[remote] = task
            task.add_done_callback(lambda _done: self._opening.pop(remote, None))
        return await asyncio.shield(task)

    def adopt(self, flow: Flow) -> None:
        """Remember a stream that a peer opened, so that requests to that very address can reuse it."""
        self._streams[flow.remote] = flow

    def forget(self, flow: Flow) -> None:
        """Forget a stream that has ended."""
        if self._streams.get(flow.remote) is flow:
            del self._streams[flow.remote]

    def sent_by(self, flow: Flow) -> Address:
        """Our address as the peer of `flow` sees it, for Via and Contact.

        For a stream that we opened this is the port where we listen, not the one it left from.
        """
        host = flow.local.host
        if host in _WILDCARDS:
            host = self._local_host(flow.remote.host)
        if flow.transport == "udp":
            return Address(host, flow.local.port)
        listener = self._listener("tcp", flow.remote.host)
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

    async def _connect(self, remote: Address) -> Flow:
        listener = self._listener("tcp", remote.host)
        local = listener.local.host if listener is not None else None
        if local in _WILDCARDS:
            local = None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                flow = await self._network.connect(remote, self._receiver, local_host=local)
        except TimeoutError as error:
            raise ConnectError(f"no connection to {remote} in {CONNECT_TIMEOUT:g} s") from error
        self._streams[remote] = flow
        return flow
