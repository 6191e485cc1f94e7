"""What every call can tell about itself afterwards: its messages, timers and decisions, in bounded memory.

A core: it is told of each message, timer and decision, and gives ladders of single calls on demand.
Taking a message in costs a search for its Call-ID and an append; all else is done when somebody asks.

Two stores share the memory. Dialogs of calls have three quarters of it; what belongs to no call (REGISTER,
OPTIONS, the INVITEs of strangers that were refused) has the rest, so that a scanner pushes no call out.
In both, who was silent longest goes first.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import Annotated, Literal

import msgspec

from sipcc.sip.excerpt import call_id_of, label_of, mask
from sipcc.sip.transport.base import Address, Flow, TransportName

Direction = Literal["in", "out"]
Kind = Literal["message", "timer", "decision"]

ENTRY_BYTES = 250
"""What a kept message or note costs besides its text, measured roughly and counted against the bound."""
SHOWN_BYTES = 1 << 20
"""Text of messages that one answer shows at most: masking it takes about 30 ms."""
LOOSE_SHARE = 4
"""One part in so many of the memory is for what belongs to no call."""


class TraceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept of past calls for ``sipccd ladder``, and where messages are copied to."""

    calls: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 2000
    """Calls that are kept, the one that was silent longest goes first; 0 keeps nothing."""
    messages: Annotated[int, msgspec.Meta(ge=4, le=100_000)] = 200
    """Messages kept of one SIP dialog: its first and its last ones, when there were more."""
    memory_mb: Annotated[int, msgspec.Meta(ge=1, le=65536)] = 64
    """Memory for all of them together, in MiB."""
    hep: str = ""
    """Capture server that gets a copy of each message (HEP3 over UDP), as ``127.0.0.1:9060``."""
    hep_id: Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)] = 1
    """Capture id by which that server knows us."""
    pcap: str = ""
    """File that each message is written to, for Wireshark; empty writes none."""
    pcap_mb: Annotated[int, msgspec.Meta(ge=1, le=65536)] = 100
    """Size in MiB at which a new file is begun; the old one becomes ``NAME.1``."""
    pcap_files: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 4
    """Files kept, the one being written included."""


class Seen(msgspec.Struct, gc=False):
    """One message as it is kept: in clear, for `mask` is applied by who shows it."""

    at: float
    direction: Direction
    data: bytes
    transport: TransportName
    local: Address
    remote: Address
    order: int
    """What was told first of two things at the same time."""


class Note(msgspec.Struct, gc=False):
    """A timer that fired, or a decision."""

    at: float
    kind: Kind
    text: str
    why: str
    remote: Address | None
    order: int


class Rung(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of a ladder. Only messages have a direction, addresses and a text."""

    at: float
    """Seconds since the first step."""
    wall: float
    """Unix time."""
    kind: Kind
    label: str
    """What stands on the arrow, which timer fired, or what was decided."""
    why: str = ""
    """The reason of a decision."""
    direction: Direction | None = None
    transport: str = ""
    local: str = ""
    remote: str = ""
    repeat: bool = False
    """True for a retransmission: the same bytes went the same way before."""
    text: str = ""
    """The message, credentials masked; empty unless asked for, and beyond `SHOWN_BYTES`."""


class Ladder(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one call, in order of time."""

    call: str
    """Our id of the call; empty for a dialog that belongs to none."""
    caller: str
    called: str
    sip_call_ids: list[str]
    """The Call-IDs of its legs, that of the caller first."""
    rungs: list[Rung]
    dropped: int = 0
    """Messages and notes between the first and the last ones that are not kept."""


class CallSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a list of calls."""

    call: str
    caller: str
    called: str
    started: float
    """Unix time."""
    legs: int
    messages: int


class _Dialog:
    """The messages with one Call-ID: the first ones, and the last ones."""

    __slots__ = ("call", "dropped", "first", "key", "last", "notes", "size")

    def __init__(self, key: bytes, room: int) -> None:
        self.key = key
        self.call: _Call | None = None
        self.first: list[Seen] = []
        self.last: deque[Seen] = deque(maxlen=room)
        self.notes: deque[Note] = deque(maxlen=2 * room)
        self.dropped = 0
        self.size = 0

    @property
    def messages(self) -> list[Seen]:
        return [*self.first, *self.last]

    def add(self, seen: Seen, room: int) -> int:
        """Keep one message; by how many bytes the dialog grew."""
        grown = len(seen.data) + ENTRY_BYTES
        if len(self.first) < room:
            self.first.append(seen)
        else:
            if len(self.last) == room:
                grown -= len(self.last[0].data) + ENTRY_BYTES
                self.dropped += 1
            self.last.append(seen)
        self.size += grown
        return grown


class _Call:
    """The legs and decisions of one call."""

    __slots__ = ("at", "called", "caller", "dropped", "id", "legs", "notes", "size")

    def __init__(self, call: str, room: int) -> None:
        self.id = call
        self.caller = self.called = ""
        self.at = 0.0
        self.legs: list[_Dialog] = []
        self.notes: deque[Note] = deque(maxlen=room)
        self.dropped = 0
        self.size = ENTRY_BYTES


class Trace:
    """The memory of an endpoint. `wall_of` turns its monotonic times into Unix times."""

    def __init__(self, settings: TraceSettings, *, wall_of: Callable[[float], float]) -> None:
        self.settings = settings
        self._wall_of = wall_of
        self._room = settings.messages // 2
        self._memory = settings.memory_mb << 20
        self._dialogs: dict[bytes, _Dialog] = {}
        self._loose: OrderedDict[bytes, _Dialog] = OrderedDict()
        self._calls: OrderedDict[str, _Call] = OrderedDict()
        self._told = 0
        self._loose_bytes = 0
        self._call_bytes = 0
        self.unnamed = 0
        """Messages without a Call-ID, which can be found under no call."""
        self.evicted = 0
        """Calls that had to go."""

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def size(self) -> int:
        """Bytes in memory, as they are counted against the bound."""
        return self._loose_bytes + self._call_bytes

    # -- what happens ---------------------------------------------------------------------------------

    def saw(self, direction: Direction, data: bytes, flow: Flow, at: float) -> None:
        """Take note of one message that passed."""
        key = call_id_of(data)
        if key is None:
            self.unnamed += 1
            return
        dialog = self._dialogs.get(key) or self._open(key)
        # a slice would pin the whole buffer of a stream: what is kept is bytes of its own
        self._told += 1
        seen = Seen(at, direction, bytes(data), flow.transport, flow.local, flow.remote, self._told)
        self._grown(dialog, dialog.add(seen, self._room))

    def timer(self, sip_call_id: str, text: str, at: float, remote: Address | None = None) -> None:
        """A timer of the dialog `sip_call_id` fired, such as ``A: INVITE again``."""
        dialog = self._dialogs.get(sip_call_id.encode("utf-8", "surrogateescape"))
        if dialog is not None:
            full = len(dialog.notes) == dialog.notes.maxlen
            dialog.dropped += full
            self._told += 1
            dialog.notes.append(Note(at, "timer", text, "", remote, self._told))
            grown = 0 if full else ENTRY_BYTES
            dialog.size += grown
            self._grown(dialog, grown)

    def started(self, call: str, *, caller: str, called: str, sip_call_id: str, at: float) -> None:
        """A call began, and `sip_call_id` is the leg of its caller."""
        entry = self._call(call)
        entry.caller, entry.called, entry.at = caller, called, at
        self.join(call, sip_call_id)

    def join(self, call: str, sip_call_id: str) -> None:
        """The dialog `sip_call_id` is a leg of `call`, whether or not its messages were seen yet."""
        entry = self._call(call)
        key = sip_call_id.encode("utf-8", "surrogateescape")
        dialog = self._dialogs.get(key) or self._open(key)
        if dialog.call is None:
            self._adopt(entry, dialog)
        self._trim()

    def decided(self, call: str, what: str, why: str, at: float) -> None:
        """Something was decided about `call`."""
        entry = self._call(call)
        full = len(entry.notes) == entry.notes.maxlen
        if full:
            old = entry.notes[0]
            self._charge(entry, -(ENTRY_BYTES + len(old.text) + len(old.why)))
            entry.dropped += 1
        self._told += 1
        entry.notes.append(Note(at, "decision", what, why, None, self._told))
        self._charge(entry, ENTRY_BYTES + len(what) + len(why))
        self._trim()

    # -- what can be asked ----------------------------------------------------------------------------

    def find(self, query: str) -> str | None:
        """The id of the call that `query` means, or the Call-ID of a dialog without a call; None if none.

        `query` is our id of the call, a SIP Call-ID, or a part of the caller's or of the called number; of
        several calls the youngest is meant.
        """
        if not query:
            return None
        if query in self._calls:
            return query
        dialog = self._dialogs.get(query.encode("utf-8", "surrogateescape"))
        if dialog is not None:
            return dialog.call.id if dialog.call is not None else query
        fitting = [call for call in self._calls.values() if query in call.caller or query in call.called]
        return max(fitting, key=lambda call: call.at).id if fitting else None

    @property
    def last(self) -> str | None:
        """The id of the call that began last."""
        return max(self._calls.values(), key=lambda call: call.at).id if self._calls else None

    def calls(self, limit: int = 100) -> list[CallSummary]:
        """The youngest `limit` calls, the youngest first."""
        young = sorted(self._calls.values(), key=lambda call: call.at, reverse=True)[:limit]
        return [
            CallSummary(
                call=call.id,
                caller=call.caller,
                called=call.called,
                started=self._wall_of(call.at),
                legs=len(call.legs),
                messages=sum(len(leg.first) + len(leg.last) for leg in call.legs),
            )
            for call in young
        ]

    def ladder(self, query: str, *, texts: bool = True) -> Ladder | None:
        """The ladder of what `find` finds; None when nothing is kept of it."""
        name = self.find(query)
        if name is None:
            return None
        call = self._calls.get(name)
        legs = call.legs if call else [self._dialogs[name.encode("utf-8", "surrogateescape")]]
        steps: list[tuple[float, int, Rung]] = []
        notes = [note for leg in legs for note in leg.notes] + (list(call.notes) if call else [])
        times = [note.at for note in notes] + [seen.at for leg in legs for seen in leg.messages]
        start = min(times, default=0.0)
        shown = 0
        for seen, repeat in _in_order(legs):
            shown += len(seen.data)
            steps.append(
                (seen.at, seen.order, self._message(seen, start, repeat, texts and shown <= SHOWN_BYTES))
            )
        steps += [(note.at, note.order, self._note(note, start)) for note in notes]
        steps.sort(key=lambda step: (step[0], step[1]))
        return Ladder(
            call=call.id if call else "",
            caller=call.caller if call else "",
            called=call.called if call else "",
            sip_call_ids=[leg.key.decode("utf-8", "replace") for leg in legs],
            rungs=[rung for _, _, rung in steps],
            dropped=sum(leg.dropped for leg in legs) + (call.dropped if call else 0),
        )

    def messages(self, query: str) -> list[tuple[Seen, float]]:
        """The messages of what `find` finds, masked, each with its Unix time, in order of time.

        They end at `SHOWN_BYTES`.
        """
        name = self.find(query)
        if name is None:
            return []
        call = self._calls.get(name)
        legs = call.legs if call else [self._dialogs[name.encode("utf-8", "surrogateescape")]]
        found: list[tuple[Seen, float]] = []
        shown = 0
        for seen, _repeat in _in_order(legs):
            shown += len(seen.data)
            if shown > SHOWN_BYTES:
                break
            found.append((msgspec.structs.replace(seen, data=mask(seen.data)), self._wall_of(seen.at)))
        return found

    # -- inside ---------------------------------------------------------------------------------------

    def _message(self, seen: Seen, start: float, repeat: bool, texts: bool) -> Rung:
        return Rung(
            at=seen.at - start,
            wall=self._wall_of(seen.at),
            kind="message",
            label=label_of(seen.data),
            direction=seen.direction,
            transport=seen.transport,
            local=str(seen.local),
            remote=str(seen.remote),
            repeat=repeat,
            text=mask(seen.data).decode("utf-8", "replace") if texts else "",
        )

    def _note(self, note: Note, start: float) -> Rung:
        return Rung(
            at=note.at - start,
            wall=self._wall_of(note.at),
            kind=note.kind,
            label=note.text,
            why=note.why,
            remote=str(note.remote) if note.remote is not None else "",
        )

    def _call(self, call: str) -> _Call:
        entry = self._calls.get(call)
        if entry is None:
            entry = self._calls[call] = _Call(call, self.settings.messages)
            self._call_bytes += entry.size
        return entry

    def _open(self, key: bytes) -> _Dialog:
        dialog = self._dialogs[key] = self._loose[key] = _Dialog(key, self._room)
        dialog.size = ENTRY_BYTES + len(key)
        self._loose_bytes += dialog.size
        return dialog

    def _adopt(self, entry: _Call, dialog: _Dialog) -> None:
        if self._loose.pop(dialog.key, None) is not None:
            self._loose_bytes -= dialog.size
        dialog.call = entry
        entry.legs.append(dialog)
        self._charge(entry, dialog.size)

    def _charge(self, call: _Call, size: int) -> None:
        call.size += size
        self._call_bytes += size

    def _grown(self, dialog: _Dialog, size: int) -> None:
        """`dialog` has `size` bytes more, and is the last that should go."""
        call = dialog.call
        if call is None:
            self._loose_bytes += size
            self._loose.move_to_end(dialog.key)
        else:
            self._charge(call, size)
            self._calls.move_to_end(call.id)
        self._trim()

    def _trim(self) -> None:
        loose = self._memory // LOOSE_SHARE
        while self._loose_bytes > loose and len(self._loose) > 1:
            key, dialog = self._loose.popitem(last=False)
            del self._dialogs[key]
            self._loose_bytes -= dialog.size
        while self._calls and (
            len(self._calls) > self.settings.calls or self._call_bytes > self._memory - loose
        ):
            if len(self._calls) == 1 and len(self._calls) <= self.settings.calls:
                return  # one call alone is bounded by its messages
            _, call = self._calls.popitem(last=False)
            for leg in call.legs:
                del self._dialogs[leg.key]
            call.legs.clear()  # a call and its legs are a ring, which would wait for the garbage collector
            self._call_bytes -= call.size
            self.evicted += 1


def _in_order(legs: Iterable[_Dialog]) -> list[tuple[Seen, bool]]:
    """The messages of all legs by time, each with whether the same bytes went the same way before."""
    messages = sorted((seen for leg in legs for seen in leg.messages), key=lambda seen: (seen.at, seen.order))
    before: set[tuple[Direction, Address, bytes]] = set()
    found = []
    for seen in messages:
        key = (seen.direction, seen.remote, seen.data)
        found.append((seen, key in before))
        before.add(key)
    return found
