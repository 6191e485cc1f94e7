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
from typing import cast

import msgspec

from sipcc.errors import PortsExhausted
from sipcc.ids import Ids
from sipcc.log import get_logger
from sipcc.rtp import wire
from sipcc.rtp.events import MediaTimedOut, PlayEnded, RecordingEnded, WorkerLost
from sipcc.rtp.flow import MediaPort, RtpStats
from sipcc.rtp.journal import memory_bytes
from sipcc.rtp.keeping import OwnWorkers, Workers, worker_command
from sipcc.rtp.link import Done, FromWorker, Lead, Orders, Standing, StandingPort, ToWorker
from sipcc.rtp.port import EnginePort
from sipcc.rtp.settings import MediaSettings

_log = get_logger("sipcc.rtp")

RESTART_PATIENCE_S = 3.0
"""How long a new call waits for a worker when all have died."""
LOST_S = 10.0
"""Ports of a worker that has no successor after this are given up."""
START_WAIT_S = 10.0
"""How long the start waits for the first worker."""
RELINK_S = 0.5
"""So long after a link broke we ask for another: it may be the worker that died."""


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


class _Link(asyncio.Protocol):
    """One stream to a worker; the worker outlives it."""

    def __init__(self, worker: _Worker) -> None:
        self._worker = worker
        self._framing = wire.Framing(FromWorker)
        self.transport: asyncio.Transport | None = None
        self.ready = False
        """True once the worker has said how it stands, and was told who leads."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def write(self, message: ToWorker) -> None:
        if self.transport is not None:
            self.transport.write(wire.frame(message))

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._framing.receive(data)
        except ValueError:
            _log.warning("media.link_reset")
            self.close()  # the calls go on, over another one
            return
        for message in messages:
            self._worker.take(message, self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._worker.unlinked(self)

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class _Worker:
    """Our side of one worker, whoever fills its place: its ports, and what it was ordered."""

    def __init__(self, pool: WorkerPool, index: int) -> None:
        self.pool = pool
        self.index = index
        self.ports: dict[str, EnginePort] = {}
        self.opening: dict[str, asyncio.Future[EnginePort]] = {}
        self.standing: dict[str, StandingPort] = {}
        self.stats: dict[str, RtpStats] = {}
        self.quitting = False
        self._orders = Orders()
        self._plays: dict[str, int] = {}
        self._recordings: dict[str, str] = {}
        self._link: _Link | None = None
        self._patience: asyncio.TimerHandle | None = None

    @property
    def load(self) -> int:
        return len(self.ports) + len(self.opening) + len(self.standing)

    @property
    def alive(self) -> bool:
        return self._link is not None and self._link.ready

    # -- orders -------------------------------------------------------------------------------------------

    def submit(self, command: wire.Command) -> None:
        """Order a verb; what the worker has not followed when it dies is ordered again."""
        if isinstance(command, wire.Play):
            self._plays[command.port] = command.token
        elif isinstance(command, wire.Record):
            self._recordings[command.port] = command.path
        self.order(command)

    def order(self, order: wire.Open | wire.Command) -> None:
        self._orders.add(order)
        if self._link is not None and self._link.ready:
            self._link.write(order)

    def stats_of(self, port: str) -> RtpStats:
        return self.stats.get(port, RtpStats())

    def quit(self) -> None:
        self.quitting = True
        if self._link is not None:
            self._link.write(wire.Quit())

    def close(self) -> None:
        """Let go of everything: the worker has ended."""
        if self._patience is not None:
            self._patience.cancel()
        if self._link is not None:
            self._link.close()
        self._give_up(tell=False)

    # -- links --------------------------------------------------------------------------------------------

    async def linked(self, sock: socket.socket) -> None:
        """A new link to this worker or its successor."""
        link = _Link(self)
        old, self._link = self._link, link
        if old is not None:
            old.close()
        await asyncio.get_running_loop().create_unix_connection(lambda: link, sock=sock)

    def unlinked(self, link: _Link) -> None:
        if link is not self._link:
            return
        self._link = None
        if self.quitting:
            self._give_up(tell=False)
            return
        loop = asyncio.get_running_loop()
        self._patience = loop.call_later(RELINK_S, self._ask_again, loop.time() + LOST_S)

    def _ask_again(self, give_up_at: float) -> None:
        if self._link is not None or self.quitting:
            return
        loop = asyncio.get_running_loop()
        if loop.time() >= give_up_at:
            self._give_up(tell=True)
            return
        self.pool.relink(self.index)
        self._patience = loop.call_later(RELINK_S, self._ask_again, give_up_at)

    def _give_up(self, *, tell: bool) -> None:
        for future in self.opening.values():
            if not future.done():
                future.set_exception(PortsExhausted("the media worker died"))
        self.opening.clear()
        self._orders.clear()
        for port_id in list(self.ports):
            self._lose(port_id, tell=tell)
        self.standing.clear()

    def _lose(self, port_id: str, *, tell: bool = True) -> None:
        port = self.ports.pop(port_id)
        self._forget(port_id)
        port.finish(self.stats.pop(port_id, RtpStats()), last=WorkerLost(port_id) if tell else None)

    def _forget(self, port_id: str) -> None:
        self._plays.pop(port_id, None)
        self._recordings.pop(port_id, None)

    # -- what it tells ------------------------------------------------------------------------------------

    def take(self, message: object, link: _Link) -> None:
        if isinstance(message, wire.StatsNow):
            self.stats.update((port, stats) for port, stats in message.ports.items() if port in self.ports)
        elif isinstance(message, Done):
            self._orders.follow(message.count)
        elif isinstance(message, Standing):
            self._stand(message, link)
        elif isinstance(message, wire.Opened):
            self._opened(message)
        elif isinstance(message, wire.OpenFailed):
            opening = self.opening.pop(message.port, None)
            if opening is not None and not opening.done():
                opening.set_exception(PortsExhausted(message.error))
        elif isinstance(message, wire.Closed):
            port = self.ports.pop(message.port, None)
            self.stats.pop(message.port, None)
            self.standing.pop(message.port, None)
            self._forget(message.port)
            if port is not None:
                port.finish(message.stats)
        elif isinstance(message, wire.Event):
            self._deliver(message)

    def _deliver(self, event: wire.Event) -> None:
        if isinstance(event, PlayEnded) and self._plays.get(event.port) == event.token:
            del self._plays[event.port]
        elif isinstance(event, RecordingEnded) and self._recordings.get(event.port) == event.path:
            del self._recordings[event.port]
        port = self.ports.get(event.port)
        if port is not None:
            port.deliver(event)
        elif isinstance(event, MediaTimedOut) and event.port in self.standing:
            self.order(wire.Close(event.port))  # nobody adopted it, and nobody speaks there any more

    def _opened(self, opened: wire.Opened) -> None:
        opening = self.opening.pop(opened.port, None)
        if opening is None or opening.cancelled():
            if opened.port not in self.ports:
                self.submit(wire.Close(opened.port))  # nobody waits for it any more
            return
        port = EnginePort(self, opened.port, opened.host, opened.number)
        self.ports[port.id] = port
        opening.set_result(port)

    def _stand(self, standing: Standing, link: _Link) -> None:
        """A worker says what it has: order again what is missing, and give up what it could not save."""
        ours = standing.epoch == self.pool.epoch
        if ours:
            self._orders.follow(standing.done)
        link.write(Lead(self.pool.epoch, self._orders.done))
        there = {port.port: port for port in standing.ports}
        for port_id, port in there.items():
            if port_id in self.opening:
                self._opened(wire.Opened(port_id, port.host, port.number))
            elif port_id not in self.ports:
                self.standing[port_id] = port
        missing = self._orders.open()
        for order in missing:
            link.write(order)
        link.ready = True
        self.pool.stood()
        again = {order.port for order in missing}
        for port_id in [port_id for port_id in self.ports if port_id not in there]:
            self._lose(port_id)
        for port_id, port in there.items():
            if port_id in self.ports and port_id not in again:
                self._catch_up(port)

    def _catch_up(self, port: StandingPort) -> None:
        """Tell the end of a play or recording whose own word died with the worker."""
        playing = {verb.token for verb in port.commands if isinstance(verb, wire.Play)}
        token = self._plays.get(port.port)
        if token is not None and token not in playing:
            self._deliver(PlayEnded(port.port, token, "done", 0))
        recording = {verb.path for verb in port.commands if isinstance(verb, wire.Record)}
        path = self._recordings.get(port.port)
        if path is not None and path not in recording:
            self._deliver(RecordingEnded(port.port, path, 0.0, "error: the media worker died"))

    def adopt(self, port: StandingPort) -> EnginePort:
        del self.standing[port.port]
        adopted = self.ports[port.port] = EnginePort(self, port.port, port.host, port.number)
        return adopted


class WorkerPool:
    """A `sipcc.rtp.flow.MediaEngine` of worker processes."""

    def __init__(
        self,
        settings: MediaSettings | None = None,
        *,
        ids: Ids | None = None,
        workers: Workers | None = None,
    ) -> None:
        """`settings.workers` says how many: -1 (or 0, which asks for none) means one per core.

        `workers` starts and replaces them: the keeper of the daemon, or by default this process itself.
        """
        self.settings = settings or MediaSettings(workers=-1)
        self._ids = ids or Ids()
        self._keeper: Workers = workers or OwnWorkers()
        self._workers: list[_Worker] = []
        self._linking: set[asyncio.Task[None]] = set()
        self._stood = asyncio.Event()
        self.epoch = 0
        """Tells our orders from those of a process before us."""

    @property
    def open_ports(self) -> int:
        """How many ports are open."""
        return sum(len(worker.ports) for worker in self._workers)

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
        count = self.settings.workers if self.settings.workers > 0 else os.cpu_count() or 1
        slices = split_ports(self.settings.ports, count)
        self.epoch = self._ids.bits(62) + 1
        self._workers = [_Worker(self, index) for index in range(count)]
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
        worker.order(wire.Open(port_id, beside))
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

    def relink(self, index: int) -> None:
        """A worker asks for another link to its process."""
        self._keeper.relink(index)

    async def _choose(self, near: MediaPort | None) -> _Worker:
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
