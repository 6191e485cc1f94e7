"""Reads the configuration: TOML, overrides from the environment, secrets, and every check.

`load` is for who starts a switch: a `Config`, or one ConfigError, before anything was opened. `check` is
for who writes the file: everything that is wrong, at once, with what only this machine can tell.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sipcc import plugins
from sipcc.acd.settings import AgentSettings, QueueSettings
from sipcc.acd.strategies import BUILT_IN
from sipcc.call.settings import DiallingSettings
from sipcc.config.alerts import check_alerts
from sipcc.config.api import check_api
from sipcc.config.bots import check_bots
from sipcc.config.callbacks import check_callbacks
from sipcc.config.environment import PREFIX, apply_overrides, resolve_secrets
from sipcc.config.fetch import check_fetch, check_webapps
from sipcc.config.flows import check_flows
from sipcc.config.hours import check_hours
from sipcc.config.menus import check_menus, check_prompts
from sipcc.config.names import Names, check_agents, check_numbers, check_queue_exits, check_unique
from sipcc.config.numbers import (
    check_dialling,
    check_screening,
    check_toll,
    check_trunk_numbers,
    check_user_numbers,
)
from sipcc.config.outbound import check_outbound_hours
from sipcc.config.protection import check_protection
from sipcc.config.recordings import check_recordings
from sipcc.config.regions import check_region_waits, check_regions, read_regions
from sipcc.config.reload import check_renames
from sipcc.config.routers import check_routers
from sipcc.config.schema import LISTS, TABLES, Config, DaemonSettings
from sipcc.config.skills import check_skills
from sipcc.config.speech import anchored_speech, check_speech, check_voice_is_there
from sipcc.config.surroundings import check_surroundings
from sipcc.config.trace import check_trace
from sipcc.config.trunks import check_dns, check_routes, check_trunk_ways
from sipcc.config.voicemail import check_mailboxes, check_surveys
from sipcc.config.vxml import check_vxml
from sipcc.config.webhooks import check_webhooks
from sipcc.config.wires import check_media, check_sip, check_trunks, check_users
from sipcc.config.workflows import check_ways, check_workflows
from sipcc.errors import ConfigError
from sipcc.numbers import Plan, plan_of
from sipcc.reading.convert import convert_list, convert_table, did_you_mean
from sipcc.reading.findings import Finding, Report
from sipcc.reading.lines import KeyLines, too_deep
from sipcc.records.settings import RecordSettings
from sipcc.regions import Regions, RegionSettings

_TOML_PLACE = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)


def load(path: str | Path, environ: Mapping[str, str] | None = None) -> Config:
    """The configuration in the file `path`, with file names made absolute from its folder.

    Raises:
        ConfigError: something is wrong; it is about the first error and tells how many more there are.
    """
    config, report = _read(Path(path), os.environ if environ is None else environ)
    errors = [finding for finding in report.sorted() if finding.severity == "error"]
    if errors or config is None:
        first = errors[0]
        more = f"; {len(errors) - 1} more: run sipccd check" if len(errors) > 1 else ""
        raise ConfigError(first.where, first.message, hint=(first.hint + more).lstrip("; "))
    return config


def check(path: str | Path, environ: Mapping[str, str] | None = None) -> list[Finding]:
    """Everything that is wrong with the file `path`, in the order of its lines."""
    config, report = _read(Path(path), os.environ if environ is None else environ)
    if config is not None:
        check_surroundings(config, report)
        check_voice_is_there(config, report)
        check_prompts(config, report)
        check_flows(config, report, prompts=True)
    return report.sorted()


def load_records(path: str | Path, environ: Mapping[str, str] | None = None) -> RecordSettings:
    """Only ``[records]`` of the file `path`: for who reads records and has none of the secrets.

    Raises:
        ConfigError: the file is no TOML, or that section is wrong.
    """
    return _load_part(Path(path), environ, {"records": RecordSettings}).records


def load_service_levels(path: str | Path, environ: Mapping[str, str] | None = None) -> dict[str, float]:
    """T of each queue's service level, from ``[[queues]]`` of the file `path`; secrets are not read.

    Raises:
        ConfigError: the file is no TOML, or a queue is wrong.
    """
    queues = _load_part(Path(path), environ, {"queues": QueueSettings}).queues
    return {queue.name: queue.service_level for queue in queues}


def load_memberships(
    path: str | Path, environ: Mapping[str, str] | None = None
) -> dict[str, tuple[str, ...]]:
    """The queues of each agent, from ``[[agents]]`` of the file `path`; secrets are not read.

    Raises:
        ConfigError: the file is no TOML, or an agent is wrong.
    """
    agents = _load_part(Path(path), environ, {"agents": AgentSettings}).agents
    return {agent.name: agent.queues for agent in agents}


def load_regions(path: str | Path, environ: Mapping[str, str] | None = None) -> Regions:
    """Where numbers are at home, from ``[regions]`` and ``[dialling]`` of the file `path`.

    Raises:
        ConfigError: the file is no TOML, a section is wrong, or the table cannot be read.
    """
    kinds: dict[str, type[msgspec.Struct]] = {"regions": RegionSettings, "dialling": DiallingSettings}
    config = _load_part(Path(path), environ, kinds)
    return read_regions(config.regions, _plan(config.dialling))


def load_plan(path: str | Path, environ: Mapping[str, str] | None = None) -> Plan:
    """How numbers are written, from ``[dialling]`` of the file `path`; secrets are not read.

    Raises:
        ConfigError: the file is no TOML, or that section is wrong.
    """
    return _plan(_load_part(Path(path), environ, {"dialling": DiallingSettings}).dialling)


def _plan(dialling: DiallingSettings) -> Plan:
    return plan_of(dialling.country, dialling.area_code, frozenset(dialling.emergency))


def load_socket(path: str | Path, environ: Mapping[str, str] | None = None) -> Path:
    """The control socket of the daemon that runs with the file `path`; secrets are not read.

    Raises:
        ConfigError: the file is no TOML, or ``[records]`` or ``[daemon]`` is wrong.
    """
    kinds: dict[str, type[msgspec.Struct]] = {"records": RecordSettings, "daemon": DaemonSettings}
    return Path(_load_part(Path(path), environ, kinds).daemon.socket)


def load_keeper(path: str | Path, environ: Mapping[str, str] | None = None) -> bool:
    """Whether the daemon that runs with the file `path` is to have a keeper.

    True also for a file that is wrong: the switch itself says what is wrong.
    """
    try:
        return _load_part(Path(path), environ, {"daemon": DaemonSettings}).daemon.keeper
    except ConfigError:
        return True


def _load_part(
    file: Path, environ: Mapping[str, str] | None, kinds: dict[str, type[msgspec.Struct]]
) -> Config:
    """A configuration of which only the sections in `kinds` were read."""
    report = Report(file.name)
    data: Any = None
    if (text := _text_of(file, report)) is not None:
        data = _toml(text, report)
    read: dict[str, Any] = {}
    if data is not None:
        report = Report(file.name, KeyLines(text or ""))
        only: dict[str, Any] = {name: data.get(name, [] if name in LISTS else {}) for name in kinds}
        values = os.environ if environ is None else environ
        prefixes = tuple(f"{PREFIX}{name.upper()}__" for name in kinds)
        mine = {name: value for name, value in values.items() if name.startswith(prefixes)}
        tables = {name: kind for name, kind in kinds.items() if name in TABLES}
        lists = {name: kind for name, kind in kinds.items() if name in LISTS}
        apply_overrides(only, mine, tables, lists, report)
        for name, kind in kinds.items():
            section = resolve_secrets(only[name], values, file.resolve().parent, report, (name,))
            if name in LISTS:
                read[name] = tuple(item for _, item in convert_list(kind, section, (name,), report))
            else:
                read[name] = convert_table(kind, section, (name,), report)
    if not read or report.failed:
        first = report.findings[0]
        raise ConfigError(first.where, first.message, hint=first.hint)
    return _anchored(Config(**read), file.resolve().parent)


def _read(path: Path, environ: Mapping[str, str]) -> tuple[Config | None, Report]:
    report = Report(path.name)
    text = _text_of(path, report)
    data = None if text is None else _toml(text, report)
    if text is None or data is None:
        return None, report
    report = Report(path.name, KeyLines(text))
    folder = path.resolve().parent
    for key in data:
        if key not in TABLES and key not in LISTS:
            report.error((key,), f"unknown section {key!r}", _section_hint(key, data[key]))
    apply_overrides(data, environ, TABLES, LISTS, report)
    data = resolve_secrets(data, environ, folder, report)
    tables = {name: convert_table(kind, data.get(name, {}), (name,), report) for name, kind in TABLES.items()}
    lists = {name: convert_list(kind, data.get(name, []), (name,), report) for name, kind in LISTS.items()}
    values: dict[str, Any] = {name: table for name, table in tables.items() if table is not None}
    values |= {name: tuple(item for _, item in items) for name, items in lists.items()}
    config = Config(**values)
    _check_all(config, lists, data, report)
    if report.failed:
        return None, report
    config = _anchored(config, folder)
    check_workflows(config, report)
    check_flows(config, report)
    return (None if report.failed else config), report


def _text_of(path: Path, report: Report) -> str | None:
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        hint = "sipccd init writes one" if isinstance(error, FileNotFoundError) else ""
        report.error((), f"cannot read {str(path)!r}: {error.strerror}", hint)
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        report.error((), f"this is not UTF-8: byte {error.start} is {byte:#04x}", "save the file as UTF-8")
    return None


def _toml(text: str, report: Report) -> dict[str, Any] | None:
    """The data of `text`; what TOML itself objects to is reported with the line that it stands on."""
    try:
        data = tomllib.loads(text)
        if not too_deep(data):
            return data
    except RecursionError:
        pass
    except tomllib.TOMLDecodeError as error:
        _no_toml(text, str(error), report)
        return None
    report.error((), "this is not TOML: it is nested too deeply", "take out some of the brackets")
    return None


def _no_toml(text: str, error: str, report: Report) -> None:
    match = _TOML_PLACE.fullmatch(error)
    message = match[1] if match else "it cannot be read"
    line = int(match[2]) if match and match[2] else text.count("\n") + 1
    column = f", column {match[3]}" if match and match[3] else ""
    lines = text.split("\n")
    stands = lines[min(line, len(lines)) - 1].strip()[:60]
    report.findings.append(
        Finding(
            "error",
            f"{report.file}:{line}",
            f"this is not TOML: {message[:1].lower()}{message[1:]}{column}",
            f"the line is: {stands}" if stands and "password" not in stands else "",
            line,
        )
    )


def _section_hint(key: str, value: Any) -> str:
    if isinstance(value, dict | list):
        return did_you_mean(key, [*TABLES, *LISTS])
    homes = [
        name
        for name, kind in TABLES.items()
        if key in {field.encode_name for field in msgspec.structs.fields(kind)}
    ]
    return f"move it into [{homes[0]}]" if homes else did_you_mean(key, [*TABLES, *LISTS])


def _check_all(
    config: Config, lists: Mapping[str, Sequence[tuple[int, Any]]], data: Mapping[str, Any], report: Report
) -> None:
    """Every check that needs only the file; `lists` has the well-formed entries with their index."""
    names = Names(data)
    check_unique(data, report)
    listeners = check_sip(config.sip, report) if not report.has_error_below(("sip",)) else []
    if not report.has_error_below(("media",)):
        check_media(config.media, listeners, report)
    check_trace(config.sip, report)
    check_users(lists["users"], report)
    check_trunks(lists["trunks"], report)
    check_trunk_ways(lists["trunks"], report)
    if not report.has_error_below(("media",)):
        transports = {transport for transport, _, _ in listeners}
        check_protection(config.media, lists["users"], lists["trunks"], transports, report)
    check_routes(lists["routes"], names, report)
    if not report.has_error_below(("sip",)):
        check_dns(config.sip, report)
    check_user_numbers(lists["users"], report)
    check_trunk_numbers(lists["trunks"], report)
    if not report.has_error_below(("dialling",)):
        check_dialling(config.dialling, report)
    if not report.has_error_below(("toll",)):
        check_toll(config.toll, report)
        check_outbound_hours(config.toll, names, report)
    if not report.has_error_below(("regions",)):
        check_regions(config.regions, report)
    if not report.has_error_below(("screening",)):
        check_screening(config.screening, names, report)
    check_agents(lists["agents"], names, report)
    plan = plan_of(config.dialling.country, config.dialling.area_code)
    check_numbers(lists["numbers"], names, report, plan)
    check_hours(lists["hours"], report)
    _check_queues(lists["queues"], data, report)
    check_renames(lists["queues"], report)
    if not report.has_error_below(("api",)):
        check_api(config.api, lists["tokens"], names, report)
    check_alerts(lists["alerts"], names, report)
    check_webhooks(lists["webhooks"], report)
    check_skills(lists["queues"], data, report)
    check_routers(lists["routers"], names, report)
    _check_ivr(config, lists, names, report)
    check_region_waits(lists["queues"], lists["agents"], report)
    for section in ("queues", "numbers"):
        check_recordings(section, lists[section], report)
    check_queue_exits(lists["queues"], names, report)
    if not report.has_error_below(("callbacks",)):
        check_callbacks(config.callbacks, lists["queues"], lists["trunks"], names, report)
    if not data.get("numbers"):
        report.warn((), "there are no [[numbers]]: every call will be refused", 'add one, as in to = "echo"')


def _check_ivr(
    config: Config, lists: Mapping[str, Sequence[tuple[int, Any]]], names: Names, report: Report
) -> None:
    """The checks of what callers hear, are asked and are let into."""
    if not report.has_error_below(("speech",)):
        check_speech(config.speech, report)
    if not report.has_error_below(("fetch",)):
        check_fetch(config.fetch, report)
    check_webapps(lists["webapps"], names, report)
    if not report.has_error_below(("vxml",)):
        check_vxml(config.vxml, names, report)
    check_mailboxes(lists["mailboxes"], names, report)
    check_surveys(lists["surveys"], names, report)
    check_bots(lists["bots"], names, report)
    if not report.has_error_below(("menus",)):
        check_menus(lists["menus"], names, report)
        check_ways(lists["menus"], names, report)


def _check_queues(
    queues: Sequence[tuple[int, QueueSettings]], data: Mapping[str, Any], report: Report
) -> None:
    strategies = sorted({*BUILT_IN, *plugins.names("sipcc.strategies")})
    served = _served(data.get("agents"))
    for index, queue in queues:
        if queue.strategy not in strategies:
            report.error(
                ("queues", index, "strategy"),
                f"unknown strategy {queue.strategy!r}",
                did_you_mean(queue.strategy, strategies),
            )
        if queue.max_wait and queue.ring_timeout > queue.max_wait:
            report.warn(
                ("queues", index, "ring_timeout"),
                f"an agent is rung for {queue.ring_timeout:g} s, callers leave after {queue.max_wait:g} s",
                "make ring_timeout shorter than max_wait",
            )
        if queue.name not in served and not queue.bound:
            report.warn(
                ("queues", index, "name"),
                f"no agent serves queue {queue.name!r}",
                "name it in an agent's queues",
            )


def _served(agents: Any) -> set[str]:
    """The queues that agents name, whether or not these agents are well-formed."""
    entries = agents if isinstance(agents, list) else []
    named = [agent.get("queues") for agent in entries if isinstance(agent, dict)]
    return {str(queue) for queues in named if isinstance(queues, list) for queue in queues}


def _anchored(config: Config, folder: Path) -> Config:
    """`config` with its file names made absolute from `folder`."""
    records, ivr = config.records, config.ivr
    database = records.database
    if "://" not in database and database != ":memory:":
        database = str(folder / database)
    records = msgspec.structs.replace(records, database=database, recordings=str(folder / records.recordings))
    ivr = msgspec.structs.replace(ivr, prompts=str(folder / ivr.prompts))
    beside = _beside(records)
    daemon = msgspec.structs.replace(
        config.daemon,
        socket=str(folder / (config.daemon.socket or beside / "sipccd.sock")),
        journal=str(folder / (config.daemon.journal or beside / "sipccd.calls"))
        if config.daemon.journal != "off"
        else "",
    )
    speech = anchored_speech(config.speech, folder)
    config = msgspec.structs.replace(config, records=records, ivr=ivr, daemon=daemon, speech=speech)
    workflows = tuple(
        msgspec.structs.replace(flow, file=str(folder / flow.file)) if flow.file else flow
        for flow in config.workflows
    )
    flows = tuple(
        msgspec.structs.replace(flow, file=str(folder / flow.file)) if flow.file else flow
        for flow in config.flows
    )
    config = msgspec.structs.replace(config, workflows=workflows, flows=flows)
    if config.toll.do_not_call:
        toll = msgspec.structs.replace(config.toll, do_not_call=str(folder / config.toll.do_not_call))
        config = msgspec.structs.replace(config, toll=toll)
    if config.regions.file:
        regions = msgspec.structs.replace(config.regions, file=str(folder / config.regions.file))
        config = msgspec.structs.replace(config, regions=regions)
    if config.sip.trace.pcap:
        trace = msgspec.structs.replace(config.sip.trace, pcap=str(folder / config.sip.trace.pcap))
        config = msgspec.structs.replace(config, sip=msgspec.structs.replace(config.sip, trace=trace))
    return _anchored_tls(config, folder)


def _anchored_tls(config: Config, folder: Path) -> Config:
    named = {
        key: str(folder / name)
        for key in ("certificate", "key", "authorities")
        if (name := getattr(config.sip.tls, key))
    }
    tls = msgspec.structs.replace(config.sip.tls, **named)
    return msgspec.structs.replace(config, sip=msgspec.structs.replace(config.sip, tls=tls))


def _beside(records: RecordSettings) -> Path:
    """The folder of what the daemon keeps besides its records, which is theirs when they are files."""
    database = records.database
    return Path(records.recordings if "://" in database or database == ":memory:" else database).parent
