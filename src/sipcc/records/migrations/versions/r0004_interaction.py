"""Which visit of a caller a call is a part of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    """Add the column; what it would be for calls of before, nobody knows."""
    op.add_column("cdr", sa.Column("interaction", sa.String(64)))
    op.create_index("ix_cdr_interaction", "cdr", ["interaction"])


def downgrade() -> None:
    """Take it away."""
    with op.batch_alter_table("cdr") as table:
        table.drop_index("ix_cdr_interaction")
        table.drop_column("interaction")
