"""`sipccd flows`: which flows there are, who is in them, and an announcement or another way for a time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

import click

from sipcc.cli.console import asked, daemon_option
from sipcc.cli.operator import seconds_of, table
from sipcc.errors import SipccError
from sipcc.ivr.flows.desk import FlowOverride, FlowView
from sipcc.ivr.flows.trial import TrialView
from sipcc.switch.console import AboutFlows, ClearFlow, EndTrial, ListFlows, OverrideFlow


@click.command()
@click.argument("name", required=False, default="")
@click.argument("state", required=False, type=click.Choice(["override", "clear", "promote", "rollback"]))
@click.option("--say", metavar="TEXT", default="", help="A prompt's name or a text that callers hear first.")
@click.option("--to", metavar="DESTINATION", default="", help="Where callers go in place of the flow.")
@click.option("--for", "seconds", type=seconds_of, metavar="TIME", help="How long: 30m, 2h, 1d12h.")
@daemon_option
def flows(
    name: str,
    state: Literal["override", "clear", "promote", "rollback"] | None,
    *,
    say: str,
    to: str,
    seconds: float | None,
    config: Path,
) -> None:
    """List the flows and the calls in them; or override NAME for a time, in an emergency.

    With override callers who come to the flow hear TEXT first, or go to DESTINATION, or both. With clear it
    goes as it is written again before that time is over. With promote all callers get the version that some
    of them try; with rollback none does.
    """
    question: AboutFlows = ListFlows()
    if state == "override":
        if seconds is None:
            raise click.UsageError("say how long: --for 2h")
        question = OverrideFlow(name=name, seconds=seconds, prompt=say, to=to)
    elif seconds is not None or say or to:
        raise click.UsageError("--say, --to and --for go with override")
    elif state == "clear":
        question = ClearFlow(name=name)
    elif state is not None:
        question = EndTrial(name=name, promote=state == "promote")
    rows = asked(config, question).flows or []
    if name and not any(row.name == name for row in rows):
        known = ", ".join(row.name for row in rows) or "none"
        raise SipccError(f"there is no flow {name!r}; known: {known}")
    shown = [_row(row) for row in rows if not name or row.name == name]
    table(("FLOW", "VERSION", "CALLS", "OTHERS", "TRIAL", "OVERRIDE"), shown)


def _row(row: FlowView) -> tuple[str, ...]:
    others = sum(count for version, count in row.live.items() if version != row.version)
    now = str(row.live.get(row.version, 0))
    return (row.name, row.version, now, str(others), _trial(row.trial), _override(row.override))


def _trial(trial: TrialView | None) -> str:
    if trial is None:
        return "-"
    tally = trial.tallies[trial.new]
    result = f"{tally.fell} of {tally.calls} fell back"
    return f"{trial.new} {trial.state.replace('_', ' ')} at {trial.percent:g} %: {result}"


def _override(override: FlowOverride | None) -> str:
    if override is None:
        return "-"
    until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(override.until))
    what = [f"says {override.prompt!r}"] if override.prompt else []
    what += [f"goes to {override.to}"] if override.to else []
    return f"{', '.join(what)} until {until}" + (f" by {override.by}" if override.by else "")
