"""What the commands of `sipccd ivr` share: which flows are meant, what is around them, what callers did."""

from __future__ import annotations

import json
import os
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import click
import msgspec

from sipcc.cli.stored import with_log
from sipcc.config import check as check_config
from sipcc.config import load, load_records
from sipcc.config.flows import check_exits, read_flows, read_menus, world_of
from sipcc.config.schema import Config
from sipcc.errors import ConfigError, SipccError
from sipcc.ivr.check import nearest
from sipcc.ivr.flows.check import World
from sipcc.ivr.flows.counts import Counts, NodeCounts
from sipcc.ivr.flows.load import load_flow
from sipcc.ivr.flows.menus import firsts
from sipcc.ivr.flows.model import Flow
from sipcc.ivr.flows.run import playable
from sipcc.ivr.flows.simulate import SimWorld
from sipcc.ivr.hours import Calendar
from sipcc.ivr.lengths import Lengths
from sipcc.ivr.prompts import PromptCatalogue
from sipcc.ivr.settings import IvrSettings
from sipcc.reading.findings import Finding
from sipcc.records.reading import flow_counts

F = TypeVar("F", bound=Callable[..., Any])

HTTP_SECONDS = 10.0
"""How long the daemon may take to answer."""


class WithoutSecrets(Mapping[str, str]):
    """The environment, with a word for each variable that is not set: to try a flow takes no password."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        return self._environ.get(name) or "not set, and not needed to try a flow"

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)


class FlowsRead(msgspec.Struct, frozen=True, kw_only=True):
    """The flows that a command is about, and those around them."""

    flows: tuple[Flow, ...]
    """All that could be read."""
    chosen: tuple[str, ...]
    """The names of those that were asked for."""
    findings: tuple[Finding, ...]
    """Why some could not be read, and what else is wrong with how they are written."""
    world: World
    complete: bool
    """Whether `flows` are all that there are, so that one that is not among them is missing."""
    calendars: dict[str, Calendar]

    @property
    def flow(self) -> Flow:
        """The one that was asked for."""
        return next(flow for flow in self.flows if flow.name == self.chosen[0])

    def sim_world(self) -> SimWorld:
        """The surroundings of simulated calls."""
        return SimWorld(
            flows={flow.name: playable(flow) for flow in self.flows},
            calendars=self.calendars,
            lengths=Lengths(self.world.catalogue),
            language=self.world.language,
        )


class FlowSource:
    """Where the options of a command say that flows are."""

    def __init__(self, config: Path | None, prompts: Path | None, language: str | None) -> None:
        self._config = config
        self._prompts = prompts
        self._language = language

    @property
    def config(self) -> Path:
        """The configuration."""
        return self._config or Path("sipcc.toml")

    def findings(self) -> list[Finding]:
        """All that is wrong with the configuration, its flows among it."""
        return check_config(self.config, WithoutSecrets(os.environ))

    def read(self, names: Sequence[str], *, must: bool = False) -> FlowsRead:
        """The flows called `names`: files, or names of the configuration; without names all of it.

        Menus are flows called ``menu:NAME``, each with those that it leads to.

        Args:
            names: What was asked for.
            must: Whether one that cannot be read is an error at once.

        Raises:
            ConfigError: the configuration is wrong; with `must` also when a flow cannot be read.
            SipccError: there is no such flow.
        """
        names = self._without_configuration(names, must=must)
        files = [name for name in names if _is_file(name)]
        needed = self._config or len(files) < len(names) or not names
        config = load(self.config, WithoutSecrets(os.environ)) if needed else None
        known = read_flows(config) if config is not None else {}
        menus = read_menus(config) if config is not None else {}
        flows, chosen, findings = {**known, **menus}, [], []
        for name in names:
            if name not in files:
                if name not in flows:
                    hint = nearest(name, (*known, *menus))
                    raise SipccError(f"there is no flow {name!r} in {self.config}; {hint}")
                chosen.append(name)
                continue
            flow, report = load_flow(name)
            if flow is not None:
                check_exits(flow, report)
            findings += report.sorted()
            if flow is not None:
                flows[flow.name] = flow
                chosen.append(flow.name)
            elif must:
                first = next(finding for finding in findings if finding.severity == "error")
                raise ConfigError(first.where, first.message, hint=first.hint)
        return FlowsRead(
            flows=tuple(flows.values()),
            chosen=tuple(dict.fromkeys(chosen)) if names else (*known, *firsts(menus)),
            findings=tuple(findings),
            world=self._world(config),
            complete=config is not None and not any(flow.program for flow in config.flows),
            calendars={} if config is None else {each.name: Calendar(each) for each in config.hours},
        )

    def _without_configuration(self, names: Sequence[str], *, must: bool) -> Sequence[str]:
        """`names` without one that is a configuration, which is taken for ``--config``; what it has then."""
        given = [name for name in names if _is_configuration(name)]
        if not given:
            return names
        if self._config is not None or len(given) > 1:
            raise SipccError(f"{given[-1]} is a configuration, not a flow; name one configuration with -c")
        self._config = Path(given[0])
        rest = [name for name in names if name not in given]
        if rest or not must:
            return rest
        config = load(self._config, WithoutSecrets(os.environ))
        known = list(read_flows(config)) or firsts(read_menus(config))
        if len(known) != 1:
            found = ", ".join(known) or "none"
            raise SipccError(
                f"{given[0]} is a configuration with the flows {found}: name one, as in -c {given[0]} NAME"
            )
        return known

    def _world(self, config: Config | None) -> World:
        world = World() if config is None else world_of(config, prompts=True)
        settings = IvrSettings() if config is None else config.ivr
        if self._prompts is not None:
            settings = msgspec.structs.replace(settings, prompts=str(self._prompts))
        if self._language:
            settings = msgspec.structs.replace(settings, language=self._language)
        if world.catalogue is None or self._prompts is not None:
            world = msgspec.structs.replace(world, catalogue=PromptCatalogue(settings))
        if (
            self._language
            and world.catalogue is not None
            and world.catalogue.missing(("noinput",), self._language)
        ):
            click.echo(f"there are no prompts for {self._language!r}; others are heard", err=True)
        return msgspec.structs.replace(world, language=settings.language)


def _is_file(name: str) -> bool:
    return Path(name).suffix in (".toml", ".json") or "/" in name


def _is_configuration(name: str) -> bool:
    """Whether a file is one of the switch, which has flows in a list and other sections beside it."""
    try:
        document = tomllib.loads(Path(name).read_text("utf-8")) if name.endswith(".toml") else {}
    except (OSError, ValueError, RecursionError):
        return False  # whoever reads it tells what is wrong
    lists = any(isinstance(document.get(name), list) for name in ("flows", "menus"))
    return lists or ("nodes" not in document and "sip" in document)


def flow_source(command: F) -> F:
    """The options that say where flows, and what they use, are; the command gets them as `source`."""

    @click.option(
        "--config",
        "-c",
        type=click.Path(path_type=Path),
        envvar="SIPCC_CONFIG",
        help="The configuration that the flows are for; needed unless FLOW is a file.",
    )
    @click.option(
        "--prompts",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="The folder with prompts.",
    )
    @click.option("--language", help="The language of calls that have none of their own.")
    @wraps(command)
    def wrapped(
        *args: Any, config: Path | None, prompts: Path | None, language: str | None, **options: Any
    ) -> Any:
        return command(*args, source=FlowSource(config, prompts, language), **options)

    return wrapped  # type: ignore[return-value]  # click calls it by its options


def counted(source: FlowSource, since: float, url: str | None, token: str | None) -> Counts:
    """What callers did in flows since the Unix time `since`, from the records, or from a daemon by HTTP.

    Raises:
        SipccError: it cannot be had.
    """
    if url:
        return _over_http(url, since, token)

    return with_log(
        load_records(source.config).database, lambda log: flow_counts(log, since=since, until=float("inf"))
    )


def _over_http(url: str, since: float, token: str | None) -> Counts:
    if not url.startswith(("http://", "https://")):
        raise SipccError(f"{url!r} is no address of a daemon; write it as http://127.0.0.1:8080")
    address = f"{url.rstrip('/')}/reports/flows?{urlencode({'from': since})}"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(  # the scheme was looked at above
            urllib.request.Request(address, headers=headers), timeout=HTTP_SECONDS
        ) as answer:
            rows = msgspec.convert(json.load(answer), list[NodeCounts])
    except urllib.error.HTTPError as error:
        error.close()
        cure = "; give --token, see `sipccd token`" if error.code in (401, 403) else ""
        raise SipccError(f"{url} refuses: {error.code} {error.reason}{cure}") from None
    except (OSError, ValueError) as error:
        raise SipccError(f"cannot ask {url}: {error}") from None
    return {(row.flow, row.node): row for row in rows}
