"""Reads and checks ``[[flows]]`` and their files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any, get_args

import msgspec

from sipcc import plugins
from sipcc.acd.events import Exit
from sipcc.config.environment import resolve_secrets
from sipcc.config.prompts import catalogue_of
from sipcc.config.schema import Config
from sipcc.errors import ConfigError
from sipcc.ivr.flows.check import World
from sipcc.ivr.flows.check import check_flows as find_defects
from sipcc.ivr.flows.connecting import Queue
from sipcc.ivr.flows.load import convert_flow, load_flow
from sipcc.ivr.flows.menus import flows_of_menus
from sipcc.ivr.flows.model import Flow, FlowBase, Written
from sipcc.ivr.flows.settings import FlowSettings
from sipcc.reading.convert import did_you_mean
from sipcc.reading.findings import Finding, Report
from sipcc.reading.lines import Path, Place

EXITS = get_args(Exit)
"""How callers leave queues."""

LOOKUPS = "sipcc.lookups"
"""The entry-point group of lookup functions."""

_UNUSED = ("start", "fallback", "languages", "version", "needs", "timeout", "interdigit", "voice", "retry")


def read_flows(config: Config) -> dict[str, Flow]:
    """The flows of `config` that are graphs, by their names.

    Raises:
        ConfigError: one cannot be read; it is about the first mistake.
    """
    report = Report("")
    found = _read(config, report)
    if report.failed:
        first = next(finding for finding in report.findings if finding.severity == "error")
        raise ConfigError(first.where, first.message, hint=first.hint)
    return found


def read_menus(config: Config) -> dict[str, Flow]:
    """The menus of `config` as flows, by their names ``menu:NAME``."""
    return flows_of_menus(config.menus, config.ivr)


def check_flows(config: Config, report: Report, *, prompts: bool = False) -> None:
    """Check the flows of `config`, whose file names are absolute; the files are read.

    Args:
        config: Has them, and what they lead to.
        report: Gets what is wrong.
        prompts: Whether to look for the prompts too, which is slower.
    """
    found = _read(config, report)
    if report.failed or not found:
        return
    world = world_of(config, prompts=prompts)
    told = {(finding.where, finding.message) for finding in report.findings}
    for defect in find_defects(tuple(found.values()), world, all_flows=False):
        finding = defect.finding()
        if (finding.where, finding.message) not in told:
            report.findings.append(finding)


def _read(config: Config, report: Report) -> dict[str, Flow]:
    found = {}
    for index, settings in enumerate(config.flows):
        path: Path = ("flows", index)
        if ":" in settings.name:
            cause = f"{settings.name!r} has a colon, as the names have under which menus are listed as flows"
            report.error((*path, "name"), cause, 'take another name, as in "bank"')
            continue
        if not _form_is_right(settings, path, report) or settings.program:
            continue
        flow = _from_file(settings, path, report) if settings.file else _inline(settings, path, report)
        if flow is not None:
            check_exits(flow, report)
            found[settings.name] = flow
    return found


def check_exits(flow: Flow, report: Report) -> None:
    """Check that callers can leave a queue by the exits for which a flow names ways."""
    for name, node in flow.nodes.items():
        for exit_ in node.exits if isinstance(node, Queue) else ():
            if exit_ in EXITS:
                continue
            path: Path = ("exits", exit_)
            place = flow.written.place(("nodes", name, *path)) if flow.written is not None else Place(0, 0)
            where = f"{flow.where(name, path)} {flow.name}.{name}.exits.{exit_}"
            cause, hint = f"nobody leaves a queue by {exit_!r}", did_you_mean(exit_, EXITS)
            report.findings.append(Finding("error", where, cause, hint, *place))


def _form_is_right(settings: FlowSettings, path: Path, report: Report) -> bool:
    ways = [bool(settings.file), bool(settings.nodes), settings.program]
    if sum(ways) != 1:
        cause = "nothing says what the flow does" if not any(ways) else "the flow is described twice"
        report.error(path, cause, "give one of: nodes, file, program = true")
        return False
    if settings.nodes:
        return True
    empty = FlowSettings(name="")
    for key in _UNUSED:
        if getattr(settings, key) != getattr(empty, key):
            report.error((*path, key), f"the flow is not here, so {key!r} is not used", "write it there")
            return False
    return True


def _from_file(settings: FlowSettings, path: Path, report: Report) -> Flow | None:
    folder = FilePath(settings.file).parent

    def prepare(data: Any, own: Report) -> Any:
        return resolve_secrets(data, os.environ, folder, own)

    flow, own = load_flow(settings.file, settings.name, prepare=prepare)
    if own.lines is not None:
        report.findings += own.findings
        return flow
    for unread in own.findings:
        if unread.line:
            report.error((*path, "file"), f"{unread.where}: {unread.message}", "correct it there")
        else:
            hint = "name a file with a flow in UTF-8; without a folder it is looked for beside this one"
            report.error((*path, "file"), unread.message, unread.hint or hint)
    return flow


def _inline(settings: FlowSettings, path: Path, report: Report) -> Flow | None:
    head = {field.name: getattr(settings, field.name) for field in msgspec.structs.fields(FlowBase)}
    data: Mapping[str, Any] = {**head, "retry": settings.retry, "nodes": settings.nodes}
    written = Written(report.file, report.lines, path) if report.lines is not None else None
    return convert_flow(msgspec.to_builtins(data), settings.name, path, report, written)


def world_of(config: Config, *, prompts: bool) -> World:
    """What there is in `config` for flows to lead to; with `prompts`, also what can be heard."""
    known = {
        "queue": [queue.name for queue in config.queues],
        "menu": [menu.name for menu in config.menus],
        "workflow": [workflow.name for workflow in config.workflows],
        "router": [router.name for router in config.routers],
        "flow": [flow.name for flow in config.flows],
        "webapp": [webapp.name for webapp in config.webapps],
        "bot": [bot.name for bot in config.bots],
        "survey": [survey.name for survey in config.surveys],
        "voicemail": [box.name for box in config.mailboxes],
        "user": [user.name for user in config.users],
        "trunk": [*(trunk.name for trunk in config.trunks), *(route.name for route in config.routes)],
    }
    return World(
        known=known,
        calendars={hours.name: hours for hours in config.hours},
        catalogue=catalogue_of(config) if prompts else None,
        longest=config.speech.longest,
        language=config.ivr.language,
    )


def check_lookups(names: Mapping[str, object], flows: Mapping[str, Flow]) -> None:
    """Check that the functions are there that flows look things up by; `names` are those of the program.

    Raises:
        ConfigError: one is not.
    """
    known = {*names, *plugins.names(LOOKUPS)}
    for flow in flows.values():
        for name, node in flow.nodes.items():
            source = getattr(node, "source", "")
            if node.kind == "lookup" and source and source not in known:
                where = f"{flow.where(name, ('source',))} {flow.name}.{name}.source"
                raise ConfigError(where, f"there is no lookup {source!r}", hint=did_you_mean(source, known))
