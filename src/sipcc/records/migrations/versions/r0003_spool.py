"""How far the spool of a run is stored."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "spool_mark",
        sa.Column("run", sa.String(32), nullable=False),
        sa.Column("stored", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("run", name="pk_spool_mark"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("spool_mark")
