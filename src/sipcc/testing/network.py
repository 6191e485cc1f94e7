"""A network in memory, for signalling and media alike, with every fault that a real one has.

`MemoryNetwork` implements `sipcc.sip.transport.base.Network`, and `MemoryNetwork.sockets` gives the
`sipcc.rtp.flow.PacketSockets` of one host. All hosts of a test share one network; each uses its own view:

    network = MemoryNetwork(link=Link(loss=0.1, delay=0.02))
    switch_net, phone_net = network.host("10.0.0.1"), network.host("10.0.0.2")

Everything travels on `loop.call_at` and all chance comes from one seed, so each run is the same.
"""

from __future__ import annotations

import asyncio
import errno
import heapq
import random
from collections import Counter, deque
from collections.abc import Callable

import msgspec

from sipcc.errors import ConnectError, TransportError
from sipcc.sip.transport.base import Address, Flow, Listener, Receiver, TransportName
from sipcc.testing.link import Link, Nat
from sipcc.testing.wires import (
    WILDCARDS,
    Fate,
    MemoryListener,
    MemorySockets,
    MemoryStream,
    Packet,
)

CAPTURE_LIMIT = 100_000
"""Packets kept in `MemoryNetwork.captured`; older ones fall out. The counts stay exact."""


class MemoryNetwork:
    """Hosts, links and everything that was ever sent."""

    def __init__(self, *, seed: int = 1, link: Link = Link()) -> None:  # noqa: B008  # frozen
        self.captured: deque[Packet] = deque(maxlen=CAPTURE_LIMIT)
        self.counts: Counter[str] = Counter()
        """By fate, plus ``delivered`` (copies that arrived) and ``overflowed`` (a full socket buffer)."""
        self._dice = random.Random(seed)
        self._loop = asyncio.get_running_loop()
        self._default = link
        self._links: dict[tuple[str | None, str | None], Link] = {}
        self._cuts: set[frozenset[str]] = set()
        self._drops: list[tuple[Callable[[Packet], bool], int]] = []
        self._nats: list[Nat] = []
        self._udp: dict[Address, Callable[[bytes, Address], None]] = {}
        self._tcp: dict[Address, MemoryListener] = {}
        self._certified: dict[str, frozenset[str]] = {}
        self._streams: list[MemoryStream] = []
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._next_port = 32768

    # -- qualities ------------------------------------------------------------------------------------

    def set_link(self, link: Link, *, source: str | None = None, target: str | None = None) -> None:
        """Set the qualities of a direction; None stands for any host, and the most exact match wins."""
        self._links[source, target] = link

    def partition(self, one: str, other: str) -> None:
        """Cut two hosts off from each other: datagrams vanish, streams hold what they have."""
        self._cuts.add(frozenset((one, other)))

    def heal(self) -> None:
        """End all partitions; streams deliver what they held."""
        self._cuts.clear()
        for stream in list(self._streams):
            stream.release_held()

    def drop(self, matches: Callable[[Packet], bool], *, count: int = 1) -> None:
        """Lose the next `count` datagrams that `matches` accepts, whatever the link says."""
        self._drops.append((matches, count))

    def add_nat(self, public_host: str, *inside: str, life: float = 60.0, symmetric: bool = False) -> Nat:
        """Put hosts behind a NAT that the others see as `public_host`; see `Nat`.

        Of a stream that was open when it lost its mappings nothing arrives any more, and nobody is told.
        """
        nat = Nat(public_host, frozenset(inside), life=life, symmetric=symmetric)
        self._nats.append(nat)
        return nat

    def certify(self, host: str, *names: str) -> None:
        """Give `host` a certificate for `names`, to show over TLS and WSS to whoever it speaks with."""
        self._certified[host] = frozenset(name.lower() for name in names)

    def host(self, host: str) -> HostNetwork:
        """The network as one host sees it: wildcard addresses mean this host."""
        return HostNetwork(self, host)

    def sockets(self, host: str = "") -> MemorySockets:
        """UDP sockets for the media engine of `host`."""
        return MemorySockets(self, host)

    def sent(self, prefix: bytes = b"", *, source: str | None = None) -> list[Packet]:
        """What was captured whose bytes start with `prefix`, of one source host or of all."""
        return [
            packet
            for packet in self.captured
            if packet.data.startswith(prefix) and source in (None, packet.source.host)
        ]

    # -- sipcc.sip.transport.base.Network ---------------------------------------------------------------

    async def listen(self, transport: TransportName, local: Address, receiver: Receiver) -> Listener:
        """Open a socket; port 0 picks a free one. Raises TransportError when the port is taken."""
        if local.port == 0:
            local = self.free_address(local.host)
        if local in (self._udp if transport == "udp" else self._tcp):
            raise TransportError(f"{transport} {local} is taken")
        listener = MemoryListener(self, transport, local, receiver)
        if transport == "udp":
            self._udp[local] = listener.deliver
        else:
            self._tcp[local] = listener
        return listener

    async def connect(
        self,
        remote: Address,
        receiver: Receiver,
        *,
        transport: TransportName = "tcp",
        name: str = "",
        local_host: str | None = None,
    ) -> Flow:
        """Open a stream. Raises ConnectError when nobody listens there or the hosts are cut off.

        Over TLS and WSS a host without a certificate of its own (see `certify`) has one for whoever is
        asked for, and as a client shows none.
        """
        local = self.free_address(local_host or "127.0.0.1")
        listener = self._tcp.get(remote)
        nat = self._nat_between(local, remote)
        seen = local if nat is None else nat.outbound(local, remote, now=self._loop.time())
        await asyncio.sleep(2 * self.link(local.host, remote.host).delay)
        if (
            listener is None
            or listener.transport != transport
            or self.is_cut(local.host, remote.host)
            or listener.receiver.blocked(seen.host)
        ):
            raise ConnectError(f"nobody listens on {transport} {remote}")
        theirs_shown = ours_shown = frozenset[str]()
        if transport in ("tls", "wss"):
            meant = (name or remote.host).lower()
            theirs_shown = self._certified.get(remote.host, frozenset({meant}))
            ours_shown = self._certified.get(local.host, frozenset())
            if meant not in theirs_shown:
                raise ConnectError(f"the certificate of {remote} is not for {meant}")
        ours = MemoryStream(self, local, remote, receiver, transport=transport, peer_names=theirs_shown)
        theirs = MemoryStream(
            self, remote, seen, listener.receiver, transport=transport, peer_names=ours_shown
        )
        ours.peer, theirs.peer = theirs, ours
        if nat is not None:
            ours.pass_through(nat)
            theirs.pass_through(nat)
        self._streams += [ours, theirs]
        listener.streams.append(theirs)
        return ours

    # -- for the sockets of this module -----------------------------------------------------------------

    def bind(self, address: Address, deliver: Callable[[bytes, Address], None]) -> Address:
        """Claim a UDP address. Raises OSError (EADDRINUSE) when it is taken."""
        if address.port == 0:
            address = self.free_address(address.host)
        if address in self._udp:
            raise OSError(errno.EADDRINUSE, f"udp {address} is taken")
        self._udp[address] = deliver
        return address

    def unbind(self, address: Address) -> None:
        """Free a UDP address."""
        self._udp.pop(address, None)

    def unlisten(self, address: Address) -> None:
        """Free a listening TCP address."""
        self._tcp.pop(address, None)

    def forget_stream(self, stream: MemoryStream) -> None:
        """Take a closed stream off the list of those that `heal` releases."""
        if stream in self._streams:
            self._streams.remove(stream)

    def free_address(self, host: str) -> Address:
        """An address of `host` with a port that was not given out before."""
        self._next_port += 2
        return Address(host, self._next_port)

    def is_cut(self, source: str, target: str) -> bool:
        """True while the two hosts are cut off from each other."""
        return frozenset((source, target)) in self._cuts

    def link(self, source: str, target: str) -> Link:
        """The qualities of the direction from `source` to `target`."""
        for key in ((source, target), (source, None), (None, target)):
            if key in self._links:
                return self._links[key]
        return self._default

    def send_datagram(self, source: Address, target: Address, data: bytes) -> None:
        """Send one datagram into the network."""
        now = self._loop.time()
        nat = self._nat_between(source, target)
        seen_source = source if nat is None else nat.outbound(source, target, now=now)
        packet = Packet(now, "udp", seen_source, target, data, "sent")
        arrivals = self.link(source.host, target.host).arrivals(self._dice)
        fate: Fate = "sent"
        if self.is_cut(source.host, target.host):
            fate = "partitioned"
        elif self._is_to_drop(packet):
            fate = "dropped"
        elif not arrivals:
            fate = "lost"
        self.record(msgspec.structs.replace(packet, fate=fate))
        if fate == "sent":
            for seconds in arrivals:
                self.schedule(now + seconds, lambda: self._arrive(seen_source, target, data))

    def _nat_between(self, source: Address, target: Address) -> Nat | None:
        return next((n for n in self._nats if source.host in n.inside and target.host not in n.inside), None)

    def record(self, packet: Packet) -> None:
        """Count and capture one send."""
        self.counts[packet.fate] += 1
        self.captured.append(packet)

    def stream_delay(self, source: str, target: str) -> float:
        """Seconds that the next segment of a stream takes."""
        return self.link(source, target).stream_delay(self._dice)

    def schedule(self, when: float, action: Callable[[], None]) -> None:
        """Run `action` at `when`; actions of the same time keep the order of this call."""
        self._order += 1
        heapq.heappush(self._due, (when, self._order, action))
        self._loop.call_at(when, self._run_due)

    def _run_due(self) -> None:
        # asyncio's timer heap does not keep the order of equal times, ours does
        while self._due and self._due[0][0] <= self._loop.time():
            heapq.heappop(self._due)[2]()

    def _arrive(self, source: Address, target: Address, data: bytes) -> None:
        for nat in self._nats:
            if target.host == nat.public_host:
                inside = nat.inbound(source, target, now=self._loop.time())
                if inside is None:
                    self.counts["filtered"] += 1
                    return
                target = inside
        deliver = self._udp.get(target)
        if deliver is None:
            self.counts["unreachable"] += 1
            return
        self.counts["delivered"] += 1
        deliver(data, source)

    def _is_to_drop(self, packet: Packet) -> bool:
        for index, (matches, count) in enumerate(self._drops):
            if matches(packet):
                self._drops[index : index + 1] = [(matches, count - 1)] if count > 1 else []
                return True
        return False


class HostNetwork:
    """One host's view of a `MemoryNetwork`; give it to that host's endpoint."""

    def __init__(self, network: MemoryNetwork, host: str) -> None:
        self.network = network
        self.address = host

    async def listen(self, transport: TransportName, local: Address, receiver: Receiver) -> Listener:
        """Open a socket on this host when `local` is a wildcard."""
        if local.host in WILDCARDS:
            local = Address(self.address, local.port)
        return await self.network.listen(transport, local, receiver)

    async def connect(
        self,
        remote: Address,
        receiver: Receiver,
        *,
        transport: TransportName = "tcp",
        name: str = "",
        local_host: str | None = None,
    ) -> Flow:
        """Open a stream from this host."""
        host = self.address if local_host is None or local_host in WILDCARDS else local_host
        return await self.network.connect(remote, receiver, transport=transport, name=name, local_host=host)

    def sockets(self) -> MemorySockets:
        """UDP sockets for this host's media engine."""
        return self.network.sockets(self.address)
