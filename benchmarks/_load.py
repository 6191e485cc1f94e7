"""RTP load for the media benchmarks: a generator process, a floor, and one measured window.

The generator owns one socket per leg and sends one packet of 160 bytes per leg and 20 ms, the legs spread
evenly over the 20 ms as the calls of a trunk are, and takes in all that comes back. It runs on the other
core. The floor is what Python costs without us: an epoll loop that wakes for each packet and passes it to
the other leg of its call without looking at it.
"""

from __future__ import annotations

import asyncio
import multiprocessing as mp
import select
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import NamedTuple

import uvloop

from benchmarks._report import cpu_seconds, median, pin
from sipcc.rtp import CodecName, LocalEngine, MediaSettings, StreamParams, WorkerPool
from sipcc.rtp.flow import SrtpKeys
from sipcc.rtp.packet import HEADER
from sipcc.rtp.udp import UdpSockets, raise_descriptor_limit

ENGINE_HOST, PARTY_HOST = "127.0.0.1", "127.0.0.2"
FRAME_S = 0.020
SUBJECT_CORE, LOAD_CORE = 0, 1
_processes = mp.get_context("spawn")


SUITE = "AES_CM_128_HMAC_SHA1_80"
OURS, THEIRS = bytes(range(30)), bytes(range(100, 130))
"""Keys of the legs with SRTP: what the engine sends with, and what the parties send with."""


class Window(NamedTuple):
    """One measured stretch of time."""

    seconds: float
    cpu_seconds: float
    sent: int
    received: int


def generate(
    pipe: Connection, legs: int, payload_types: tuple[int, ...], srtp: tuple[bool, ...] = (False,)
) -> None:
    """The generator: binds, says its ports, takes its targets, and sends until told to stop."""
    sockets = UdpSockets()
    handles = [sockets.open(PARTY_HOST, 0) for _ in range(legs)]
    pipe.send([sockets.port_of(handle) for handle in handles])
    targets = [(ENGINE_HOST, port) for port in pipe.recv()]
    kinds = [payload_types[leg % len(payload_types)] for leg in range(legs)]
    payload = bytes(range(160))
    protect = None
    if any(srtp):
        from sipcc.rtp.srtp import Shield

        protect = Shield(SrtpKeys(SUITE, THEIRS, OURS)).protect
    protected = [srtp[leg % len(srtp)] for leg in range(legs)]
    sent = received = 0
    rounds, leg = 0, 0
    begin = time.monotonic()
    drain_at = begin
    while True:
        due = begin + (rounds + leg / legs) * FRAME_S
        now = time.monotonic()
        if now >= due:
            header = HEADER.pack(0x80, kinds[leg], rounds & 0xFFFF, rounds * 160, leg + 1)
            packet = header + payload
            if protect is not None and protected[leg]:
                packet = protect(packet) or b""
            sockets.send(handles[leg], packet, targets[leg])
            sent += 1
            leg += 1
            if leg == legs:
                leg, rounds = 0, rounds + 1
        elif now >= drain_at:
            drain_at = now + 0.002
            received += len(sockets.drain())
            if pipe.poll():
                if pipe.recv() == "stop":
                    return
                pipe.send((time.monotonic(), sent, received))


def bare_relay(pipe: Connection, legs: int) -> None:
    """The floor: one epoll loop, woken for each packet, no look into it."""
    raise_descriptor_limit()
    epoll = select.epoll()
    sockets = []
    for _ in range(legs):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind((ENGINE_HOST, 0))
        sockets.append(sock)
    pipe.send([sock.getsockname()[1] for sock in sockets])
    targets = [(PARTY_HOST, port) for port in pipe.recv()]
    ways = {}
    for leg, sock in enumerate(sockets):
        epoll.register(sock.fileno(), select.EPOLLIN)
        ways[sock.fileno()] = (sock.recvfrom, sockets[leg ^ 1].sendto, targets[leg ^ 1])
    epoll.register(pipe.fileno(), select.EPOLLIN)
    while True:
        for fd, _ in epoll.poll():
            way = ways.get(fd)
            if way is None:
                return
            receive, send, target = way
            data, _source = receive(2048)
            send(data, target)


def _settings(legs: int) -> MediaSettings:
    return MediaSettings(address=ENGINE_HOST, ports=(40000, 40000 + 4 * legs + 99), workers=1)


async def _join_all(
    engine: LocalEngine | WorkerPool,
    party_ports: list[int],
    codecs: tuple[CodecName, ...],
    room: int = 2,
    srtp: tuple[bool, ...] = (False,),
) -> list[int]:
    """Open a port for each party, and put each `room` of them together: bridged when it is two."""
    ports = []
    for leg, party_port in enumerate(party_ports):
        codec = codecs[leg % len(codecs)]
        port = await engine.open()
        port.configure(
            StreamParams(
                remote_host=PARTY_HOST,
                remote_port=party_port,
                remote_rtcp_port=0,
                codec=codec,
                payload_type=0 if codec == "PCMU" else 8,
                event_payload_type=101,
                srtp=SrtpKeys(SUITE, OURS, THEIRS) if srtp[leg % len(srtp)] else None,
            )
        )
        ports.append(port)
    for index, port in enumerate(ports):
        await asyncio.sleep(0.001)  # calls come one after the other, not all in one tick of the engine
        if room != 2:
            port.join(f"room-{index // room}")
        elif index % 2:
            port.bridge(ports[index - 1])
    return [port.port for port in ports]


def local_engine(pipe: Connection, legs: int, codecs: tuple[CodecName, ...]) -> None:
    """A subject: the engine in the process of a library user, on uvloop."""

    async def run() -> None:
        engine = LocalEngine(_settings(legs))
        party_ports: list[int] = []
        pipe.send([])
        party_ports = pipe.recv()
        pipe.send(await _join_all(engine, party_ports, codecs))
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        await engine.stop()

    uvloop.run(run())


class _Load:
    """The generator as the measuring process sees it."""

    def __init__(self, legs: int, payload_types: tuple[int, ...], srtp: tuple[bool, ...] = (False,)) -> None:
        self.pipe, theirs = _processes.Pipe()
        self.process = _processes.Process(
            target=generate, args=(theirs, legs, payload_types, srtp), daemon=True
        )
        self.process.start()
        self.ports: list[int] = self.pipe.recv()
        assert self.process.pid is not None
        pin(self.process.pid, LOAD_CORE)

    def measure(self, pid: int, seconds: float, warm_up: float) -> Window:
        time.sleep(warm_up)
        began, sent, received = self._count()
        cpu = cpu_seconds(pid)
        time.sleep(seconds)
        ended, sent_then, received_then = self._count()
        cpu = cpu_seconds(pid) - cpu
        return Window(ended - began, cpu, sent_then - sent, received_then - received)

    def _count(self) -> tuple[float, int, int]:
        self.pipe.send("count")
        counts: tuple[float, int, int] = self.pipe.recv()
        return counts

    def stop(self) -> None:
        self.pipe.send("stop")
        self.process.join(5)


def measure_process(
    target: Callable[..., None],
    legs: int,
    *,
    seconds: float,
    warm_up: float = 1.0,
    payload_types: tuple[int, ...] = (0,),
    codecs: tuple[CodecName, ...] = (),
) -> Window:
    """Measure `bare_relay` or `local_engine` in a process of its own."""
    pipe, theirs = _processes.Pipe()
    arguments = (theirs, legs, codecs) if codecs else (theirs, legs)
    subject = _processes.Process(target=target, args=arguments, daemon=True)
    subject.start()
    first: list[int] = pipe.recv()
    load = _Load(legs, payload_types)
    pipe.send(load.ports)
    load.pipe.send(first or pipe.recv())
    assert subject.pid is not None
    pin(subject.pid, SUBJECT_CORE)
    window = load.measure(subject.pid, seconds, warm_up)
    load.stop()
    pipe.send("stop")
    subject.join(5)
    return window


def measure_worker(
    legs: int,
    *,
    seconds: float,
    warm_up: float = 1.0,
    payload_types: tuple[int, ...] = (0,),
    codecs: tuple[CodecName, ...] = ("PCMU",),
    room: int = 2,
    srtp: tuple[bool, ...] = (False,),
) -> Window:
    """Measure one worker process of the pool, with `room` legs in each conversation or conference.

    `srtp` says of the first legs whether they are protected; the others follow the same pattern.
    """

    async def run() -> Window:
        pool = WorkerPool(_settings(legs))
        await pool.start()
        loop = asyncio.get_running_loop()
        load = await loop.run_in_executor(None, _Load, legs, payload_types, srtp)
        load.pipe.send(await _join_all(pool, load.ports, codecs, room, srtp))
        pid = pool.pids[0]
        pin(pid, SUBJECT_CORE)
        window = await loop.run_in_executor(None, load.measure, pid, seconds, warm_up)
        load.stop()
        await pool.stop()
        return window

    return asyncio.run(run())


def compare(
    size: dict[str, object],
    unit: str,
    cost_us: Callable[[Window], float],
    subjects: Mapping[str, Sequence[Window]],
) -> list[dict[str, object]]:
    """A row for each subject; the first one is the floor that the others are a ratio of.

    `size` names how much was running and opens each row; `cost_us` is the price of one `unit` in a window.
    """
    floor_us = 0.0
    rows: list[dict[str, object]] = []
    for name, windows in subjects.items():
        costs = sorted(cost_us(window) for window in windows)
        lost = 1 - sum(window.received for window in windows) / max(1, sum(window.sent for window in windows))
        floor_us = floor_us or median(costs)
        rows.append(
            {
                **size,
                "subject": name,
                unit: median(costs),
                "min": costs[0],
                "max": costs[-1],
                "of floor": median(costs) / floor_us,
                "core %": 100 * sum(w.cpu_seconds for w in windows) / sum(w.seconds for w in windows),
                "lost %": max(0.0, 100 * lost),
            }
        )
    return rows
