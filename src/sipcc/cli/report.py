"""`sipccd report`: the figures of each interval, folded from the event log, also while the daemon runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import get_args

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sipcc.cli.cdr_page import plain
from sipcc.cli.stored import PIPE_WIDTH, Moment, config_of, database_of, source, with_log
from sipcc.config import load_regions, load_service_levels
from sipcc.records.export import iso_time, report_csv
from sipcc.records.heatmap import heat_map
from sipcc.records.reading import first_contacts, funnel, report_cells, surveys
from sipcc.records.report import (
    By,
    Cell,
    ReportFold,
    ReportRow,
    answered_within,
    row_of,
    totals,
)
from sipcc.records.surveys import SurveyBy, SurveyRow, survey_row, survey_rows


@click.command()
@source
@click.option("--from", "since", type=Moment(), required=True, help="Begin: a date, or 8h, 7d ago.")
@click.option("--to", "until", type=Moment(), help="End; now if not given.")
@click.option(
    "--interval", type=click.Choice(["15", "30", "60"]), default="60", show_default=True, help="Minutes."
)
@click.option("--by", type=click.Choice(get_args(By)), default="queue", show_default=True)
@click.option("--threshold", type=float, help="T of the service levels in seconds, in place of the queues'.")
@click.option("--totals", "only_totals", is_flag=True, help="One line for each key, over all intervals.")
@click.option("--heat-map", "heat", is_flag=True, help="Callers by weekday and hour, as JSON.")
@click.option("--fcr", type=float, metavar="HOURS", help="First-contact resolution in this window, as JSON.")
@click.option("--funnel", "walked", is_flag=True, help="What callers did in each menu, as JSON.")
@click.option(
    "--surveys",
    "asked",
    type=click.Choice(get_args(SurveyBy)),
    help="How content callers are, as JSON, or as CSV with --csv.",
)
@click.option(
    "--answered-within",
    "within",
    type=click.IntRange(min=0),
    multiple=True,
    metavar="SECONDS",
    help="How many were answered within that time, as JSON; may be given several times.",
)
@click.option("--json", "kind", flag_value="json", help="JSON, one line for each row.")
@click.option("--csv", "kind", flag_value="csv", help="CSV with every figure.")
@click.pass_context
def report(
    ctx: click.Context,
    /,
    since: float,
    until: float | None,
    interval: str,
    by: By,
    threshold: float | None,
    only_totals: bool,
    heat: bool,
    fcr: float | None,
    walked: bool,
    asked: SurveyBy | None,
    within: tuple[int, ...],
    kind: str | None,
) -> None:
    """Print the figures of each interval by queue, agent, number, trunk or region of the caller.

    A caller counts in the interval in which it joined its queue.
    """
    now = time.time()
    span = {"since": since, "until": now if until is None else until}
    database = database_of(ctx)
    if fcr is not None:
        found = with_log(database, lambda log: first_contacts(log, 3600.0 * fcr, now=now, **span))
        click.echo(msgspec.json.encode(found))
        return
    if walked:
        click.echo(msgspec.json.encode(with_log(database, lambda log: funnel(log, **span))))
        return
    if asked is not None:
        askings = with_log(database, lambda log: surveys(log, **span))
        lines = (*survey_rows(askings, asked), survey_row("", askings))
        if kind == "csv":
            sys.stdout.writelines(report_csv(lines, SurveyRow))
            return
        for line in lines:
            click.echo(msgspec.json.encode(line))
        return
    levels = _levels(ctx) if threshold is None else {}
    regions = _regions(ctx) if by == "region" else None
    step = 60.0 * int(interval)
    fold = ReportFold(by, step=step, thresholds=levels, threshold=threshold or 20.0, region_of=regions)
    cells = with_log(database, lambda log: report_cells(log, fold, now=now, **span))
    if heat:
        click.echo(msgspec.json.encode(heat_map(cells)))
    elif within:
        click.echo(msgspec.json.encode(answered_within(cells, within)))
    else:
        _print(_rows(cells, only_totals), kind)


def _levels(ctx: click.Context) -> Mapping[str, float]:
    """T of each queue; a database that is read without a configuration has none."""
    return load_service_levels(config_of(ctx)) if config_of(ctx).exists() else {}


def _regions(ctx: click.Context) -> Callable[[str], str] | None:
    """Where numbers are at home; a database that is read without a configuration has what is built in."""
    return load_regions(config_of(ctx)).of if config_of(ctx).exists() else None


def _rows(cells: Mapping[tuple[float, str], Cell], only_totals: bool) -> list[ReportRow]:
    if only_totals:
        return [row_of(None, key, cell) for key, cell in totals(cells).items()]
    return [row_of(start, key, cell) for (start, key), cell in cells.items()]


def _print(rows: list[ReportRow], kind: str | None) -> None:
    if kind == "json":
        for row in rows:
            click.echo(msgspec.json.encode(msgspec.to_builtins(row) | {"start": iso_time(row.start)}))
    elif kind == "csv":
        sys.stdout.writelines(report_csv(rows))
    elif rows:
        console = Console()
        (console if console.is_terminal else Console(width=PIPE_WIDTH)).print(table_of(rows))
    else:
        click.echo("Nothing happened then.")


def table_of(rows: list[ReportRow]) -> Table:
    """The rows as people read them."""
    table = Table(box=None, pad_edge=False)
    for name in ("from", "key"):
        table.add_column(name, no_wrap=True)
    for name in ("offered", "answered", "lost", "short", "F1", "F2", "F3", "F4", "asa", "aht", "longest"):
        table.add_column(name, justify="right")
    for name in ("system", "agent", "within T", "occupancy"):
        table.add_column(name, justify="right")
    for row in rows:
        start = "" if row.start is None else datetime.fromtimestamp(row.start).strftime("%Y-%m-%d %H:%M")
        counts = (row.offered, row.answered, row.abandoned, row.short)
        levels = (row.sl_f1, row.sl_f2, row.sl_f3, row.sl_f4)
        rates = (row.system_rate, row.agent_rate, row.within_rate, row.occupancy)
        table.add_row(
            start,
            Text(plain(row.key)),
            *map(str, counts),
            *map(_percent, levels),
            *map(_seconds, (row.asa, row.aht, row.longest_wait)),
            *map(_percent, rates),
        )
    return table


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else f"{100 * fraction:.2f}"


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f}"
