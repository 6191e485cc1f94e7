"""Checks of ``[[routers]]``, as a core."""

from __future__ import annotations

from collections.abc import Sequence

from sipcc import plugins
from sipcc.acd.settings import RouterSettings
from sipcc.config.names import Names, check_destination
from sipcc.reading.convert import did_you_mean
from sipcc.reading.findings import Report
from sipcc.reading.lines import Path
from sipcc.reading.urls import is_url

GROUP = "sipcc.routers"


def check_routers(routers: Sequence[tuple[int, RouterSettings]], names: Names, report: Report) -> None:
    """Check what each asks, and where its calls go when it fails."""
    for index, router in routers:
        path: Path = ("routers", index)
        if bool(router.url) is bool(router.plugin):
            report.error(path, "it needs either url or plugin", 'add url = "http://HOST:PORT/PATH"')
        elif router.url:
            _check_url(router.url, (*path, "url"), report)
        elif router.plugin not in (known := plugins.names(GROUP)):
            report.error(
                (*path, "plugin"),
                f"no function is installed as {router.plugin!r} in {GROUP}",
                did_you_mean(router.plugin, known),
            )
        if not router.authorization.isascii() or not router.authorization.isprintable():
            report.error(
                (*path, "authorization"), "it is no value of a header", "write it in one line of ASCII"
            )
        if router.default.startswith(("router:", "app:")):
            report.error(
                (*path, "default"), f"{router.default!r} may fail as well", 'name a queue, as in "queue:NAME"'
            )
        else:
            check_destination(router.default, (*path, "default"), names, report)


def _check_url(url: str, path: Path, report: Report) -> None:
    if not is_url(url, ("http", "https")):
        report.error(path, f"{url!r} is no address of a service", 'as in "http://127.0.0.1:9000/route"')
