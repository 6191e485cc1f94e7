"""The base of all events: what happened, told once, as data."""

from __future__ import annotations

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="type"):
    """Something that happened.

    Subclasses repeat ``frozen=True, kw_only=True``. The struct is also the JSON form on the wire and in
    the event log; its ``type`` is the name of the class.
    """

    at: float
    """When, in seconds of the monotonic clock; `sipcc.clock.Clock.wall_of` turns it into wall time."""
