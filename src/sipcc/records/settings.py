"""Settings of the records."""

from __future__ import annotations

import msgspec


class RecordSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where records and recordings are kept."""

    database: str = "sipcc.db"
    """Path of a SQLite file, or an SQLAlchemy URL such as ``postgresql://user@host/name``."""
    recordings: str = "recordings"
    """Folder of the recordings; made at start."""
