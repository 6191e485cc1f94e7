"""`sipccd webhooks`: what programs were not told yet, and sending once more what was given up."""

from __future__ import annotations

import time

import click

from sipcc.cli.cdr_page import plain
from sipcc.cli.stored import database_of, source, with_hooks


@click.group()
@source
def webhooks() -> None:
    """See and mend what webhooks did not take, also while the daemon runs."""


@webhooks.command("list")
@source
@click.pass_context
def list_(ctx: click.Context, /) -> None:
    """How many messages wait for each webhook, and how many were given up."""
    counts = with_hooks(database_of(ctx), lambda store: store.counts())
    for name, (waiting, dead) in sorted(counts.items()):
        click.echo(f"{plain(name)}: {waiting} waiting, {dead} given up")


@webhooks.command("dead")
@source
@click.argument("name", default="")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.pass_context
def dead_(ctx: click.Context, /, name: str, limit: int) -> None:
    """What was given up, oldest first, of one webhook or of all."""
    for row in with_hooks(database_of(ctx), lambda store: store.dead(name, limit=limit)):
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.begun))
        cells = (row.webhook, row.key, row.kind, row.call or "-", f"{row.attempts} tries", row.error)
        click.echo("  ".join((when, *map(plain, cells))))


@webhooks.command()
@source
@click.argument("name")
@click.argument("keys", nargs=-1)
@click.pass_context
def replay(ctx: click.Context, /, name: str, keys: tuple[str, ...]) -> None:
    """Send once more what webhook NAME was given up with: the messages with KEYS, or all.

    The daemon begins within seconds, or when it starts.
    """
    count = with_hooks(database_of(ctx), lambda store: store.replay(name, keys), read_only=False)
    click.echo(f"{count} will be sent again")
    if not count:
        ctx.exit(1)
