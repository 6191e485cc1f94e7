"""What the records themselves tell."""

from __future__ import annotations

from typing import Literal

from sipcc.events import Event


class AlertRaised(Event, frozen=True, kw_only=True):
    """A figure has passed the threshold of an alert."""

    alert: str
    queue: str
    """Empty for an alert about no queue."""
    metric: str
    value: float
    """Percent for rates, seconds for waits, else a number."""
    threshold: float
    trunk: str = ""
    """The trunk that the alert is about; empty for any, or none."""


class AlertCleared(Event, frozen=True, kw_only=True):
    """The figure has come back, by the hysteresis beyond the threshold."""

    alert: str
    queue: str
    metric: str
    value: float
    threshold: float
    trunk: str = ""


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


class RecordingHeld(Event, frozen=True, kw_only=True):
    """The recordings of a call are kept whatever their age, or no longer."""

    call: str
    held: bool
    by: str
    """Who wants it so."""
    why: str = ""


class RecordingDeleted(Event, frozen=True, kw_only=True):
    """A recording is gone, its file and its place in the index: the proof that it went by the rules."""

    call: str
    recording: str
    sha256: str
    """The digest of the file that was deleted; the call record has it too."""
    size_bytes: int
    why: Literal["expired", "erased"]
    """``expired``: its time was over. ``erased``: its subject, or somebody for it, wanted it so."""
    by: str = ""
    """Who erased it."""


class RecordingAccessed(Event, frozen=True, kw_only=True):
    """Somebody has listened to a recording, or looked at what is known of it."""

    call: str
    recording: str
    by: str
    role: str
    what: Literal["audio", "metadata"]
