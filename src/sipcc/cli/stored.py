"""What commands share that read the database: where it is, and moments of time."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from sipcc.config import load_plan, load_records
from sipcc.numbers import Plan
from sipcc.records.database import database_url, open_engine, sqlite_path
from sipcc.records.eventlog import EventLog
from sipcc.records.hookstore import HookStore
from sipcc.records.store import RecordStore

F = TypeVar("F", bound=Callable[..., Any])

T = TypeVar("T")

PIPE_WIDTH = 250
"""Columns of a table that goes into a pipe: wide enough for every column."""

_AGO = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Moment(click.ParamType[float]):
    """``2026-11-21``, ``2026-11-21T14:30`` (local time, or with an offset), or ``90m`` ago."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The Unix time that was meant."""
        if match := _AGO.fullmatch(value):
            return time.time() - int(match[1]) * _UNITS[match[2]]
        try:
            return datetime.fromisoformat(value).timestamp()
        except ValueError:
            self.fail(f"{value!r} is no time: as in 2026-11-21, 2026-11-21T14:30 or 90m", param, ctx)


_KEY = "sipcc.stored."


def _remember(ctx: click.Context, param: click.Parameter, value: object) -> None:
    if value is not None:
        ctx.meta[f"{_KEY}{param.name}"] = value  # shared with subcommands, where it may be given as well


def source(command: F) -> F:
    """The options that say where the records are; behind a group or behind its subcommand, as one likes."""
    options = [
        click.option(
            "--config",
            "-c",
            type=click.Path(path_type=Path),
            envvar="SIPCC_CONFIG",
            expose_value=False,
            callback=_remember,
            help="The configuration, for its [records]; sipcc.toml if not given.",
        ),
        click.option(
            "--database",
            expose_value=False,
            callback=_remember,
            help="A database, in place of the configuration's.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def database_of(ctx: click.Context) -> str:
    """The database that `source`'s options name."""
    given = ctx.meta.get(f"{_KEY}database")
    return given or load_records(config_of(ctx)).database


def config_of(ctx: click.Context) -> Path:
    """The configuration that `source`'s options name."""
    path: Path = ctx.meta.get(f"{_KEY}config", Path("sipcc.toml"))
    return path


def plan_of(ctx: click.Context) -> Plan | None:
    """How numbers are written; a database that is read without a configuration has them as they are."""
    return load_plan(config_of(ctx)) if config_of(ctx).exists() else None


def with_database(
    database: str, work: Callable[[AsyncEngine], Coroutine[Any, Any, T]], *, read_only: bool = True
) -> T:
    """Run `work` on the database, which is only read unless it says otherwise."""
    path = sqlite_path(database_url(database))
    if path is not None and not path.exists():
        raise click.ClickException(f"there is no database {str(path)!r} yet; sipccd run makes it")

    async def run() -> T:
        async with _opened(database, read_only) as engine:
            return await work(engine)

    try:
        return asyncio.run(run())
    except DBAPIError as error:
        raise click.ClickException(f"cannot read {database_url(database)!r}: {error.orig}") from error


def with_log(database: str, work: Callable[[EventLog], Coroutine[Any, Any, T]]) -> T:
    """Run `work` on the event log of the database, which is only read."""

    async def read(engine: AsyncEngine) -> T:
        return await work(EventLog(engine))

    return with_database(database, read)


def with_store(database: str, work: Callable[[RecordStore], Coroutine[Any, Any, T]]) -> T:
    """Run `work` on the records in the database, which is only read."""

    async def read(engine: AsyncEngine) -> T:
        return await work(RecordStore(engine))

    return with_database(database, read)


def with_hooks(
    database: str, work: Callable[[HookStore], Coroutine[Any, Any, T]], *, read_only: bool = True
) -> T:
    """Run `work` on the messages of webhooks in the database."""

    async def run(engine: AsyncEngine) -> T:
        return await work(HookStore(engine))

    return with_database(database, run, read_only=read_only)


@asynccontextmanager
async def _opened(database: str, read_only: bool) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(database, read_only=read_only)
    try:
        yield engine
    finally:
        await engine.dispose()
