"""The media engine in worker processes: one clocked loop per core, driven over unix sockets.

A worker has a slice of the port range for itself. Ports that may be bridged live on one worker (`near`);
others go to the one with the fewest. When a worker dies, its ports are told (`WorkerLost`) and a new one
takes its slice for the calls to come.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import msgspec

import sipcc
from sipcc.errors import PortsExhausted
from sipcc.ids import Ids
from sipcc.log import get_logger
from sipcc.rtp import wire
from sipcc.rtp.flow import MediaPort, RtpStats, WorkerLost
from sipcc.rtp.port import EnginePort
from sipcc.rtp.settings import MediaSettings

_log = get_logger("sipcc.rtp")

RESTART_PATIENCE_S = 3.0
"""How long a new call waits for a worker when all have died."""
RESTART_DELAY_S = 1.0
"""Pause before a worker that lived for less than this is started again."""
QUIT_WAIT_S = 5.0
"""Seconds that a worker gets to close its recordings before it is killed."""


def split_ports(ports: tuple[int, int], parts: int) -> list[tuple[int, int]]:
    """Cut a port range into `parts` slices of equal size that begin at even ports.

    Raises:
        ValueError: the range is too small to give each part one pair.
    """
    first = ports[0] + ports[0] % 2
    pairs = (ports[1] - first + 1) // 2
    if pairs < parts:
        raise ValueError(f"ports {ports[0]}-{ports[1]} hold {pairs} pairs, too few for {parts} workers")
    edges = [first + 2 * (pairs * part // parts) for part in range(parts + 1)]
    return [(low, high - 1) for low, high in pairwise(edges)]


class _Handle(asyncio.Protocol):
    """Our end of one worker: its process, its ports, and the stream between us."""

    def __init__(self, pool: WorkerPool, settings: MediaSettings) -> None:
        self.pool = pool
        self.settings = settings
        self.ports: dict[str, EnginePort] = {}
        self.opening: dict[str, asyncio.Future[EnginePort]] = {}
        self.stats: dict[str, RtpStats] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self.transport: asyncio.Transport | None = None
        self.started_at = 0.0
        self.quitting = False
        self.ended = asyncio.Event()
        self._framing = wire.Framing(wire.FromWorker)

    @property
    def load(self) -> int:
        return len(self.ports) + len(self.opening)

    @property
    def alive(self) -> bool:
        return self.transport is not None

    async def launch(self) -> None:
        """Start the process and say hello."""
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = _spawn(theirs.fileno())
        loop = asyncio.get_running_loop()
        self.started_at = loop.time()
        transport, _ = await loop.create_unix_connection(lambda: self, sock=ours)
        self.transport = transport
        transport.write(wire.frame(wire.Hello(self.settings)))

    # -- Commander ----------------------------------------------------------------------------------------

    def submit(self, command: wire.Command) -> None:
        self.post(command)

    def post(self, message: wire.ToWorker) -> None:
        """Write a message; to a dead worker it goes nowhere, as do its ports."""
        if self.transport is not None:
            self.transport.write(wire.frame(message))

    def stats_of(self, port: str) -> RtpStats:
        return self.stats.get(port, RtpStats())

    # -- asyncio.Protocol ---------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._framing.receive(data)
        except ValueError:
            _log.exception("media.worker_unintelligible")
            if self.transport is not None:
                self.transport.abort()
            return
        for message in messages:
            self._take(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.ended.set()
        self.pool.lost(self)

    def _take(self, message: object) -> None:
        if isinstance(message, wire.StatsNow):
            self.stats.update((port, stats) for port, stats in message.ports.items() if port in self.ports)
        elif isinstance(message, wire.Opened):
            opening = self.opening.pop(message.port, None)
            if opening is None or opening.cancelled():
                self.submit(wire.Close(message.port))  # nobody waits for it any more
            else:
                opened = EnginePort(self, message.port, message.host, message.number)
                self.ports[opened.id] = opened
                opening.set_result(opened)
        elif isinstance(message, wire.OpenFailed):
            opening = self.opening.pop(message.port, None)
            if opening is not None and not opening.cancelled():
                opening.set_exception(PortsExhausted(message.error))
        elif isinstance(message, wire.Closed):
            port = self.ports.pop(message.port, None)
            self.stats.pop(message.port, None)
            if port is not None:
                port.finish(message.stats)
        elif isinstance(message, wire.Event):
            port = self.ports.get(message.port)
            if port is not None:
                port.deliver(message)


class WorkerPool:
    """A `sipcc.rtp.flow.MediaEngine` of worker processes."""

    def __init__(self, settings: MediaSettings | None = None, *, ids: Ids | None = None) -> None:
        """`settings.workers` says how many: -1 (or 0, which asks for none) means one per core."""
        self.settings = settings or MediaSettings(workers=-1)
        self._ids = ids or Ids()
        self._workers: list[_Handle] = []
        self._restarts: set[asyncio.Task[None]] = set()
        self._stopping = False
        self.restarts = 0
        """Workers that died and were started again."""

    @property
    def open_ports(self) -> int:
        """How many ports are open."""
        return sum(len(worker.ports) for worker in self._workers)

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers."""
        return [worker.process.pid for worker in self._workers if worker.process is not None]

    async def start(self) -> None:
        """Start the workers.

        Raises:
            ValueError: the port range is too small for the number of workers.
        """
        count = self.settings.workers if self.settings.workers > 0 else os.cpu_count() or 1
        for ports in split_ports(self.settings.ports, count):
            worker = _Handle(self, msgspec.structs.replace(self.settings, ports=ports))
            await worker.launch()
            self._workers.append(worker)

    async def stop(self) -> None:
        """Let the workers close their ports and recordings, and end them."""
        self._stopping = True
        for task in list(self._restarts):
            task.cancel()
        for worker in self._workers:
            worker.quitting = True
            worker.post(wire.Quit())
        await asyncio.gather(*(asyncio.to_thread(_reap, worker.process) for worker in self._workers))
        await asyncio.gather(*(worker.ended.wait() for worker in self._workers))

    async def open(self, *, near: MediaPort | None = None) -> EnginePort:
        """Open a port on the worker of `near`, or on the least loaded one.

        Raises:
            PortsExhausted: no worker runs, or its slice of the range has no free pair.
        """
        return await self._open(near)

    async def open_raw(self, *, beside: MediaPort) -> EnginePort:
        """Open a raw port for the party of `beside`, on its worker.

        Raises:
            PortsExhausted: no worker runs, or its slice of the range has no free pair.
        """
        return await self._open(beside, beside=beside.id)

    async def _open(self, near: MediaPort | None, *, beside: str = "") -> EnginePort:
        if self._restarts and not any(worker.alive for worker in self._workers):
            # the last worker has just died: a call waits for its successor rather than be refused
            await asyncio.wait(set(self._restarts), timeout=RESTART_PATIENCE_S)
        worker = self._choose(near)
        port_id = self._ids.uid("port")
        future: asyncio.Future[EnginePort] = asyncio.get_running_loop().create_future()
        worker.opening[port_id] = future
        worker.post(wire.Open(port_id, beside))
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                worker.submit(wire.Close(port_id))  # it was opened in the very moment
            raise

    def _choose(self, near: MediaPort | None) -> _Handle:
        alive = [worker for worker in self._workers if worker.alive]
        if isinstance(near, EnginePort):
            for worker in alive:
                if worker is near.commander:
                    return worker
        if not alive:
            raise PortsExhausted("no media worker is running")
        return min(alive, key=lambda worker: worker.load)

    def lost(self, worker: _Handle) -> None:
        """The stream to a worker has ended: tell its ports, and start another in its place."""
        for future in worker.opening.values():
            if not future.done():
                future.set_exception(PortsExhausted("the media worker died"))
        worker.opening.clear()
        ports = list(worker.ports.values())
        worker.ports.clear()
        for port in ports:
            port.finish(worker.stats_of(port.id), last=None if worker.quitting else WorkerLost(port.id))
        if self._stopping:
            return
        self.restarts += 1
        _log.error("media.worker_lost", ports=len(ports), pid=worker.process.pid if worker.process else 0)
        task = asyncio.get_running_loop().create_task(self._restart(worker), name="rtp/restart-worker")
        self._restarts.add(task)
        task.add_done_callback(self._restarts.discard)

    async def _restart(self, old: _Handle) -> None:
        await asyncio.to_thread(_reap, old.process)
        if asyncio.get_running_loop().time() - old.started_at < RESTART_DELAY_S:
            await asyncio.sleep(RESTART_DELAY_S)
        worker = _Handle(self, old.settings)
        await worker.launch()
        self._workers[self._workers.index(old)] = worker


def _spawn(descriptor: int) -> subprocess.Popen[bytes]:
    root = str(Path(sipcc.__file__).resolve().parents[1])
    path = os.environ.get("PYTHONPATH")
    environment = {
        **os.environ,
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": f"{root}{os.pathsep}{path}" if path else root,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "sipcc.rtp.worker", str(descriptor)],
        pass_fds=[descriptor],
        env=environment,
        stdin=subprocess.DEVNULL,
    )


def _reap(process: subprocess.Popen[bytes] | None) -> None:
    """Wait for a process to end, and make it end when it does not."""
    if process is None:
        return
    try:
        process.wait(QUIT_WAIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
