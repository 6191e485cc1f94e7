"""The tables, as SQLAlchemy Core knows them; `migrations/` makes them, and a test compares the two.

Times are Unix seconds as double precision, so that a value read back is the value that was folded.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)

event_log = Table(
    "event_log",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("wall", Double, nullable=False),
    Column("type", String(64), nullable=False),
    Column("call", String(64), nullable=False),
    Column("json", LargeBinary, nullable=False),
    Index("ix_event_log_call", "call"),
    Index("ix_event_log_wall", "wall"),
    sqlite_autoincrement=True,
)
"""Every event, in the order in which it was told. Rows are never changed."""

spool_mark = Table(
    "spool_mark",
    metadata,
    Column("run", String(32), primary_key=True),
    Column("stored", Integer, nullable=False),
)
"""Up to which row the spool of a run is in the log (`sipcc.records.spool`)."""

cdr = Table(
    "cdr",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("caller", String(128), nullable=False),
    Column("called", String(128), nullable=False),
    Column("trunk", String(64)),
    Column("started", Double, nullable=False),
    Column("answered", Double),
    Column("ended", Double, nullable=False),
    Column("duration", Double, nullable=False),
    Column("cause", String(32), nullable=False),
    Column("sip_status", Integer, nullable=False),
    Column("mos", Double),
    Column("mos_cq", Double),
    Column("alarms", String(64)),
    Column("record", LargeBinary, nullable=False),
    Column("interaction", String(64)),
    Index("ix_cdr_started", "started"),
    Index("ix_cdr_caller", "caller"),
    Index("ix_cdr_called", "called"),
    Index("ix_cdr_interaction", "interaction"),
)
"""One row for each finished call: columns to search by, and the whole `Cdr` as JSON in `record`."""

cdr_leg = Table(
    "cdr_leg",
    metadata,
    Column("cdr", String(64), ForeignKey("cdr.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("leg", String(64), nullable=False),
    Column("target", String(256), nullable=False),
    Column("agent", String(64)),
    Column("started", Double, nullable=False),
    Column("answered", Double),
    Column("ended", Double),
    Column("talked", Double, nullable=False),
    Column("cause", String(32), nullable=False),
    Column("sip_status", Integer, nullable=False),
    Column("mos", Double),
    Column("mos_cq", Double),
    Column("alarms", String(64)),
    Index("ix_cdr_leg_agent", "agent"),
)
"""One row for each party that was rung."""

queue_entry = Table(
    "queue_entry",
    metadata,
    Column("entry", String(64), primary_key=True),
    Column("queue", String(64), nullable=False),
    Column("call", String(64), nullable=False),
    Column("caller", String(128), nullable=False),
    Column("joined", Double, nullable=False),
    Column("waited", Double, nullable=False),
    Column("exit", String(32), nullable=False),
    Column("agent", String(64)),
    Column("talked", Double),
    Column("record", LargeBinary, nullable=False),
    Index("ix_queue_entry_queue", "queue"),
    Index("ix_queue_entry_joined", "joined"),
    Index("ix_queue_entry_call", "call"),
)
"""One row for each entry of a caller into a queue, with the whole `QueueOutcome` in `record`."""

webhook = Table(
    "webhook",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("token", String(16), nullable=False),
    Column("seq", Integer, nullable=False),
)
"""Up to which row of the log each webhook has its messages; `token` tells databases apart in their keys."""

webhook_message = Table(
    "webhook_message",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("webhook", String(64), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("call", String(64), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("begun", Double, nullable=False),
    Column("due", Double, nullable=False),
    Column("error", String(256), nullable=False),
    Column("dead", Integer, nullable=False),
    Index("ix_webhook_message_webhook", "webhook"),
)
"""What a webhook has not taken yet, and what it was given up for."""

recording = Table(
    "recording",
    metadata,
    Column("id", String(96), primary_key=True),
    Column("call", String(64), nullable=False),
    Column("interaction", String(64), nullable=False),
    Column("path", String(1024), nullable=False),
    Column("caller", String(128), nullable=False),
    Column("called", String(128), nullable=False),
    Column("queue", String(64), nullable=False),
    Column("started", Double, nullable=False),
    Column("expires", Double, nullable=False),
    Column("hold", Boolean, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Index("ix_recording_call", "call"),
    Index("ix_recording_interaction", "interaction"),
    Index("ix_recording_caller", "caller"),
    Index("ix_recording_started", "started"),
    Index("ix_recording_expires", "expires"),
)
"""One row for each recording that there is: columns to search by, and the whole `Recording` as JSON in
`record`. `path` is the file that was recorded, `open` that it has not its final form yet. Rows go with their
files."""
