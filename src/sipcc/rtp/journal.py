"""What a worker leaves to its successor: one record for each open port, in memory that outlives it.

A successor must go on as if nothing had been: the same SSRC, the next sequence number, the timestamp of the
wall clock, the same source, the same verbs in force. So a record has the commands that would build the port
anew, as a `PortBook` folds them, and those few numbers that only the worker knew. It is rewritten when a
verb, an event or a new time line changed the port, and once a second; between two writings nothing is
counted, for the clock tells what a leg has sent since: the memory also holds the beat of the loop, and so
the moment of death to the millisecond. A relay maps numbers by constant offsets, which the record has
exactly. Where an estimate can be wrong it is wrong upwards: a number is never used twice (RFC 3711 asks
that of a key stream).

Each record has two places that are written in turn, each with a checksum: a process that dies while it
writes leaves the record before.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable
from mmap import mmap

import msgspec

from sipcc.rtp import wire
from sipcc.rtp.events import PlayEnded, RecordingEnded
from sipcc.rtp.flow import RtpStats
from sipcc.rtp.frame import SAMPLE_RATE_HZ
from sipcc.rtp.ice import BrowserProof
from sipcc.rtp.latch import Belief
from sipcc.rtp.line import Mark
from sipcc.ward import BEAT, PAGE_BYTES

COPY_BYTES = 4096
"""Room for one copy of a record; a record that needs more is left without what plays."""
_ORDERS = struct.Struct("<QQ")
_COPY = struct.Struct("<QII")  # generation, length, checksum
_ORDERS_AT = BEAT.size
MAX_AHEAD_S = 5.0
"""A record older than this at the death of its worker is not counted on: the worker had hung before."""


class LineRecord(msgspec.Struct, frozen=True, array_like=True):
    """The outgoing line of a port at the moment of its record."""

    ssrc: int
    sequence: int
    timestamp: int
    due_at: float
    started: bool
    packet_ms: int
    """A packet leaves each so many ms; 0 while the port sends nothing by itself."""


class RelayRecord(msgspec.Struct, frozen=True, array_like=True):
    """How the packets of a port were mapped onto the line of its peer."""

    ssrc: int
    sequence_offset: int
    timestamp_offset: int
    first_sequence: int


class PortRecord(msgspec.Struct, frozen=True):
    """All that a successor needs to know of one port."""

    port: str
    number: int
    at: float
    """When it was written, on the monotonic clock."""
    cname: str
    line: LineRecord
    beside: str = ""
    """For a raw port: the port of the same party."""
    commands: tuple[wire.Command, ...] = ()
    relay: RelayRecord | None = None
    belief: Belief | None = None
    heard_at: float = float("-inf")
    key_stamp: int = -1
    key: tuple[int, int, int, int, bool] | None = None
    """The last press that its party sent (`sipcc.rtp.dtmf`)."""
    played_ms: int = -1
    """How far the prompt of this port had come; -1 when there is none, or one that follows the clock."""
    recorded_since: float = -1.0
    """When its recording began; -1 when there is none."""
    mark: Mark | None = None
    """How far the line had come under its key; None without SRTP."""
    browser: BrowserProof | None = None
    """What a browser had proved: its way, and its keys."""
    stats: RtpStats = RtpStats()


def line_at(record: PortRecord, death: float) -> LineRecord:
    """The line as it was when the worker died: what the record says, and what was sent since."""
    line = record.line
    since = min(death - record.at, MAX_AHEAD_S)
    if not line.started or not line.packet_ms or since <= 0:
        return line
    packets = math.ceil(since * 1000 / line.packet_ms) + 1
    sent_ms = packets * line.packet_ms
    rates = (verb.params.clock_rate_hz for verb in record.commands if isinstance(verb, wire.Configure))
    return msgspec.structs.replace(
        line,
        sequence=(line.sequence + packets) & 0xFFFF,
        timestamp=(line.timestamp + sent_ms * next(rates, SAMPLE_RATE_HZ) // 1000) & 0xFFFFFFFF,
        due_at=line.due_at + sent_ms / 1000,
    )


# -- the verbs in force -------------------------------------------------------------------------------

_WAYS = ("Bridge", "Echo", "Join", "Supervise")
ROOM_VERBS = frozenset({*_WAYS, "Unbridge", "Leave", "Mute", "Close"})
"""Verbs that change who hears whom, for others too."""
_KEPT = (
    *("Configure", "Aim", "Notice", "ListenVoice", *_WAYS, "Mute", "SecureKeys", "Tap"),
    *("SetConsentTone", "Record", "PauseRecording", "Play", "PausePlaying"),
)
"""Verbs that stay in force, in the order in which a port is built anew."""
_ENDS = {
    "Play": ("PausePlaying",),
    "StopPlaying": ("Play", "PausePlaying"),
    "Record": ("PauseRecording",),
    "StopRecording": ("Record", "PauseRecording"),
}
"""Verbs that end others. What is in neither table passes: keys that are sent, a step within a prompt."""


def _is_off(command: wire.Command) -> bool:
    """True for a verb that says that something is not so any more."""
    values = (getattr(command, name, True) for name in ("on", "paused", "muted", "period_s"))
    return not all(values)


class PortBook:
    """Folds commands and events into the verbs that are in force for each port."""

    def __init__(self) -> None:
        self._verbs: dict[str, dict[str, wire.Command]] = {}
        self._partner: dict[str, str] = {}

    def note(self, command: wire.Command) -> None:
        """A command was executed."""
        name = type(command).__name__
        verbs = self._verbs.setdefault(command.port, {})
        if name == "Close":
            self._leave(command.port)
            self._verbs.pop(command.port, None)
        elif name in ("Unbridge", "Leave"):
            self._leave(command.port)
        elif name in _KEPT:
            if name in _WAYS:
                self._leave(command.port)
            if isinstance(command, wire.Bridge):
                self._leave(command.other)
                self._partner[command.port], self._partner[command.other] = command.other, command.port
            if _is_off(command):
                verbs.pop(name, None)
            else:
                verbs[name] = command
        for ended in _ENDS.get(name, ()):
            verbs.pop(ended, None)

    def told(self, event: wire.FromWorker) -> None:
        """An event came of it: a play or a recording that ended by itself is not begun again."""
        if isinstance(event, PlayEnded):
            verbs = self._verbs.get(event.port, {})
            play = verbs.get("Play")
            if isinstance(play, wire.Play) and play.token == event.token and event.reason != "replaced":
                self._end(event.port, "StopPlaying")
        elif isinstance(event, RecordingEnded):
            verbs = self._verbs.get(event.port, {})
            record = verbs.get("Record")
            if isinstance(record, wire.Record) and record.path == event.path:
                self._end(event.port, "StopRecording")

    def _end(self, port: str, ending: str) -> None:
        for name in _ENDS[ending]:
            self._verbs[port].pop(name, None)

    def commands(self, port: str) -> tuple[wire.Command, ...]:
        """What would build the port anew, in order."""
        verbs = self._verbs.get(port, {})
        return tuple(verbs[name] for name in _KEPT if name in verbs)

    def _leave(self, port: str) -> None:
        partner = self._partner.pop(port, None)
        for one in (port,) if partner is None else (port, partner):
            verbs = self._verbs.get(one, {})
            for way in _WAYS:
                verbs.pop(way, None)
        if partner is not None:
            self._partner.pop(partner, None)


def in_order(records: Iterable[PortRecord]) -> list[wire.Command]:
    """All commands of all records: a port is bridged when the other one stands."""
    commands = [command for record in records for command in record.commands]
    return sorted(commands, key=_rank)


def _rank(command: wire.Command) -> tuple[int, bool]:
    """Who talks is in a room before those who coach him come."""
    return _KEPT.index(type(command).__name__), getattr(command, "role", "talk") != "talk"


# -- memory -------------------------------------------------------------------------------------------


def memory_bytes(pairs: int) -> int:
    """How much memory a worker with so many pairs of ports may write; what is not used takes no room."""
    return PAGE_BYTES + pairs * 2 * COPY_BYTES


def _checksum(generation: int, data: bytes) -> int:
    """Of the head too: a head that was written in part must not look like an empty record."""
    return zlib.crc32(data, generation & 0xFFFFFFFF)


class Memory:
    """The memory of one worker: its beat, how far it came with its orders, and a record for each port."""

    def __init__(self, buffer: mmap | bytearray) -> None:
        self._buffer = buffer
        self._places = (len(buffer) - PAGE_BYTES) // (2 * COPY_BYTES)
        self._generations: dict[int, int] = {}
        self._encode = msgspec.msgpack.Encoder().encode
        self.too_long = 0
        """Records that did not fit even without what played."""

    def beat(self, now: float) -> None:
        """The loop turns."""
        BEAT.pack_into(self._buffer, 0, now)

    @property
    def last_beat(self) -> float:
        """When the loop last turned."""
        return float(BEAT.unpack_from(self._buffer)[0])

    @property
    def orders(self) -> tuple[int, int]:
        """Whose orders were followed, and how many."""
        epoch, executed = _ORDERS.unpack_from(self._buffer, _ORDERS_AT)
        return int(epoch), int(executed)

    @orders.setter
    def orders(self, orders: tuple[int, int]) -> None:
        _ORDERS.pack_into(self._buffer, _ORDERS_AT, *orders)

    def write(self, place: int, record: PortRecord) -> None:
        """Write the record of the port at `place`."""
        data = self._encode(record)
        if len(data) > COPY_BYTES - _COPY.size:
            commands = tuple(verb for verb in record.commands if not isinstance(verb, wire.Play))
            data = self._encode(msgspec.structs.replace(record, commands=commands))
            if len(data) > COPY_BYTES - _COPY.size:
                self.too_long += 1
                data = b""
        self._write(place, data)

    def clear(self, place: int) -> None:
        """The port at `place` is closed."""
        self._write(place, b"")

    def _write(self, place: int, data: bytes) -> None:
        if not 0 <= place < self._places:
            return
        generation = self._generations.get(place)
        if generation is None:
            generation = max(self._copy(place, turn)[0] for turn in (0, 1))
        generation += 1
        self._generations[place] = generation
        start = PAGE_BYTES + (2 * place + generation % 2) * COPY_BYTES
        whole = _COPY.pack(generation, len(data), _checksum(generation, data)) + data
        self._buffer[start : start + len(whole)] = whole

    def _copy(self, place: int, turn: int) -> tuple[int, bytes]:
        """Generation and bytes of one copy; generation 0 when it is none."""
        start = PAGE_BYTES + (2 * place + turn) * COPY_BYTES
        generation, size, checksum = _COPY.unpack_from(self._buffer, start)
        if size > COPY_BYTES - _COPY.size:
            return 0, b""
        data = bytes(self._buffer[start + _COPY.size : start + _COPY.size + size])
        return (generation, data) if _checksum(generation, data) == checksum else (0, b"")

    def read(self, places: Iterable[int]) -> list[PortRecord]:
        """The records at these places; one that cannot be read is left out."""
        records = []
        for place in places:
            if not 0 <= place < self._places:
                continue
            _, data = max(self._copy(place, turn) for turn in (0, 1))
            if data:
                try:
                    records.append(_decoder.decode(data))
                except msgspec.MsgspecError:
                    continue  # of another version
        return records


_decoder = msgspec.msgpack.Decoder(PortRecord)
