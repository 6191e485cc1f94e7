"""Reads and checks what ``[regions]`` names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sipcc.acd.settings import AgentSettings, QueueSettings
from sipcc.errors import ConfigError
from sipcc.numbers import Plan
from sipcc.reading.findings import Report
from sipcc.regions import Regions, RegionSettings, RegionTable, parse_override

_CURE = "write a prefix and a region in each line, as in 0755,深圳, in UTF-8"


def read_regions(settings: RegionSettings, plan: Plan) -> Regions:
    """The regions as the settings say, with their file, whose name is absolute.

    Raises:
        ConfigError: the file cannot be read.
    """
    return Regions(
        _read_table(settings.file), overrides=settings.overrides, default=settings.default, plan=plan
    )


def check_regions(settings: RegionSettings, report: Report) -> None:
    """Check the overrides."""
    for text in settings.overrides:
        try:
            parse_override(text)
        except ValueError as error:
            report.error(("regions", "overrides", text), str(error), "write digits, with * at the end or not")


def check_region_waits(
    queues: Sequence[tuple[int, QueueSettings]], agents: Sequence[tuple[int, AgentSettings]], report: Report
) -> None:
    """Check that somebody is of a region where callers wait for such agents."""
    for index, queue in queues:
        members = [agent for _, agent in agents if queue.name in agent.queues]
        if queue.region_wait and members and not any(agent.regions or agent.uri for agent in members):
            report.warn(
                ("queues", index, "region_wait"),
                f"no agent of queue {queue.name!r} has a region",
                'add regions = ["NAME"] to agents',
            )


def check_region_file(settings: RegionSettings, report: Report) -> None:
    """Check that the file is there and can be read."""
    try:
        _read_table(settings.file)
    except ConfigError as error:
        report.error(("regions", "file"), error.message, error.hint)


def _read_table(file: str) -> RegionTable | None:
    if not file:
        return None
    try:
        with Path(file).open(encoding="utf-8", newline="") as lines:
            return RegionTable.parse(lines)
    except OSError as error:
        raise ConfigError("regions.file", f"cannot read {file!r}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError("regions.file", f"{file!r}, {error}", hint=_CURE) from None
