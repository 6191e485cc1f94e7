"""A pool's side of one worker: its ports, its link, and what it was ordered (`sipcc.rtp.link`)."""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol, cast

import msgspec

from sipcc.errors import PortsExhausted
from sipcc.log import get_logger
from sipcc.rtp import wire
from sipcc.rtp.events import MediaTimedOut, PlayEnded, RecordingEnded, WorkerLost
from sipcc.rtp.flow import RtpStats
from sipcc.rtp.link import Done, FromWorker, Lead, LoadNow, Orders, Standing, StandingPort, ToWorker
from sipcc.rtp.load import EngineLoad
from sipcc.rtp.port import EnginePort

_log = get_logger("sipcc.rtp")

LOST_S = 10.0
"""Ports of a worker that has no successor after this are given up."""
ANSWER_S = 2.0
"""Orders are followed within milliseconds; when none is for so long, the link is to blame and made anew."""
RELINK_S = 0.1
"""So long after a link broke we ask for another: it may be the worker that died."""


_SUMMED = (
    *("packets_sent", "packets_received", "bytes_sent", "bytes_received", "lost", "ssrc_changes"),
    *("foreign_packets", "malformed_packets", "discarded", "concealed_ms"),
)


class Pool(Protocol):
    """What a handle needs of its pool."""

    epoch: int

    def relink(self, index: int) -> None:
        """A worker needs another link."""
        ...

    def stood(self) -> None:
        """A worker has said how it stands."""
        ...


class Link(asyncio.Protocol):
    """One stream to a worker; the worker outlives it."""

    def __init__(self, worker: Handle) -> None:
        self._worker = worker
        self._framing = wire.Framing(FromWorker)
        self.transport: asyncio.Transport | None = None
        self.ready = False
        """True once the worker has said how it stands, and was told who leads."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The link stands."""
        self.transport = cast(asyncio.Transport, transport)

    def write(self, message: ToWorker) -> None:
        """Send a message; over a link that broke it goes nowhere."""
        if self.transport is not None:
            self.transport.write(wire.frame(message))

    def data_received(self, data: bytes) -> None:
        """Take what the worker says; bytes that are no message of ours end the link."""
        try:
            messages = self._framing.receive(data)
        except ValueError:
            _log.warning("media.link_reset")
            self.close()  # the calls go on, over another one
            return
        for message in messages:
            self._worker.take(message, self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The link broke, or was closed."""
        self.transport = None
        self._worker.unlinked(self)

    def close(self) -> None:
        """End the link at once."""
        if self.transport is not None:
            self.transport.abort()


class Handle:
    """Our side of one worker, whoever fills its place: its ports, and what it was ordered."""

    def __init__(self, pool: Pool, index: int) -> None:
        self.pool = pool
        self.index = index
        self.ports: dict[str, EnginePort] = {}
        self.opening: dict[str, asyncio.Future[EnginePort]] = {}
        self.standing: dict[str, StandingPort] = {}
        self.stats: dict[str, RtpStats] = {}
        self.work = EngineLoad()
        """How busy it was in its last second."""
        self.quitting = False
        self._orders = Orders()
        self._plays: dict[str, int] = {}
        self._recordings: dict[str, str] = {}
        self._former: dict[str, RtpStats] = {}
        """What ports had done under a process that died, as far as it was told."""
        self._life = 0
        self._link: Link | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None

    @property
    def load(self) -> int:
        """How many ports it has."""
        return len(self.ports) + len(self.opening) + len(self.standing)

    @property
    def alive(self) -> bool:
        """True while there is a link over which it takes orders."""
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
        """Give an order, now or when there is a link."""
        self._orders.add(order)
        if self._watch is None:
            self._watch_orders()
        if self._link is not None and self._link.ready:
            self._link.write(order)

    def _watch_orders(self) -> None:
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(ANSWER_S, self._look_at_orders, self._orders.done)

    def _look_at_orders(self, done: int) -> None:
        self._watch = None
        if not self._orders.open():
            return
        if self._orders.done == done and self.alive and self._link is not None:
            _log.warning("media.link_dumb")
            self._link.close()
        self._watch_orders()

    def stats_of(self, port: str) -> RtpStats:
        """The figures of a port as last told."""
        return self.stats.get(port, RtpStats())

    def write_noise(self, noise: bytes) -> None:
        """Write bytes that are no message."""
        if self._link is not None and self._link.transport is not None:
            self._link.transport.write(noise)

    def quit(self) -> None:
        """Tell the worker to close everything and end."""
        self.quitting = True
        if self._link is not None:
            self._link.write(wire.Quit())

    def close(self) -> None:
        """Let go of everything: the worker has ended."""
        for timer in (self._patience, self._watch):
            if timer is not None:
                timer.cancel()
        if self._link is not None:
            self._link.close()
        self._give_up(tell=False)

    # -- links --------------------------------------------------------------------------------------------

    async def linked(self, sock: socket.socket) -> None:
        """A new link to this worker or its successor."""
        link = Link(self)
        old, self._link = self._link, link
        if old is not None:
            old.close()
        await asyncio.get_running_loop().create_unix_connection(lambda: link, sock=sock)

    def unlinked(self, link: Link) -> None:
        """A link broke: the worker has died, or only the link."""
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
        self._former.pop(port_id, None)
        port.finish(self.stats.pop(port_id, RtpStats()), last=WorkerLost(port_id) if tell else None)

    def _forget(self, port_id: str) -> None:
        self._plays.pop(port_id, None)
        self._recordings.pop(port_id, None)

    # -- what it tells ------------------------------------------------------------------------------------

    def take(self, message: object, link: Link) -> None:
        """Take a message of the worker."""
        if isinstance(message, wire.StatsNow):
            self.stats.update(
                (port, self._with_former(port, stats))
                for port, stats in message.ports.items()
                if port in self.ports
            )
        elif isinstance(message, LoadNow):
            if message.load.crashes > self.work.crashes:
                _log.error("media.crashed", worker=self.index, crashes=message.load.crashes)
            self.work = message.load
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
                port.finish(self._with_former(message.port, message.stats))
            self._former.pop(message.port, None)
        elif isinstance(message, wire.Event):
            self._deliver(message)

    def _with_former(self, port: str, stats: RtpStats) -> RtpStats:
        """The figures of a port over all processes that carried it."""
        former = self._former.get(port)
        if former is None:
            return stats
        summed = {name: getattr(former, name) + getattr(stats, name) for name in _SUMMED}
        worst = max(former.max_jitter_ms, stats.max_jitter_ms)
        return msgspec.structs.replace(stats, max_jitter_ms=worst, **summed)

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

    def _stand(self, standing: Standing, link: Link) -> None:
        """A worker says what it has: order again what is missing, and give up what it could not save."""
        if self._life not in (0, standing.life):
            self._former.update(self.stats)
        self._life = standing.life
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
        """Make a standing port ours."""
        del self.standing[port.port]
        adopted = self.ports[port.port] = EnginePort(self, port.port, port.host, port.number)
        return adopted
