"""Reads and checks what ``[toll]`` names: the list of `do_not_call`, the calendar of `hours`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from sipcc.call.settings import TollSettings
from sipcc.config.names import Names
from sipcc.config.schema import Config
from sipcc.errors import ConfigError
from sipcc.ivr.hours import Calendar
from sipcc.numbers import Plan, parse
from sipcc.reading.findings import Report

_KEY = "toll.do_not_call"


def read_do_not_call(settings: TollSettings, plan: Plan) -> frozenset[str]:
    """The numbers of the list in their canonical spelling; the file name is absolute.

    Raises:
        ConfigError: the file cannot be read, or a line is no number.
    """
    if not settings.do_not_call:
        return frozenset()
    try:
        with Path(settings.do_not_call).open(encoding="utf-8-sig") as lines:
            return frozenset(_numbers(lines, plan, settings.do_not_call))
    except OSError as error:
        raise ConfigError(_KEY, f"cannot read {settings.do_not_call!r}: {error.strerror}") from None
    except UnicodeDecodeError:
        message = f"{settings.do_not_call!r} is not UTF-8"
        raise ConfigError(_KEY, message, hint="save the file as UTF-8") from None


def outbound_hours(config: Config) -> Callable[[datetime], bool] | None:
    """Whether the calendar of ``[toll] hours`` is open at a local time; None when it names none."""
    found = next((settings for settings in config.hours if settings.name == config.toll.hours), None)
    if found is None:
        return None
    calendar = Calendar(found)
    return lambda at: calendar.is_open(at.timestamp()).open


def check_outbound_hours(settings: TollSettings, names: Names, report: Report) -> None:
    """Check that the calendar is there."""
    if settings.hours:
        names.need("hours", settings.hours, ("toll", "hours"), report)


def check_do_not_call(settings: TollSettings, plan: Plan, report: Report) -> None:
    """Check that the file is there and can be read."""
    try:
        read_do_not_call(settings, plan)
    except ConfigError as error:
        report.error(("toll", "do_not_call"), error.message, error.hint)


def _numbers(lines: Iterable[str], plan: Plan, file: str) -> Iterable[str]:
    for place, line in enumerate(lines, 1):
        text = line.partition("#")[0].partition(",")[0].strip()
        if not text:
            continue
        number = parse(text, plan)
        if number is None:
            message = f"{file!r}, line {place}: {text[:40]!r} is no telephone number"
            raise ConfigError(_KEY, message, hint="write one number in each line, digits only")
        yield number.canonical
