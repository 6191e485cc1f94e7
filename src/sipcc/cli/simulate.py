"""`sipccd simulate`: what a centre of the configuration would make of so many callers."""

from __future__ import annotations

from heapq import merge
from math import inf
from pathlib import Path
from random import Random

import click
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from sipcc.acd.settings import AgentSettings, QueueSettings
from sipcc.acd.simulator import Phone, Simulation, Summary, poisson
from sipcc.cli.options import config_option
from sipcc.config import load
from sipcc.errors import ConfigError

_SECONDS = click.FloatRange(0.0, min_open=True)
_SHARE = click.FloatRange(0.0, 1.0)


@click.command()
@config_option("The configuration with the agents and queues.")
@click.option("--queue", "names", multiple=True, help="Callers come to this queue; else to every one.")
@click.option("--calls", type=click.IntRange(1), default=1000, show_default=True, help="Callers per queue.")
@click.option("--rate", type=_SECONDS, required=True, metavar="PER_HOUR", help="Callers per hour and queue.")
@click.option("--aht", type=_SECONDS, required=True, metavar="SECONDS", help="Mean talk, without wrap-up.")
@click.option(
    "--patience", type=_SECONDS, default=inf, metavar="SECONDS", help="Mean patience; else endless."
)
@click.option(
    "--answer", type=click.FloatRange(0.0), default=0.0, metavar="SECONDS", help="Mean time to answer."
)
@click.option("--declines", type=_SHARE, default=0.0, help="Share of offers that agents decline.")
@click.option("--misses", type=_SHARE, default=0.0, help="Share of offers that agents do not take.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another number, another day.")
@click.option("--policy", multiple=True, metavar="QUEUE=STRATEGY", help="Try this strategy in that queue.")
def simulate(
    config: Path,
    names: tuple[str, ...],
    calls: int,
    rate: float,
    aht: float,
    patience: float,
    answer: float,
    declines: float,
    misses: float,
    seed: int,
    policy: tuple[str, ...],
) -> None:
    """Try the agents, queues and strategies of a configuration on callers that are made up.

    The very code that routes live calls decides, on a clock of its own. The same options give the same
    figures in every run; every agent is there from the first caller to the last.
    """
    settings = load(config)
    queues = with_policies(settings.queues, policy)
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


def print_summaries(summaries: list[Summary], queues: tuple[QueueSettings, ...]) -> None:
    """One line for each queue."""
    table = Table(box=None)
    table.add_column("queue")
    table.add_column("strategy")
    for title in ("callers", "answered", "gave up", "others", "ASA s", "in time", "T s"):
        table.add_column(title, justify="right")
    for one, queue in zip(summaries, queues, strict=True):
        table.add_row(
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
