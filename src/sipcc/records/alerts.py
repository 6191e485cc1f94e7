"""Alert rules: a figure of a queue, a threshold, and how far it must come back.

Rates are taken over a sliding window, in percent: a rule over fewer callers than `min_sample` leaves the
alert as it is, and one over no callers at all clears it. Waits and counts are those of this moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sipcc.acd.events import AgentStateChanged, QueueLeft
from sipcc.acd.settings import Name
from sipcc.events import Event
from sipcc.records.events import AlertCleared, AlertRaised
from sipcc.records.kpi import KpiFold, QueueFigures

Metric = Literal["answer_rate", "service_level", "abandon_rate", "longest_wait", "waiting", "agents_ready"]

_TOO_LOW = ("answer_rate", "service_level", "agents_ready")
_RATES = ("answer_rate", "service_level", "abandon_rate")
_RATE_HYSTERESIS = 5.0


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One alert about one queue."""

    name: Name
    """Unique among alerts; the name in the events."""
    queue: Name
    """The queue that is watched."""
    metric: Metric
    """``answer_rate``, ``service_level`` (answered in time / offered) and ``agents_ready`` alert when they
    are below the threshold; ``abandon_rate``, ``longest_wait`` and ``waiting`` when they are above it."""
    threshold: float
    """Percent for rates, seconds for ``longest_wait``, else a number."""
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
            case QueueLeft() if event.queue in self._exits:
                self._exits[event.queue].append((wall, event))
            case AgentStateChanged():
                self._agents[event.agent] = event.after
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
            return AlertCleared if up and not self._exits[rule.queue] else None
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
            case "agents_ready":
                members = self._members.get(rule.queue, ())
                return float(sum(self._agents.get(name) == "ready" for name in members))
            case _:
                return self._rate(rule, wall)

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
        metric=rule.metric,
        value=round(value or 0.0, 2),
        threshold=rule.threshold,
    )
