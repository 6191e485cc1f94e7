"""UDP on the loop: a socket that is emptied at each wake-up, and what it held taken in order of urgency.

What belongs to something under way (responses, requests in a dialog) is taken before what opens something
new. The new requests wait in a queue of ours, where the time that they wait can be seen and overload be
judged by it; left in the kernel they would hide that time, and push out the BYEs behind them.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import Any

from sipcc.errors import TransportError
from sipcc.sip.overload import opens_something
from sipcc.sip.transport.base import Address, Flow, Receiver, TransportName

RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
"""What we ask the kernel for: about 3,000 INVITEs that come while the loop is busy."""

MAX_FLOWS = 65536
"""Flows remembered per listener; strangers with forged sources must not grow our memory."""

READ_BATCH = 512
"""Datagrams read before any of them is taken, so that a flood cannot keep us reading."""

URGENT_BATCH = 32
FRESH_BATCH = 8
"""Datagrams of either kind that are taken before the rest of the loop has its turn: some milliseconds."""

MAX_WAITING = 8192
"""Datagrams of either kind that wait; the oldest is lost, and its sender repeats it or gives up."""

MAX_WAITING_BYTES = 16 * 1024 * 1024
"""Bytes of either kind that wait: 8,192 datagrams of 64 KiB would be half a gigabyte."""

MAX_UNSENT = 1024
"""Datagrams that wait for room in the kernel; what comes after is lost, as on any full link."""

_Peer = tuple[Any, ...]


class _Queue:
    """Datagrams that wait, each with the time that it came, within the bounds."""

    __slots__ = ("_bytes", "_held")

    def __init__(self) -> None:
        self._held: deque[tuple[float, bytes, _Peer]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._held)

    def put(self, datagram: tuple[float, bytes, _Peer]) -> int:
        """Add one; how many had to go for it, the oldest first."""
        self._held.append(datagram)
        self._bytes += len(datagram[1])
        lost = 0
        while len(self._held) > MAX_WAITING or self._bytes > MAX_WAITING_BYTES:
            self.take()
            lost += 1
        return lost

    def take(self) -> tuple[float, bytes, _Peer]:
        """The oldest one."""
        oldest = self._held.popleft()
        self._bytes -= len(oldest[1])
        return oldest

    def clear(self) -> None:
        """Forget them all."""
        self._held.clear()
        self._bytes = 0


class UdpFlow:
    """One (local, remote) pair of a UDP listener. It is never closed by itself."""

    __slots__ = ("_listener", "_peer", "closed", "local", "peer_names", "reliable", "remote", "transport")

    def __init__(self, listener: UdpListener, local: Address, remote: Address, peer: _Peer) -> None:
        self.transport: TransportName = "udp"
        self.local = local
        self.remote = remote
        self.reliable = False
        self.closed = False
        self.peer_names: frozenset[str] = frozenset()
        self._listener = listener
        self._peer = peer  # with the zone of a link-local IPv6 address, which `remote` has not

    def __repr__(self) -> str:
        return f"<udp {self.local} > {self.remote}>"

    def send(self, data: bytes) -> None:
        """Send one datagram; what the kernel refuses later shows as a missing answer.

        Raises:
            TransportError: the listener is closed.
        """
        self._listener.send(data, self._peer)

    def close(self) -> None:
        """Nothing to give up."""


class UdpListener:
    """One UDP socket."""

    def __init__(self, opened: socket.socket, receiver: Receiver) -> None:
        self.transport: TransportName = "udp"
        name = opened.getsockname()
        self.local = Address(name[0], name[1])
        self.errors = 0
        """Errors that the kernel reported for the socket."""
        self.lost = 0
        """Datagrams that found no room, new requests and answers alike."""
        self._socket = opened
        self._receiver = receiver
        self._loop = asyncio.get_running_loop()
        # one place to receive into: 64 KB for each datagram, cut to a message that lives for half a minute,
        # would leave the heap in pieces
        self._room = memoryview(bytearray(65535))
        self._flows: dict[_Peer, UdpFlow] = {}
        self._fresh = _Queue()
        self._urgent = _Queue()
        self._unsent: deque[tuple[bytes, _Peer]] = deque()
        self._working: asyncio.Handle | None = None
        self._closed = False
        self._loop.add_reader(opened, self._readable)

    def flow_to(self, remote: Address) -> Flow:
        """The flow from this socket to `remote`.

        Raises:
            TransportError: the listener is closed.
        """
        if self._closed:
            raise TransportError("the listener is not open")
        return self._flow(tuple(remote))

    async def close(self) -> None:
        """Close the socket."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._socket)
        if self._unsent:
            self._loop.remove_writer(self._socket)
        if self._working is not None:
            self._working.cancel()
        self._socket.close()
        self._fresh.clear()
        self._urgent.clear()
        self._unsent.clear()

    def send(self, data: bytes, remote: _Peer) -> None:
        """Send one datagram, at once or when the kernel has room.

        Raises:
            TransportError: the listener is closed, or `remote` is nowhere to send to.
        """
        if self._closed:
            raise TransportError(f"udp {self.local} is closed")
        if self._unsent:
            self._keep(data, remote)
            return
        try:
            self._socket.sendto(data, remote)
        except BlockingIOError:
            self._loop.add_writer(self._socket, self._writable)
            self._keep(data, remote)
        except (OSError, ValueError, OverflowError) as error:
            raise TransportError(f"cannot send to {remote}: {error}") from error

    def _keep(self, data: bytes, remote: _Peer) -> None:
        if len(self._unsent) < MAX_UNSENT:
            self._unsent.append((data, remote))
        else:
            self.lost += 1

    def _writable(self) -> None:
        while self._unsent:
            data, remote = self._unsent[0]
            try:
                self._socket.sendto(data, remote)
            except BlockingIOError:
                return
            except (OSError, ValueError, OverflowError):
                self.errors += 1
            self._unsent.popleft()
        self._loop.remove_writer(self._socket)

    # -- what comes in --------------------------------------------------------------------------------

    def _readable(self) -> None:
        self._read()
        if self._working is None:
            self._work()

    def _read(self) -> None:
        """Empty the socket: what stays in the kernel hides how long it waits, and cannot be put in order."""
        receive, blocked, room = self._socket.recvfrom_into, self._receiver.blocked, self._room
        fresh, urgent, now = self._fresh, self._urgent, 0.0
        for _ in range(READ_BATCH):
            try:
                size, peer = receive(room)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.errors += 1  # an ICMP error: Timers B and F decide, since it is easily forged
                continue
            if blocked(peer[0]):
                continue
            data = bytes(room[:size])
            # a CANCEL that went past the INVITE before it would find nothing, and leave a phone ringing
            if opens_something(data) or (fresh and data.startswith(b"CANCEL ")):
                now = now or self._loop.time()
                self.lost += fresh.put((now, data, peer))
            else:
                self.lost += urgent.put((now, data, peer))

    def _work(self) -> None:
        """Take some of what is urgent, then some of what is new; the rest after a turn of the loop."""
        self._working = None
        urgent, fresh, receiver = self._urgent, self._fresh, self._receiver
        for _ in range(min(URGENT_BATCH, len(urgent))):
            _since, data, peer = urgent.take()
            receiver.datagram_received(data, self._flow(peer))
            if self._closed:
                return
        # one even then: anybody may send what looks urgent, and nobody may so keep all calls out
        for _ in range(min(1 if urgent else FRESH_BATCH, len(fresh))):
            since, data, peer = fresh.take()
            waited = None if data.startswith(b"CANCEL ") else self._loop.time() - since
            receiver.datagram_received(data, self._flow(peer), waited)
            if self._closed:
                return
        if urgent or fresh:
            self._read()
            self._working = self._loop.call_soon(self._work)

    def _flow(self, peer: _Peer) -> UdpFlow:
        flow = self._flows.get(peer)
        if flow is None:
            if len(self._flows) >= MAX_FLOWS:
                self._flows.clear()  # a flow holds no state that its next use would not bring back
            flow = UdpFlow(self, self.local, Address(str(peer[0]), int(peer[1])), peer)
            self._flows[peer] = flow
        return flow


def open_udp(local: Address) -> socket.socket:
    """Bind a UDP socket; port 0 picks a free one.

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
    except OSError as error:
        opened.close()
        raise TransportError(f"cannot open udp {local}: {error.strerror or error}") from error
    return opened
