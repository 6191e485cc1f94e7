"""`sipccd recordings` and `sipccd erase`: what there is of recordings, also while the daemon runs."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING

import click

from sipcc.cli.stored import Moment, config_of, database_of, plan_of, source, with_database
from sipcc.clock import LoopClock
from sipcc.config import load_records
from sipcc.events import Event
from sipcc.numbers import Plan
from sipcc.records.archive import RecordingFilter, RecordingIndex
from sipcc.records.database import migrate
from sipcc.records.eventlog import REGISTRY
from sipcc.records.reconcile import reconcile
from sipcc.records.recordings import Recording
from sipcc.records.retention import Erased, Retention
from sipcc.records.store import Item, RecordStore

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

EXIT_FOUND = 1


class Ledger:
    """Takes events and writes them to the log, beside a daemon that does the same."""

    def __init__(self) -> None:
        self.clock = LoopClock()
        self._told: list[Event] = []

    def emit(self, event: Event) -> None:
        """Take an event."""
        self._told.append(event)

    async def write(self, engine: AsyncEngine) -> None:
        """Write what was taken, in one transaction."""
        if self._told:
            walls = [(event, round(self.clock.wall_of(event.at), 3)) for event in self._told]
            items = [Item(REGISTRY.encode(event, wall=wall)) for event, wall in walls]
            await RecordStore(engine).write(items)


def _changed(
    database: str,
    work: Callable[[Retention, RecordingIndex], Awaitable[Erased | None]],
    plan: Plan | None = None,
) -> Erased:
    """Run `work` by the rules, and write what it tells."""

    async def run(engine: AsyncEngine) -> Erased:
        await migrate(engine)
        ledger, index = Ledger(), RecordingIndex(engine, plan)
        rules = Retention(lambda: index, telling=ledger, clock=ledger.clock)
        try:
            return await work(rules, index) or Erased()
        finally:
            await asyncio.shield(ledger.write(engine))  # files that are gone have their proof

    return with_database(database, run, read_only=False)


@click.group()
@source
def recordings() -> None:
    """List, check and hold recordings."""


@recordings.command("list")
@source
@click.option("--call", default="", help="Of this call, or of the visit that it began.")
@click.option("--queue", default="", help="Of callers who entered this queue.")
@click.option("--agent", default="", help="Of calls that this agent has answered.")
@click.option("--from", "since", type=Moment(), help="Begin: a date, or 8h, 7d ago.")
@click.option("--to", "until", type=Moment(), help="End.")
@click.option("--limit", default=50, show_default=True, help="So many at most, newest first.")
@click.pass_context
def list_(
    ctx: click.Context,
    /,
    call: str,
    queue: str,
    agent: str,
    since: float | None,
    until: float | None,
    limit: int,
) -> None:
    """List recordings, newest first."""
    where = RecordingFilter(call=call, queue=queue, agent=agent, since=since, until=until)
    found = with_database(database_of(ctx), lambda engine: RecordingIndex(engine).find(where, limit=limit))
    for row in found:
        click.echo("  ".join(_line(row)))


def _line(row: Recording) -> tuple[str, ...]:
    began = datetime.fromtimestamp(row.started).strftime("%Y-%m-%d %H:%M:%S")
    until = "held" if row.held else datetime.fromtimestamp(row.expires).strftime("until %Y-%m-%d")
    return (row.id, began, f"{row.seconds:8.1f} s", row.caller, row.queue or "-", until, row.path)


@recordings.command("check")
@source
@click.option("--from", "since", type=Moment(), help="Only calls since then: a date, or 8h, 7d ago.")
@click.pass_context
def check(ctx: click.Context, /, since: float | None) -> None:
    """Say of which recordings there is neither a file nor a reason; exit status 1 if there are any."""
    settings = load_records(config_of(ctx))
    result = with_database(
        database_of(ctx), lambda engine: reconcile(engine, settings.recordings, since=since)
    )
    for name, count in result.counts.items():
        click.echo(f"{name:<10}{count}")
    for finding in result.findings:
        detail = f" ({finding.detail})" if finding.detail else ""
        click.echo(f"{finding.kind}: {finding.path}{detail}  {finding.call}".rstrip())
    if result.findings:
        sys.exit(EXIT_FOUND)


@recordings.command("hold")
@source
@click.argument("call")
@click.option("--why", default="", help="For the log.")
@click.pass_context
def hold(ctx: click.Context, /, call: str, why: str) -> None:
    """Keep the recordings of CALL whatever their age."""
    _hold(database_of(ctx), call, held=True, why=why)


@recordings.command("release")
@source
@click.argument("call")
@click.pass_context
def release(ctx: click.Context, /, call: str) -> None:
    """Keep the recordings of CALL no longer than their time."""
    _hold(database_of(ctx), call, held=False)


def _hold(database: str, call: str, *, held: bool, why: str = "") -> None:
    async def work(rules: Retention, index: RecordingIndex) -> None:
        found = await index.find(RecordingFilter(call=call), limit=500)
        if not found:
            raise click.ClickException(f"there are no recordings of a call {call!r}")
        await rules.hold(call, held=held, by=getpass.getuser(), why=why)
        for row in found:
            click.echo(f"{'held' if held else 'released'}: {row.id}")

    _changed(database, work)


@click.command()
@source
@click.argument("number")
@click.option("--by", help="Who wants it so, for the log; default: who calls the command.")
@click.confirmation_option("--yes", prompt="The recordings cannot be had back. Go on?")
@click.pass_context
def erase(ctx: click.Context, /, number: str, by: str | None) -> None:
    """Delete every recording of NUMBER, however it is written, but for those that are held."""
    done = _changed(
        database_of(ctx),
        lambda rules, index: rules.erase(number, by=by or getpass.getuser()),
        plan_of(ctx),
    )
    for word, ids in (("deleted", done.deleted), ("held", done.held), ("left", done.left)):
        for key in ids:
            click.echo(f"{word}: {key}")
    found = len(done.deleted) + len(done.held) + len(done.left)
    click.echo(
        f"{len(done.deleted)} of {found} recordings of {number} deleted"
        if found
        else f"no recordings of {number}"
    )
    if done.left:
        raise click.ClickException("some still run, or cannot be deleted: try again")
