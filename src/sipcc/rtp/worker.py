"""A media worker: one process, one clocked loop, no asyncio.

    python -m sipcc.rtp.worker FD

FD is one end of a unix stream socket; the other end is `sipcc.rtp.pool`. The loop sleeps until the next
period of the clock or until a command comes, whichever is first, and while no port is open it sleeps until
a command comes. When the other end closes, the process ends.
"""

from __future__ import annotations

import asyncio
import gc
import os
import select
import signal
import socket
import sys
import time

from sipcc.errors import PortsExhausted
from sipcc.ids import Ids
from sipcc.rtp import wire
from sipcc.rtp.engine import MediaCore
from sipcc.rtp.files import ClipStore
from sipcc.rtp.plays import Want
from sipcc.rtp.recorder import RecordingWriter
from sipcc.rtp.udp import UdpSockets

READ_BYTES = 262_144
MAX_UNSENT_BYTES = 32 * 1024 * 1024
"""More than this unread by the control process means that it hangs; the worker gives up."""
FAREWELL_S = 1.0
"""So long the last messages may take to be read."""
STATS_PERIOD_S = 1.0
STATS_SLICES = 20
"""The figures of all ports go out in this many parts, so that no tick has to count them all."""


class Worker:
    """The loop of one worker."""

    def __init__(self, control: socket.socket, hello: wire.Hello, framing: wire.Framing) -> None:
        self._control = control
        self._framing = framing
        self._unsent = bytearray()
        self._period = hello.settings.clock_ms / 1000
        self._sockets = UdpSockets()
        offset = time.time() - time.monotonic()
        self._clips = ClipStore()
        self._writer = RecordingWriter()
        self._core = MediaCore(
            hello.settings,
            self._sockets,
            Ids(),
            clips=self._clips,
            writer=self._writer,
            wall_of=lambda at: at + offset,
        )
        self._loop = asyncio.new_event_loop()
        self._reading: set[asyncio.Task[None]] = set()
        self._running = True
        self._slice = 0
        self._slice_at = 0.0

    def run(self) -> None:
        """Work until told to quit or the other end is gone."""
        tick_at = time.monotonic()
        while self._running:
            now = time.monotonic()
            self._core.tick(now=now)
            self._read_clips()
            self._report(now)
            self._flush()
            tick_at = max(tick_at + self._period, now)
            if self._wait(tick_at):
                self._read()
        self._core.shut(now=time.monotonic())
        self._writer.close()
        self._report(time.monotonic())
        self._control.settimeout(FAREWELL_S)
        self._flush()
        self._sockets.close_all()
        self._loop.close()

    def _read_clips(self) -> None:
        """Have threads read what plays wait for. The loop turns only while there is something to read."""
        for want in self._core.wants():
            task = self._loop.create_task(self._fetch(want))
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)
        if self._reading:
            self._loop.call_soon(self._loop.stop)
            self._loop.run_forever()

    async def _fetch(self, want: Want) -> None:
        now = time.monotonic()
        clips = [await self._clips.load(item, want.codec, now=now) for item in want.items]
        self._core.supply(want, clips, now=time.monotonic())

    def _wait(self, tick_at: float) -> bool:
        """Sleep until the next period; True when a command came."""
        timeout: float | None = max(0.0, tick_at - time.monotonic())
        if self._core.deadline is None and not self._core.endings and not self._unsent:
            timeout = None
        ready = select.select([self._control], [self._control] if self._unsent else [], [], timeout)
        return bool(ready[0])

    def _read(self) -> None:
        try:
            data = self._control.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._running = False
            return
        now = time.monotonic()
        for message in self._framing.receive(data):
            self._obey(message, now)

    def _obey(self, message: object, now: float) -> None:
        if isinstance(message, wire.Open):
            try:
                self._post(self._core.open(message.port, now=now))
            except PortsExhausted as error:
                self._post(wire.OpenFailed(message.port, str(error)))
        elif isinstance(message, wire.Quit):
            self._running = False
        elif isinstance(message, wire.Command):
            self._core.execute(message, now=now)

    def _report(self, now: float) -> None:
        for event in self._core.events(now=now):
            self._post(event)
        if now >= self._slice_at:
            self._slice_at = now + STATS_PERIOD_S / STATS_SLICES
            ports = self._core.port_ids()[self._slice :: STATS_SLICES]
            self._slice = (self._slice + 1) % STATS_SLICES
            if ports:
                self._post(wire.StatsNow({port: self._core.stats_of(port) for port in ports}))

    def _post(self, message: wire.FromWorker) -> None:
        self._unsent += wire.frame(message)

    def _flush(self) -> None:
        if not self._unsent:
            return
        try:
            sent = self._control.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._running = False
            return
        del self._unsent[:sent]
        if len(self._unsent) > MAX_UNSENT_BYTES:
            self._running = False


def serve(descriptor: int) -> None:
    """Run a worker on one end of a stream socket; the first message must be `Hello`."""
    low = os.dup(descriptor)  # select() takes descriptors below 1024 only, and our parent may have many
    os.close(descriptor)
    with socket.socket(fileno=low) as control:
        framing = wire.Framing(wire.ToWorker)
        messages: list[object] = []
        while not messages:
            data = control.recv(READ_BYTES)
            if not data:
                return
            messages = framing.receive(data)
        hello = messages.pop(0)
        if not isinstance(hello, wire.Hello):
            raise SystemExit("the first message must be Hello")
        control.setblocking(False)
        worker = Worker(control, hello, framing)
        for message in messages:
            worker._obey(message, time.monotonic())
        gc.freeze()  # what the imports made lives for ever: no collection need look at it
        worker.run()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; our parent decides
    serve(int(sys.argv[1]))
