"""The media engine in this process: a `MediaCore` ticked by the asyncio loop.

With real sockets the one epoll descriptor is a reader of the loop. When it fires, everything is drained;
the next drain comes one clock period later, without waiting for the descriptor, for as long as packets
keep coming. So a single call wakes the loop per packet, and two hundred calls wake it once per
millisecond. Without a descriptor (memory sockets on a virtual clock) it ticks by the clock alone. When no
port is open nothing ticks.
"""

from __future__ import annotations

import asyncio
from typing import Protocol, cast, runtime_checkable

from sipcc.clock import Clock, LoopClock
from sipcc.ids import Ids
from sipcc.log import get_logger
from sipcc.rtp import wire
from sipcc.rtp.engine import MediaCore
from sipcc.rtp.files import ClipStore
from sipcc.rtp.flow import MediaPort, PacketSockets, RtpStats
from sipcc.rtp.load import EngineLoad
from sipcc.rtp.plays import Want
from sipcc.rtp.port import EnginePort
from sipcc.rtp.recorder import RecordingWriter
from sipcc.rtp.settings import MediaSettings
from sipcc.rtp.taping import Taping
from sipcc.rtp.udp import UdpSockets
from sipcc.tasks import TaskScope

CRASH_LOG_S = 10.0
"""Faults of ours in the tick may come fifty times a second, and one says what there is to say."""

_log = get_logger("sipcc.rtp")


@runtime_checkable
class _Pollable(Protocol):
    def fileno(self) -> int: ...


class LocalEngine:
    """A `sipcc.rtp.flow.MediaEngine` in the process and loop of its user."""

    def __init__(
        self,
        settings: MediaSettings | None = None,
        *,
        sockets: PacketSockets | None = None,
        clock: Clock | None = None,
        ids: Ids | None = None,
    ) -> None:
        """`sockets` default to real UDP; give memory sockets for tests on a virtual clock."""
        self.settings = settings or MediaSettings()
        self._ids = ids or Ids()
        self._own_sockets = sockets is None
        self._sockets: PacketSockets = sockets if sockets is not None else UdpSockets()
        self._fd = self._sockets.fileno() if isinstance(self._sockets, _Pollable) else None
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._core: MediaCore | None = None
        self._clips = ClipStore()
        self._writer = RecordingWriter(min_free_mb=self.settings.recording.min_free_mb)
        self._work = TaskScope("rtp")
        self._ports: dict[str, EnginePort] = {}
        self._awaited: set[Taping] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._due_at = 0.0
        self._armed_for = 0.0  # uvloop's handle of a time that has come already has no `when`
        self._reading = False
        self._flushing: asyncio.Handle | None = None
        self._stopped = False
        self._tell_crash_at = 0.0

    @property
    def open_ports(self) -> int:
        """How many ports are open."""
        return len(self._ports)

    @property
    def loads(self) -> list[EngineLoad]:
        """How loaded the engine is; one entry, as it is one process."""
        return [self._core.load_now(now=self._now())] if self._core is not None else [EngineLoad()]

    async def start(self) -> None:
        """Get ready. Calling it is optional: the first `open` does it too."""
        self._started()

    def _started(self) -> MediaCore:
        if self._core is None:
            self._loop = asyncio.get_running_loop()
            self._clock = self._clock or LoopClock(self._loop)
            self._core = MediaCore(
                self.settings,
                self._sockets,
                self._ids,
                clips=self._clips,
                writer=self._writer,
                wall_of=self._clock.wall_of,
            )
        return self._core

    async def stop(self) -> None:
        """Close every port and free everything."""
        if self._stopped:
            return
        for port in list(self._ports.values()):
            await port.close()
        self._stopped = True
        await self._work.close()
        self._disarm()
        await asyncio.get_running_loop().run_in_executor(None, self._writer.close)
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if self._own_sockets:
            cast(UdpSockets, self._sockets).close_all()

    async def open(self, *, near: MediaPort | None = None) -> EnginePort:
        """Open a port. All ports of this engine are near; `near` only tells that a call is there already.

        Raises:
            PortsExhausted: no port pair is free in the configured range, or the engine is at its limit.
        """
        return self._open(joins=near is not None)

    async def open_raw(self, *, beside: MediaPort) -> EnginePort:
        """Open a raw port for the party of `beside`.

        Raises:
            PortsExhausted: no port pair is free in the configured range.
        """
        return self._open(beside=beside.id)

    def _open(self, *, beside: str = "", joins: bool = False) -> EnginePort:
        core = self._started()
        port_id = self._ids.uid("port")
        opened = core.open(port_id, now=self._now(), beside=beside, joins=joins)
        port = EnginePort(self, port_id, opened.host, opened.number)
        self._ports[port_id] = port
        self._arm()
        return port

    # -- what ports ask -----------------------------------------------------------------------------------

    def submit(self, command: wire.Command) -> None:
        """Execute a command now; its events follow from the loop, never from within the verb."""
        assert self._core is not None
        assert self._loop is not None
        self._core.execute(command, now=self._now())
        if self._flushing is None:
            self._flushing = self._loop.call_soon(self._flush)

    def stats_of(self, port: str) -> RtpStats:
        """The figures of a port at this moment."""
        assert self._core is not None
        return self._core.stats_of(port)

    # -- the clock ----------------------------------------------------------------------------------------

    def _now(self) -> float:
        assert self._clock is not None
        return self._clock.now()

    def _flush(self) -> None:
        self._flushing = None
        self._deliver()
        self._begin_work()
        self._arm()

    def _begin_work(self) -> None:
        """Have threads read what plays wait for, and wait for files that are being completed."""
        assert self._core is not None
        for want in self._core.wants():
            self._work.spawn(self._fetch(want), name="read-clips")
        for taping in self._core.endings:
            if taping not in self._awaited:
                self._awaited.add(taping)
                self._work.spawn(self._await_file(taping), name="complete-recording")

    async def _fetch(self, want: Want) -> None:
        assert self._core is not None
        loads = [self._clips.load(item, want.codec, now=self._now()) for item in want.items]
        clips = list(await asyncio.gather(*loads))
        self._core.supply(want, clips, now=self._now())
        self._flush()

    async def _await_file(self, taping: Taping) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(None, taping.wait)
        finally:
            self._awaited.discard(taping)
        self._flush()

    def _tick(self) -> None:
        assert self._core is not None
        began = self._now()
        late = began - self._due_at if self._timer is not None else 0.0
        self._disarm()
        self._core.tick(now=began)
        if self._core.last_crash is not None:
            self._tell_crash(self._core, began)
        self._deliver()
        ended = self._now()
        self._core.load.note(late=max(0.0, late), busy=ended - began, packets=self._core.drained, now=ended)
        self._arm()

    def _tell_crash(self, core: MediaCore, now: float) -> None:
        if now >= self._tell_crash_at:
            self._tell_crash_at = now + CRASH_LOG_S
            _log.error("media.crashed", crashes=core.crashes, exc_info=core.last_crash)
        core.last_crash = None

    def _arm(self) -> None:
        """Arm the next tick: a clock period ahead while packets come, else when something is due."""
        core, loop = self._core, self._loop
        if core is None or loop is None or self._stopped:
            return
        deadline = core.deadline
        if deadline is None:
            self._disarm()
            return
        now = self._now()
        period = self.settings.clock_ms / 1000
        if self._fd is None or core.drained:
            deadline = now + period
        elif not self._reading:
            loop.add_reader(self._fd, self._tick)
            self._reading = True
        at = loop.time() + max(0.0, deadline - now)
        if self._timer is not None:
            if self._armed_for <= at:
                return
            self._timer.cancel()
        self._timer = loop.call_at(at, self._tick)
        self._armed_for = at
        self._due_at = max(now, deadline)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._reading:
            assert self._loop is not None
            assert self._fd is not None
            self._loop.remove_reader(self._fd)
            self._reading = False

    def _deliver(self) -> None:
        if self._core is None:
            return
        for event in self._core.events(now=self._now()):
            if isinstance(event, wire.Closed):
                port = self._ports.pop(event.port, None)
                if port is not None:
                    port.finish(event.stats)
            elif isinstance(event, wire.Event):
                port = self._ports.get(event.port)
                if port is not None:
                    port.deliver(event)
