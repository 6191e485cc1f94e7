"""Reads and checks ``[[workflows]]`` and their JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any

from sipcc.acd.settings import WorkflowSettings
from sipcc.acd.taskrouter import (
    Document,
    Filter,
    Target,
    compile_filter,
    compile_order,
    compile_skip,
    compile_target,
    worker_names,
    worker_names_in,
)
from sipcc.acd.workflow import Workflow
from sipcc.call.destination import Destination
from sipcc.config.names import Names
from sipcc.config.schema import Config
from sipcc.errors import ConfigError
from sipcc.expr import Expression, ExpressionError, Name
from sipcc.ivr.settings import MenuSettings
from sipcc.reading.convert import convert_table, did_you_mean
from sipcc.reading.findings import Report
from sipcc.reading.lines import Path

_HINT = "write it as in \"level == 'gold' AND task.language IN worker.languages\""

_MISSING = re.compile(r"add a line (\w+) = \.\.\.")


def read_workflows(config: Config) -> dict[str, Workflow]:
    """The workflows of `config`, whose file names are absolute, by their names.

    Raises:
        ConfigError: one cannot be read.
    """
    found = {}
    for index, settings in enumerate(config.workflows):
        report = Report(_called(settings))
        document = _document(settings, report)
        if document is None:
            first = report.findings[0]
            raise ConfigError(f"workflows[{index}]", f"{first.where}: {first.message}", hint=first.hint)
        try:
            found[settings.name] = Workflow(settings.name, document)
        except ExpressionError as error:
            raise ConfigError(f"workflows[{index}]", f"{_called(settings)}: {error}", hint=_HINT) from error
    return found


def check_workflows(config: Config, report: Report) -> None:
    """Check every workflow of `config`, whose file names are absolute; the files are read."""
    for index, settings in enumerate(config.workflows):
        path: Path = ("workflows", index)
        if bool(settings.file) is bool(settings.json):
            report.error(path, "it needs either file or json", 'add file = "NAME.json"')
            continue
        inner = Report(_called(settings))
        document = _document(settings, inner)
        if document is not None:
            _Checker(config, inner).check(document)
        for finding in inner.findings:
            add = report.error if finding.severity == "error" else report.warn
            key = "file" if settings.file else "json"
            add((*path, key), f"{finding.where}: {finding.message}", _in_json(finding.hint))


def check_ways(menus: Sequence[tuple[int, MenuSettings]], names: Names, report: Report) -> None:
    """Check that the workflows, routers and flows exist that menus lead to."""
    for index, menu in menus:
        places: list[tuple[Path, str]] = [(("options", key), to) for key, to in menu.options.items()]
        for place, text in [*places, (("then",), menu.then)]:
            try:
                destination = Destination.parse(text)
            except ValueError:
                continue  # told with the other faults of menus
            if destination.kind in ("workflow", "router", "flow"):
                names.need(f"{destination.kind}s", destination.argument, ("menus", index, *place), report)


def _in_json(hint: str) -> str:
    """A cure in the words of JSON, where it is in those of TOML."""
    if (missing := _MISSING.fullmatch(hint)) is not None:
        return f'add "{missing[1]}"'
    return "" if hint == "write its keys as key = value" else hint


def _called(settings: WorkflowSettings) -> str:
    return FilePath(settings.file).name or "json"


def _document(settings: WorkflowSettings, report: Report) -> Document | None:
    """The document; None after errors, which stand in `report`."""
    text = settings.json
    if settings.file:
        try:
            text = FilePath(settings.file).read_text("utf-8")
        except OSError as error:
            report.error((), f"cannot read {settings.file!r}: {error.strerror}", "name the JSON file")
            return None
        except UnicodeDecodeError as error:
            report.error((), f"this is not UTF-8: byte {error.start}", "save the file as UTF-8")
            return None
    try:
        data = json.loads(text)
    except ValueError as error:
        report.error((), f"this is not JSON: {error}")
        return None
    except RecursionError:
        report.error((), "this is not JSON: it is nested too deep")
        return None
    _check_parts(data, report)
    return None if report.failed else convert_table(Document, data, (), report)


def _check_parts(data: Any, report: Report) -> None:
    """Check filters and targets one by one, so that each error names its place."""
    routing = data.get("task_routing") if isinstance(data, dict) else None
    filters = routing.get("filters") if isinstance(routing, dict) else None
    for index, item in enumerate(filters if isinstance(filters, list) else ()):
        path: Path = ("task_routing", "filters", index)
        targets = item.get("targets") if isinstance(item, dict) else None
        for place, target in enumerate(targets if isinstance(targets, list) else ()):
            convert_table(Target, target, (*path, "targets", place), report)
        if not report.has_error_below(path):
            convert_table(Filter, item, path, report)


class _Checker:
    """Checks what a document names."""

    def __init__(self, config: Config, report: Report) -> None:
        self._queues = {queue.name: queue for queue in config.queues}
        self._agents = {agent.name: agent for agent in config.agents}
        self._worker_names = worker_names(config.agents)
        self._report = report

    def check(self, document: Document) -> None:
        routing, path = document.task_routing, ("task_routing",)
        for index, item in enumerate(routing.filters):
            place: Path = (*path, "filters", index)
            self._compile(compile_filter, item.expression, (*place, "expression"))
            for number, target in enumerate(item.targets):
                self._check_target(target, (*place, "targets", number))
                last = number == len(item.targets) - 1
                if target.timeout is None and not (last or target.skip_if or _known(target)):
                    self._report.warn(
                        (*place, "targets", number),
                        "calls wait here for ever and never come to the targets behind it",
                        'add "timeout": SECONDS',
                    )
        if routing.default_filter is None:
            self._report.warn(path, "calls that no filter takes will end", 'add "default_filter"')
        else:
            self._need_queue(routing.default_filter.queue, (*path, "default_filter", "queue"))

    def _check_target(self, target: Target, path: Path) -> None:
        self._need_queue(target.queue, (*path, "queue"))
        if target.expression:
            self._compile(compile_target, target.expression, (*path, "expression"))
        if target.skip_if:
            self._compile(compile_skip, target.skip_if, (*path, "skip_if"))
        self._check_order(target, (*path, "order_by"))
        known = _known(target)
        if known and not known.startswith("task."):
            self._check_known(known, target.queue, path)

    def _compile(self, read: Any, text: str, path: Path) -> None:
        try:
            expression: Expression = read(text)
        except ExpressionError as error:
            self._report.error(path, f"{text!r} is no condition: {error}", _HINT)
            return
        for name in worker_names_in(expression):
            self._need_attribute(name, path)

    def _check_order(self, target: Target, path: Path) -> None:
        try:
            clauses = compile_order(target.order_by)
        except ExpressionError as error:
            self._report.error(path, f"{target.order_by!r} is no order: {error}", "as in worker.level DESC")
            return
        for name, _ in clauses:
            self._need_attribute(Name(name, target.order_by.index(name) + 1), path)

    def _check_known(self, name: str, queue: str, path: Path) -> None:
        if name not in self._agents:
            self._report.error(path, f"there is no agent {name!r}", did_you_mean(name, self._agents))
        elif queue in self._queues and queue not in self._agents[name].queues:
            self._report.warn(
                path, f"agent {name!r} does not serve queue {queue!r}", "name the queue in the agent's queues"
            )

    def _need_queue(self, name: str, path: Path) -> None:
        if name not in self._queues:
            self._report.error(path, f"there is no queue {name!r}", did_you_mean(name, self._queues))

    def _need_attribute(self, name: Name, path: Path) -> None:
        plain = name.name.removeprefix("routing.")
        if plain not in self._worker_names:
            self._report.warn(
                path,
                f"no agent has the attribute {plain!r}, at column {name.column}",
                did_you_mean(plain, self._worker_names),
            )


def _known(target: Target) -> str:
    return target.known_worker_friendly_name or target.known_worker_sid
