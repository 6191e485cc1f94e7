"""Queue outcomes: a pure fold of events, one `QueueOutcome` for each entry of a caller into a queue.

The invariant that everything rests on: each entry leaves by exactly one exit. Whatever would break it
(a second exit, an exit without an entry, a call that ended while its entry stayed) is counted and named
in `violations`, and the first exit stands.
"""

from __future__ import annotations

from collections import deque

import msgspec

from sipcc.acd.events import Exit, OfferEnded, OfferMade, OfferOutcome, QueueJoined, QueueLeft, TalkEnded
from sipcc.call.events import CallEndedEvent
from sipcc.events import Event
from sipcc.records.cdr import LINGER_S

_VIOLATIONS_KEPT = 100


class OfferRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One agent who was rung for an entry. `outcome` is None while it rings."""

    agent: str
    made: float
    """Unix seconds."""
    outcome: OfferOutcome | None = None
    rang: float = 0.0
    """Seconds from the reservation to the outcome."""
    sip_status: int = 0


class QueueOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How one entry into a queue went. Times are Unix seconds."""

    entry: str
    queue: str
    call: str
    caller: str
    priority: int
    joined: float
    left: float
    waited: float
    """Seconds in the queue."""
    exit: Exit
    agent: str | None
    """Who answered; None for every other exit."""
    offers: tuple[OfferRecord, ...] = ()
    talked: float | None = None
    """Seconds of conversation; None while it lasts, and for entries that were not answered."""


class _Draft:
    """An entry while it is being put together."""

    def __init__(self, joined: QueueJoined, wall: float) -> None:
        self.joined = joined
        self.joined_wall = wall
        self.offers: dict[str, OfferRecord] = {}
        self.exit: tuple[float, QueueLeft] | None = None
        self.talked: float | None = None
        self.call_over = False

    @property
    def settled(self) -> bool:
        if self.exit is None or any(offer.outcome is None for offer in self.offers.values()):
            return False
        return self.exit[1].exit != "answered" or self.talked is not None

    def end_offer(self, event: OfferEnded, wall: float) -> bool:
        offer = self.offers.get(event.offer)
        if offer is None or offer.outcome is not None:
            return False
        self.offers[event.offer] = msgspec.structs.replace(
            offer, outcome=event.outcome, rang=round(wall - offer.made, 3), sip_status=event.sip_status
        )
        return True

    def snapshot(self) -> QueueOutcome | None:
        if self.exit is None:
            return None
        left, exit_ = self.exit
        return QueueOutcome(
            entry=self.joined.entry,
            queue=self.joined.queue,
            call=self.joined.call,
            caller=self.joined.caller,
            priority=self.joined.priority,
            joined=self.joined_wall,
            left=left,
            waited=round(exit_.waited, 3),
            exit=exit_.exit,
            agent=exit_.agent,
            offers=tuple(self.offers.values()),
            talked=None if self.talked is None else round(self.talked, 3),
        )


class OutcomeFold:
    """Folds events into queue outcomes."""

    def __init__(self) -> None:
        self._open: dict[str, _Draft] = {}
        self._by_call: dict[str, list[str]] = {}
        self._ended: deque[tuple[float, str]] = deque()
        self.joined = 0
        """Entries into queues."""
        self.exits = 0
        """Exits from queues; with nobody waiting it equals `joined`."""
        self.violation_count = 0
        self.violations: deque[str] = deque(maxlen=_VIOLATIONS_KEPT)
        """The last broken invariants, in words."""

    @property
    def open_count(self) -> int:
        """Entries in memory: waiting, talking, or with an offer still open."""
        return len(self._open)

    @property
    def waiting(self) -> int:
        """Entries without an exit."""
        return sum(1 for draft in self._open.values() if draft.exit is None)

    def apply(self, event: Event, wall: float) -> list[QueueOutcome]:
        """Take in `event`, which happened at the Unix time `wall`.

        Returns the outcomes that are new or changed: one at the exit, again when the conversation or a
        late offer is over.
        """
        told = self._sweep(wall) if self._ended else []
        match event:
            case QueueJoined():
                self._join(event, wall)
            case OfferMade():
                draft = self._open.get(event.entry)
                if draft is not None and event.offer not in draft.offers:
                    draft.offers[event.offer] = OfferRecord(agent=event.agent, made=wall)
            case OfferEnded():
                draft = self._open.get(event.entry)
                if draft is not None and draft.end_offer(event, wall):
                    told += self._tell(draft)
            case QueueLeft():
                told += self._leave(event, wall)
            case TalkEnded():
                draft = self._open.get(event.entry)
                if draft is not None and draft.talked is None:
                    draft.talked = event.talked
                    told += self._tell(draft)
            case CallEndedEvent() if event.call in self._by_call:
                self._ended.append((wall, event.call))
            case _:
                pass
        return told

    def closing(self, at: float, wall: float, *, call: str = "") -> list[Event]:
        """The events that would close every open entry, or those of `call`, at the Unix time `wall`.

        `at` is the same time on the monotonic clock.
        """
        told: list[Event] = []
        for draft in self._open.values():
            joined, exit_ = draft.joined, draft.exit
            if call and joined.call != call:
                continue
            for key, offer in draft.offers.items():
                if offer.outcome is None:
                    told.append(
                        OfferEnded(
                            at=at,
                            offer=key,
                            entry=joined.entry,
                            queue=joined.queue,
                            call=joined.call,
                            agent=offer.agent,
                            outcome="cancelled",
                            sip_status=0,
                        )
                    )
            if exit_ is None:
                told.append(_forced_exit(draft, at, wall))
            elif exit_[1].exit == "answered" and draft.talked is None:
                told.append(
                    TalkEnded(
                        at=at,
                        entry=joined.entry,
                        queue=joined.queue,
                        call=joined.call,
                        agent=exit_[1].agent or "",
                        talked=round(wall - exit_[0], 3),
                    )
                )
        return told

    def _join(self, event: QueueJoined, wall: float) -> None:
        if event.entry in self._open:
            self._violate(f"entry {event.entry} joined queue {event.queue} twice")
            return
        self.joined += 1
        self._open[event.entry] = _Draft(event, wall)
        self._by_call.setdefault(event.call, []).append(event.entry)

    def _leave(self, event: QueueLeft, wall: float) -> list[QueueOutcome]:
        draft = self._open.get(event.entry)
        if draft is None:
            self._violate(f"entry {event.entry} left queue {event.queue} by {event.exit} without being in it")
            return []
        if draft.exit is not None:
            first = draft.exit[1].exit
            self._violate(f"entry {event.entry} left queue {event.queue} by {event.exit} after {first}")
            return []
        draft.exit = (wall, event)
        self.exits += 1
        return self._tell(draft)

    def _tell(self, draft: _Draft) -> list[QueueOutcome]:
        outcome = draft.snapshot()
        if draft.settled:
            self._drop(draft)
        return [] if outcome is None else [outcome]

    def _drop(self, draft: _Draft) -> None:
        entry, call = draft.joined.entry, draft.joined.call
        del self._open[entry]
        entries = self._by_call[call]
        entries.remove(entry)
        if not entries:
            del self._by_call[call]

    def _sweep(self, wall: float) -> list[QueueOutcome]:
        """Close what stayed open long after its call was over: such an entry left by `failed`."""
        told: list[QueueOutcome] = []
        while self._ended and self._ended[0][0] < wall - LINGER_S:
            ended, call = self._ended.popleft()
            for entry in list(self._by_call.get(call, ())):
                draft = self._open[entry]
                if draft.exit is None:
                    self._violate(f"entry {entry} stayed in queue {draft.joined.queue} after its call ended")
                    told += self._leave(_forced_exit(draft, draft.joined.at, ended), ended)
                if entry in self._open:
                    self._drop(draft)
        return told

    def _violate(self, what: str) -> None:
        self.violation_count += 1
        self.violations.append(what)


def _forced_exit(draft: _Draft, at: float, wall: float) -> QueueLeft:
    """The exit at the Unix time `wall` of an entry that nobody closed."""
    return QueueLeft(
        at=at,
        entry=draft.joined.entry,
        queue=draft.joined.queue,
        call=draft.joined.call,
        exit="failed",
        waited=max(0.0, round(wall - draft.joined_wall, 3)),
    )
