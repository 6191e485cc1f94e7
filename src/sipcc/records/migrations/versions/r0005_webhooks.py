"""What webhooks have not taken yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "webhook",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("token", sa.String(16), nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_webhook"),
    )
    op.create_table(
        "webhook_message",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("webhook", sa.String(64), nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("call", sa.String(64), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("begun", sa.Double, nullable=False),
        sa.Column("due", sa.Double, nullable=False),
        sa.Column("error", sa.String(256), nullable=False),
        sa.Column("dead", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_webhook_message"),
    )
    op.create_index("ix_webhook_message_webhook", "webhook_message", ["webhook"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("webhook_message")
    op.drop_table("webhook")
