"""What the records themselves tell."""

from __future__ import annotations

from sipcc.events import Event


class AlertRaised(Event, frozen=True, kw_only=True):
    """A figure of a queue has passed the threshold of an alert."""

    alert: str
    queue: str
    metric: str
    value: float
    """Percent for rates, seconds for waits, else a number."""
    threshold: float


class AlertCleared(Event, frozen=True, kw_only=True):
    """The figure has come back, by the hysteresis beyond the threshold."""

    alert: str
    queue: str
    metric: str
    value: float
    threshold: float
