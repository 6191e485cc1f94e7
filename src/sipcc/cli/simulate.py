"""`sipccd simulate`: what a centre of the configuration would make of so many callers."""

from __future__ import annotations

import time
from heapq import merge
from math import inf
from pathlib import Path
from random import Random

import click
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from sipcc.acd.replay import DayFold
from sipcc.acd.settings import AgentSettings, QueueSettings
from sipcc.acd.simulator import Phone, Simulation, Summary, poisson
from sipcc.cli.options import config_option
from sipcc.cli.stored import Moment, with_log
from sipcc.config import load
from sipcc.errors import ConfigError
from sipcc.records.eventlog import EventLog
from sipcc.records.kpi import KpiFold, QueueFigures

_SECONDS = click.FloatRange(0.0, min_open=True)
_SHARE = click.FloatRange(0.0, 1.0)


@click.command()
@config_option("The configuration with the agents and queues.")
@click.option("--queue", "names", multiple=True, help="Callers come to this queue; else to every one.")
@click.option("--calls", type=click.IntRange(1), default=1000, show_default=True, help="Callers per queue.")
@click.option("--rate", type=_SECONDS, metavar="PER_HOUR", help="Callers per hour and queue.")
@click.option("--aht", type=_SECONDS, metavar="SECONDS", help="Mean talk, without wrap-up.")
@click.option(
    "--patience", type=_SECONDS, default=inf, metavar="SECONDS", help="Mean patience; else endless."
)
@click.option(
    "--answer", type=click.FloatRange(0.0), default=0.0, metavar="SECONDS", help="Mean time to answer."
)
@click.option("--declines", type=_SHARE, default=0.0, help="Share of offers that agents decline.")
@click.option("--misses", type=_SHARE, default=0.0, help="Share of offers that agents do not take.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another number, another day.")
@click.option("--replay", type=Moment(), metavar="TIME", help="Live again through what was recorded since.")
@click.option(
    "--until", type=Moment(), metavar="TIME", help="The end of what is lived again; now if not given."
)
@click.option("--policy", multiple=True, metavar="QUEUE=STRATEGY", help="Try this strategy in that queue.")
def simulate(
    config: Path,
    names: tuple[str, ...],
    calls: int,
    rate: float | None,
    aht: float | None,
    patience: float,
    answer: float,
    declines: float,
    misses: float,
    seed: int,
    replay: float | None,
    until: float | None,
    policy: tuple[str, ...],
) -> None:
    """Try the agents, queues and strategies of a configuration on callers that are made up, or were there.

    The very code that routes live calls decides, on a clock of its own. The same options give the same
    figures in every run. Made-up callers, by --rate and --aht, find every agent there from the first to the
    last. With --replay they come as they came, agents are there when they were, and what was recorded is
    printed beside what would have been.
    """
    settings = load(config)
    queues = with_policies(settings.queues, policy)
    if replay is not None:
        end = time.time() if until is None else until
        _live_again(settings.records.database, replay, end, settings.agents, queues, Random(seed))
        return
    if rate is None or aht is None:
        raise click.UsageError("give --rate and --aht, or --replay")
    known = {queue.name for queue in queues}
    for name in names:
        if name not in known:
            raise ConfigError("--queue", f"no queue {name!r}", hint=f"known: {', '.join(sorted(known))}")
    draw = Random(seed)
    simulation = Simulation(
        _at_work(settings.agents),
        queues,
        draw=draw,
        phone=Phone(delay=answer, declines=declines, misses=misses),
    )
    coming = [
        poisson(
            name,
            calls=calls,
            rate=rate / 3600.0,
            handle=aht,
            patience=patience,
            draw=Random(f"{seed} {name}"),
        )
        for name in dict.fromkeys(names or [queue.name for queue in queues])
    ]
    print_summaries(simulation.run(merge(*coming, key=lambda arrival: arrival.at)), queues)


def _live_again(
    database: str,
    since: float,
    until: float,
    agents: tuple[AgentSettings, ...],
    queues: tuple[QueueSettings, ...],
    draw: Random,
) -> None:
    fold, levels = DayFold(), {queue.name: queue.service_level for queue in queues}
    figures = KpiFold(levels)

    async def read(log: EventLog) -> None:
        async for _, wall, event in log.replay(from_wall=since):
            if wall > until:
                break
            fold.apply(event, wall)
            figures.apply(event, wall)

    with_log(database, read)
    day = fold.replay(queues=queues, agents=agents, draw=draw)
    if not day.arrivals:
        raise click.ClickException("nobody came to these queues in that time")
    if day.left_out:
        click.echo(f"Not in this configuration, and left out: {', '.join(day.left_out)}")
    working = {shift.agent for shift in day.shifts}
    simulation = Simulation(
        [agent for agent in _at_work(agents) if agent.name in working],
        queues,
        draw=draw,
        phone=day.phone,
        shifts=day.shifts,
    )
    found = simulation.run(day.arrivals)
    print_summaries(
        [*(_recorded(figures.queues.get(queue.name), queue) for queue in queues), *found],
        (*(replace(queue, strategy="") for queue in queues), *queues),
        kinds=["recorded"] * len(queues) + ["simulated"] * len(queues),
    )


def _recorded(figures: QueueFigures | None, queue: QueueSettings) -> Summary:
    """What was counted, as the simulator would tell it."""
    figures = figures or QueueFigures(queue=queue.name)
    gone = sum(figures.exits.values())
    gave_up = figures.abandoned + figures.short
    return Summary(
        queue=queue.name,
        offered=figures.joined,
        answered=figures.answered,
        abandoned=gave_up,
        others=gone - figures.answered - gave_up,
        asa=figures.asa or 0.0,
        service_level=figures.answered_in_time / figures.joined if figures.joined else 1.0,
    )


def with_policies(queues: tuple[QueueSettings, ...], policy: tuple[str, ...]) -> tuple[QueueSettings, ...]:
    """The queues with other strategies, each given as ``queue=strategy``.

    Raises:
        ConfigError: no such queue; the strategy itself is looked up when the floor is built.
    """
    wanted = dict(text.partition("=")[::2] for text in policy)
    known = [queue.name for queue in queues]
    for name, strategy in wanted.items():
        if name not in known or not strategy:
            raise ConfigError(
                "--policy",
                f"no strategy for a queue in {name!r}",
                hint=f"QUEUE=STRATEGY; known: {', '.join(known)}",
            )
    return tuple(replace(queue, strategy=wanted.get(queue.name, queue.strategy)) for queue in queues)


def _at_work(agents: tuple[AgentSettings, ...]) -> list[AgentSettings]:
    return [replace(agent, start="ready") for agent in agents]


def print_summaries(
    summaries: list[Summary], queues: tuple[QueueSettings, ...], *, kinds: list[str] | None = None
) -> None:
    """One line for each queue; `kinds` says of each what it is."""
    table = Table(box=None)
    if kinds is not None:
        table.add_column("")
    table.add_column("queue")
    table.add_column("strategy")
    for title in ("callers", "answered", "gave up", "others", "ASA s", "in time", "T s"):
        table.add_column(title, justify="right")
    for index, (one, queue) in enumerate(zip(summaries, queues, strict=True)):
        table.add_row(
            *([] if kinds is None else [kinds[index]]),
            one.queue,
            queue.strategy,
            str(one.offered),
            str(one.answered),
            str(one.abandoned),
            str(one.others),
            f"{one.asa:.1f}",
            f"{one.service_level:.1%}",
            f"{queue.service_level:g}",
        )
    Console(highlight=False, width=100).print(table)
