"""What is known of the ringback of a number, as data."""

from __future__ import annotations

import msgspec

from sipcc.errors import LocalProtocolError


class Ringback(msgspec.Struct, frozen=True, kw_only=True):
    """What was set for one number."""

    prompt: str
    """A prompt of the catalogue, a file, or ``text:...``; empty for the ordinary ringing."""
    by: str = ""
    """Who did it; empty for a program."""
    set_wall: float = 0.0
    """When, as Unix time."""


class RingbackView(msgspec.Struct, frozen=True, kw_only=True):
    """What the callers of a number hear before somebody answers."""

    number: str
    ringback: str
    """What counts now; empty for the ordinary ringing."""
    configured: str
    """What the configuration says."""
    seconds: float
    """How long it is heard at least, before the call goes on."""
    set: Ringback | None
    """What was set since; None when the configuration counts."""


class UnknownNumber(LocalProtocolError):
    """``[[numbers]]`` has no such number."""
