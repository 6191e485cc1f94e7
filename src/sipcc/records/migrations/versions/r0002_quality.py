"""How each leg sounded: conversational quality, and the alarms that were raised."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    """Add the columns; records from before have none of it."""
    op.add_column("cdr", sa.Column("mos_cq", sa.Double))
    op.add_column("cdr", sa.Column("alarms", sa.String(64)))
    op.add_column("cdr_leg", sa.Column("mos", sa.Double))
    op.add_column("cdr_leg", sa.Column("mos_cq", sa.Double))
    op.add_column("cdr_leg", sa.Column("alarms", sa.String(64)))


def downgrade() -> None:
    """Drop them."""
    with op.batch_alter_table("cdr_leg") as table:
        for name in ("alarms", "mos_cq", "mos"):
            table.drop_column(name)
    with op.batch_alter_table("cdr") as table:
        for name in ("alarms", "mos_cq"):
            table.drop_column(name)
