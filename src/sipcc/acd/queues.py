"""Queue entries and lines.

An entry is one caller's visit to one queue. It leaves the line by exactly one exit: `exit` is written by
the inputs that end the waiting (BRIDGE and TAKE write ``answered``, LEAVE any other), and no state has a
row for a second one.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from math import inf
from typing import Any, overload

import msgspec
from msgspec.structs import replace

from sipcc.acd import tables
from sipcc.acd.estimate import GivingUp, HandleTime, Staffing
from sipcc.acd.events import GAVE_UP, Exit
from sipcc.acd.model import Entry, EntryState, Line, Strategy
from sipcc.acd.router import rank
from sipcc.acd.settings import QueueSettings

CONNECT_LEASE = 10.0
"""Seconds from an agent's answer within which caller and agent must be bridged."""


class EntryInput(StrEnum):
    """What can happen to an entry."""

    ADMIT = "admit"
    OFFER = "offer"
    OFFER_LOST = "offer_lost"
    LAST_OFFER_LOST = "last_offer_lost"
    ANSWER = "answer"
    BRIDGE = "bridge"
    TAKE = "take"
    LEAVE = "leave"
    PART = "part"


_S, _I = EntryState, EntryInput

TABLE: dict[EntryState, dict[EntryInput, EntryState | None]] = {
    _S.JOINED: {_I.ADMIT: _S.WAITING, _I.LEAVE: _S.ENDED},
    _S.WAITING: {_I.OFFER: _S.OFFERING, _I.TAKE: _S.CONNECTED, _I.LEAVE: _S.ENDED},
    _S.OFFERING: {
        _I.OFFER: _S.OFFERING,
        _I.OFFER_LOST: _S.OFFERING,
        _I.LAST_OFFER_LOST: _S.WAITING,
        _I.ANSWER: _S.CONNECTING,
        _I.LEAVE: _S.ENDED,
    },
    _S.CONNECTING: {_I.BRIDGE: _S.CONNECTED, _I.LEAVE: _S.ENDED},
    _S.CONNECTED: {_I.PART: _S.ENDED},
    _S.ENDED: {},
}
"""Next state by state and input; what is not listed is refused with LocalProtocolError."""

IN_LINE = frozenset({EntryState.WAITING, EntryState.OFFERING})
"""States in which a caller has a place in the line."""


def diagram() -> str:
    """The machine as a Mermaid state diagram, made from the table."""
    return tables.diagram(TABLE, free="")


def step(entry: Entry, given: EntryInput, *, now: float, exit_: Exit | None = None, **changes: Any) -> Entry:
    """The entry after `given`; `exit_` goes with LEAVE.

    Raises:
        LocalProtocolError: the table has no row for this; the entry is as before.
    """
    target = tables.advance(TABLE, entry.state, given, who=f"entry {entry.id}")
    fields: dict[str, Any] = {"state": target, **changes}
    if given is _I.OFFER:
        fields["offered_at"] = now
    elif given is _I.ANSWER:
        fields |= {"answered_at": now, "deadline": now + CONNECT_LEASE, "offers": frozenset()}
    elif given is _I.BRIDGE:
        fields |= {"exit": "answered", "left_at": entry.answered_at, "deadline": None}
    elif given is _I.TAKE:
        fields |= {"exit": "answered", "answered_at": now, "left_at": now, "deadline": None}
    elif given is _I.LEAVE:
        fields |= {"exit": exit_, "left_at": now, "deadline": None, "offers": frozenset()}
    return replace(entry, **fields)


def hang_up_exit(entry: Entry, settings: QueueSettings, *, now: float) -> Exit:
    """The exit of a caller that hangs up while waiting; a callback of which nothing came has failed."""
    if entry.callback:
        return "failed"
    return "short_abandoned" if now - entry.joined < settings.short_abandon else "abandoned"


class Tally(msgspec.Struct):
    """What has happened in one queue since the start, for the wallboard.

    Records and reports are folded from the events, not from this.
    """

    joined: int = 0
    exits: Counter[str] = msgspec.field(default_factory=Counter)
    answer_wait: float = 0.0
    """Sum of the waits of answered callers."""
    answered_in_time: int = 0
    """Answered within `QueueSettings.service_level`."""
    handle_time: HandleTime = msgspec.field(default_factory=HandleTime)
    """Of the talks so far."""
    giving_up: GivingUp = msgspec.field(default_factory=GivingUp)

    def left(self, entry: Entry, settings: QueueSettings) -> None:
        """Count an entry that has just got its exit."""
        self.exits[entry.exit or ""] += 1
        waited = entry.waited(now=entry.joined)
        self.giving_up.add(waited, gave_up=entry.exit in GAVE_UP)
        if entry.exit == "answered":
            self.answer_wait += waited
            self.answered_in_time += waited <= settings.service_level


class InLine(Sequence[Entry]):
    """The callers of a line, best first; a view, because most decisions look at the first few."""

    def __init__(self, order: Sequence[tuple[float, float, int, str]], entries: Mapping[str, Entry]) -> None:
        self._order, self._entries = order, entries

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[Entry]:
        entries = self._entries
        return (entries[key[3]] for key in self._order)

    @overload
    def __getitem__(self, index: int) -> Entry: ...

    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...

    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        if isinstance(index, slice):
            return [self._entries[key[3]] for key in self._order[index]]
        return self._entries[self._order[index][3]]


class WaitingLine:
    """The callers of one queue in their order, and what the router needs to know of it."""

    def __init__(self, settings: QueueSettings, strategy: Strategy, members: tuple[str, ...]) -> None:
        self.settings = settings
        self.members = members
        self.tally = Tally(handle_time=HandleTime(settings.handle_time))
        self.last = -1
        """`Agent.order` of the agent offered last: the memory of round-robin."""
        self.ring_step = settings.ring_step if getattr(strategy, "paced", False) else 0.0
        """Seconds until the next agent joins the ringing of a caller; 0 for a strategy without pace."""
        self.oldest = inf
        """No wait of anybody in line began before this."""
        self.staffing = Staffing(0, 0)
        """What the members did when they were counted last."""
        self.counted: tuple[object, tuple[str, ...]] = (None, ())
        """As of which version of the agents, and which members."""
        self._strategy = strategy
        self._order: list[tuple[float, float, int, str]] = []

    def __len__(self) -> int:
        return len(self._order)

    @property
    def members(self) -> tuple[str, ...]:
        """Agent names in member order."""
        return self._members

    @members.setter
    def members(self, members: tuple[str, ...]) -> None:
        self._members, self._team = members, frozenset(members)

    @property
    def full(self) -> bool:
        """True when no further caller may join."""
        return 0 < self.settings.max_length <= len(self._order)

    @property
    def ids(self) -> list[str]:
        """The entries in line, best first."""
        return [key[3] for key in self._order]

    def insert(self, entry: Entry) -> None:
        """Give `entry` its place."""
        insort(self._order, self._key(entry))
        self.oldest = min(self.oldest, entry.began)

    def remove(self, entry: Entry) -> None:
        """Take `entry` out, if it is in line."""
        index = bisect_left(self._order, self._key(entry))
        if index < len(self._order) and self._order[index][3] == entry.id:
            del self._order[index]

    def position(self, entry: Entry) -> int:
        """1 for the head of the line; 0 when `entry` is not in line."""
        index = bisect_left(self._order, self._key(entry))
        found = index < len(self._order) and self._order[index][3] == entry.id
        return index + 1 if found else 0

    def view(self, entries: Mapping[str, Entry]) -> Line:
        """The line as the router sees it."""
        return Line(
            queue=self.settings.name,
            strategy=self._strategy,
            strategy_name=self.settings.strategy,
            members=self._members,
            team=self._team,
            entries=InLine(self._order, entries),
            last=self.last,
            ageing=self.settings.ageing,
            weight=self.settings.weight,
            ring_step=self.ring_step,
        )

    def _key(self, entry: Entry) -> tuple[float, float, int, str]:
        """As the router ranks at any time: within one line, ageing moves everybody alike."""
        return (*rank(entry, now=0.0, ageing=self.settings.ageing), entry.id)
