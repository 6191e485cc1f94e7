"""Opening the database, and the migrations."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from sipcc.errors import ConfigError
from sipcc.records.database import database_url, migrate, open_engine, sqlite_path
from sipcc.records.tables import metadata

pytestmark = pytest.mark.realtime  # SQLite works in a thread, which a virtual clock would overtake


@pytest.mark.parametrize(
    ("setting", "url", "path"),
    [
        ("sipcc.db", "sqlite+aiosqlite:///sipcc.db", Path("sipcc.db")),
        ("/var/lib/sipcc.db", "sqlite+aiosqlite:////var/lib/sipcc.db", Path("/var/lib/sipcc.db")),
        ("sqlite:///a.db", "sqlite+aiosqlite:///a.db", Path("a.db")),
        (":memory:", "sqlite+aiosqlite:///%3Amemory%3A", None),
        ("postgresql://sipcc@127.0.0.1/records", "postgresql+asyncpg://sipcc@127.0.0.1/records", None),
    ],
)
def test_database_settings(setting: str, url: str, path: Path | None) -> None:
    assert str(database_url(setting)) == url
    assert sqlite_path(database_url(setting)) == path


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("://", "not a database URL"),
        ("oracul://x/y", "unknown kind of database"),
        ("postgresql+nodriver://x/y", "kind"),
    ],
)
def test_wrong_settings_say_so(setting: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        open_engine(setting)


async def test_migrations_make_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    engine = open_engine(str(tmp_path / "x.db"))
    await migrate(engine)
    await migrate(engine)  # a second start finds nothing to do

    def difference(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with engine.connect() as connection:
        assert await connection.run_sync(difference) == []
        mode = await connection.scalar(text("PRAGMA journal_mode"))
    assert mode == "wal"
    await engine.dispose()


async def test_a_reader_cannot_write(tmp_path: Path) -> None:
    path = str(tmp_path / "x.db")
    engine = open_engine(path)
    await migrate(engine)
    reader = open_engine(path, read_only=True)
    async with reader.connect() as connection:
        with pytest.raises(OperationalError, match="readonly"):
            await connection.execute(text("delete from cdr"))
    await reader.dispose()
    await engine.dispose()


async def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as other:
        other.execute("create table queue_entry (x text)")  # the last table of the first step
    other.close()
    engine = open_engine(str(path))
    with pytest.raises(OperationalError, match="already exists"):
        await migrate(engine)
    async with engine.connect() as connection:
        names = (
            await connection.execute(text("select name from sqlite_master where type='table'"))
        ).scalars()
        assert list(names) == ["queue_entry"]
    await engine.dispose()
