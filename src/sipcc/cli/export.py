"""`sipccd export`: the log in formats that the tools of others read, also while the daemon runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, TypeVar

import click

from sipcc.cli.stored import Moment, config_of, database_of, source, with_log, with_store
from sipcc.config import load_memberships
from sipcc.records.asterisk import master_line
from sipcc.records.eventlog import EventLog
from sipcc.records.queuelog import QueueLogFold
from sipcc.records.store import CdrFilter, RecordStore

F = TypeVar("F", bound=Callable[..., Any])


def _span(command: F) -> F:
    """The options that say which part, and where it goes."""
    options = [
        click.option("--from", "since", type=Moment(), help="Begin: a date, or 8h, 7d ago."),
        click.option("--to", "until", type=Moment(), help="End."),
        click.option(
            "--output",
            "-o",
            type=click.Path(path_type=Path, dir_okay=False),
            help="A file; default: standard output.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
@source
def export() -> None:
    """Write the log in formats that other tools read."""


@export.command("queue-log")
@source
@_span
@click.pass_context
def queue_log(ctx: click.Context, /, since: float | None, until: float | None, output: Path | None) -> None:
    """What happened in queues, as Asterisk's queue_log."""
    path = config_of(ctx)
    fold = QueueLogFold(load_memberships(path) if path.exists() else {})

    async def write(log: EventLog) -> None:
        with _opened(output) as stream:
            async for _, wall, event in log.replay(from_wall=since):
                if until is not None and wall >= until:
                    break
                stream.writelines(f"{line}\n" for line in fold.apply(event, wall))
            stream.writelines(f"{line}\n" for line in fold.flush())

    with_log(database_of(ctx), write)


@export.command("asterisk-cdr")
@source
@_span
@click.pass_context
def asterisk_cdr(
    ctx: click.Context, /, since: float | None, until: float | None, output: Path | None
) -> None:
    """Call records, as Asterisk's Master.csv."""

    async def write(store: RecordStore) -> None:
        with _opened(output) as stream:
            async for record in store.all_cdrs(CdrFilter(since=since, until=until)):
                stream.write(master_line(record))

    with_store(database_of(ctx), write)


@contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    with output.open("w", encoding="utf-8", newline="") as stream:
        yield stream
