"""Raw ports: datagrams of one party go to the other as they are, for video and for fax by T.38 (udptl).

Nothing is read of them, so a source cannot be judged by its sequence numbers as `sipcc.rtp.latch` does.
It is judged by its host instead, which the audio of the same party has proved:

(a) packets from the address that signalling told win at once;
(b) within `LEARNING_S` after that, another port of its host, or of the host that its audio is accepted
    from, is accepted after `LEARNING` datagrams, and never while the present source still sends;
(c) all else is dropped and counted, and nothing is ever sent to it;
(d) RTCP must come from the host of the accepted source; its port is learned once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from sipcc.rtp import wire
from sipcc.rtp.flow import PacketSockets, RtpStats
from sipcc.rtp.latch import LEARNING_S, QUIET_S, Address

if TYPE_CHECKING:
    from sipcc.rtp.session import Session

LEARNING: Final = 4
NOWHERE: Address = ("", 0)
NEVER = float("-inf")


class Channel:
    """One socket of a raw port."""

    __slots__ = (
        "_candidate", "_count", "_hosts", "_open_until", "_send", "expected", "foreign", "handle", "heard_at",
        "peer", "received", "received_bytes", "sent", "sent_bytes", "source",
    )  # fmt: skip

    def __init__(self, handle: int, sockets: PacketSockets, hosts: Callable[[], tuple[str, ...]]) -> None:
        """`hosts` gives the hosts that are believed besides the one that signalling told."""
        self.handle = handle
        self.expected = NOWHERE
        self.source = NOWHERE
        """The accepted source, and where to send; `NOWHERE` sends nothing."""
        self.peer: Channel | None = None
        self.heard_at = NEVER
        self.received = self.received_bytes = self.sent = self.sent_bytes = 0
        self.foreign = 0
        self._hosts = hosts
        self._send = sockets.send
        self._open_until = NEVER
        self._candidate = NOWHERE
        self._count = 0

    def aim(self, address: Address, *, now: float) -> None:
        """Signalling told the party's address."""
        if address != self.expected:
            self.expected = self.source = address
            self.heard_at = NEVER
        self._open_until = now + LEARNING_S
        self._count = 0

    def receive(self, data: bytes, source: Address, now: float) -> None:
        """Take one datagram and pass it on."""
        if source != self.source and not self._admit(source, now):
            self.foreign += 1
            return
        self.heard_at = now
        self.received += 1
        self.received_bytes += len(data)
        peer = self.peer
        if peer is not None and peer.source[1]:
            self._send(peer.handle, data, peer.source)
            peer.sent += 1
            peer.sent_bytes += len(data)

    def _admit(self, source: Address, now: float) -> bool:
        """Judge a datagram that is not from the accepted source."""
        if not self.expected[1]:
            return False
        if source == self.expected:
            self.source = source
            return True
        if now >= self._open_until or now - self.heard_at < QUIET_S:
            return False
        if source[0] != self.expected[0] and source[0] not in self._hosts():
            return False
        self._count = self._count + 1 if source == self._candidate else 1
        self._candidate = source
        if self._count < LEARNING:
            return False
        self.source = source
        return True


class RawSession:
    """The two sockets of one raw port."""

    def __init__(
        self,
        port_id: str,
        handles: tuple[int, int],
        number: int,
        sockets: PacketSockets,
        *,
        audio_source: Callable[[], Address],
    ) -> None:
        """`audio_source` gives the source that the party's audio is accepted from."""
        self.id = port_id
        self.handles = handles
        self.number = number
        self.media = Channel(handles[0], sockets, lambda: (audio_source()[0],))
        self.control = Channel(handles[1], sockets, lambda: (self.media.source[0],))

    @property
    def heard_at(self) -> float:
        """When something was last accepted."""
        return max(self.media.heard_at, self.control.heard_at)

    def aim(self, host: str, port: int, rtcp_port: int, *, now: float) -> None:
        """Send to these ports of `host`; a port of 0 sends nothing."""
        self.media.aim((host, port), now=now)
        self.control.aim((host, rtcp_port), now=now)

    def bridge(self, other: RawSession) -> None:
        """Pass on what arrives, both ways; with itself there is no bridge."""
        if other is self:
            return
        self.unbridge()
        other.unbridge()
        for mine, theirs in ((self.media, other.media), (self.control, other.control)):
            mine.peer, theirs.peer = theirs, mine

    def unbridge(self) -> None:
        """Drop what arrives, here and at the peer."""
        for channel in (self.media, self.control):
            peer, channel.peer = channel.peer, None
            if peer is not None:
                peer.peer = None

    def stats(self) -> RtpStats:
        """How much was passed on."""
        channels = (self.media, self.control)
        return RtpStats(
            packets_sent=sum(channel.sent for channel in channels),
            packets_received=sum(channel.received for channel in channels),
            bytes_sent=sum(channel.sent_bytes for channel in channels),
            bytes_received=sum(channel.received_bytes for channel in channels),
            foreign_packets=sum(channel.foreign for channel in channels),
        )


class RawPorts:
    """The raw ports of one engine, each beside the port that carries the audio of its party."""

    def __init__(self, sockets: PacketSockets) -> None:
        self._sockets = sockets
        self._open: dict[str, tuple[RawSession, Session]] = {}

    def __contains__(self, port_id: str) -> bool:
        return port_id in self._open

    def __iter__(self) -> Iterator[str]:
        return iter(self._open)

    def open(self, port_id: str, handles: tuple[int, int], number: int, beside: Session) -> RawSession:
        """Begin a raw port on sockets that are bound."""
        raw = RawSession(port_id, handles, number, self._sockets, audio_source=lambda: beside.source)
        beside.beside.append(raw)
        self._open[port_id] = raw, beside
        return raw

    def close(self, port_id: str) -> RawSession:
        """Forget a port, and return it."""
        raw, beside = self._open.pop(port_id)
        raw.unbridge()
        beside.beside.remove(raw)
        return raw

    def sockets_of(self, port_id: str) -> tuple[int, tuple[int, int], str] | None:
        """Number and handles of a port, and the port beside which it stands."""
        if port_id not in self._open:
            return None
        raw, beside = self._open[port_id]
        return raw.number, raw.handles, beside.id

    def execute(self, command: wire.Command, *, now: float) -> None:
        """Do one verb; what is for a port that is gone is nothing."""
        if command.port not in self._open:
            return
        raw, _ = self._open[command.port]
        match command:
            case wire.Aim():
                raw.aim(command.host, command.number, command.rtcp_number, now=now)
            case wire.Bridge() if command.other in self._open:
                raw.bridge(self._open[command.other][0])
            case wire.Unbridge():
                raw.unbridge()

    def stats_of(self, port_id: str) -> RtpStats:
        """How much a port has passed on; empty for one that is gone."""
        return self._open[port_id][0].stats() if port_id in self._open else RtpStats()
