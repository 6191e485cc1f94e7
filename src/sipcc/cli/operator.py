"""`sipccd bans`, `unban`, `trunks`, `registrations`, `hours`, `reload`: what an operator asks the daemon."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import click

from sipcc.cli.console import asked, daemon_option
from sipcc.errors import SipccError
from sipcc.ivr.hours import CalendarView
from sipcc.switch.console import (
    AboutHours,
    ClearHours,
    ListBans,
    ListHours,
    ListRegistrations,
    ListTrunks,
    OverrideHours,
    Reload,
    Unban,
)
from sipcc.switch.desk import BanRow, BindingRow, TrunkRow


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns as wide as what is in them."""
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())


def _clock(seconds_from_now: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() + seconds_from_now))


@click.command()
@daemon_option
def bans(*, config: Path) -> None:
    """List the sources that are not listened to, the latest ban first."""
    rows = asked(config, ListBans()).bans or []
    table(("SOURCE", "SINCE", "UNTIL", "WHY", "TIMES"), map(_ban, rows))


def _ban(row: BanRow) -> tuple[str, ...]:
    return (row.source, _clock(-row.since), _clock(row.left), row.offence, str(row.times))


@click.command()
@click.argument("source", metavar="HOST|all")
@daemon_option
def unban(source: str, *, config: Path) -> None:
    """Listen again to HOST, or to everybody, and forget that it was banned.

    HOST is an address, or an IPv6 network as `sipccd bans` shows it.
    """
    for freed in asked(config, Unban(source=source)).unbanned or []:
        click.echo(f"{freed} is listened to again")


@click.command()
@daemon_option
def trunks(*, config: Path) -> None:
    """List the trunks: up or down and why, calls, calls per second, next OPTIONS, our registration."""
    rows = asked(config, ListTrunks()).trunks or []
    table(("TRUNK", "WHERE", "STATE", "CALLS", "CPS", "PING", "REGISTRATION", "WHY"), map(_trunk, rows))


def _trunk(row: TrunkRow) -> tuple[str, ...]:
    registration = row.registration or "-"
    if row.registered_for is not None:
        registration += f" for {row.registered_for:.0f} s"
    return (
        row.name,
        row.where,
        "up" if row.up else "down",
        f"{row.calls}/{row.max_calls}" if row.max_calls else str(row.calls),
        f"{row.started:.1f}/{row.per_second:g}" if row.per_second else "-",
        "-" if row.ping_in is None else f"in {row.ping_in:.0f} s",
        registration,
        row.why,
    )


@click.command()
@daemon_option
def reload(*, config: Path) -> None:
    """Have the daemon read its configuration anew, while calls go on; say what has changed.

    When something is wrong with it, nothing changes. What needs a restart is named and stays as it was.
    """
    done = asked(config, Reload()).reloaded
    if done is None:
        raise SipccError("the answer tells nothing of a reload")
    for change in done.changes:
        click.echo(change)
    if not done.changes:
        click.echo("nothing has changed")
    if done.kept:
        click.echo(f"needs a restart: {', '.join(done.kept)}")
    click.echo(f"configuration {done.digest} is in force")


@click.command()
@click.argument("user", required=False, default="")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="How many.")
@daemon_option
def registrations(user: str, *, limit: int, config: Path) -> None:
    """List where USER, or everybody, can be reached."""
    answer = asked(config, ListRegistrations(user=user, limit=limit))
    rows = answer.registrations or []
    table(("USER", "CONTACT", "FLOW", "ENDS", "INSTANCE"), map(_binding, rows))
    if answer.total > len(rows):
        click.echo(f"and {answer.total - len(rows)} more: name a user, or see --limit")


def _binding(row: BindingRow) -> tuple[str, ...]:
    flow = row.flow if row.open else f"{row.flow} (closed)"
    return (row.user, row.contact, flow, f"in {row.left:.0f} s", row.instance or "-")


_DURATION = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?", re.ASCII)


def seconds_of(text: str) -> float:
    """``90s``, ``30m``, ``2h``, ``1d12h`` as seconds."""
    match = _DURATION.fullmatch(text)
    counts = match.groups(default="0") if match is not None else ()
    seconds = sum(int(count) * size for count, size in zip(counts, (86400, 3600, 60, 1), strict=False))
    if seconds == 0:
        raise click.BadParameter(f"{text!r} is no time: write 30m, 2h or 1d12h")
    return float(seconds)


@click.command()
@click.argument("name", required=False, default="")
@click.argument("state", required=False, type=click.Choice(["open", "closed", "clear"]))
@click.option("--for", "seconds", type=seconds_of, metavar="TIME", help="How long: 30m, 2h, 1d12h.")
@daemon_option
def hours(
    name: str, state: Literal["open", "closed", "clear"] | None, *, seconds: float | None, config: Path
) -> None:
    """List the calendars, or have NAME open or closed for a time whatever it says.

    With clear it goes by its hours again before that time is over.
    """
    question: AboutHours = ListHours()
    if state in ("open", "closed"):
        if seconds is None:
            raise click.UsageError("say how long: --for 2h")
        question = OverrideHours(name=name, state=state, seconds=seconds)
    elif seconds is not None:
        raise click.UsageError("--for goes with open or closed")
    elif state == "clear":
        question = ClearHours(name=name)
    rows = asked(config, question).hours or []
    if name and not any(row.name == name for row in rows):
        known = ", ".join(row.name for row in rows) or "none"
        raise SipccError(f"there is no calendar {name!r}; known: {known}")
    table(
        ("CALENDAR", "NOW", "WHY", "DETAIL"), [_calendar(row) for row in rows if not name or row.name == name]
    )


def _calendar(row: CalendarView) -> tuple[str, ...]:
    return (row.name, "open" if row.open else "closed", row.why, row.detail)
