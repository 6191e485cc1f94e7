"""The media engine in worker processes: one clocked loop per core, driven over unix sockets.

A worker has a slice of the port range for itself. Ports that may be bridged live on one worker (`near`);
others go to the one with the fewest. When a worker dies or hangs, a successor gets its sockets and its
records and goes on with its ports (`sipcc.nursery`, `sipcc.rtp.journal`): here the link breaks and comes
again, and what was ordered meanwhile is ordered then. Only a port that could not be taken over is told
`WorkerLost`. Workers that a keeper holds may have ports that another process opened before it died: they are
`standing`, can be adopted by their id, and are closed when their media has timed out.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from itertools import pairwise

import msgspec

from sipcc.errors import PortsExhausted
from sipcc.ids import Ids
from sipcc.log import get_logger
from sipcc.rtp import wire
from sipcc.rtp.flow import MediaPort
from sipcc.rtp.handle import Handle
from sipcc.rtp.journal import memory_bytes
from sipcc.rtp.keeping import OwnWorkers, Workers, worker_command
from sipcc.rtp.link import StandingPort
from sipcc.rtp.load import EngineLoad
from sipcc.rtp.port import EnginePort
from sipcc.rtp.settings import MediaSettings

_log = get_logger("sipcc.rtp")

RESTART_PATIENCE_S = 3.0
"""How long a new call waits for a worker when all have died."""
START_WAIT_S = 10.0
"""How long the start waits for the first worker."""


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


class WorkerPool:
    """A `sipcc.rtp.flow.MediaEngine` of worker processes."""

    def __init__(
        self,
        settings: MediaSettings | None = None,
        *,
        ids: Ids | None = None,
        workers: Workers | None = None,
    ) -> None:
        """`settings.workers` says how many: -1 (or what asks for none) means one per core.

        `workers` starts and replaces them: the keeper of the daemon, or by default this process itself.
        """
        self.settings = settings or MediaSettings(workers=-1)
        self._ids = ids or Ids()
        self._keeper: Workers = workers or OwnWorkers()
        self._workers: list[Handle] = []
        self._linking: set[asyncio.Task[None]] = set()
        self._stood = asyncio.Event()
        self.epoch = 0
        """Tells our orders from those of a process before us."""

    @property
    def open_ports(self) -> int:
        """How many ports are open."""
        return sum(len(worker.ports) for worker in self._workers)

    @property
    def loads(self) -> list[EngineLoad]:
        """How busy each worker was in its last whole second."""
        return [handle.work for handle in self._workers]

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers."""
        return self._keeper.pids

    @property
    def restarts(self) -> int:
        """Workers that died and were replaced."""
        return self._keeper.restarts

    @property
    def standing(self) -> list[StandingPort]:
        """Ports that a process before us opened, and that nobody has adopted."""
        return [port for worker in self._workers for port in worker.standing.values()]

    async def start(self) -> None:
        """Start the workers.

        Raises:
            ValueError: the port range is too small for the number of workers.
        """
        count = self.settings.worker_count if self.settings.worker_count > 0 else os.cpu_count() or 1
        slices = split_ports(self.settings.ports, count)
        self.epoch = self._ids.bits(62) + 1
        self._workers = [Handle(self, index) for index in range(count)]
        places = []
        for ports in slices:
            settings = msgspec.structs.replace(self.settings, ports=ports)
            places.append((msgspec.msgpack.encode(settings), memory_bytes((ports[1] - ports[0] + 1) // 2)))
        self._keeper.begin(places, self._on_link, command=worker_command(), standby=self.settings.standby)
        await self._wait_for(START_WAIT_S, lambda: all(worker.alive for worker in self._workers))

    async def stop(self) -> None:
        """Let the workers close their ports and recordings, and end them."""
        for worker in self._workers:
            worker.quit()
        await self._keeper.end()
        for task in list(self._linking):
            task.cancel()
        for worker in self._workers:
            worker.close()

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
        worker = await self._choose(near)
        port_id = self._ids.uid("port")
        future: asyncio.Future[EnginePort] = asyncio.get_running_loop().create_future()
        worker.opening[port_id] = future
        worker.order(wire.Open(port_id, beside, near is not None))
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                worker.submit(wire.Close(port_id))  # it was opened in the very moment
            raise

    def adopt(self, port_id: str) -> EnginePort:
        """Go on with a port that a process before us opened: one of `standing`.

        Raises:
            KeyError: there is none with that id, or it has been adopted or closed.
        """
        for worker in self._workers:
            if port_id in worker.standing:
                return worker.adopt(worker.standing[port_id])
        raise KeyError(port_id)

    def break_link(self, index: int, noise: bytes) -> None:
        """Write bytes that are no message to a worker: for who tests that calls outlive it."""
        self._workers[index].write_noise(noise)

    def relink(self, index: int) -> None:
        """A worker asks for another link to its process."""
        self._keeper.relink(index)

    async def _choose(self, near: MediaPort | None) -> Handle:
        if isinstance(near, EnginePort):
            for worker in self._workers:
                if worker is near.commander:
                    return worker  # also one that has just died: its successor does it
        if not any(worker.alive for worker in self._workers):
            # the last worker has just died: a call waits for its successor rather than be refused
            await self._wait_for(RESTART_PATIENCE_S, lambda: any(worker.alive for worker in self._workers))
        alive = [worker for worker in self._workers if worker.alive]
        if not alive:
            raise PortsExhausted("no media worker is running")
        return min(alive, key=lambda worker: worker.load)

    async def _wait_for(self, seconds: float, there: Callable[[], bool]) -> None:
        """Wait until workers are there, for so long at most."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + seconds
        while not there():
            self._stood.clear()
            try:
                await asyncio.wait_for(self._stood.wait(), give_up_at - loop.time())
            except TimeoutError:
                return

    def stood(self) -> None:
        """A worker has said how it stands."""
        self._stood.set()

    def _on_link(self, index: int, sock: socket.socket) -> None:
        if index >= len(self._workers):
            sock.close()
            return
        task = asyncio.get_running_loop().create_task(self._workers[index].linked(sock), name="rtp/link")
        self._linking.add(task)
        task.add_done_callback(self._linking.discard)
