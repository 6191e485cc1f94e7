"""Reads flows: TOML or JSON in, a `Flow` out, and every mistake with its file, line, column, key and cure.

A file has the keys of `FlowHead` and a table ``[nodes.NAME]`` for each node. The same may stand in the
configuration, below ``[[flows]]``. What is read here is well-formed; whether its ways lead anywhere is
told by `sipcc.ivr.flows.check`.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path as FilePath
from typing import Any, TypeAlias, TypeVar

import msgspec

from sipcc.errors import ConfigError
from sipcc.ivr.flows import connecting, nodes
from sipcc.ivr.flows.forms import problems, retry_problems, target_problems
from sipcc.ivr.flows.model import NODE_NAME, SPECIAL, Flow, FlowHead, Node, Phrase, Retry, Written
from sipcc.ivr.flows.phrases import plain
from sipcc.reading.convert import convert_table, did_you_mean, shown
from sipcc.reading.findings import Finding, Report
from sipcc.reading.lines import KeyLines, Path, too_deep

NODES: Mapping[str, type[Node]] = {
    str(kind.__struct_config__.tag): kind
    for kind in (
        nodes.Menu, nodes.Gather, nodes.Survey, nodes.Say, nodes.Play, nodes.Hours, nodes.Switch,
        nodes.Lookup, nodes.Http, nodes.Assign, nodes.Language, connecting.Record, connecting.Queue,
        connecting.Dial, connecting.Transfer, connecting.Voicemail, connecting.Bot, connecting.Call,
        connecting.Return, connecting.Goto, connecting.Hangup,
    )
}  # fmt: skip
"""The types of nodes by their names in files."""

T = TypeVar("T")

Prepare: TypeAlias = Callable[[Any, Report], Any]
"""Changes the data of a file before they are converted, and tells what is wrong with them."""

MAX_NODES = 5000
"""Nodes of one flow; nobody could look after more."""

_DEEP = "it is nested too deeply"
_TOML_PLACE = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)


def read_flow(path: str | FilePath, name: str = "") -> Flow:
    """The flow in the file `path`: JSON when it ends in ``.json``, else TOML.

    Args:
        path: The file.
        name: What the flow is called; the file's name without its ending when empty.

    Raises:
        ConfigError: something is wrong; it is about the first mistake and tells how many more there are.
    """
    flow, report = load_flow(path, name)
    return sound(flow, report)


def load_flow(
    path: str | FilePath, name: str = "", *, prepare: Prepare | None = None
) -> tuple[Flow | None, Report]:
    """The flow in the file `path`, None with mistakes; and what is wrong with it.

    Args:
        path: The file.
        name: What the flow is called; the file's name without its ending when empty.
        prepare: Sees the data before they are converted; what it returns is taken in their place.
    """
    file = FilePath(path)
    try:
        text = file.read_bytes().decode("utf-8")
    except OSError as error:
        report = Report(file.name)
        report.error((), f"cannot read {str(file)!r}: {error.strerror}")
        return None, report
    except UnicodeDecodeError as error:
        report = Report(file.name)
        report.error((), f"this is not UTF-8: byte {error.start} is {error.object[error.start]:#04x}")
        return None, report
    is_json = file.suffix == ".json"
    return parse_flow(text, name or file.stem, file=file.name, is_json=is_json, prepare=prepare)


def parse_flow(
    text: str,
    name: str,
    *,
    file: str = "flow.toml",
    is_json: bool = False,
    prepare: Prepare | None = None,
) -> tuple[Flow | None, Report]:
    """The flow in `text`, None with mistakes; and what is wrong with it."""
    report = Report(file)
    data = _json(text, report) if is_json else _toml(text, report)
    if not report.failed and too_deep(data):
        _unreadable(report, "JSON" if is_json else "TOML", _DEEP, 1, 1)
    if report.failed:
        return None, report
    lines = KeyLines(text, json=is_json)
    report = Report(file, lines, columns=True)
    if prepare is not None:
        data = prepare(data, report)
    return convert_flow(data, name, (), report, Written(file, lines)), report


def sound(flow: T | None, report: Report) -> T:
    """`flow`, or a ConfigError about the first mistake in `report`."""
    errors = [finding for finding in report.sorted() if finding.severity == "error"]
    if errors or flow is None:
        first = errors[0]
        more = f"; {len(errors) - 1} more" if len(errors) > 1 else ""
        raise ConfigError(first.where, first.message, hint=(first.hint + more).lstrip("; "))
    return flow


def convert_flow(
    data: Any, name: str, path: Path, report: Report, written: Written | None = None
) -> Flow | None:
    """A flow from the table `data`, which stands at `path`; None after mistakes, which go to `report`."""
    if not isinstance(data, dict):
        report.error(path, f"expected a table, found {shown(data)}")
        return None
    rest = {key: value for key, value in data.items() if key != "nodes"}
    if "retry" in rest:
        rest["retry"] = plain_retry(rest["retry"], (*path, "retry"), report)
    head = convert_head(rest, path, report)
    tables = data.get("nodes", {})
    found = _nodes(tables, (*path, "nodes"), report)
    if head is None or report.has_error_below(path):
        return None
    start = head.start or next(iter(found), "")
    if start not in found:
        report.error((*path, "start"), f"there is no node {start!r}", did_you_mean(start, found))
        return None
    digest = hashlib.sha256(msgspec.json.encode([rest, tables])).hexdigest()[:8]
    return Flow(
        name=name,
        head=head,
        nodes=found,
        start=start,
        version=head.version or digest,
        digest=digest,
        written=written,
    )


def convert_head(data: Mapping[str, Any], path: Path, report: Report) -> FlowHead | None:
    """What a flow's table says besides its nodes, with plain prompts; None after mistakes."""
    head = convert_table(FlowHead, dict(data), path, report)
    if head is not None and head.fallback:
        for at, message, hint in target_problems(head.fallback, (*path, "fallback")):
            report.error(at, message, hint)
    return head


def _nodes(tables: Any, path: Path, report: Report) -> dict[str, Node]:
    if not isinstance(tables, dict) or not tables:
        report.error(path, "the flow has no nodes", 'add one, as in [nodes.welcome] with type = "say"')
        return {}
    if len(tables) > MAX_NODES:
        report.error(path, f"the flow has more than {MAX_NODES} nodes", "move parts of it to other flows")
        return {}
    found = {}
    for name, table in tables.items():
        node = _node(name, table, (*path, name), report)
        if node is not None:
            found[name] = node
    return found


def _node(name: str, table: Any, path: Path, report: Report) -> Node | None:
    if NODE_NAME.fullmatch(name) is None:
        report.error(path, f"{name!r} is no name for a node", "use letters, digits, _ and -")
    elif name in SPECIAL:
        report.error(path, f"{name!r} is a word that targets have", "give the node another name")
    if not isinstance(table, dict):
        report.error(path, f"expected a table, found {shown(table)}", "write its keys as key = value")
        return None
    kind = NODES.get(str(table.get("type", "")))
    if kind is None:
        if "type" not in table:
            report.error(path, "the key 'type' is missing", f"one of {', '.join(sorted(NODES))}")
        else:
            hint = did_you_mean(str(table["type"]), NODES)
            report.error((*path, "type"), f"there is no type of node {table['type']!r}", hint)
        return None
    data = {key: value for key, value in table.items() if key != "type"}
    for field in msgspec.structs.fields(kind):
        if field.type == Phrase and field.encode_name in data:
            at = (*path, field.encode_name)
            if field.encode_name == "prompt" and data["prompt"] in ("", []):
                report.error(at, "nothing is heard here", "write what is heard, or take the key out")
            data[field.encode_name] = plain(data[field.encode_name], at, report)
    if "retry" in data:
        data["retry"] = plain_retry(data["retry"], (*path, "retry"), report)
    node = convert_table(kind, data, path, report)
    if node is not None:
        for at, message, hint in problems(node):
            report.error((*path, *at), message, hint)
    return node


def plain_retry(written: Any, path: Path, report: Report) -> Any:
    """The table of a retry with plain prompts; what is wrong with it goes to `report`."""
    if not isinstance(written, dict):
        return written
    made = dict(written)
    for key in ("noinput_prompt", "nomatch_prompt"):
        if key in made:
            several = made[key] if isinstance(made[key], list) else [made[key]]
            made[key] = [plain(one, (*path, key, index), report) for index, one in enumerate(several)]
    retry = convert_table(Retry, made, path, report)
    for at, message, hint in retry_problems(retry) if retry is not None else ():
        report.error((*path, *at), message, hint)
    return made


def _json(text: str, report: Report) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place, message = (error.lineno, error.colno), error.msg
    except RecursionError:
        place, message = (1, 1), _DEEP
    _unreadable(report, "JSON", message, *place)
    return None


def _toml(text: str, report: Report) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = _TOML_PLACE.fullmatch(str(error))
    except RecursionError:
        _unreadable(report, "TOML", _DEEP, 1, 1)
        return None
    line = int(match[2]) if match and match[2] else text.count("\n") + 1
    column = int(match[3]) if match and match[3] else 1
    _unreadable(report, "TOML", match[1] if match else "it cannot be read", line, column)
    return None


def _unreadable(report: Report, what: str, message: str, line: int, column: int) -> None:
    where = f"{report.file}:{line}:{column}"
    message = f"this is not {what}: {message[:1].lower()}{message[1:]}"
    report.findings.append(Finding("error", where, message, "", line, column))
