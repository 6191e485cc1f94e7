"""The media engine's core: ports, commands, and the clock; no sockets, threads or timers of its own.

A shell (`sipcc.rtp.local`, `sipcc.rtp.worker`) calls `tick` once per clock period. A tick drains all sockets,
then does what is due: the 20 ms frame of each anchored leg, spread over phases so that nobody's jitter
depends on the number of calls, and the chores of single ports (reports, time-outs, keys without an end).
What happened waits in `events`; sound files to be read wait in `wants` until the shell `supply`s them.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from itertools import count
from typing import NamedTuple

from sipcc.errors import PortsExhausted
from sipcc.ids import Ids
from sipcc.rtp import wire
from sipcc.rtp.codec.base import load_codecs
from sipcc.rtp.control import Control
from sipcc.rtp.events import MediaAlarm, MediaTimedOut, RtpBegan, RtpPaused
from sipcc.rtp.files import ClipStore
from sipcc.rtp.flow import PacketSockets, RtpStats
from sipcc.rtp.keys import report
from sipcc.rtp.latch import Address
from sipcc.rtp.line import OutgoingLine
from sipcc.rtp.load import CountsOverflows, EngineLoad, LoadMeter
from sipcc.rtp.passthrough import RawPorts
from sipcc.rtp.player import Clip
from sipcc.rtp.plays import Want
from sipcc.rtp.ports import PortPool
from sipcc.rtp.recorder import RecordingWriter
from sipcc.rtp.reports import Reports
from sipcc.rtp.session import Session
from sipcc.rtp.settings import MediaSettings
from sipcc.rtp.taping import Taping
from sipcc.rtp.tick import FrameClock
from sipcc.rtp.watch import AlarmLimits, Watch

CHORES_S = 1.0
"""A port is looked after at least so often."""
PAUSE_S = 2.0
"""A port that hears nothing for so long has paused."""
MAX_BIND_TRIES = 50
"""Pairs tried before a port is refused, when other programs sit in our range."""


class StandingSockets(NamedTuple):
    """The sockets of a port that another worker opened."""

    port: str
    number: int
    handles: tuple[int, int]
    cname: str
    beside: str = ""
    """For a raw port: the port of the same party."""


class MediaCore:
    """All ports of one engine or worker. Commands for ports that are gone are nothing."""

    def __init__(
        self,
        settings: MediaSettings,
        sockets: PacketSockets,
        ids: Ids,
        *,
        clips: ClipStore,
        writer: RecordingWriter,
        wall_of: Callable[[float], float],
    ) -> None:
        load_codecs(settings.codecs)
        self._settings = settings
        self._sockets = sockets
        self._ids = ids
        self._wall_of = wall_of
        self._pool = PortPool(*settings.ports, random=self._random)
        self._sessions: dict[str, Session] = {}
        self._raw = RawPorts(sockets)
        self._limits = AlarmLimits(settings.alarm_after, settings.alarm_loss, settings.alarm_jitter_ms)
        self._receivers: dict[int, Callable[[bytes, Address, float], None]] = {}
        self._frames = FrameClock(settings.clock_ms, self._note_crash)
        self._chores: list[tuple[float, int, Session, bool]] = []
        self._order = count()
        self._events: list[wire.FromWorker] = []
        self._control = Control(settings, self._sessions, self._frames, clips, writer, self.emit)
        self.load = LoadMeter(max_busy=settings.max_busy, max_late_ms=settings.max_late_ms)
        """What the shell measures of our ticks."""
        self._meter = sockets if isinstance(sockets, CountsOverflows) else None
        self._overflows = 0
        self.drained = 0
        """Datagrams that the last tick took in."""
        self.crashes = 0
        """Datagrams, frames and chores that made us raise: a bug of ours each, and no harm to others."""
        self.last_crash: Exception | None = None  # until the shell has told it

    def _random(self) -> float:
        return self._ids.bits(32) / 2**32

    # -- ports --------------------------------------------------------------------------------------------

    def open(self, port_id: str, *, now: float, beside: str = "", joins: bool = False) -> wire.Opened:
        """Open a port, or with `beside` a raw one for the party of that port.

        `joins` says that it belongs to a call which is there already: that is never refused for the load.

        Raises:
            PortsExhausted: no pair is free, or the kernel gives no socket, or `beside` is gone, or the engine
                is at its limit.
        """
        if beside:
            return self._open_raw(port_id, beside, now)
        if not joins and (why := self.load.refusal(now=now)):
            raise PortsExhausted(why)
        number, handles = self._bind_pair(now)
        cname = f"{self._ids.bits(64):016x}"  # RFC 7022: tells nothing of us
        self._begin(port_id, number, handles, cname, now)
        return wire.Opened(port_id, self._settings.public_host, number)

    def adopt(self, ports: Iterable[StandingSockets], *, now: float) -> None:
        """Take in ports that a worker left behind when it died; their verbs are executed afterwards."""
        ports = list(ports)
        self._pool.reserve([port.number for port in ports])
        for port in ports:
            if not port.beside:
                self._begin(port.port, port.number, port.handles, port.cname, now)
        for port in ports:
            beside = self._sessions.get(port.beside)
            if beside is not None:
                self._begin_raw(port.port, port.number, port.handles, beside)

    def _begin(self, port_id: str, number: int, handles: tuple[int, int], cname: str, now: float) -> None:
        session = Session(port_id, handles, self._sockets, OutgoingLine(self._ids), self)
        session.number = number
        session.cname = cname
        session.since = now
        session.reports = Reports(
            session.line,
            session.sent,
            session.received,
            cname=cname,
            random=self._random,
            wall_of=self._wall_of,
            send=session.send_report,
            now=now,
            extended=self._settings.extended_reports,
        )
        session.reports.playout = session.ear.playout
        session.watch = Watch(self._limits)
        self._frames.assign(session)
        self._sessions[port_id] = session
        self._receivers[handles[0]] = session.receive_rtp
        self._receivers[handles[1]] = session.receive_rtcp
        self._push(now + CHORES_S, session, regular=True)

    def _open_raw(self, port_id: str, beside: str, now: float) -> wire.Opened:
        session = self._sessions.get(beside)
        if session is None:
            raise PortsExhausted("the port that a raw one was to stand beside is gone")
        number, handles = self._bind_pair(now)
        self._begin_raw(port_id, number, handles, session)
        return wire.Opened(port_id, self._settings.public_host, number)

    def _begin_raw(self, port_id: str, number: int, handles: tuple[int, int], beside: Session) -> None:
        raw = self._raw.open(port_id, handles, number, beside)
        self._receivers[handles[0]] = raw.media.receive
        self._receivers[handles[1]] = raw.control.receive

    def _close_raw(self, port_id: str, now: float) -> None:
        raw = self._raw.close(port_id)
        for handle in raw.handles:
            del self._receivers[handle]
            self._sockets.close(handle)
        self._pool.give_back(raw.number, now=now)
        self._events.append(wire.Closed(port_id, raw.stats()))

    def _bind_pair(self, now: float) -> tuple[int, tuple[int, int]]:
        host = self._settings.address
        why = ""
        for _ in range(min(MAX_BIND_TRIES, self._pool.capacity)):
            number = self._pool.take(now=now)
            handles: list[int] = []
            try:
                handles.append(self._sockets.open(host, number))
                return number, (handles[0], self._sockets.open(host, number + 1))
            except OSError as refused:
                why = str(refused)  # the exception itself and this frame would keep each other
                for handle in handles:
                    self._sockets.close(handle)
                self._pool.give_back(number, now=now)
        raise PortsExhausted(f"no RTP port could be bound on {host}: {why}")

    def _close(self, session: Session, now: float) -> None:
        """End all of a port; its `Closed` follows the end of its recording."""
        for raw in list(session.beside):
            self._close_raw(raw.id, now)
        self._control.leave(session, now)
        self._control.plays.end(session, "closed")
        taping = self._control.tapings.close(session, now)
        session.count_arrivals()
        session.reports.say_goodbye(now=now)
        if session.browser is not None:
            session.browser.close()
        self._frames.listener.release(session, now)
        self._frames.release(session)
        # the relay knows the line, and the reports know the session: rings would wait for the collector
        session.line.owner = None
        final = session.stats()
        session.browser = None
        closed = wire.Closed(session.id, final)
        del session.reports
        del self._sessions[session.id]
        for handle in (session.rtp_handle, session.rtcp_handle):
            del self._receivers[handle]
            self._sockets.close(handle)
        self._pool.give_back(session.number, now=now)
        if taping is None:
            self._events.append(closed)
        else:
            taping.closed = closed

    def shut(self, *, now: float) -> None:
        """Close every port."""
        for session in list(self._sessions.values()):
            self._close(session, now)

    # -- commands and what comes of them ------------------------------------------------------------------

    def execute(self, command: wire.Command, *, now: float) -> None:
        """Do one verb of a port."""
        session = self._sessions.get(command.port)
        if session is None:
            if not isinstance(command, wire.Close):
                self._raw.execute(command, now=now)
            elif command.port in self._raw:
                self._close_raw(command.port, now)
            return
        if isinstance(command, wire.Close):
            self._close(session, now)
        elif isinstance(command, wire.Notice):
            self._notice(session, command.on, now)
        else:
            self._control.execute(session, command, now=now)

    def obey(self, command: wire.Command, *, now: float) -> None:
        """Do a verb that came from another process: one that makes us raise must not end all calls here."""
        try:
            self.execute(command, now=now)
        except Exception as crash:
            self._note_crash(crash)

    def resume_recording(self, session: Session, path: str, *, since: float, now: float) -> None:
        """Go on with the recording of a port that a worker left when it died."""
        self._control.tapings.record(session, path, now, since)

    def settle(self, session: Session, *, now: float) -> None:
        """Decide anew which way packets of a port go."""
        self._control.settle(session, now)

    def wants(self) -> list[Want]:
        """Clips that plays wait for since the last call."""
        plays = self._control.plays
        wants, plays.wants = plays.wants, []
        return wants

    def supply(self, want: Want, clips: list[Clip], *, now: float) -> None:
        """Hand in the clips of a want."""
        session = self._sessions.get(want.port)
        if session is not None and self._control.plays.supply(session, want, clips, now=now):
            self._control.settle(session, now)

    def events(self, *, now: float) -> list[wire.FromWorker]:
        """What happened since the last call, in order."""
        if self._control.tapings.endings:
            self._end_recordings(now)
        events, self._events = self._events, []
        return events

    @property
    def endings(self) -> list[Taping]:
        """Recordings whose files are being completed."""
        return self._control.tapings.endings

    def _end_recordings(self, now: float) -> None:
        waiting = []
        for taping in self._control.tapings.endings:
            outcome = taping.outcome(now=now)
            if outcome is None:
                waiting.append(taping)
                continue
            self._events.append(outcome)
            if taping.closed is not None:
                self._events.append(taping.closed)
        self._control.tapings.endings[:] = waiting

    def session_of(self, port_id: str) -> Session | None:
        """The state of a port, for whoever keeps a record of it; None for a raw one."""
        return self._sessions.get(port_id)

    def sockets_of(self, port_id: str) -> StandingSockets | None:
        """The sockets of a port, raw or not; None for one that is gone."""
        session = self._sessions.get(port_id)
        if session is not None:
            handles = (session.rtp_handle, session.rtcp_handle)
            return StandingSockets(port_id, session.number, handles, session.cname)
        raw = self._raw.sockets_of(port_id)
        return None if raw is None else StandingSockets(port_id, raw[0], raw[1], "", raw[2])

    def port_ids(self) -> list[str]:
        """The ports that are open."""
        return [*self._sessions, *self._raw]

    def load_now(self, *, now: float) -> EngineLoad:
        """How loaded this engine is."""
        return self.load.read(
            now=now, ports=len(self._sessions), overflows=self._overflows, crashes=self.crashes
        )

    def stats_of(self, port_id: str) -> RtpStats:
        """The figures of a port at this moment; empty for one that is gone."""
        session = self._sessions.get(port_id)
        return session.stats() if session is not None else self._raw.stats_of(port_id)

    # -- what sessions ask --------------------------------------------------------------------------------

    def emit(self, event: wire.Event) -> None:
        """Tell what happened."""
        self._events.append(event)

    def wake(self, session: Session, at: float) -> None:
        """Look after a session at `at`, besides its usual turn."""
        self._push(at, session, regular=False)

    def _notice(self, session: Session, on: bool, now: float) -> None:
        session.running = False
        self._receivers[session.rtp_handle] = session.receive_rtp
        if on and now - session.heard_at < PAUSE_S:
            self.began(session)
        elif on:
            self._receivers[session.rtp_handle] = session.receive_first

    def began(self, session: Session) -> None:
        """Audio has begun to come: the way through `receive_first` is not needed any more."""
        session.running = True
        self._receivers[session.rtp_handle] = session.receive_rtp
        self.emit(RtpBegan(session.id))
        self.wake(session, session.heard_at + PAUSE_S)

    # -- time ---------------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """When `tick` has something to do even if no packet comes; None while no port is open."""
        if not self._sessions:
            return None
        due = self._chores[0][0]
        frame = self._frames.deadline
        return due if frame is None or due < frame else frame

    def tick(self, *, now: float) -> None:
        """Drain the sockets and do all that is due at `now`."""
        receivers = self._receivers
        drained = 0
        for handle, data, source in self._sockets.drain():
            drained += 1
            receive = receivers.get(handle)
            if receive is None:
                continue
            try:
                receive(data, source, now)
            except Exception as crash:  # one datagram must never stop the others
                self._note_crash(crash)
        self.drained = drained
        self._frames.run(now=now, settle=self._control.settle)
        chores = self._chores
        while chores and chores[0][0] <= now:
            _, _, session, regular = heapq.heappop(chores)
            if self._sessions.get(session.id) is session:
                if regular:
                    self._push(now + CHORES_S, session, regular=True)
                try:
                    self._look_after(session, now)
                    if regular:
                        self._watch(session, now)
                except Exception as crash:
                    self._note_crash(crash)

    def _note_crash(self, crash: Exception) -> None:
        self.crashes += 1
        self.last_crash = crash

    def _push(self, at: float, session: Session, *, regular: bool) -> None:
        heapq.heappush(self._chores, (at, next(self._order), session, regular))

    def _look_after(self, session: Session, now: float) -> None:
        session.count_arrivals()
        self._count_overflows(session)
        session.reports.expire(now=now)
        if session.browser is not None:
            session.browser.expire(now=now)
        ended = session.keys.expire(now=now)
        if ended:
            report(session, ended, now)
        if session.unsettled:
            self._control.settle(session, now)
        self._control.tapings.tend(session, now)
        if session.running:
            self._note_pause(session, now)
        if session.params is None or session.timed_out:
            return
        limit = self._settings.hold_timeout if session.held else self._settings.timeout
        silent = now - session.last_life
        if silent >= limit:
            session.timed_out = True
            self.emit(MediaTimedOut(session.id, silent))
        elif silent + CHORES_S > limit:
            self.wake(session, session.last_life + limit)

    def _count_overflows(self, session: Session) -> None:
        if self._meter is not None:
            overflows = self._meter.overflows(session.rtp_handle)
            self._overflows += overflows - session.overflows
            session.overflows = overflows

    def _note_pause(self, session: Session, now: float) -> None:
        silent = now - session.heard_at
        if silent >= PAUSE_S:
            session.running = False
            self._receivers[session.rtp_handle] = session.receive_first
            self.emit(RtpPaused(session.id))
        elif silent + CHORES_S > PAUSE_S:
            self.wake(session, session.heard_at + PAUSE_S)

    def _watch(self, session: Session, now: float) -> None:
        """Raise or end the alarms of a port."""
        if session.params is None:
            return
        changes = session.watch.look(
            session.received,
            session.sent,
            now=now,
            since=session.since,
            heard_at=session.heard_at,
            foreign=session.foreign,
            sending=session.sending,
            receiving=session.receiving and not session.held,
            flooded=session.gate is not None and session.gate.take_flood(),
        )
        for change in changes:
            self.emit(MediaAlarm(session.id, change.kind, change.active, change.value))
