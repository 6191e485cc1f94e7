"""Opens the database: the engine with its pragmas, and the migrations at start.

SQLite is driven with explicit ``BEGIN``: the driver's own habit of beginning late would leave the DDL of
a migration, and reads, outside any transaction. A writer begins with ``BEGIN IMMEDIATE``, so that two
daemons that start at the same time migrate one after the other; whoever only reads uses `reading`.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from sipcc import private
from sipcc.errors import ConfigError

BUSY_TIMEOUT_MS = 2000
"""How long SQLite waits for another writer before it says that the database is locked."""

_READS = "sipcc_reads"

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
}


def database_url(database: str) -> URL:
    """The URL behind the setting `database`, which is a path or a URL.

    Raises:
        ConfigError: it looks like a URL and is none.
    """
    if "://" not in database:
        return URL.create("sqlite+aiosqlite", database=database)
    try:
        url = make_url(database)
    except ArgumentError as error:
        raise ConfigError(
            "records.database",
            "this is not a database URL",
            hint="write a path such as sipcc.db, or postgresql://user:password@host/name",
        ) from error
    return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))


def sqlite_path(url: URL) -> Path | None:
    """The file of a SQLite database; None for memory and for every other database."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def open_engine(database: str, *, read_only: bool = False) -> AsyncEngine:
    """An engine for the setting `database`; with `read_only` every write through it is refused.

    Raises:
        ConfigError: the setting is wrong, or the driver of its database is not installed.
    """
    url = database_url(database)
    try:
        engine = create_async_engine(url)
    except ModuleNotFoundError as error:
        raise ConfigError(
            "records.database",
            f"the driver {error.name!r} of this database is not installed",
            hint=f"pip install {error.name}",
        ) from error
    except ArgumentError as error:
        raise ConfigError(
            "records.database",
            f"unknown kind of database {url.drivername!r}",
            hint="use sqlite or postgresql",
        ) from error
    if url.get_backend_name() == "sqlite":
        _tune_sqlite(engine, read_only=read_only)
    return engine


def probe(path: Path) -> None:
    """Open and close the SQLite file at `path`, made if need be: one that cannot be opened fails here.

    aiosqlite does not wait for its thread when an open fails, and the thread may then find the loop closed.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    with contextlib.suppress(OSError):  # SQLite says better why
        private.make(path)  # its -wal and -shm get the same mode
    sqlite3.connect(path).close()


def _tune_sqlite(engine: AsyncEngine, *, read_only: bool) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def set_up(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        if read_only:
            cursor.execute("PRAGMA query_only = ON")
        else:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = NORMAL")
            cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        reads = read_only or connection.get_execution_options().get(_READS, False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def reading(engine: AsyncEngine) -> AsyncConnection:
    """A connection for reading only: it waits for no writer, and none waits for it."""
    return engine.execution_options(**{_READS: True}).connect()


async def migrate(engine: AsyncEngine) -> None:
    """Bring the tables to the newest revision, in one transaction."""
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    config = AlembicConfig()
    folder = Path(__file__).with_name("migrations")
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
