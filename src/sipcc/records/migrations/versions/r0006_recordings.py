"""The index of recordings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"


def upgrade() -> None:
    """Make the table; recordings of before are in the records of their calls only."""
    op.create_table(
        "recording",
        sa.Column("id", sa.String(96), nullable=False),
        sa.Column("call", sa.String(64), nullable=False),
        sa.Column("interaction", sa.String(64), nullable=False),
        sa.Column("path", sa.String(1024), nullable=False),
        sa.Column("caller", sa.String(128), nullable=False),
        sa.Column("called", sa.String(128), nullable=False),
        sa.Column("queue", sa.String(64), nullable=False),
        sa.Column("started", sa.Double, nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
        sa.Column("hold", sa.Boolean, nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("record", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_recording"),
    )
    for column in ("call", "interaction", "caller", "started", "expires"):
        op.create_index(f"ix_recording_{column}", "recording", [column])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("recording")
