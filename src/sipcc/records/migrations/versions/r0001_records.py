"""The event log, call records and queue entries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "event_log",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("wall", sa.Double, nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("call", sa.String(64), nullable=False),
        sa.Column("json", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_log_call", "event_log", ["call"])
    op.create_index("ix_event_log_wall", "event_log", ["wall"])
    op.create_table(
        "cdr",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("caller", sa.String(128), nullable=False),
        sa.Column("called", sa.String(128), nullable=False),
        sa.Column("trunk", sa.String(64)),
        sa.Column("started", sa.Double, nullable=False),
        sa.Column("answered", sa.Double),
        sa.Column("ended", sa.Double, nullable=False),
        sa.Column("duration", sa.Double, nullable=False),
        sa.Column("cause", sa.String(32), nullable=False),
        sa.Column("sip_status", sa.Integer, nullable=False),
        sa.Column("mos", sa.Double),
        sa.Column("record", sa.LargeBinary, nullable=False),
    )
    for column in ("started", "caller", "called"):
        op.create_index(f"ix_cdr_{column}", "cdr", [column])
    op.create_table(
        "cdr_leg",
        sa.Column("cdr", sa.String(64), sa.ForeignKey("cdr.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("leg", sa.String(64), nullable=False),
        sa.Column("target", sa.String(256), nullable=False),
        sa.Column("agent", sa.String(64)),
        sa.Column("started", sa.Double, nullable=False),
        sa.Column("answered", sa.Double),
        sa.Column("ended", sa.Double),
        sa.Column("talked", sa.Double, nullable=False),
        sa.Column("cause", sa.String(32), nullable=False),
        sa.Column("sip_status", sa.Integer, nullable=False),
    )
    op.create_index("ix_cdr_leg_agent", "cdr_leg", ["agent"])
    op.create_table(
        "queue_entry",
        sa.Column("entry", sa.String(64), primary_key=True),
        sa.Column("queue", sa.String(64), nullable=False),
        sa.Column("call", sa.String(64), nullable=False),
        sa.Column("caller", sa.String(128), nullable=False),
        sa.Column("joined", sa.Double, nullable=False),
        sa.Column("waited", sa.Double, nullable=False),
        sa.Column("exit", sa.String(32), nullable=False),
        sa.Column("agent", sa.String(64)),
        sa.Column("talked", sa.Double),
        sa.Column("record", sa.LargeBinary, nullable=False),
    )
    for column in ("queue", "joined", "call"):
        op.create_index(f"ix_queue_entry_{column}", "queue_entry", [column])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("queue_entry", "cdr_leg", "cdr", "event_log"):
        op.drop_table(table)
