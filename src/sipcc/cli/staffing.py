"""`sipccd staffing`: how many agents each interval of a day needs."""

from __future__ import annotations

from math import inf

import click
from rich.console import Console
from rich.table import Table

from sipcc.acd.erlang import Load, agents_needed, performance
from sipcc.acd.erlang import staffing as on_roster

_SHARE = click.FloatRange(0.0, 1.0, max_open=True)
_SECONDS = click.FloatRange(0.0, min_open=True)


@click.command()
@click.argument("callers", type=click.FloatRange(0.0), nargs=-1, required=True)
@click.option("--aht", type=_SECONDS, required=True, metavar="SECONDS", help="Mean talk and wrap-up.")
@click.option("--target", type=_SHARE, default=0.8, show_default=True, help="Service level to reach.")
@click.option(
    "--within", type=click.FloatRange(0.0), default=20.0, show_default=True, metavar="SECONDS",
    help="T of the service level.",
)  # fmt: skip
@click.option(
    "--patience", type=_SECONDS, default=inf, metavar="SECONDS", help="Mean patience; else endless."
)
@click.option(
    "--interval", type=_SECONDS, default=1800.0, show_default=True, metavar="SECONDS",
    help="Length of an interval.",
)  # fmt: skip
@click.option(
    "--shrinkage", type=_SHARE, default=0.0, show_default=True,
    help="Share of the paid time in which agents are not there for callers.",
)  # fmt: skip
def staffing(
    callers: tuple[float, ...],
    aht: float,
    target: float,
    within: float,
    patience: float,
    interval: float,
    shrinkage: float,
) -> None:
    """Say how many agents are needed for CALLERS, one number for each interval.

    Without --patience by Erlang C, where everybody waits for ever; with it by Erlang A.
    """
    rosters = on_roster(
        callers,
        handle=aht,
        target=target,
        within=within,
        interval=interval,
        patience=patience,
        shrinkage=shrinkage,
    )
    table = Table(box=None)
    for name in (
        "interval",
        "callers",
        "erlangs",
        "agents",
        "roster",
        "level",
        "ASA s",
        "gave up",
        "occupied",
    ):
        table.add_column(name, justify="right")
    for index, (offered, roster) in enumerate(zip(callers, rosters, strict=True), start=1):
        load = Load(rate=offered / interval, handle=aht, patience=patience)
        agents = agents_needed(load, target=target, within=within)
        found = performance(load, agents, within=within)
        table.add_row(
            str(index),
            f"{offered:g}",
            f"{load.erlangs:.1f}",
            str(agents),
            str(roster),
            f"{found.service_level:.1%}",
            f"{found.asa:.1f}",
            f"{found.abandoned:.1%}",
            f"{found.occupancy:.1%}",
        )
    Console(highlight=False, width=100).print(table)
