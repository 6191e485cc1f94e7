"""`sipccd cdr`: list, show and export call records, also while the daemon runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncEngine

from sipcc.cli.cdr_page import call_page, plain
from sipcc.cli.stored import PIPE_WIDTH, Moment, database_of, plan_of, source, with_database
from sipcc.records.cdr import Cdr
from sipcc.records.eventlog import EventLog
from sipcc.records.export import csv_header, csv_line, json_line
from sipcc.records.store import CdrFilter, RecordStore

F = TypeVar("F", bound=Callable[..., Any])


def _filters(command: F) -> F:
    """The options that say which records."""
    options = [
        click.option(
            "--since", type=Moment(), help="Started at this time or later: a date, or 90m, 24h, 7d ago."
        ),
        click.option("--until", type=Moment(), help="Started before this time."),
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


@click.group()
@source
def cdr() -> None:
    """List, show and export call records."""


@cdr.command("list")
@source
@_filters
@click.option("--limit", "-n", type=click.IntRange(1, 100_000), default=25, show_default=True)
@click.pass_context
def list_(ctx: click.Context, /, limit: int, **where: Any) -> None:
    """The newest records, newest first."""

    async def read(engine: AsyncEngine) -> list[Cdr]:
        return await RecordStore(engine, plan_of(ctx)).cdrs(CdrFilter(**where), limit=limit)

    records = with_database(database_of(ctx), read)
    if not records:
        click.echo("No such calls.")
        return
    _console().print(_table(records))


@cdr.command()
@source
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

    with_database(database_of(ctx), read)


@cdr.command()
@source
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
            async for record in RecordStore(engine, plan_of(ctx)).all_cdrs(CdrFilter(**where)):
                stream.write(csv_line(record) if kind == "csv" else json_line(record))
                count += 1
        finally:
            if output is not None:
                stream.close()
        return count

    count = with_database(database_of(ctx), write)
    if output is not None:
        click.echo(f"{count} records in {output}", err=True)


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
