"""What Alembic runs: the migrations, on the connection that `sipcc.records.database.migrate` hands in."""

from __future__ import annotations

from alembic import context

from sipcc.records.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter most things in place
)
context.run_migrations()
