"""Listens where SIPp's callers and agents said they listen, and counts what arrives.

Runs as a process of its own that looks every few milliseconds and takes the time of each packet from the
kernel: a receiver that is woken for every packet would make the sender, which is what we measure, pay
for the waking. SIPp sends audio from raw sockets and reads none, so that the sockets here
are the only receivers; SIPp itself holds the port of its first call, which is therefore not counted.
"""

from __future__ import annotations

import multiprocessing
import select
import socket
import struct
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from benchmarks._sipp import AGENT_HOST, CALLER_HOST, MEDIA_BASE


@dataclass
class StreamCount:
    """One stream as its receiver saw it."""

    received: int = 0
    lost: int = 0
    jitter_ms: float = 0.0


_SO_TIMESTAMPNS = 35  # Linux: asm-generic/socket.h; Python has no name for it
_PERIOD_S = 0.005


class _Stream:
    """Counts one stream: sequence gaps, and jitter as RFC 3550 A.8 has it."""

    def __init__(self) -> None:
        self.received = 0
        self.first = self.last = -1
        self.jitter = 0.0
        self.transit: float | None = None

    def take(self, data: bytes, now: float) -> None:
        sequence = data[2] << 8 | data[3]
        if self.first < 0:
            self.first = self.last = sequence
        else:
            step = (sequence - self.last) & 0xFFFF
            if step < 0x8000:
                self.last += step
        self.received += 1
        transit = now * 8000 - int.from_bytes(data[4:8], "big")
        if self.transit is not None:
            difference = abs(transit - self.transit)
            if difference < 8000:
                self.jitter += (difference - self.jitter) / 16
        self.transit = transit

    def count(self) -> StreamCount:
        owed = self.last - self.first + 1 if self.received else 0
        return StreamCount(self.received, max(0, owed - self.received), self.jitter / 8)


def _serve(calls: int, pipe: Connection) -> None:
    poller = select.epoll()
    streams: dict[int, tuple[socket.socket, _Stream]] = {}
    for host in (CALLER_HOST, AGENT_HOST):
        for n in range(1, calls):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            sock.bind((host, MEDIA_BASE + 4 * n))
            sock.setblocking(False)
            poller.register(sock, select.EPOLLIN)
            streams[sock.fileno()] = (sock, _Stream())
    poller.register(pipe, select.EPOLLIN)
    pipe.send("ready")
    while True:
        time.sleep(_PERIOD_S)
        for fd, _ in poller.poll(0):
            if fd == pipe.fileno():
                command = pipe.recv()
                if command == "total":
                    pipe.send(sum(stream.received for _, stream in streams.values()))
                else:
                    pipe.send([stream.count() for _, stream in streams.values()])
                    return
                continue
            _drain(*streams[fd])


def _drain(sock: socket.socket, stream: _Stream) -> None:
    while True:
        try:
            data, ancillary, _, _ = sock.recvmsg(2048, 64)
        except BlockingIOError:
            return
        if len(data) >= 12 and not 192 <= data[1] <= 223 and ancillary:
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2][:16])
            stream.take(data, seconds + nanoseconds / 1e9)


class Sink:
    """The process, and how it is asked."""

    def __init__(self, calls: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, far = context.Pipe()
        self._process: Any = context.Process(target=_serve, args=(calls, far), daemon=True)
        self._process.start()
        self._pipe.recv()

    def total(self) -> int:
        """Packets received so far, over all streams."""
        self._pipe.send("total")
        return int(self._pipe.recv())

    def finish(self) -> list[StreamCount]:
        """End it; each stream's figures."""
        self._pipe.send("finish")
        counts: list[StreamCount] = self._pipe.recv()
        self._process.join(5)
        return counts
