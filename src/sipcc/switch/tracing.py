"""Feeds the trace of a running switch, and copies its messages to a capture server and a file.

A copy never holds a call up: a HEP packet that the kernel does not take at once is dropped and counted,
and the capture file is written by a thread, from a queue with a bound.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from contextlib import suppress
from pathlib import Path

from sipcc.acd.events import (
    CallbackBooked,
    CallbackEnded,
    CallbackTried,
    CallerAssigned,
    CallerMoved,
    CallerPrioritised,
    OfferEnded,
    OfferMade,
    PlaceRegained,
    QueueJoined,
    QueueLeft,
)
from sipcc.bus import Bus
from sipcc.call.events import (
    BridgeEnded,
    BridgeStarted,
    CallEndedEvent,
    CallResumed,
    CallStarted,
    Decision,
    LegEnded,
    LegStarted,
)
from sipcc.clock import Clock
from sipcc.errors import ConfigError
from sipcc.events import Event
from sipcc.ivr.events import FlowFellBack, MenuEntered, MenuLeft, NodeEntered, NodeLeft
from sipcc.log import get_logger
from sipcc.sip import Address, Endpoint, Flow
from sipcc.sip.capture import file_header, record
from sipcc.sip.excerpt import call_id_of, mask
from sipcc.sip.hep import hep3
from sipcc.sip.trace import Direction, Trace, TraceSettings

TIMERS = {
    "A": "{method} sent again",
    "B": "{method} unanswered",
    "E": "{method} sent again",
    "F": "{method} unanswered",
    "G": "refusal sent again",
    "H": "refusal without ACK",
    "ack": "2xx without ACK",
    "glare": "next try after 491",
    "timer": "session interval",
    "ringing": "18x sent again",
    "prack": "reliable 18x without PRACK",
    "answer": "nobody answered an UPDATE or PRACK",
    "reinvite": "no answer to our re-INVITE after the end",
    "withdrawn": "CANCEL that had to wait",
    "uncancelled": "no answer to the CANCEL",
}
"""Timers that a ladder shows, and what they mean. D, I, J, K, L and M only forget a transaction."""

PCAP_PAUSE_S = 0.5
"""Seconds for which messages are gathered before a thread writes them."""
PCAP_WAITING_BYTES = 8 << 20
"""Bytes that may wait for a slow disk; what comes beyond is dropped and counted."""

_log = get_logger("sipcc.tracing")


class Tracing:
    """The trace of one switch and everything that feeds it."""

    def __init__(self, settings: TraceSettings, *, endpoint: Endpoint, bus: Bus, clock: Clock) -> None:
        self.settings = settings
        self.trace = Trace(settings, wall_of=clock.wall_of)
        self.counters: Counter[str] = Counter()
        """hep_sent, hep_dropped, pcap_written, pcap_dropped, pcap_failed."""
        self._endpoint = endpoint
        self._bus = bus
        self._clock = clock
        self._listening = False
        self._hep: socket.socket | None = None
        self._pcap: PcapFile | None = None

    def start(self) -> None:
        """Begin to listen; nothing is done per message that nobody wants.

        Raises:
            ConfigError: there is no way to the capture server.
        """
        settings = self.settings
        if settings.hep:
            host, _, port = settings.hep.rpartition(":")
            host = host.strip("[]")
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._hep = socket.socket(family, socket.SOCK_DGRAM)
            self._hep.setblocking(False)
            try:
                self._hep.connect((host, int(port)))
            except OSError as error:
                raise ConfigError("sip.trace.hep", f"no way to {settings.hep}: {error.strerror}") from error
        if settings.pcap:
            self._pcap = PcapFile(
                Path(settings.pcap), settings.pcap_mb << 20, settings.pcap_files, self.counters
            )
        if settings.calls:
            self._bus.on_all(self._on_event)
            self._listening = True
            self._endpoint.watch_timers(self._on_timer)
        if self._hep is not None or self._pcap is not None:
            self._endpoint.on_message = self._copy
        elif settings.calls:
            self._endpoint.on_message = self.trace.saw

    async def stop(self) -> None:
        """Write what still waits, and close."""
        if self._listening:
            self._listening = False
            self._bus.off_all(self._on_event)
        if self._pcap is not None:
            await self._pcap.close()
        if self._hep is not None:
            self._hep.close()
            self._hep = None

    # -- what happens ---------------------------------------------------------------------------------

    def _copy(self, direction: Direction, data: bytes, flow: Flow, at: float) -> None:
        if self.settings.calls:
            self.trace.saw(direction, data, flow, at)
        source, destination = (flow.remote, flow.local) if direction == "in" else (flow.local, flow.remote)
        shown, wall = mask(data), self._clock.wall_of(at)
        if self._pcap is not None:
            self._pcap.put(record(shown, source=source, destination=destination, wall=wall))
        if self._hep is not None:
            packet = hep3(
                shown,
                source=source,
                destination=destination,
                transport=flow.transport,
                wall=wall,
                capture_id=self.settings.hep_id,
                correlation=call_id_of(data) or b"",
            )
            try:
                self._hep.send(packet)
                self.counters["hep_sent"] += 1
            except OSError:  # its queue is full, or nobody listens there now
                self.counters["hep_dropped"] += 1

    def _on_timer(self, call_id: str, name: str, at: float, flow: Flow) -> None:
        letter, _, method = name.partition(" ")
        meaning = TIMERS.get(letter)
        if meaning is not None:
            text = f"timer {letter}: {meaning.format(method=method)}"
            self.trace.timer(call_id, text, at, Address(*flow.remote))

    def _on_event(self, event: Event) -> None:
        trace = self.trace
        if isinstance(event, CallStarted):
            trace.started(
                event.call,
                caller=event.caller,
                called=event.called,
                sip_call_id=event.sip_call_id,
                at=event.at,
            )
        elif isinstance(event, CallResumed):
            own, *others = event.sip_call_ids or ("",)
            trace.started(
                event.call,
                caller=event.caller,
                called=event.called,
                sip_call_id=own,
                at=event.at - event.seconds,
            )
            for other in others:
                trace.join(event.call, other)
        elif isinstance(event, LegStarted) and event.sip_call_id:
            trace.join(event.call, event.sip_call_id)
        said = told(event)
        if said is not None:
            trace.decided(getattr(event, "call", ""), said[0], said[1], event.at)


def told(event: Event) -> tuple[str, str] | None:
    """What an event of a call has decided and why, in words; None for one that decides nothing."""
    match event:
        case Decision():
            return event.what, event.why
        case CallStarted():
            source = f"trunk {event.trunk}" if event.trunk else "a user"
            return f"call from {event.caller} to {event.called}", f"{source}, {event.source}"
        case CallResumed():
            what = "the talk goes on" if event.talking else "what the caller was at is taken up"
            return f"the process before died: {what}", f"after {event.seconds:.1f} s"
        case LegStarted():
            return f"rings {event.agent or event.target}", event.target if event.agent else ""
        case LegEnded():
            return f"leg over: {event.cause}", f"status {event.sip_status}, by {event.ended_by}"
        case BridgeStarted():
            return "caller and leg hear each other", ""
        case BridgeEnded():
            return "caller and leg are parted", ""
        case CallEndedEvent():
            return f"call over: {event.cause}", f"status {event.sip_status}, by {event.ended_by}"
        case QueueJoined():
            return f"waits in queue {event.queue}", f"position {event.position}, priority {event.priority}"
        case QueueLeft():
            agent = f" by {event.agent}" if event.agent else ""
            return f"left queue {event.queue}: {event.exit}{agent}", f"after {event.waited:.1f} s"
        case PlaceRegained():
            return f"stands where it stood in queue {event.queue}", f"joined {event.credit:.1f} s earlier"
        case CallbackBooked():
            return f"is called back at {event.number}", f"place {event.credit:.1f} s old"
        case CallbackTried():
            return f"callback by {event.agent or 'nobody'}: {event.outcome}", f"attempt {event.attempt}"
        case CallbackEnded():
            return f"callback to {event.number}: {event.outcome}", f"after {event.attempts} calls"
        case CallerMoved():
            place = "kept" if event.kept else "not kept"
            return f"moved to queue {event.to}{_by(event.by)}", f"place {place}"
        case CallerPrioritised():
            return f"has priority {event.priority}{_by(event.by)}", f"position {event.position}"
        case CallerAssigned():
            return f"reserved for {event.agent}{_by(event.by)}", f"queue {event.queue}"
        case OfferMade():
            return f"offered to {event.agent}", f"queue {event.queue}"
        case OfferEnded():
            return f"offer to {event.agent}: {event.outcome}", f"status {event.sip_status}"
        case MenuEntered():
            return f"menu {event.menu}", ""
        case MenuLeft():
            return f"menu {event.menu}: {event.destination}", event.reason
        case NodeEntered():
            return f"flow {event.flow}: {event.node}", event.kind
        case NodeLeft():
            tries = event.noinput + event.nomatch
            return f"flow {event.flow}: {event.node} left by {event.edge}", f"{tries} tries" if tries else ""
        case FlowFellBack():
            return f"flow {event.flow}: fell back to {event.to}", event.reason
        case _:
            return None


def _by(who: str) -> str:
    return f" by {who}" if who else ""


class PcapFile:
    """A capture file that is written behind the loop's back, and that does not grow for ever."""

    def __init__(self, path: Path, limit: int, files: int, counters: Counter[str]) -> None:
        self._path = path
        self._limit = limit
        self._files = files
        self._counters = counters
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._task: asyncio.Task[None] | None = None

    def put(self, data: bytes) -> None:
        """Take one record, to be written soon."""
        if self._waiting_bytes + len(data) > PCAP_WAITING_BYTES:
            self._counters["pcap_dropped"] += 1
            return
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._later())

    async def close(self) -> None:
        """Write what still waits."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self._write()

    async def _later(self) -> None:
        while self._waiting:
            await asyncio.sleep(PCAP_PAUSE_S)
            await asyncio.shield(self._write())
        self._task = None

    async def _write(self) -> None:
        records, self._waiting, self._waiting_bytes = self._waiting, [], 0
        if not records:
            return
        try:
            await asyncio.to_thread(self._append, records)
            self._counters["pcap_written"] += len(records)
        except OSError as error:
            self._counters["pcap_failed"] += len(records)
            if self._counters["pcap_failed"] == len(records):
                _log.warning("tracing.pcap_failed", path=str(self._path), error=str(error))

    def _append(self, records: list[bytes]) -> None:
        """Write; in a thread."""
        size = self._path.stat().st_size if self._path.exists() else 0
        if size > self._limit:
            self._rotate()
            size = 0
        with self._path.open("ab") as file:
            self._path.chmod(0o600)
            if size == 0:
                file.write(file_header())
            file.write(b"".join(records))

    def _rotate(self) -> None:
        names = [self._path, *(Path(f"{self._path}.{number}") for number in range(1, self._files))]
        names[-1].unlink(missing_ok=True)
        for older, newer in zip(reversed(names), reversed(names[:-1]), strict=False):
            if newer.exists():
                newer.rename(older)
