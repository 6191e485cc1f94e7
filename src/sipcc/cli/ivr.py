"""`sipccd ivr`: checks flows, tries them on made-up callers, and draws them; no telephone is needed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TextIO

import click
import msgspec

from sipcc.cli.ivr_flows import FlowSource, counted, flow_source
from sipcc.cli.stored import Moment
from sipcc.cli.vxml import vxml
from sipcc.errors import ConfigError, SipccError
from sipcc.ivr.flows.check import check_flows
from sipcc.ivr.flows.graph import Graph, dot, graph_of, mermaid
from sipcc.ivr.flows.graphsvg import svg
from sipcc.ivr.flows.menus import PREFIX, counts_in
from sipcc.ivr.flows.script import ScriptError, parse_script
from sipcc.ivr.flows.simulate import simulate
from sipcc.ivr.flows.walk import Coverage, WalkReport
from sipcc.ivr.flows.walk import walk as walk_through
from sipcc.log import quiet
from sipcc.reading.findings import Finding

_FORMATS = {"svg": svg, "dot": dot, "mermaid": mermaid}

_ENDINGS = {"svg": (".svg",), "dot": (".dot", ".gv"), "mermaid": (".mmd", ".mermaid", ".md")}
"""How the files of each format end."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def ivr() -> None:
    """Check flows and menus, try them on made-up callers, and draw them.

    A FLOW is a file, as in bank.toml, or with -c the name of a flow in the configuration, or menu:NAME for
    one of its menus with those that it leads to. A configuration as the FLOW stands for what it has of them.
    """


ivr.add_command(vxml)


@ivr.command()
@click.argument("flows", nargs=-1, metavar="[FLOW]...")
@flow_source
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
def check(flows: tuple[str, ...], *, source: FlowSource, strict: bool) -> None:
    """Say all that is wrong with each FLOW: place, code, cause and cure.

    Without a FLOW, those of the configuration are checked, and its menus. With -c, queues, menus, telephones,
    calendars and prompts are looked for in that configuration. The exit code is 1 when something is an error,
    else 0.
    """
    try:
        read = source.read(flows)
    except ConfigError:
        _tell(findings := source.findings())
        if not findings:
            raise
        sys.exit(1)
    _tell(read.findings)
    defects = check_flows(read.flows, read.world, all_flows=read.complete)
    chosen = [defect for defect in defects if defect.flow in read.chosen]
    for defect in chosen:
        click.echo(str(defect))
    errors = len(read.findings) + sum(defect.severity == "error" for defect in chosen)
    warnings = len(read.findings) + len(chosen) - errors
    names = ", ".join(read.chosen) or ", ".join(flows)
    if not errors and not warnings:
        click.echo(f"{names}: all is well")
    else:
        click.echo(f"{names}: {_many(errors, 'error')}, {_many(warnings, 'warning')}")
    sys.exit(1 if errors or (strict and warnings) else 0)


def _tell(findings: Sequence[Finding]) -> None:
    for finding in findings:
        click.echo(f"{finding.where}: {finding.message}" + (f"; {finding.hint}" if finding.hint else ""))


@ivr.command()
@click.argument("flow")
@flow_source
@click.option("--script", type=click.File(), help="A file that says what the caller does; - is stdin.")
@click.option("--do", "lines", multiple=True, metavar="LINE", help='A line of a script, as in --do "keys 1".')
@click.option("--caller", default="13800138000", show_default=True, help="The caller's number.")
@click.option("--dialled", default="4008123456", show_default=True, help="The number that was called.")
@click.option("--at", "wall", type=Moment(), metavar="TIME", help="When the call begins; now if not given.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def sim(
    flow: str,
    *,
    source: FlowSource,
    script: TextIO | None,
    lines: tuple[str, ...],
    caller: str,
    dialled: str,
    wall: float | None,
    as_json: bool,
) -> None:
    """Take a made-up caller through FLOW, and print what it hears and where it goes.

    Time is made up too: an hour of music takes no longer than a key. A script has a line for each question:
    `keys 1`, `silence`, `say yes`, `hangup`, and tells what lookups find and how calls go: `crm={level=3}`,
    `dial=busy`, `queue=no_agent`, `shop=closed`. Without a script the caller is silent.
    """
    read = source.read((flow,), must=True)
    text = (script.read() if script is not None else "") + "\n".join(lines)
    try:
        caller_script = parse_script(text)
    except ScriptError as error:
        raise click.UsageError(f"the script cannot be read: {error}") from None
    world = msgspec.structs.replace(
        read.sim_world(), caller=caller, dialled=dialled, **({} if wall is None else {"wall": wall})
    )
    with quiet():
        made = simulate(read.flow, caller_script, world)
    if not as_json:
        click.echo(made.report())
        return
    session = made.session
    click.echo(
        msgspec.json.encode(
            {
                "exit": made.exit,
                "path": made.path,
                "steps": made.steps,
                "said": session.said,
                "lines": session.lines,
                "seconds": round(session.now(), 3),
                "speech_seconds": round(session.speech_seconds, 3),
                "tags": session.tags,
                "fell_back": [fell.reason for fell in made.fell],
            }
        )
    )


@ivr.command()
@click.argument("flow")
@flow_source
@click.option("--walks", type=click.IntRange(1), default=1000, show_default=True, help="How many callers.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another number, other callers.")
@click.option(
    "--require",
    type=click.FloatRange(0, 100),
    default=0.0,
    metavar="PERCENT",
    help="Fail when fewer of the ways were taken.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def walk(flow: str, *, source: FlowSource, walks: int, seed: int, require: float, as_json: bool) -> None:
    """Send callers through FLOW who decide by chance, and tell what they reached.

    Printed are the nodes, ways and options that were reached and those that were not, the most speech that
    one caller had to hear, and the seconds until somebody takes the call. Callers prefer ways that were not
    taken yet, hear each question to its end, and find lookups, queues and telephones as chance has it.
    """
    read = source.read((flow,), must=True)
    with quiet():
        report = walk_through(read.flows, read.flow.name, Random(seed), walks=walks, world=read.sim_world())
    click.echo(msgspec.json.encode(report) if as_json else _walked(report))
    if report.edges.percent < require:
        click.echo(f"only {report.edges.percent:.1f} % of the ways were taken, not {require:g} %", err=True)
        sys.exit(1)


def _walked(report: WalkReport) -> str:
    lines = [f"walks     {report.walks}"]
    for name, coverage in (("nodes", report.nodes), ("ways", report.edges), ("options", report.options)):
        lines.append(f"{name:<9} {_covered(coverage)}")
        lines += [f"          not reached: {missing}" for missing in coverage.missing]
    lines.append(f"speech    at most {report.longest_speech:.1f} s, on {' > '.join(report.longest_path)}")
    if report.human_soonest is None:
        lines.append("person    no caller came to a person or a mailbox")
    else:
        times = (report.human_soonest, report.human_middle, report.human_latest)
        soonest, middle, latest = (f"{seconds or 0.0:.1f}" for seconds in times)
        lines.append(
            f"person    after {soonest} s at the soonest, {middle} s in the middle, {latest} s at the latest;"
            f" {_many(report.without_human, 'caller')} came to none"
        )
    lines += [f"exit      {exit_}: {count}" for exit_, count in report.exits.items()]
    lines += [f"fell back {count} times in {reason}" for reason, count in report.fell.items()]
    if report.circles:
        lines.append(f"circles   {_many(report.circles, 'caller')} went round and round")
    return "\n".join(lines)


def _covered(coverage: Coverage) -> str:
    return f"{coverage.reached} of {coverage.of} ({coverage.percent:.1f} %)"


@ivr.command()
@click.argument("flow")
@flow_source
@click.option(
    "--format",
    "form",
    type=click.Choice(list(_FORMATS)),
    default="svg",
    show_default=True,
    help="What to write.",
)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="The file; stdout if not given.")
@click.option("--live", is_flag=True, help="Show what callers did, from the records of the configuration.")
@click.option("--since", type=Moment(), default="1d", show_default=True, help="From when on, with --live.")
@click.option("--url", help="Ask the HTTP interface of a daemon for it, as in http://127.0.0.1:8080.")
@click.option("--token", envvar="SIPCC_TOKEN", help="The token for --url.")
def graph(
    flow: str,
    *,
    source: FlowSource,
    form: str,
    output: Path | None,
    live: bool,
    since: float,
    url: str | None,
    token: str | None,
) -> None:
    """Draw FLOW; boxes are red with errors, yellow with warnings, green where somebody takes the call.

    With --live (or --url), each box tells how many callers came, how many hung up there and how many let the
    time run out; boxes with more than 10 % of either are purple.
    """
    if output is not None and output.suffix and output.suffix.lower() not in _ENDINGS[form]:
        endings = "; ".join(f"{name} is written to {', '.join(ends)}" for name, ends in _ENDINGS.items())
        raise click.UsageError(f"{output} is no name for {form}: {endings}")
    read = source.read((flow,), must=True)
    counts = counted(source, since, url, token) if live or url else None
    if counts is not None and read.flow.name.startswith(PREFIX):
        counts = counts_in(read.flow, counts)
    defects = check_flows(read.flows, read.world, all_flows=read.complete)
    drawn: Graph = graph_of(read.flow, defects, counts)
    text = _FORMATS[form](drawn)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SipccError(f"cannot write {str(output)!r}: {error.strerror}") from None
    click.echo(f"{output}: {_many(len(drawn.boxes), 'node')}")


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
