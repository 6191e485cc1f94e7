"""Alert rules: a figure of a queue, of trunks or of the disk, a threshold, and how far it must come back.

Rates are taken over a sliding window, in percent: a rule over fewer callers than `min_sample` leaves the
alert as it is, and one over no callers at all clears it. Waits and counts are those of this moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sipcc.acd.events import AgentStateChanged, QueueJoined, QueueLeft
from sipcc.acd.settings import Name
from sipcc.call.events import DiskFilling, TrunkDown, TrunkUp
from sipcc.events import Event
from sipcc.records.events import AlertCleared, AlertRaised
from sipcc.records.kpi import KpiFold, QueueFigures

Metric = Literal[
    "answer_rate",
    "service_level",
    "abandon_rate",
    "longest_wait",
    "expected_wait",
    "waiting",
    "agents_ready",
    "agents_at_work",
    "trunks_down",
    "disk",
]

OF_NO_QUEUE = ("trunks_down", "disk")
"""Metrics that are not about a queue."""

_AT_WORK = frozenset({"ready", "reserved", "ringing", "talking", "wrap_up", "external"})
_SERVING = frozenset({"ready", "talking", "wrap_up"})
_LEVELS = {"ok": 0.0, "low": 1.0, "critical": 2.0}
_TOO_LOW = ("answer_rate", "service_level", "agents_ready", "agents_at_work")
_RATES = ("answer_rate", "service_level", "abandon_rate")
_RATE_HYSTERESIS = 5.0


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One alert: about one queue, or about trunks or the disk."""

    name: Name
    """Unique among alerts; the name in the events."""
    queue: str = ""
    """The queue that is watched; not given for ``trunks_down`` and ``disk``."""
    trunk: str = ""
    """The trunk that ``trunks_down`` watches; any if not given."""
    metric: Metric
    """``answer_rate``, ``service_level`` (answered in time / offered), ``agents_ready`` and
    ``agents_at_work`` (ready or with a call) alert when they are below the threshold; ``abandon_rate``,
    ``longest_wait``, ``expected_wait`` (of whoever came last: place * handling time / agents who serve),
    ``waiting``, ``trunks_down`` and ``disk`` (1 when it is low, 2 when critical, as ``[media.recording]``
    says) when they are above it."""
    threshold: float
    """Percent for rates, seconds for waits, else a number."""
    window: Annotated[float, Meta(gt=0)] = 900.0
    """Seconds over which a rate is taken."""
    min_sample: Annotated[int, Meta(ge=1)] = 20
    """Callers that a rate needs before it is judged."""
    hysteresis: Annotated[float, Meta(ge=0)] | None = None
    """How far beyond the threshold the figure must come back before the alert is cleared; default: 5 points
    for rates, else 0."""


class AlertFold:
    """Judges alerts. Pure: events and times come from outside."""

    def __init__(
        self, alerts: Sequence[AlertSettings], kpi: KpiFold, *, members: Mapping[str, Sequence[str]]
    ) -> None:
        """Take the rules, the fold that knows who waits, and the agents of each queue."""
        self._alerts: tuple[AlertSettings, ...] = ()
        self._former: list[AlertSettings] = []
        self._exits: dict[str, deque[tuple[float, QueueLeft]]] = {}
        self._kpi = kpi
        self.load(alerts, members=members)
        self._agents: dict[str, str] = {}
        self._callbacks: set[str] = set()
        self._trunks_down: set[str] = set()
        self._disk = 0.0
        self.raised: set[str] = set()
        """The names of the alerts that are up."""

    def load(self, alerts: Sequence[AlertSettings], *, members: Mapping[str, Sequence[str]]) -> None:
        """Go by other rules from now on; alerts that are up and have no rule any more are cleared."""
        names = {rule.name for rule in alerts}
        self._former += [rule for rule in self._alerts if rule.name not in names]
        self._alerts = tuple(alerts)
        self._members = members
        self._exits = {rule.queue: self._exits.get(rule.queue, deque()) for rule in alerts}
        self._longest = max((rule.window for rule in alerts), default=0.0)

    def apply(self, event: Event, wall: float) -> None:
        """Take in `event`, which happened at the Unix time `wall`."""
        match event:
            case QueueJoined() if event.callback:
                self._callbacks.add(event.entry)
            case QueueLeft() if event.entry in self._callbacks:
                self._callbacks.discard(event.entry)  # no caller
            case QueueLeft() if event.queue in self._exits:
                self._exits[event.queue].append((wall, event))
            case AgentStateChanged():
                self._agents[event.agent] = event.after
            case TrunkDown():
                self._trunks_down.add(event.trunk)
            case TrunkUp():
                self._trunks_down.discard(event.trunk)
            case DiskFilling():
                self._disk = _LEVELS[event.level]
            case AlertRaised():
                self.raised.add(event.alert)
            case AlertCleared():
                self.raised.discard(event.alert)
            case _:
                pass

    def judge(self, *, now: float, wall: float) -> list[Event]:
        """The alerts that begin or end at the Unix time `wall`, which is `now` on the monotonic clock.

        What is returned must come back through `apply`; then each is told once.
        """
        for exits in self._exits.values():
            while exits and exits[0][0] <= wall - self._longest:
                exits.popleft()
        told = [_told(AlertCleared, rule, None, now=now) for rule in self._former if rule.name in self.raised]
        self._former.clear()
        for rule in self._alerts:
            kind = self._verdict(rule, value := self._value(rule, wall))
            if kind is not None:
                told.append(_told(kind, rule, value, now=now))
        return told

    def _verdict(
        self, rule: AlertSettings, value: float | None
    ) -> type[AlertRaised] | type[AlertCleared] | None:
        up = rule.name in self.raised
        if value is None:
            return AlertCleared if up and rule.metric in _RATES and not self._exits[rule.queue] else None
        default = _RATE_HYSTERESIS if rule.metric in _RATES else 0.0
        slack = default if rule.hysteresis is None else rule.hysteresis
        sign = 1.0 if rule.metric in _TOO_LOW else -1.0
        if not up:
            return AlertRaised if sign * value < sign * rule.threshold else None
        return AlertCleared if sign * value >= sign * rule.threshold + slack else None

    def _value(self, rule: AlertSettings, wall: float) -> float | None:
        """The figure now; None for a rate over too few callers."""
        match rule.metric:
            case "waiting":
                return float(self._kpi.queue(rule.queue).waiting)
            case "longest_wait":
                return self._kpi.longest_waiting(rule.queue, wall=wall)
            case "expected_wait":
                return self._expected_wait(rule.queue)
            case "agents_ready":
                return float(self._count(rule.queue, frozenset({"ready"})))
            case "agents_at_work":
                return float(self._count(rule.queue, _AT_WORK))
            case "trunks_down":
                return float(len(self._trunks_down & {rule.trunk} if rule.trunk else self._trunks_down))
            case "disk":
                return self._disk
            case _:
                return self._rate(rule, wall)

    def _count(self, queue: str, states: frozenset[str]) -> int:
        return sum(self._agents.get(name) in states for name in self._members.get(queue, ()))

    def _expected_wait(self, queue: str) -> float | None:
        """None before the first conversation has told how long one takes."""
        figures = self._kpi.queue(queue)
        if not figures.waiting:
            return 0.0
        serving = max(1, self._count(queue, _SERVING))
        return None if figures.aht is None else figures.waiting * figures.aht / serving

    def _rate(self, rule: AlertSettings, wall: float) -> float | None:
        figures = QueueFigures(queue=rule.queue, threshold=self._kpi.queue(rule.queue).threshold)
        for when, event in self._exits[rule.queue]:
            if when > wall - rule.window:
                figures.add_exit(event.exit, event.waited)
        if sum(figures.exits.values()) < rule.min_sample:
            return None
        rates = {
            "answer_rate": figures.answer_rate,
            "service_level": figures.service_levels.f3,
            "abandon_rate": figures.abandon_rate,
        }
        rate = rates[rule.metric]
        return None if rate is None else 100.0 * rate


def _told(
    kind: type[AlertRaised] | type[AlertCleared], rule: AlertSettings, value: float | None, *, now: float
) -> Event:
    return kind(
        at=now,
        alert=rule.name,
        queue=rule.queue,
        trunk=rule.trunk,
        metric=rule.metric,
        value=round(value or 0.0, 2),
        threshold=rule.threshold,
    )
