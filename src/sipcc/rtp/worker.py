"""A media worker: one process, one clocked loop, no asyncio.

It is born by `sipcc.rtp.standby` with a lifeline to its keeper, a memory file, and perhaps the sockets and
records of a worker that died, whose calls it goes on with (`sipcc.rtp.journal`). What commands it sits at the
other end of a link, a unix stream that the keeper makes (`sipcc.rtp.pool`). The link may break and be made
anew, with the same commander or another one; the calls do not notice. Without keeper and commander it ends.

The loop sleeps until the next period of the clock or until somebody speaks, whichever is first, and while no
port is open it only keeps its beat.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import select
import socket
import time
import traceback

import msgspec

from sipcc.errors import PortsExhausted
from sipcc.ids import Ids
from sipcc.lifeline import Lifeline, Message, close_all, connect
from sipcc.rtp import wire
from sipcc.rtp.engine import MediaCore
from sipcc.rtp.files import ClipStore
from sipcc.rtp.inherit import inherit
from sipcc.rtp.journal import Memory, PortRecord
from sipcc.rtp.leaving import Legacy
from sipcc.rtp.link import Done, FromWorker, Lead, LoadNow, Standing, ToWorker
from sipcc.rtp.plays import Want
from sipcc.rtp.recorder import RecordingWriter
from sipcc.rtp.settings import MediaSettings
from sipcc.rtp.udp import UdpSockets

READ_BYTES = 262_144
MAX_UNSENT_BYTES = 32 * 1024 * 1024
"""More than this unread by the control process means that it hangs; the link is given up."""
FAREWELL_S = 1.0
"""So long the last messages may take to be read."""
STATS_PERIOD_S = 1.0
STATS_SLICES = 20
"""The figures of all ports go out in this many parts, so that no tick has to count them all."""
IDLE_S = 0.1
"""The beat of a worker without a port."""
SEEK_S = 0.1
"""Pause between two looks for another keeper."""
ORPHAN_S = 30.0
"""A worker that nobody keeps and nobody commands for so long ends."""
OLDEST_S = 0.2
"""What waited longer in the kernel, while nobody read it, is dropped: calls would keep the delay."""
OLDEST_PACKETS = 10


class Worker:
    """The loop of one worker."""

    def __init__(self, index: int, body: bytes, lifeline: Lifeline, memory: int, address: str) -> None:
        self._index = index
        self._body = body
        self._settings = msgspec.msgpack.decode(body, type=MediaSettings)
        self._lifeline: Lifeline | None = lifeline
        self._address = address
        self._memory_file = memory
        self._memory = Memory(mmap.mmap(memory, 0))
        self._doors = select.epoll()  # made before all sockets: select() takes only numbers below 1024
        self._doors.register(lifeline.fileno(), select.EPOLLIN)
        self._link: socket.socket | None = None
        self._framing = wire.Framing(ToWorker)
        self._unsent = bytearray()
        self._writing = False
        self._period = self._settings.clock_ms / 1000
        self._sockets = UdpSockets()
        offset = time.time() - time.monotonic()
        self._clips = ClipStore()
        self._writer = RecordingWriter(min_free_mb=self._settings.recording.min_free_mb)
        self._core = MediaCore(
            self._settings,
            self._sockets,
            Ids(),
            clips=self._clips,
            writer=self._writer,
            wall_of=lambda at: at + offset,
        )
        self._legacy = Legacy(self._core, self._memory, self._settings)
        self._epoch, self._executed = self._memory.orders
        self._loop = asyncio.new_event_loop()
        self._reading: set[asyncio.Task[None]] = set()
        self._running = True
        self._working = False
        self._slice = 0
        self._slice_at = 0.0
        self._alone_since = float("inf")
        self._seek_at = 0.0

    # -- the loop -----------------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until told to quit or nobody is left to work for."""
        tick_at = time.monotonic()
        while self._running:
            now = time.monotonic()
            late = now - tick_at
            self._memory.beat(now)
            self._core.tick(now=now)
            self._read_clips()
            self._report(now)
            self._flush()
            self._legacy.write(now)
            if self._lifeline is None:
                self._seek_keeper(now)
            if now >= tick_at:  # an order wakes us before: a thousand of them must not put the tick off
                tick_at = max(tick_at + self._period, now)
            if self._core.deadline is not None:
                self._note_load(now, late)
            if self._wait(tick_at):
                self._hear(time.monotonic())
        self._end()

    def _note_load(self, now: float, late: float) -> None:
        ended = time.monotonic()
        late = max(0.0, late) if self._working else 0.0  # it slept without a clock before
        self._core.load.note(late=late, busy=ended - now, packets=self._core.drained, now=ended)
        self._working = True

    def _end(self) -> None:
        self._core.shut(now=time.monotonic())
        self._writer.close()
        self._report(time.monotonic())
        if self._link is not None:
            self._link.settimeout(FAREWELL_S)
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
        loads = [self._clips.load(item, want.codec, now=now) for item in want.items]
        clips = list(await asyncio.gather(*loads))
        self._core.supply(want, clips, now=time.monotonic())

    def _wait(self, tick_at: float) -> bool:
        """Sleep until the next period; True when somebody spoke."""
        timeout = max(0.0, tick_at - time.monotonic())
        if self._core.deadline is None and not self._core.endings and not self._reading:
            timeout = IDLE_S
            self._working = False
        return bool(select.select([self._doors], [], [], timeout)[0])  # poll() counts whole milliseconds

    def _hear(self, now: float) -> None:
        link = self._link.fileno() if self._link is not None else -1
        for descriptor, _ in self._doors.poll(0):
            if descriptor == link:
                self._read(now)
            else:
                self._hear_keeper()

    # -- the keeper ---------------------------------------------------------------------------------------

    def inherit(self) -> None:
        """Take what the keeper hands over before it says ``go``, and go on with the calls that are in it."""
        assert self._lifeline is not None
        self._lifeline.send("here", f"{self._index} {os.getpid()}", self._body)
        given: dict[str, tuple[int, ...]] = {}
        while True:
            self._lifeline.wait()
            message = self._lifeline.receive()
            if message is not None and message.kind == "go":
                break
            if message is not None and message.kind == "give":
                given.update(_unpack_gift(message))
            if self._lifeline.lost:
                raise SystemExit(0)
        death, now = self._memory.last_beat, time.monotonic()
        left: list[tuple[PortRecord, tuple[int, int]]] = []
        for name, record in self._legacy.read(given):
            descriptors = given.pop(name)
            left.append((record, (self._sockets.adopt(descriptors[0]), self._sockets.adopt(descriptors[1]))))
        for name, descriptors in given.items():  # a port that was being opened when the other died
            close_all(descriptors)
            self._lifeline.send("drop", name)
        if now - death > OLDEST_S:
            self._sockets.skim(OLDEST_PACKETS)
        inherit(self._core, left, death=death, now=now)
        self._legacy.adopt([record for record, _ in left])

    def _hear_keeper(self) -> None:
        lifeline = self._lifeline
        if lifeline is None:
            return
        while (message := lifeline.receive()) is not None:
            if message.kind == "link" and len(message.descriptors) == 1:
                self._take_link(socket.socket(fileno=message.descriptors[0]))
                continue
            close_all(message.descriptors)
            if message.kind == "quit":
                self._running = False
        if lifeline.lost:
            self._doors.unregister(lifeline.fileno())
            lifeline.close()
            self._lifeline = None
            self._alone_since = time.monotonic()
            if not self._address:
                self._running = False

    def _seek_keeper(self, now: float) -> None:
        """Look for the successor of a keeper that died, and give it what is to be held."""
        if self._link is not None:
            self._alone_since = now
        if now < self._seek_at:
            return
        self._seek_at = now + SEEK_S
        lifeline = connect(self._address)
        if lifeline is None:
            if now - self._alone_since > ORPHAN_S:
                self._running = False
            return
        self._lifeline = lifeline
        self._doors.register(lifeline.fileno(), select.EPOLLIN)
        lifeline.send("here", f"{self._index} {os.getpid()}", self._body, (self._memory_file,))
        for name, handles in self._legacy.sockets():
            lifeline.send("hold", name, descriptors=handles)

    def _hold(self, name: str, handles: tuple[int, ...]) -> None:
        if self._lifeline is not None:
            self._lifeline.send("hold", name, descriptors=handles)

    def _drop(self, name: str) -> None:
        if self._lifeline is not None:
            self._lifeline.send("drop", name)

    # -- the commander ------------------------------------------------------------------------------------

    def _take_link(self, link: socket.socket) -> None:
        self._lose_link()
        link.setblocking(False)
        self._link = link
        self._doors.register(link.fileno(), select.EPOLLIN)
        self._post(Standing(self._epoch, self._executed, self._legacy.standing(), os.getpid()))

    def _lose_link(self) -> None:
        if self._link is not None:
            self._doors.unregister(self._link.fileno())
            self._link.close()
            self._link = None
        self._framing = wire.Framing(ToWorker)
        self._unsent.clear()
        self._writing = False

    def _read(self, now: float) -> None:
        assert self._link is not None
        try:
            data = self._link.recv(READ_BYTES)
            messages = self._framing.receive(data)
        except BlockingIOError:
            return
        except (OSError, ValueError):  # ValueError: not ours, or out of step
            data = b""
        if not data:
            self._lose_link()  # the calls go on
            return
        for message in messages:
            self._obey(message, now)

    def _obey(self, message: object, now: float) -> None:
        if isinstance(message, Lead):
            self._epoch, self._executed = message.epoch, message.done
        elif isinstance(message, wire.Quit):
            self._running = False
            if self._lifeline is not None:
                self._lifeline.send("leaving")
            return
        elif isinstance(message, wire.Open):
            self._open(message, now)
            self._executed += 1
        elif isinstance(message, wire.Command):
            self._legacy.note(message)
            self._core.obey(message, now=now)
            self._executed += 1
        self._legacy.orders = (self._epoch, self._executed)

    def _open(self, message: wire.Open, now: float) -> None:
        known = self._core.sockets_of(message.port)
        if known is not None:  # the order came again, for its answer was lost
            self._post(wire.Opened(message.port, self._settings.public_host, known.number))
            return
        try:
            opened = self._core.open(message.port, now=now, beside=message.beside, joins=message.joins)
        except PortsExhausted as error:
            self._post(wire.OpenFailed(message.port, str(error)))
            return
        held = self._legacy.begin(message.port, now)
        if held is not None:
            self._hold(*held)
        self._post(opened)

    def _report(self, now: float) -> None:
        for event in self._core.events(now=now):
            self._post(event)
            gone = self._legacy.told(event)
            if gone:
                self._drop(gone)
        if self._legacy.orders_changed:
            self._post(Done(self._executed))
        if now >= self._slice_at:
            self._slice_at = now + STATS_PERIOD_S / STATS_SLICES
            ports = self._core.port_ids()[self._slice :: STATS_SLICES]
            self._slice = (self._slice + 1) % STATS_SLICES
            if ports:
                self._post(wire.StatsNow({port: self._core.stats_of(port) for port in ports}))
                self._legacy.renew(ports)
            if self._slice == 0:
                self._post(LoadNow(self._core.load_now(now=now)))
                self._tell_crash()

    def _tell_crash(self) -> None:
        """Print the last fault of ours, once a second at most: what the log has of it is a number."""
        crash, self._core.last_crash = self._core.last_crash, None
        if crash is not None:
            traceback.print_exception(crash)

    def _post(self, message: FromWorker) -> None:
        if self._link is not None:
            self._unsent += wire.frame(message)

    def _flush(self) -> None:
        if self._link is None or not self._unsent:
            return
        try:
            sent = self._link.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._lose_link()
            return
        del self._unsent[:sent]
        if len(self._unsent) > MAX_UNSENT_BYTES:
            self._lose_link()
            return
        writing = bool(self._unsent)
        if writing is not self._writing:
            self._writing = writing
            events = select.EPOLLIN | select.EPOLLOUT if writing else select.EPOLLIN
            self._doors.modify(self._link.fileno(), events)


def _unpack_gift(message: Message) -> dict[str, tuple[int, ...]]:
    """Descriptors by their names."""
    given: dict[str, tuple[int, ...]] = {}
    start = 0
    for word in message.body.decode().split():
        name, _, count = word.rpartition(":")
        end = start + int(count)
        given[name] = message.descriptors[start:end]
        start = end
    return given


def serve(index: int, body: bytes, lifeline: Lifeline, memory: int, address: str) -> None:
    """Be a worker; `body` is its `MediaSettings` in msgpack, with the port range of this worker alone."""
    worker = Worker(index, body, lifeline, memory, address)
    worker.inherit()
    worker.run()
