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


class ConfigReloaded(Event, frozen=True, kw_only=True):
    """Other settings are in force."""

    digest: str
    """Tells configurations apart; passwords do not count."""
    changes: tuple[str, ...]
    """In words, such as ``queues sales: changed strategy``."""
    kept: tuple[str, ...]
    """Keys whose new values count only from the next start on."""


class ConfigRefused(Event, frozen=True, kw_only=True):
    """A configuration was not taken; the one before stays in force as a whole."""

    path: str
    """File, line and key."""
    error: str
    hint: str
    """The cure."""
