"""Plain data to settings structs, collecting every error instead of stopping at the first.

Each value is converted by itself, so that one wrong key hides no other; msgspec's messages are turned
into words of the file: what was expected, and what stood there.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any, TypeVar, get_args, get_origin

import msgspec
from msgspec import inspect

from sipcc.reading.findings import Report
from sipcc.reading.lines import Path

S = TypeVar("S", bound=msgspec.Struct)

SECRET_KEYS = frozenset({"password", "authorization"})
"""Keys whose values are never shown."""

_EXPECTED = re.compile(r"Expected `([^`]+)`(.*?)(?:, got `[^`]+`)?(?: - at `\$(.*)`)?", re.DOTALL)
_ENUM = re.compile(r"Invalid enum value .*?(?: - at `\$(.*)`)?", re.DOTALL)
_PATH_PART = re.compile(r"\[(\d+)\]|\[\.\.\.\]|\.([A-Za-z_0-9]+)")
_LIMIT = re.compile(r" (>=|<=|>|<) (-?[0-9]+(?:\.[0-9]*[1-9])?)(?:\.0)?")
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text in quotes",
    "bool": "true or false",
    "array": "a list in [ ]",
    "object": "a table",
}


def convert_table(kind: type[S], data: Any, path: Path, report: Report) -> S | None:
    """One struct of `kind` from the table `data`; None after errors, which stand in `report`."""
    if not isinstance(data, dict):
        report.error(path, f"expected a table, found {shown(data)}", "write its keys as key = value")
        return None
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key in data:
        if key not in fields:
            report.error((*path, key), f"unknown key {key!r}", did_you_mean(key, fields))
    for name, field in fields.items():
        if name in data:
            _check_value(field.type, data[name], (*path, name), report)
        elif field.required:
            report.error(path, f"the key {name!r} is missing", f"add a line {name} = ...")
    if report.has_error_below(path):
        return None
    try:
        return msgspec.convert(data, type=kind)
    except msgspec.ValidationError as error:
        # a rule over several keys; its text begins with the key that it is about
        message = str(error).partition(" - at `")[0]
        first = message.split()[0] if message else ""
        report.error((*path, first) if first in fields else path, message)
        return None


def convert_list(kind: type[S], data: Any, path: Path, report: Report) -> list[tuple[int, S]]:
    """The structs of an array of tables, each with its index; what is wrong is left out and reported."""
    if isinstance(data, dict):
        name = path[-1]
        report.error(path, f"[{name}] is a single table", f"write [[{name}]], once for each")
        return []
    if not isinstance(data, list):
        report.error(path, f"expected tables [[{path[-1]}]], found {shown(data)}")
        return []
    converted = [
        (index, convert_table(kind, item, (*path, index), report)) for index, item in enumerate(data)
    ]
    return [(index, item) for index, item in converted if item is not None]


def did_you_mean(word: str, known: Any) -> str:
    """A hint for a word that is not in `known`: the nearest ones, or all of them."""
    names = sorted(str(name) for name in known)
    near = get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known: {', '.join(names)}" if names else "there are none"


def shown(value: Any) -> str:
    """A value of the file as people would call it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return f"the text {value[:60]!r}"
        case int() | float():
            return f"the number {value}"
        case list():
            return f"a list of {len(value)}"
        case dict():
            return "a table"
        case _:
            return f"the date or time {value}"


def _check_value(kind: Any, value: Any, path: Path, report: Report) -> None:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        convert_table(kind, value, path, report)
        return
    try:
        msgspec.convert(value, type=kind)
    except msgspec.ValidationError as error:
        told = len(report.findings)
        if get_origin(kind) is dict and isinstance(value, dict):
            for key, one in value.items():  # msgspec does not name the key
                _check_value(get_args(kind)[1], one, (*path, key), report)
        if len(report.findings) > told:
            return
        _explain(str(error), kind, value, path, report)


def _explain(text: str, kind: Any, value: Any, path: Path, report: Report) -> None:
    """Report msgspec's `text` about `value` in the words of the file."""
    if match := _ENUM.fullmatch(text):
        inner = _inner_path(match[1])
        found = _dig(value, inner)
        choices = _choices(kind, inner)
        listed = ", ".join(f'"{choice}"' for choice in choices)
        near = get_close_matches(str(found), [str(choice) for choice in choices], n=1)
        report.error(
            (*path, *inner),
            f"expected one of {listed}, found {shown(found)}",
            f"did you mean {near[0]!r}?" if near else "",
        )
    elif match := _EXPECTED.fullmatch(text):
        inner = _inner_path(match[3])
        wrong = _dig(value, inner)
        secret = path[-1] in SECRET_KEYS
        found = "a value that is not shown" if secret else shown(wrong)
        cure = "write it in quotes" if secret else _cure(match[1], wrong, match[2])
        report.error((*path, *inner), f"expected {_expected(match[1], match[2])}, found {found}", cure)
    else:
        report.error(path, text)


def _expected(kind: str, rule: str) -> str:
    words = " or ".join(
        _WORDS.get(part.strip(), part.strip()) for part in kind.split("|") if "null" not in part
    )
    return words + rule.replace(".0", "")


def _cure(kind: str, value: Any, rule: str) -> str:
    """How to write it, where that is plain from the value, or from the `rule` that it breaks."""
    if isinstance(value, int | float) and (limit := _LIMIT.fullmatch(rule)):
        words = {">=": "{} or more", "<=": "{} or less", ">": "a number above {}", "<": "a number below {}"}
        return f"write {words[limit[1]].format(limit[2])}"
    if kind.startswith("str") and isinstance(value, int | float):
        return f'write it in quotes: "{value}"' if not isinstance(value, bool) else "write it in quotes"
    if kind.startswith(("int", "float")) and isinstance(value, str):
        return "write the number without quotes"
    if kind.startswith("bool") and "|" in kind:
        return "write one value; a date or time in quotes"
    if kind.startswith("bool"):
        return "write true or false, without quotes"
    if kind.startswith("array") and isinstance(value, str):
        return f'write it as a list: ["{value[:60]}"]'
    return ""


def _inner_path(text: str | None) -> Path:
    parts: list[str | int] = []
    for match in _PATH_PART.finditer(text or ""):
        if match[1] is not None:
            parts.append(int(match[1]))
        elif match[2] is not None:
            parts.append(match[2])
    return tuple(parts)


def _dig(value: Any, path: Path) -> Any:
    for part in path:
        try:
            value = value[part]
        except (LookupError, TypeError):
            return value
    return value


def _choices(kind: Any, inner: Path) -> list[Any]:
    """The words that a Literal allows, looked up through tuples and unions."""
    pending: list[inspect.Type] = [inspect.type_info(kind)]
    while pending:
        info = pending.pop()
        match info:
            case inspect.LiteralType():
                return list(info.values)
            case inspect.VarTupleType() | inspect.ListType():
                pending.append(info.item_type)
            case inspect.TupleType():
                pending.extend(info.item_types)
            case inspect.UnionType():
                pending.extend(info.types)
            case inspect.Metadata():
                pending.append(info.type)
            case inspect.DictType():
                pending.append(info.value_type)
            case _:
                continue
    return []
