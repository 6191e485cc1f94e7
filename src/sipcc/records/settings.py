"""Settings of the records."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class RecordSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where records and recordings are kept."""

    database: str = "sipcc.db"
    """Path of a SQLite file, or an SQLAlchemy URL such as ``postgresql://user@host/name``."""
    recordings: str = "recordings"
    """Folder of the recordings; made at start."""


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A program that is told of events by signed HTTP requests, as Standard Webhooks has them.

    What it did not take is kept in the database and tried again, in order for each call, also after a
    restart.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    """Unique among webhooks; where it was, and what it has not taken yet, is kept under this name."""
    url: str
    """Where events go by POST, ``https://...`` or ``http://...``."""
    secret: str
    """What signs them: ``whsec_`` and 24 to 64 bytes in Base64. Write ``env:NAME`` or ``file:PATH``."""
    events: Annotated[tuple[str, ...], Meta(min_length=1)] = ("AlertRaised", "AlertCleared")
    """Names of events, or ``*`` for all; ``CallRecord`` is the record of a call, told at its end."""
    timeout: Annotated[float, Meta(gt=0, le=60)] = 10.0
    """Seconds that one try may take."""
    give_up_after: Annotated[float, Meta(ge=1, le=2_592_000)] = 86_400.0
    """Seconds from its first try after which a message is dead: it is kept for ``sipccd webhooks replay``."""
