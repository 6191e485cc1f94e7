"""`sipccd cdr`: list, show and export call records, also while the daemon runs."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from sipcc.cli.cdr_page import call_page, plain
from sipcc.config import load_records
from sipcc.records.cdr import Cdr
from sipcc.records.database import database_url, open_engine, sqlite_path
from sipcc.records.eventlog import EventLog
from sipcc.records.export import csv_header, csv_line, json_line
from sipcc.records.store import CdrFilter, RecordStore

F = TypeVar("F", bound=Callable[..., Any])

PIPE_WIDTH = 250

_AGO = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class _Moment(click.ParamType[float]):
    """``2026-11-21``, ``2026-11-21T14:30`` (local time, or with an offset), or ``90m`` ago."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if match := _AGO.fullmatch(value):
            return time.time() - int(match[1]) * _UNITS[match[2]]
        try:
            return datetime.fromisoformat(value).timestamp()
        except ValueError:
            self.fail(f"{value!r} is no time: as in 2026-11-21, 2026-11-21T14:30 or 90m", param, ctx)


def _filters(command: F) -> F:
    """The options that say which records."""
    options = [
        click.option(
            "--since", type=_Moment(), help="Started at this time or later: a date, or 90m, 24h, 7d ago."
        ),
        click.option("--until", type=_Moment(), help="Started before this time."),
        click.option("--caller", default="", help="From this number."),
        click.option("--called", default="", help="To this number."),
        click.option("--agent", default="", help="Rang this agent."),
        click.option("--queue", default="", help="Entered this queue."),
        click.option("--trunk", default="", help="Came from this trunk."),
        click.option("--cause", default="", help="Ended for this cause."),
        click.option("--answered/--unanswered", default=None, help="Only answered ones, or only others."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


_KEY = "sipcc.cdr."


def _remember(ctx: click.Context, param: click.Parameter, value: object) -> None:
    if value is not None:
        ctx.meta[f"{_KEY}{param.name}"] = value  # shared with subcommands, where it may be given as well


def _source(command: F) -> F:
    """The options that say where the records are; behind `cdr` or behind its subcommand, as one likes."""
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


def _database(ctx: click.Context) -> str:
    given = ctx.meta.get(f"{_KEY}database")
    return given or load_records(ctx.meta.get(f"{_KEY}config", Path("sipcc.toml"))).database


@click.group()
@_source
def cdr() -> None:
    """List, show and export call records."""


@cdr.command("list")
@_source
@_filters
@click.option("--limit", "-n", type=click.IntRange(1, 100_000), default=25, show_default=True)
@click.pass_context
def list_(ctx: click.Context, /, limit: int, **where: Any) -> None:
    """The newest records, newest first."""

    async def read(engine: AsyncEngine) -> list[Cdr]:
        return await RecordStore(engine).cdrs(CdrFilter(**where), limit=limit)

    records = _with_database(_database(ctx), read)
    if not records:
        click.echo("No such calls.")
        return
    _console().print(_table(records))


@cdr.command()
@_source
@click.argument("key", metavar="ID")
@click.pass_context
def show(ctx: click.Context, /, key: str) -> None:
    """One call with its legs, queues and events. ID may be the beginning of an id."""

    async def read(engine: AsyncEngine) -> None:
        store = RecordStore(engine)
        records = await store.find_cdrs(key)
        exact = [record for record in records if record.id == key]
        if len(exact or records) != 1:
            names = ", ".join(plain(record.id) for record in records)
            raise click.ClickException(
                f"{key!r} is one of: {names}" if records else f"there is no call {key!r}"
            )
        (record,) = exact or records
        events = [event async for event in EventLog(engine).read(call=record.id)]
        _console().print(call_page(record, await store.outcomes(call=record.id), events))

    _with_database(_database(ctx), read)


@cdr.command()
@_source
@_filters
@click.option("--format", "kind", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file; default: standard output.",
)
@click.pass_context
def export(ctx: click.Context, /, kind: str, output: Path | None, **where: Any) -> None:
    """All records, oldest first, as CSV or as JSON lines."""

    async def write(engine: AsyncEngine) -> int:
        count = 0
        stream = sys.stdout if output is None else output.open("w", encoding="utf-8", newline="")
        try:
            if kind == "csv":
                stream.write(csv_header())
            async for record in RecordStore(engine).all_cdrs(CdrFilter(**where)):
                stream.write(csv_line(record) if kind == "csv" else json_line(record))
                count += 1
        finally:
            if output is not None:
                stream.close()
        return count

    count = _with_database(_database(ctx), write)
    if output is not None:
        click.echo(f"{count} records in {output}", err=True)


T = TypeVar("T")


def _with_database(database: str, work: Callable[[AsyncEngine], Coroutine[Any, Any, T]]) -> T:
    """Run `work` on the database, which is only read."""
    path = sqlite_path(database_url(database))
    if path is not None and not path.exists():
        raise click.ClickException(f"there is no database {str(path)!r} yet; sipccd run makes it")

    async def run() -> T:
        async with _opened(database) as engine:
            return await work(engine)

    try:
        return asyncio.run(run())
    except DBAPIError as error:
        raise click.ClickException(f"cannot read {database_url(database)!r}: {error.orig}") from error


@asynccontextmanager
async def _opened(database: str) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(database, read_only=True)
    try:
        yield engine
    finally:
        await engine.dispose()


def _console() -> Console:
    """The terminal; a pipe is wide enough for every column."""
    console = Console()
    return console if console.is_terminal else Console(width=PIPE_WIDTH)


def _table(records: list[Cdr]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("started", "id", "from", "to", "via"):
        table.add_column(name, no_wrap=True)
    for name in ("setup", "length"):
        table.add_column(name, justify="right")
    for name in ("end", "queue", "agent"):
        table.add_column(name)
    table.add_column("mos", justify="right")
    for record in records:
        mos = record.stats.mos if record.stats else None
        cells = (
            datetime.fromtimestamp(record.started).strftime("%Y-%m-%d %H:%M:%S"),
            record.id,
            record.caller,
            record.called,
            record.trunk or "",
            f"{record.setup:.1f}",
            f"{record.duration:.1f}",
            record.cause,
            " ".join(record.queues),
            " ".join(record.agents),
            "" if mos is None else f"{mos:.1f}",
        )
        table.add_row(*(Text(plain(cell)) for cell in cells))
    return table
