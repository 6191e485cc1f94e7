"""Checks of webhooks, as a core."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from sipcc.reading.convert import did_you_mean
from sipcc.reading.findings import Report
from sipcc.reading.urls import is_url
from sipcc.records.eventlog import REGISTRY
from sipcc.records.hookstore import ALL, CALL_RECORD
from sipcc.records.settings import WebhookSettings
from sipcc.records.webhooks import SECRET_PREFIX, key_of


def check_webhooks(webhooks: Sequence[tuple[int, WebhookSettings]], report: Report) -> None:
    """Check where events go, what signs them, and that they exist."""
    known = sorted([*REGISTRY.types, CALL_RECORD, ALL])
    for index, hook in webhooks:
        _check_url(hook.url, index, report)
        if hook.secret != "\0":
            try:
                key_of(hook.secret)
            except ValueError as error:
                cure = f"{SECRET_PREFIX} and 24 to 64 bytes in Base64; openssl rand -base64 32 makes them"
                report.error(("webhooks", index, "secret"), f"this signs nothing: {error}", cure)
        for place, name in enumerate(hook.events):
            if name not in known:
                path = ("webhooks", index, "events", place)
                report.error(path, f"there is no event {name!r}", did_you_mean(name, known))


def _check_url(url: str, index: int, report: Report) -> None:
    path = ("webhooks", index, "url")
    if not is_url(url, ("http", "https")):
        report.error(path, f"{url!r} is no address to send to", 'as in "https://crm.example.com/sipcc"')
    elif (parts := urlsplit(url)).scheme == "http" and not _is_loopback(parts.hostname or ""):
        report.warn(path, "callers' numbers travel unencrypted to another machine", "use https://")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
