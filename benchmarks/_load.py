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
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from multiprocessing.connection import Connection
from typing import Literal, NamedTuple, Protocol

import uvloop

from benchmarks._report import TooBusyError, cpu_seconds, median, pin
from sipcc.lifeline import raise_descriptor_limit
from sipcc.rtp import CodecName, LocalEngine, MediaSettings, StreamParams, WorkerPool
from sipcc.rtp.flow import MediaPort, SrtpKeys
from sipcc.rtp.packet import HEADER
from sipcc.rtp.udp import UdpSockets

ENGINE_HOST, PARTY_HOST = "127.0.0.1", "127.0.0.2"
FRAME_S = 0.020
SUBJECT_CORE, LOAD_CORE = 0, 1
WARM_UP_S = 1.0
DRAIN_S = 0.002
MAX_BURST = 200
"""Packets that a generator which is late sends before it looks at what has come back."""
LOST = "the worker did not live: the load was too much for it, or the machine too busy"
PAYLOAD_TYPES: dict[CodecName, int] = {"PCMU": 0, "PCMA": 8}

SUITE = "AES_CM_128_HMAC_SHA1_80"
OURS, THEIRS = bytes(range(30)), bytes(range(100, 130))
"""Keys of the legs with SRTP: what the engine sends with, and what the parties send with."""

processes = mp.get_context("spawn")


class Plan(NamedTuple):
    """What the legs of a load are like; each pattern is repeated over them."""

    legs: int
    codecs: tuple[CodecName, ...] = ("PCMU",)
    srtp: tuple[bool, ...] = (False,)
    keys: Literal["events", "inband"] = "events"
    """Whether telephone events are agreed, or tones are looked for in the audio of each leg."""
    room: int = 2
    """Legs in each conversation or conference: bridged when it is two."""


class Window(NamedTuple):
    """One measured stretch of time."""

    seconds: float
    cpu_seconds: float
    sent: int
    received: int


def generate(pipe: Connection, plan: Plan) -> None:
    """The generator: binds, says its ports, takes its targets, and sends until told to stop."""
    sockets = UdpSockets()
    handles = [sockets.open(PARTY_HOST, 0) for _ in range(plan.legs)]
    pipe.send([sockets.port_of(handle) for handle in handles])
    targets = [(ENGINE_HOST, port) for port in pipe.recv()]
    legs = plan.legs
    kinds = [PAYLOAD_TYPES[plan.codecs[leg % len(plan.codecs)]] for leg in range(legs)]
    payload = bytes(range(160))
    protect = None
    if any(plan.srtp):
        from sipcc.rtp.srtp import Shield

        protect = Shield(SrtpKeys(SUITE, THEIRS, OURS)).protect
    protected = [plan.srtp[leg % len(plan.srtp)] for leg in range(legs)]
    sent = received = 0
    rounds, leg = 0, 0
    begin = drain_at = time.monotonic()
    while True:
        now = time.monotonic()
        due = min(int((now - begin) / FRAME_S * legs) - rounds * legs - leg, MAX_BURST)
        for _ in range(due):
            packet = HEADER.pack(0x80, kinds[leg], rounds & 0xFFFF, rounds * 160, leg + 1) + payload
            if protect is not None and protected[leg]:
                packet = protect(packet) or b""
            sockets.send(handles[leg], packet, targets[leg])
            sent += 1
            leg += 1
            if leg == legs:
                leg, rounds = 0, rounds + 1
        if now >= drain_at:
            drain_at = now + DRAIN_S
            received += sum(1 for _ in sockets.drain())
            if pipe.poll():
                if pipe.recv() == "stop":
                    return
                pipe.send((time.monotonic(), sent, received))


def bare_relay(pipe: Connection, plan: Plan) -> None:
    """The floor: one epoll loop, woken for each packet, no look into it."""
    raise_descriptor_limit()
    epoll = select.epoll()
    sockets = []
    for _ in range(plan.legs):
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


def settings_for(legs: int) -> MediaSettings:
    """One worker with ports enough for so many legs, of which it refuses none for its load."""
    return MediaSettings(
        address=ENGINE_HOST, ports=(30000, 30000 + 4 * legs + 99), workers=1, max_busy=1.0, max_late_ms=1000.0
    )


def params_for(plan: Plan, leg: int, party_port: int) -> StreamParams:
    """How the audio of a leg travels."""
    codec = plan.codecs[leg % len(plan.codecs)]
    return StreamParams(
        remote_host=PARTY_HOST,
        remote_port=party_port,
        remote_rtcp_port=0,
        codec=codec,
        payload_type=PAYLOAD_TYPES[codec],
        event_payload_type=101 if plan.keys == "events" else None,
        srtp=SrtpKeys(SUITE, OURS, THEIRS) if plan.srtp[leg % len(plan.srtp)] else None,
    )


async def join_all(engine: LocalEngine | WorkerPool, plan: Plan, party_ports: list[int]) -> list[MediaPort]:
    """Open a port for each party, and put each `room` of them together."""
    ports: list[MediaPort] = []
    for leg, party_port in enumerate(party_ports):
        port: MediaPort = await engine.open()
        port.configure(params_for(plan, leg, party_port))
        ports.append(port)
    for index, port in enumerate(ports):
        await asyncio.sleep(0.001)  # calls come one after the other, not all in one tick of the engine
        if plan.room != 2:
            port.join(f"room-{index // plan.room}")
        elif index % 2:
            port.bridge(ports[index - 1])
    return ports


def local_engine(pipe: Connection, plan: Plan) -> None:
    """A subject: the engine in the process of a library user, on uvloop."""

    async def run() -> None:
        engine = LocalEngine(settings_for(plan.legs))
        pipe.send([])
        ports = await join_all(engine, plan, pipe.recv())
        pipe.send([port.port for port in ports])
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        await engine.stop()

    uvloop.run(run())


class Load:
    """A generator as the measuring process sees it."""

    def __init__(self, plan: Plan, target: Callable[[Connection, Plan], None] = generate) -> None:
        self.pipe, theirs = processes.Pipe()
        self.process = processes.Process(target=target, args=(theirs, plan), daemon=True)
        self.process.start()
        self.ports: list[int] = self.pipe.recv()
        assert self.process.pid is not None
        pin(self.process.pid, LOAD_CORE)

    def begin(self, ports: list[int]) -> None:
        """Tell where the other side listens."""
        self.pipe.send(ports)

    def measure(self, pid: int, seconds: float) -> Window:
        """What process `pid` did in so many seconds, once all is under way."""
        time.sleep(min(seconds, WARM_UP_S))
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


class Work(Protocol):
    """What the ports of a worker do besides, before and behind the measured window."""

    async def begin(self, ports: list[MediaPort]) -> None:
        """All ports are joined."""
        ...

    async def end(self, ports: list[MediaPort]) -> None:
        """The window is over, audio still comes."""
        ...


@contextmanager
def standing_process(target: Callable[[Connection, Plan], None], plan: Plan, load: Load) -> Iterator[int]:
    """`bare_relay` or `local_engine` in a process of its own, under `load`; gives its process id."""
    pipe, theirs = processes.Pipe()
    process = processes.Process(target=target, args=(theirs, plan), daemon=True)
    process.start()
    first: list[int] = pipe.recv()
    pipe.send(load.ports)
    load.begin(first or pipe.recv())
    assert process.pid is not None
    pin(process.pid, SUBJECT_CORE)
    yield process.pid
    load.stop()
    pipe.send("stop")
    process.join(5)


@asynccontextmanager
async def standing_worker(plan: Plan, load: Load) -> AsyncIterator[tuple[int, list[MediaPort]]]:
    """One worker process of the pool, under `load`; gives its process id and its ports."""
    pool = WorkerPool(settings_for(plan.legs))
    await pool.start()
    pid = pool.pids[0]
    pin(pid, SUBJECT_CORE)
    ports = await join_all(pool, plan, load.ports)
    load.begin([port.port for port in ports])
    try:
        yield pid, ports
    except FileNotFoundError:
        raise TooBusyError(LOST) from None
    if pool.pids != [pid]:
        raise TooBusyError(LOST)
    load.stop()
    await pool.stop()


def measure_process(target: Callable[[Connection, Plan], None], plan: Plan, *, seconds: float) -> Window:
    """Measure `bare_relay` or `local_engine`."""
    load = Load(plan)
    with standing_process(target, plan, load) as pid:
        return load.measure(pid, seconds)


def measure_worker(plan: Plan, *, seconds: float, work: Work | None = None) -> Window:
    """Measure one worker process of the pool."""

    async def run() -> Window:
        loop = asyncio.get_running_loop()
        load = await loop.run_in_executor(None, Load, plan)
        async with standing_worker(plan, load) as (pid, ports):
            if work is not None:
                await work.begin(ports)
            window = await loop.run_in_executor(None, load.measure, pid, seconds)
            if work is not None:
                await work.end(ports)
        return window

    return asyncio.run(run())


def per_packet_us(window: Window) -> float:
    """CPU of each packet that came out."""
    return window.cpu_seconds * 1e6 / max(1, window.received)


def per_frame_us(plan: Plan) -> Callable[[Window], float]:
    """CPU of each leg in 20 ms, whatever came out."""
    return lambda window: window.cpu_seconds * 1e6 / (plan.legs * window.seconds / FRAME_S)


def compare(
    plan: Plan,
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
        sent = sum(window.sent for window in windows)
        seconds = sum(window.seconds for window in windows)
        floor_us = floor_us or median(costs)
        rows.append(
            {
                **size,
                "subject": name,
                unit: median(costs),
                "min": costs[0],
                "max": costs[-1],
                "of floor": median(costs) / floor_us,
                "core %": 100 * sum(window.cpu_seconds for window in windows) / seconds,
                "offered %": 100 * sent * FRAME_S / (plan.legs * seconds),
                "lost %": max(0.0, 100 - 100 * sum(window.received for window in windows) / max(1, sent)),
            }
        )
    return rows
