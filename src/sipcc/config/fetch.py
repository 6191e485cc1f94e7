"""Checks of ``[fetch]`` and ``[[webapps]]``, as a core: what may be fetched by URL, and who is asked."""

from __future__ import annotations

from collections.abc import Sequence

from sipcc.config.names import Names, check_destination
from sipcc.ivr.fetch import FetchSettings
from sipcc.ivr.fetchguard import rule_of
from sipcc.ivr.hooks.settings import WebAppSettings
from sipcc.reading.findings import Report
from sipcc.reading.lines import Path
from sipcc.reading.urls import is_url


def check_fetch(fetch: FetchSettings, report: Report) -> None:
    """Check what may be fetched."""
    for index, entry in enumerate(fetch.allow):
        try:
            rule_of(entry)
        except ValueError as error:
            report.error(
                ("fetch", "allow", index),
                f"{entry!r} allows nothing: {error}",
                'as in "crm.example.com", "10.1.0.0/16" or "https://app.example.com/ivr/"',
            )
    if fetch.only_allowed and not fetch.allow and not fetch.folders:
        report.warn(("fetch", "only_allowed"), "nothing at all may be fetched", 'add allow = ["..."]')


def check_webapps(webapps: Sequence[tuple[int, WebAppSettings]], names: Names, report: Report) -> None:
    """Check whom each asks, and where its callers go when it fails."""
    for index, app in webapps:
        path: Path = ("webapps", index)
        sockets = ("ws", "wss") if app.kind == "jambonz" else ()
        _check_url(app.url, (*path, "url"), ("http", "https", *sockets), report)
        if app.status_url:
            _check_url(app.status_url, (*path, "status_url"), ("http", "https"), report)
        if app.recording_url:
            _check_url(app.recording_url, (*path, "recording_url"), ("http", "https"), report)
        if app.fallback.startswith(("webapp:", "app:", "router:")):
            hint = 'name what cannot fail, as in "queue:NAME" or "play:PROMPT"'
            report.error((*path, "fallback"), f"{app.fallback!r} may fail as well", hint)
        else:
            check_destination(app.fallback, (*path, "fallback"), names, report)
        if app.password and not app.user:
            report.error((*path, "password"), "there is nobody whose password it is", 'add user = "NAME"')
        if ":" in app.user:
            report.error((*path, "user"), "Basic authentication takes no name with a colon", "choose another")


def _check_url(url: str, path: Path, schemes: tuple[str, ...], report: Report) -> None:
    if not is_url(url, schemes):
        known = ", ".join(f"{scheme}://" for scheme in schemes)
        report.error(
            path, f"{url!r} cannot be asked", f'as in "http://127.0.0.1:3000/call"; known are {known}'
        )
