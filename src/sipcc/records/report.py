"""Interval reports: what was offered, answered and lost in each 15, 30 or 60 minutes, folded from events.

The rules that make the numbers add up:

- An entry into a queue counts in the interval in which it joined, whenever it leaves; so do its talk and
  its wrap-up. A call that spans a boundary is counted once, and the sum of the intervals is the total.
- The time of agents counts where it passed: a talk over a boundary is split there.
- A call attempt counts in the interval in which its INVITE arrived.
- A callback counts by trunk where it left, if it did; it is no attempt there, for nobody called.
- A run that died tells no end of its agents' states: they end with the last event of that run.

Three rates go under the name of 接通率 (connect rate); each row has all three:

| field | name | is |
|---|---|---|
| `system_rate` | 系统接通率 | calls that we answered / calls that arrived; only by number, trunk and region |
| `agent_rate` | 人工接通率 | answered by an agent / asked for an agent (every exit counts as asked) |
| `within_rate` | N 秒接通率 | answered within T / asked for an agent |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from math import ceil
from typing import Literal

import msgspec

from sipcc.acd.events import AgentStateChanged, OfferEnded, OfferMade, QueueJoined, QueueLeft, TalkEnded
from sipcc.call.events import CallAnswered, CallEndedEvent, CallStarted, LegStarted
from sipcc.events import Event
from sipcc.records.kpi import WRAP_UP, QueueFigures, ratio
from sipcc.regions import Regions

By = Literal["queue", "agent", "number", "trunk", "region"]
"""What the rows of a report are about."""

BUCKETS = (3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300)
"""The N of "answered within N seconds" that a row lists; `Cell.answered_within` gives any other."""

_BY_CALL = ("number", "trunk", "region")

_OFFLINE, _NOT_READY, _READY, _TALKING = "offline", "not_ready", "ready", "talking"


class Cell(msgspec.Struct, kw_only=True):
    """What happened to one queue, agent, number, trunk or region in one interval. All times are seconds."""

    figures: QueueFigures
    waits: dict[int, int] = msgspec.field(default_factory=dict)
    """Answered callers by their wait, rounded up to whole seconds."""
    attempts: int = 0
    """Calls that arrived."""
    reached: int = 0
    """Those of `attempts` that we answered."""
    offers: int = 0
    """How often an agent was rung."""
    missed: int = 0
    """Offers that ended without an answer and without the caller leaving."""
    times: dict[str, float] = msgspec.field(default_factory=dict)
    """Seconds in each agent state; ``not_ready`` is split by reason, as ``not_ready:lunch``."""

    @property
    def occupancy(self) -> float | None:
        """(talk + wrap-up) / (talk + wrap-up + ready); ringing and not ready are in neither."""
        busy = self.times.get(_TALKING, 0.0) + self.times.get(WRAP_UP, 0.0)
        return ratio(busy, busy + self.times.get(_READY, 0.0))

    def answered_within(self, seconds: int) -> int:
        """How many callers were answered within that many seconds, these included."""
        return sum(count for wait, count in self.waits.items() if wait <= seconds)

    def merge(self, other: Cell) -> None:
        """Add what another cell counted."""
        self.figures.merge(other.figures)
        for wait, count in other.waits.items():
            self.waits[wait] = self.waits.get(wait, 0) + count
        for state, seconds in other.times.items():
            self.times[state] = self.times.get(state, 0.0) + seconds
        self.attempts += other.attempts
        self.reached += other.reached
        self.offers += other.offers
        self.missed += other.missed


class ReportRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a report. Rates are fractions 0..1, None where there is nothing to divide by."""

    start: float | None
    """Unix time at which the interval begins; None in a row of totals."""
    key: str
    """The queue, agent, number, trunk or region; an empty one is none, or not known."""
    joined: int
    offered: int
    answered: int
    abandoned: int
    short: int
    other_exits: dict[str, int]
    """Exits that are neither answered nor abandoned."""
    sl_f1: float | None
    sl_f2: float | None
    sl_f3: float | None
    sl_f4: float | None
    abandon_rate: float | None
    asa: float | None
    aht: float | None
    handled: int
    talk: float
    wrap_up: float
    longest_wait: float
    attempts: int
    reached: int
    system_rate: float | None
    agent_rate: float | None
    within_rate: float | None
    answered_within: dict[int, int]
    """Cumulative, for each N of `BUCKETS`."""
    offers: int
    missed: int
    occupancy: float | None
    times: dict[str, float]
    callbacks: int
    """Turns of customers who are called back; in no figure of callers."""
    callbacks_served: int


def row_of(start: float | None, key: str, cell: Cell) -> ReportRow:
    """The line for one cell."""
    figures, levels = cell.figures, cell.figures.service_levels
    counted = ("answered", "abandoned", "short_abandoned")
    return ReportRow(
        start=start,
        key=key,
        joined=figures.joined,
        offered=figures.offered,
        answered=figures.answered,
        abandoned=figures.abandoned,
        short=figures.short,
        other_exits={name: n for name, n in sorted(figures.exits.items()) if name not in counted},
        sl_f1=levels.f1,
        sl_f2=levels.f2,
        sl_f3=levels.f3,
        sl_f4=levels.f4,
        abandon_rate=figures.abandon_rate,
        asa=figures.asa,
        aht=figures.aht,
        handled=figures.handled,
        talk=round(figures.talk, 3),
        wrap_up=round(figures.wrap_up, 3),
        longest_wait=figures.longest_wait,
        attempts=cell.attempts,
        reached=cell.reached,
        system_rate=ratio(cell.reached, cell.attempts),
        agent_rate=figures.answer_rate,
        within_rate=ratio(figures.answered_in_time, sum(figures.exits.values())),
        answered_within={n: cell.answered_within(n) for n in BUCKETS} if cell.waits else {},
        offers=cell.offers,
        missed=cell.missed,
        occupancy=cell.occupancy,
        times={state: round(seconds, 3) for state, seconds in sorted(cell.times.items())},
        callbacks=figures.callbacks,
        callbacks_served=figures.callbacks_served,
    )


class _Visit(msgspec.Struct):
    """An entry that may still be counted: where it counts."""

    start: float
    key: str | None
    """None until an agent has answered, in a report by agent; until it leaves, for a callback by trunk."""
    answered: bool = False
    callback: bool = False
    """Nobody waits: a customer is called back."""


class ReportFold:
    """Folds events into interval reports."""

    def __init__(
        self,
        by: By,
        *,
        step: float,
        thresholds: Mapping[str, float] | None = None,
        threshold: float = 20.0,
        zone: tzinfo | None = None,
        region_of: Callable[[str], str] | None = None,
    ) -> None:
        """Begin with nothing.

        Args:
            by: what a row is about.
            step: length of an interval in seconds, which divides a day; intervals begin at local midnight.
            thresholds: T of the service level by queue.
            threshold: T for queues that are not named there.
            zone: where midnight is; None for the time zone of this machine.
            region_of: the region of a caller's number; None for what `Regions` has built in.
        """
        self._region_of = region_of or Regions().of
        self._by, self._step, self._zone = by, step, zone
        self._thresholds, self._threshold = dict(thresholds or {}), threshold
        self._cells: dict[tuple[float, str], Cell] = {}
        self._visits: dict[str, _Visit] = {}
        self._calls: dict[str, tuple[float, str, bool]] = {}
        self._placed: dict[str, _Visit] = {}
        """Calls of ours that have not left yet, in a report by trunk."""
        self._agents: dict[str, tuple[str, float]] = {}
        self._last_visit: dict[str, _Visit] = {}
        self._offers: set[str] = set()
        self._last = 0.0
        self._interval = 0.0

    # Results

    def start_of(self, wall: float) -> float:
        """The Unix time at which the interval of `wall` begins."""
        if not self._interval <= wall < self._interval + self._step:
            offset = datetime.fromtimestamp(wall, UTC).astimezone(self._zone).utcoffset()
            seconds = offset.total_seconds() if offset is not None else 0.0
            self._interval = (wall + seconds) // self._step * self._step - seconds
        return self._interval

    def cells(self, *, since: float, until: float, now: float) -> dict[tuple[float, str], Cell]:
        """The cells of all intervals that begin in [`since`, `until`), by begin and key.

        States of agents that still last count up to `now` or `until`, whichever is earlier.
        """
        found = {place: copy(cell) for place, cell in self._cells.items() if since <= place[0] < until}
        if self._by == "agent":
            for agent, (state, begin) in self._agents.items():
                self._pass_time(found, agent, state, max(begin, since), min(now, until))
        return dict(sorted(found.items()))

    def rows(self, *, since: float, until: float, now: float) -> list[ReportRow]:
        """The report as lines, in the order of time and then of keys; see `cells`."""
        cells = self.cells(since=since, until=until, now=now)
        return [row_of(start, key, cell) for (start, key), cell in cells.items()]

    # Events

    def apply(self, event: Event, wall: float) -> None:
        """Take in `event`, which happened at the Unix time `wall`."""
        match event:
            case CallStarted() | CallAnswered() | CallEndedEvent() if self._by in _BY_CALL:
                self._take_call(event, wall)
            case LegStarted() if event.trunk and event.agent is None and event.call in self._placed:
                self._take_leaving(event)
            case QueueJoined() if event.entry not in self._visits:
                visit = self._placed.get(event.call) or _Visit(self.start_of(wall), self._key_of(event))
                visit.callback = bool(event.callback)
                self._visits[event.entry] = visit
                if visit.key is not None:
                    self._count_joined(visit.start, visit.key, visit)
            case OfferMade() | OfferEnded() if self._by == "agent":
                self._take_offer(event)
            case QueueLeft():
                self._take_exit(event)
            case TalkEnded():
                self._take_talk(event)
            case AgentStateChanged():
                self._take_state(event, wall)
            case _:
                pass
        self._last = max(self._last, wall)

    def _key_of(self, event: QueueJoined) -> str | None:
        if self._by == "agent":
            return None
        return event.queue if self._by == "queue" else self._calls.get(event.call, (0.0, "", False))[1]

    def _key_of_call(self, event: CallStarted) -> str:
        if self._by == "region":
            return self._region_of(event.caller)
        return event.called if self._by == "number" else event.trunk or ""

    def _take_call(self, event: CallStarted | CallAnswered | CallEndedEvent, wall: float) -> None:
        if isinstance(event, CallStarted):
            if self._by == "trunk" and event.trunk is None and not event.sip_call_id:
                self._placed[event.call] = _Visit(self.start_of(wall), None)
            elif event.call not in self._calls:
                key = self._key_of_call(event)
                start = self.start_of(wall)
                self._calls[event.call] = (start, key, False)
                self._cell(start, key).attempts += 1
        elif isinstance(event, CallEndedEvent):
            self._calls.pop(event.call, None)
            self._placed.pop(event.call, None)
        elif (known := self._calls.get(event.call)) is not None and not known[2]:
            start, key, _ = known
            self._calls[event.call] = (start, key, True)
            self._cell(start, key).reached += 1

    def _take_leaving(self, event: LegStarted) -> None:
        """The customer is rung: only now is it told over which trunk."""
        visit = self._placed.pop(event.call)
        visit.key = event.trunk
        self._calls[event.call] = (visit.start, event.trunk, True)
        self._count_joined(visit.start, event.trunk, visit)

    def _take_offer(self, event: OfferMade | OfferEnded) -> None:
        visit = self._visits.get(event.entry)
        if visit is None:
            self._offers.discard(event.offer)
        elif isinstance(event, OfferMade):
            if event.offer not in self._offers:
                self._offers.add(event.offer)
                self._cell(visit.start, event.agent).offers += 1
        elif event.offer in self._offers:
            self._offers.discard(event.offer)
            missed = event.outcome not in ("answered", "cancelled")
            self._cell(visit.start, event.agent).missed += missed

    def _take_exit(self, event: QueueLeft) -> None:
        visit = self._visits.get(event.entry)
        if visit is None or visit.answered:
            return
        if event.exit == "answered":
            visit.answered = True
            if visit.key is None and event.agent is not None:
                visit.key = event.agent if self._by == "agent" else ""
                self._count_joined(visit.start, visit.key, visit)
        else:
            del self._visits[event.entry]
        if visit.key is None:
            return
        cell = self._cell(visit.start, visit.key)
        if visit.callback:
            cell.figures.callbacks_served += event.exit == "answered"
            return
        threshold = self._thresholds.get(event.queue, self._threshold)
        cell.figures.add_exit(event.exit, event.waited, threshold=threshold)
        if event.exit == "answered":
            wait = ceil(event.waited)
            cell.waits[wait] = cell.waits.get(wait, 0) + 1

    def _count_joined(self, start: float, key: str, visit: _Visit) -> None:
        figures = self._cell(start, key).figures
        if visit.callback:
            figures.callbacks += 1
        else:
            figures.joined += 1

    def _take_talk(self, event: TalkEnded) -> None:
        visit = self._visits.get(event.entry)
        if visit is None or not visit.answered:
            return
        del self._visits[event.entry]
        if visit.key is None:
            return
        self._last_visit[event.agent] = visit
        self._cell(visit.start, visit.key).figures.add_talk(event.talked)

    def _take_state(self, event: AgentStateChanged, wall: float) -> None:
        state, begin = self._agents.pop(event.agent, (_OFFLINE, wall))
        if event.before == _OFFLINE and state != _OFFLINE:
            self._end_run(event.agent, state, begin)
        else:
            self._end_state(event.agent, state, begin, wall)
        label = event.after
        if label == _NOT_READY and event.reason:
            label = f"{_NOT_READY}:{event.reason}"
        self._agents[event.agent] = (label, wall)

    def _end_run(self, agent: str, state: str, begin: float) -> None:
        """An agent who was there begins offline: that run died, and nobody's state outlived it."""
        self._agents[agent] = (state, begin)
        for name, (lasting, since) in self._agents.items():
            self._end_state(name, lasting, since, self._last)
        self._agents.clear()

    def _end_state(self, agent: str, state: str, begin: float, end: float) -> None:
        if state == WRAP_UP and (visit := self._last_visit.pop(agent, None)) is not None and visit.key:
            self._cell(visit.start, visit.key).figures.wrap_up += max(0.0, end - begin)
        if self._by == "agent":
            self._pass_time(self._cells, agent, state, begin, end)

    def _pass_time(
        self, cells: dict[tuple[float, str], Cell], agent: str, state: str, begin: float, end: float
    ) -> None:
        """Count seconds of a state in the intervals in which they passed."""
        while begin < end and state != _OFFLINE:
            start = self.start_of(begin)
            until = min(end, start + self._step)
            times = _cell_in(cells, start, agent).times
            times[state] = times.get(state, 0.0) + until - begin
            begin = until

    def _cell(self, start: float, key: str) -> Cell:
        return _cell_in(self._cells, start, key)


def _cell_in(cells: dict[tuple[float, str], Cell], start: float, key: str) -> Cell:
    cell = cells.get((start, key))
    if cell is None:
        cell = cells[start, key] = Cell(figures=QueueFigures(queue=key))
    return cell


def copy(cell: Cell) -> Cell:
    """A cell that changes on its own."""
    fresh = Cell(figures=QueueFigures(queue=cell.figures.queue, threshold=cell.figures.threshold))
    fresh.merge(cell)
    return fresh


def totals(cells: Mapping[tuple[float, str], Cell]) -> dict[str, Cell]:
    """The sum over the intervals for each key."""
    sums: dict[str, Cell] = {}
    for (_, key), cell in sorted(cells.items()):
        sums.setdefault(key, Cell(figures=QueueFigures(queue=key))).merge(cell)
    return sums


class AnsweredWithin(msgspec.Struct, frozen=True, kw_only=True):
    """How fast callers of one key were answered, for any N."""

    key: str
    asked: int
    """Callers who asked for an agent and have left the line, by whatever exit."""
    answered: int
    within: dict[int, int]
    """Answered within N seconds, N included."""
    rates: dict[int, float]
    """The same of `asked`, as fractions 0..1; empty when nobody asked."""


def answered_within(cells: Mapping[tuple[float, str], Cell], seconds: Iterable[int]) -> list[AnsweredWithin]:
    """The histogram of each key over all intervals."""
    steps = sorted(set(seconds))
    found = []
    for key, cell in totals(cells).items():
        asked = sum(cell.figures.exits.values())
        within = {step: cell.answered_within(step) for step in steps}
        rates = {step: count / asked for step, count in within.items()} if asked else {}
        found.append(
            AnsweredWithin(key=key, asked=asked, answered=cell.figures.answered, within=within, rates=rates)
        )
    return found
