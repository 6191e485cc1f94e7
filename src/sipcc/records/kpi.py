"""The figures of a queue, folded from what happened: the same live, after a restart and in a replay.

Definitions, with T the service-level threshold of the queue, compared inclusively (``<=``):

| figure | is |
|---|---|
| offered | answered + abandoned; other exits (timed out, overflowed, ...) are reported apart |
| short | callers who gave up before the short-abandon threshold; in no other figure but `exits` |
| F1 | (answered within T + abandoned within T) / (answered + abandoned) |
| F2 | answered within T / answered |
| F3 | answered within T / (answered + abandoned) |
| F4 | answered within T / (answered + abandoned - abandoned within T) |
| ASA | sum of the waits of answered callers / answered |
| AHT | (talk + wrap-up) / handled; talk includes hold |

Customers who are called back are no callers, for nobody waits on the line: their turns are `callbacks`, and
of all other figures only in `handled`, `talk` and `wrap_up`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from sipcc.acd.events import AgentStateChanged, Exit, QueueJoined, QueueLeft, TalkEnded
from sipcc.events import Event
from sipcc.records.outcome import QueueOutcome

WRAP_UP = "wrap_up"
"""The name of the agent state whose time is part of the handling time."""


class ServiceLevels(msgspec.Struct, frozen=True):
    """The four common forms of the service level, as fractions 0..1; None without any call."""

    f1: float | None
    f2: float | None
    f3: float | None
    f4: float | None


class QueueFigures(msgspec.Struct, kw_only=True):
    """What one queue did. All times are seconds."""

    queue: str
    threshold: float = 20.0
    """T of the service level."""
    joined: int = 0
    waiting: int = 0
    answered: int = 0
    abandoned: int = 0
    """Callers who gave up, without the short ones."""
    short: int = 0
    answered_in_time: int = 0
    abandoned_in_time: int = 0
    exits: dict[str, int] = msgspec.field(default_factory=dict)
    """How often each exit was taken, all kinds."""
    answer_wait: float = 0.0
    """Sum of the waits of those who were answered."""
    longest_wait: float = 0.0
    """The longest wait of anybody who has left."""
    handled: int = 0
    """Conversations that ended."""
    talk: float = 0.0
    wrap_up: float = 0.0
    callbacks: int = 0
    """Callbacks whose turn came."""
    callbacks_served: int = 0
    """Those of `callbacks` in which agent and customer talked."""

    @property
    def offered(self) -> int:
        """Callers who were answered or gave up, without the short ones."""
        return self.answered + self.abandoned

    @property
    def asa(self) -> float | None:
        """Average speed of answer; None when nobody was answered."""
        return ratio(self.answer_wait, self.answered)

    @property
    def aht(self) -> float | None:
        """Average handling time; None before the first conversation ended."""
        return ratio(self.talk + self.wrap_up, self.handled)

    @property
    def abandon_rate(self) -> float | None:
        """Abandoned / offered, short ones in neither."""
        return ratio(self.abandoned, self.offered)

    @property
    def answer_rate(self) -> float | None:
        """Answered by an agent / asked for an agent: every exit counts as asked."""
        return ratio(self.answered, sum(self.exits.values()))

    @property
    def service_levels(self) -> ServiceLevels:
        """F1 to F4 as the module's text defines them."""
        return ServiceLevels(
            f1=ratio(self.answered_in_time + self.abandoned_in_time, self.offered),
            f2=ratio(self.answered_in_time, self.answered),
            f3=ratio(self.answered_in_time, self.offered),
            f4=ratio(self.answered_in_time, self.offered - self.abandoned_in_time),
        )

    def add_exit(self, exit_: Exit, waited: float, *, threshold: float | None = None) -> None:
        """Count one caller who left after `waited` seconds; `threshold` for another T than this queue's."""
        self.exits[exit_] = self.exits.get(exit_, 0) + 1
        self.longest_wait = max(self.longest_wait, waited)
        in_time = waited <= (self.threshold if threshold is None else threshold)
        if exit_ == "answered":
            self.answered += 1
            self.answered_in_time += in_time
            self.answer_wait += waited
        elif exit_ == "abandoned":
            self.abandoned += 1
            self.abandoned_in_time += in_time
        elif exit_ == "short_abandoned":
            self.short += 1

    def add_talk(self, talked: float) -> None:
        """Count one conversation."""
        self.handled += 1
        self.talk += talked

    def merge(self, other: QueueFigures) -> None:
        """Add what another one counted; the longest of both waits is the longest."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for exit_, count in other.exits.items():
            self.exits[exit_] = self.exits.get(exit_, 0) + count
        self.longest_wait = max(self.longest_wait, other.longest_wait)


_SUMS = tuple(
    name
    for name in QueueFigures.__struct_fields__
    if name not in ("queue", "threshold", "exits", "longest_wait")
)


class KpiFold:
    """Folds events into the figures of every queue."""

    def __init__(self, thresholds: Mapping[str, float] | None = None, *, threshold: float = 20.0) -> None:
        """Take T of each queue by its name, and `threshold` for queues that are not named."""
        self._thresholds = dict(thresholds or {})
        self._threshold = threshold
        self.queues: dict[str, QueueFigures] = {}
        self.agents: dict[str, str] = {}
        """The state each agent was last known in."""
        self._waiting: dict[str, tuple[str, float]] = {}
        self._talking: set[str] = set()
        self._callbacks: dict[str, str] = {}
        self._last_queue: dict[str, str] = {}
        self._wrapping: dict[str, float] = {}

    @property
    def thresholds(self) -> Mapping[str, float]:
        """T of each queue that has its own."""
        return self._thresholds

    def load(self, thresholds: Mapping[str, float]) -> None:
        """Know T of other queues from now on; one with figures keeps the T that they were counted by."""
        self._thresholds = {**thresholds, **{name: row.threshold for name, row in self.queues.items()}}

    def queue(self, name: str) -> QueueFigures:
        """The figures of the queue `name`."""
        if name not in self.queues:
            self.queues[name] = QueueFigures(
                queue=name, threshold=self._thresholds.get(name, self._threshold)
            )
        return self.queues[name]

    def longest_waiting(self, queue: str, *, wall: float) -> float:
        """How long the caller who waits longest has been waiting at the Unix time `wall`; 0 for none."""
        return max((wall - since for name, since in self._waiting.values() if name == queue), default=0.0)

    def agent_states(self) -> dict[str, int]:
        """How many agents are in each state."""
        return dict(Counter(self.agents.values()))

    def apply(self, event: Event, wall: float) -> None:
        """Take in `event`, which happened at the Unix time `wall`."""
        match event:
            case QueueJoined() if event.callback:
                if event.entry not in self._callbacks:
                    self._callbacks[event.entry] = event.queue
                    self.queue(event.queue).callbacks += 1
            case QueueLeft() if event.entry in self._callbacks:
                name = self._callbacks.pop(event.entry)
                if event.exit == "answered":
                    self.queue(name).callbacks_served += 1
                    self._talking.add(event.entry)
            case QueueJoined() if event.entry not in self._waiting:
                self._waiting[event.entry] = (event.queue, wall)
                figures = self.queue(event.queue)
                figures.joined += 1
                figures.waiting += 1
            case QueueLeft() if event.entry in self._waiting:
                name, _ = self._waiting.pop(event.entry)
                figures = self.queue(name)
                figures.waiting -= 1
                figures.add_exit(event.exit, event.waited)
                if event.exit == "answered":
                    self._talking.add(event.entry)
            case TalkEnded() if event.entry in self._talking:
                self._talking.discard(event.entry)
                self._last_queue[event.agent] = event.queue
                self.queue(event.queue).add_talk(event.talked)
            case AgentStateChanged():
                self._move_agent(event, wall)
            case _:
                pass

    def _move_agent(self, event: AgentStateChanged, wall: float) -> None:
        self.agents[event.agent] = event.after
        since = self._wrapping.pop(event.agent, None)
        if since is not None and (queue := self._last_queue.get(event.agent)) is not None:
            self.queue(queue).wrap_up += wall - since
        if event.after == WRAP_UP:
            self._wrapping[event.agent] = wall


def figures_of(
    outcomes: Iterable[QueueOutcome],
    thresholds: Mapping[str, float] | None = None,
    *,
    threshold: float = 20.0,
) -> dict[str, QueueFigures]:
    """The figures of finished entries, as read back from the store; wrap-up is not known there."""
    fold = KpiFold(thresholds, threshold=threshold)
    for outcome in outcomes:
        figures = fold.queue(outcome.queue)
        figures.joined += 1
        figures.add_exit(outcome.exit, outcome.waited)
        if outcome.talked is not None:
            figures.add_talk(outcome.talked)
    return fold.queues


def ratio(part: float, whole: float) -> float | None:
    """`part` / `whole`; None when there is nothing to divide by."""
    return part / whole if whole else None
