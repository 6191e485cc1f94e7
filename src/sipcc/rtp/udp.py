"""Real UDP sockets for the media engine: all of them in one epoll set, drained once per clock tick.

Waking for each packet is what makes relays dear (facts: 11-14 us a packet against 7-9 us), so nothing
here calls back: the engine comes once per millisecond and takes all that waits.
"""

from __future__ import annotations

import contextlib
import select
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from sipcc.lifeline import raise_descriptor_limit

Address = tuple[str, int]
Datagram = tuple[int, bytes, Address]

MAX_DATAGRAM = 2048
"""Bytes taken of one datagram: above every Ethernet MTU, so no audio packet is cut."""
MAX_ROUNDS = 8
"""Datagrams taken from one socket per drain. A flood on one port cannot hold the clock up: what is more
stays in the kernel's queue until the next tick, and overflows there."""
MAX_DRAINED = 2048
"""Datagrams after which one drain ends, some 20 ms of work, so that an engine with too much to do still turns
its clock and shows that it lives: more than that would look like one that hangs, and be killed for it."""
MAX_SKIMMED = 4096
"""More than any socket holds: a flood does not keep `skim` from its end."""
RECEIVE_BUFFER_BYTES = 262_144
"""SO_RCVBUF: a second of G.711 and some; the kernel caps it at net.core.rmem_max."""
SO_MEMINFO = 55
"""Linux: nine words about a socket's memory, of which the last counts the datagrams it had no room for."""
SK_MEMINFO_BYTES = 9 * 4
DSCP_EF = 46 << 2
"""Expedited forwarding (RFC 3246) in the place of the old TOS byte."""


class UdpSockets:
    """`sipcc.rtp.flow.PacketSockets` on the kernel's UDP; a handle is a file descriptor."""

    def __init__(self) -> None:
        raise_descriptor_limit()
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._receive: dict[int, Callable[[int], tuple[bytes, Any]]] = {}
        self._send: dict[int, Callable[[Any, Address], int]] = {}
        self._wide: set[int] = set()
        self._kept: list[Datagram] = []
        self.send_errors = 0
        """Datagrams that the kernel refused."""
        self.receive_errors = 0
        """Reads that failed, such as a socket that died."""

    def fileno(self) -> int:
        """The one epoll descriptor: readable when any socket is."""
        return self._epoll.fileno()

    def open(self, host: str, port: int) -> int:
        """Bind a socket and return its handle.

        Raises:
            OSError: the port is taken, the address is not ours, or no descriptor is free.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            with contextlib.suppress(OSError):  # marking is a courtesy that containers may forbid
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, DSCP_EF)
                else:
                    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, DSCP_EF)
            sock.bind((host, port))
        except BaseException:
            sock.close()
            raise
        return self._add(sock)

    def adopt(self, descriptor: int) -> int:
        """Take over a socket that another process opened; it is closed with the others."""
        return self._add(socket.socket(fileno=descriptor))

    def skim(self, keep: int) -> int:
        """Drop what waits but for the newest `keep` datagrams of each socket; how many were dropped.

        After an outage the audio of all of it would have to be played, and the call keep that delay.
        """
        dropped = 0
        for handle, receive in self._receive.items():
            waiting: deque[Datagram] = deque(maxlen=keep)
            count = 0
            with contextlib.suppress(OSError):  # until nothing waits, or it is a socket that died
                while count < MAX_SKIMMED:
                    data, source = receive(MAX_DATAGRAM)
                    waiting.append((handle, data, source))
                    count += 1
            dropped += count - len(waiting)
            self._kept += waiting
        return dropped

    def _add(self, sock: socket.socket) -> int:
        handle = sock.fileno()
        self._sockets[handle] = sock
        self._receive[handle] = sock.recvfrom
        self._send[handle] = sock.sendto
        if sock.family == socket.AF_INET6:
            self._wide.add(handle)
        self._epoll.register(handle, select.EPOLLIN)
        return handle

    def port_of(self, handle: int) -> int:
        """The local port of `handle`."""
        port: int = self._sockets[handle].getsockname()[1]
        return port

    def overflows(self, handle: int) -> int:
        """Datagrams that the kernel has dropped on `handle`, because nobody took them in time."""
        figures = self._sockets[handle].getsockopt(socket.SOL_SOCKET, SO_MEMINFO, SK_MEMINFO_BYTES)
        return int.from_bytes(figures[-4:], sys.byteorder)

    def close(self, handle: int) -> None:
        """Close the socket of `handle`; a handle that is not open is ignored."""
        sock = self._sockets.pop(handle, None)
        if sock is None:
            return
        del self._receive[handle], self._send[handle]
        self._wide.discard(handle)
        self._epoll.unregister(handle)
        sock.close()

    def close_all(self) -> None:
        """Close every socket and the epoll set."""
        for handle in list(self._sockets):
            self.close(handle)
        self._epoll.close()

    def drain(self) -> Iterator[Datagram]:
        """Datagrams that wait, at most `MAX_ROUNDS` of each socket, as (handle, data, source).

        Each is read when it is asked for: a process that is killed takes one with it, and leaves the rest to
        its successor. When there are more than `MAX_DRAINED`, sockets that were left out are the first of
        the next drain.
        """
        wide = self._wide
        kept, self._kept = self._kept, []
        for handle, data, source in kept:
            yield handle, data, source[:2] if handle in wide else source
        count = len(kept)
        receive = self._receive
        room = min(len(receive), MAX_DRAINED) or 1
        for _ in range(MAX_ROUNDS):
            if count >= MAX_DRAINED:
                break
            ready = self._epoll.poll(0, room)
            if not ready:
                break
            count += len(ready)
            for handle, _event in ready:
                if handle not in receive:  # closed for what another one brought
                    continue
                try:
                    data, source = receive[handle](MAX_DATAGRAM)
                except OSError:
                    self.receive_errors += 1
                    continue
                # an IPv6 source comes as a tuple of four
                yield handle, data, source[:2] if handle in wide else source

    def send(self, handle: int, data: bytes | bytearray | memoryview, address: Address) -> None:
        """Send one datagram; what the kernel refuses is counted and dropped."""
        try:
            self._send[handle](data, address)
        except (OSError, OverflowError, KeyError):
            self.send_errors += 1
