"""Values from outside the file: overrides by ``SIPCC__SECTION__KEY``, and secrets.

| written | means |
|---|---|
| ``SIPCC__SIP__DOMAIN=example.com`` | ``[sip] domain`` |
| ``SIPCC__SIP__LISTEN=udp:127.0.0.1:5060,tcp:127.0.0.1:5060`` | a list: commas, or TOML in brackets |
| ``SIPCC__TRUNKS__carrier__PASSWORD=...`` | the trunk called ``carrier``; its number, from 0, works too |
| ``password = "env:NAME"`` | the variable NAME |
| ``password = "file:PATH"`` | the file, without its last line end; relative to the configuration |
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

import msgspec
from msgspec import inspect

from sipcc.reading.convert import did_you_mean
from sipcc.reading.findings import Report
from sipcc.reading.lines import Path

PREFIX = "SIPCC__"

_READABLE_BY_OTHERS = 0o004


def apply_overrides(
    data: dict[str, Any],
    environ: Mapping[str, str],
    tables: Mapping[str, type[msgspec.Struct]],
    lists: Mapping[str, type[msgspec.Struct]],
    report: Report,
) -> None:
    """Put the values of `environ` into `data`, which changes."""
    for variable in sorted(name for name in environ if name.startswith(PREFIX)):
        section, *rest = variable[len(PREFIX) :].split("__")
        section = section.lower()
        place: Path = (section,)
        report.overrides[("\0", variable)] = variable  # a place for errors about the variable itself
        if section in tables and rest:
            target, kind = data.setdefault(section, {}), tables[section]
        elif section in lists and len(rest) >= 2:
            index = _index_of(data.get(section), rest.pop(0))
            if index is None:
                report.error(("\0", variable), f"no entry of [[{section}]] has that name or number")
                continue
            target, kind, place = data[section][index], lists[section], (section, index)
        else:
            known = [f"{PREFIX}{name.upper()}__..." for name in (*tables, *lists)]
            report.error(("\0", variable), "names no setting", did_you_mean(variable, known))
            continue
        _set(target, kind, place, rest, environ[variable], variable, report)


def _set(
    target: Any,
    kind: type[msgspec.Struct],
    place: Path,
    keys: list[str],
    text: str,
    variable: str,
    report: Report,
) -> None:
    """Set one key, however deep."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    key = keys[0].lower()
    field = fields.get(key)
    if field is None or not isinstance(target, dict):
        report.error(("\0", variable), f"names no key of [{place[0]}]", did_you_mean(key, fields))
        return
    if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct) and len(keys) > 1:
        _set(target.setdefault(key, {}), field.type, (*place, key), keys[1:], text, variable, report)
        return
    report.overrides[(*place, key)] = variable
    target[key] = _value_of(text, field.type)


def _value_of(text: str, kind: Any) -> Any:
    info = inspect.type_info(kind)
    while isinstance(info, inspect.Metadata):
        info = info.type
    if isinstance(info, inspect.StrType):
        return text
    is_list = isinstance(info, inspect.VarTupleType | inspect.TupleType | inspect.ListType)
    if is_list and not text.lstrip().startswith("["):
        return [_scalar(part.strip()) for part in text.split(",") if part.strip()]
    return _scalar(text)


def _scalar(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError, RecursionError):
        return text


def _index_of(entries: Any, name: str) -> int | None:
    """The index of the entry called `name`, or numbered so."""
    if not isinstance(entries, list):
        return None
    for index, entry in enumerate(entries):
        if isinstance(entry, dict) and str(entry.get("name", entry.get("number"))).lower() == name.lower():
            return index
    if name.isascii() and name.isdigit() and len(name) < 6 and int(name) < len(entries):
        return int(name)
    return None


def resolve_secrets(
    data: Any, environ: Mapping[str, str], folder: FilePath, report: Report, path: Path = ()
) -> Any:
    """`data` with every ``env:`` and ``file:`` text replaced by what it names."""
    if isinstance(data, dict):
        return {
            key: resolve_secrets(value, environ, folder, report, (*path, key)) for key, value in data.items()
        }
    if isinstance(data, list):
        return [
            resolve_secrets(value, environ, folder, report, (*path, index))
            for index, value in enumerate(data)
        ]
    if isinstance(data, str) and data.startswith("env:"):
        return _from_variable(data[4:], environ, path, report)
    if isinstance(data, str) and data.startswith("file:"):
        return _from_file(folder / data[5:], path, report)
    return data


def _from_variable(name: str, environ: Mapping[str, str], path: Path, report: Report) -> str:
    value = environ.get(name)
    if value:
        return value
    state = "not set" if value is None else "empty"
    report.error(path, f"the environment variable {name!r} is {state}", f"set {name}, or write file:PATH")
    return "\0"


def _from_file(file: FilePath, path: Path, report: Report) -> str:
    try:
        value = file.read_text("utf-8").removesuffix("\n").removesuffix("\r")
        mode = file.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        report.error(
            path,
            f"cannot read the secret file {str(file)!r}: {reason}",
            "the path is relative to the configuration",
        )
        return "\0"
    if os.name == "posix" and mode & _READABLE_BY_OTHERS:
        report.warn(path, f"everybody on this machine may read {str(file)!r}", f"chmod 600 {file}")
    if not value:
        report.error(path, f"the secret file {str(file)!r} is empty")
    return value or "\0"
