"""Opening the database, and the migrations."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.exc import OperationalError

from sipcc.errors import ConfigError
from sipcc.records import database, tables
from sipcc.records.database import database_url, migrate, open_engine, reading, sqlite_path
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


def open_to_others(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mode & 0o137 for file in folder.iterdir()}


async def test_the_files_of_a_new_database_are_for_their_owner_and_its_group(tmp_path: Path) -> None:
    path = tmp_path / "sipcc.db"
    database.probe(path)
    engine = open_engine(str(path))
    await migrate(engine)
    assert open_to_others(tmp_path) == dict.fromkeys(("sipcc.db", "sipcc.db-wal", "sipcc.db-shm"), 0)
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


async def test_records_of_an_older_revision_are_kept(tmp_path: Path) -> None:
    """The tables as the first revision made them, with a call in them."""
    engine = open_engine(str(tmp_path / "old.db"))

    def make_old(connection: Connection) -> None:
        config = AlembicConfig()
        folder = Path(database.__file__).with_name("migrations")
        config.set_main_option("script_location", str(folder))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql(
            "INSERT INTO cdr VALUES ('call-1','a','b',NULL,1.0,NULL,2.0,0.0,'normal',200,4.1,x'7b7d')"
        )
        connection.exec_driver_sql(
            "INSERT INTO cdr_leg VALUES ('call-1',0,'l1','sip:a',NULL,1.0,NULL,2.0,0.0,'normal',200)"
        )

    async with engine.begin() as connection:
        await connection.run_sync(make_old)
    await migrate(engine)
    async with engine.connect() as connection:
        [row] = (await connection.execute(select(tables.cdr))).all()
        [leg] = (await connection.execute(select(tables.cdr_leg))).all()
    assert (row.id, row.mos, row.mos_cq, row.alarms) == ("call-1", 4.1, None, None)
    assert (leg.leg, leg.mos, leg.alarms) == ("l1", None, None)
    await engine.dispose()


async def test_who_reads_waits_for_no_writer_and_none_waits_for_it(tmp_path: Path) -> None:
    engine = open_engine(str(tmp_path / "x.db"))
    await migrate(engine)
    count = select(func.count()).select_from(tables.event_log)
    row = {"wall": 1.0, "type": "x", "call": "", "json": b"{}"}
    async with engine.begin() as writer:
        await writer.execute(insert(tables.event_log).values(row))
        async with reading(engine) as reader:
            assert (await reader.execute(count)).scalar() == 0
    async with reading(engine) as reader:
        assert (await reader.execute(count)).scalar() == 1
        async with engine.begin() as writer:
            await writer.execute(insert(tables.event_log).values(row))
        assert (await reader.execute(count)).scalar() == 1  # as it was when it began
    await engine.dispose()
