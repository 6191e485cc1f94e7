"""Checks of the HTTP interface and its tokens."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from sipcc.api.access import is_digest
from sipcc.api.settings import ApiSettings, TokenSettings
from sipcc.config.names import Names
from sipcc.reading.findings import Report
from sipcc.reading.lines import Path


def check_api(
    api: ApiSettings, tokens: Sequence[tuple[int, TokenSettings]], names: Names, report: Report
) -> None:
    """Check where the interface listens, and every token."""
    if api.listen:
        _check_listen(api.listen, report)
        if not tokens:
            report.warn(
                ("api", "listen"), "nobody may use it: there are no [[tokens]]", "sipccd token makes one"
            )
    for index, token in tokens:
        _check_token(token, ("tokens", index), names, report)


def _check_listen(listen: str, report: Report) -> None:
    host, _, port = listen.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        good = 0 <= int(port) < 65536 and ("[" in host) == (address.version == 6)
    except ValueError:
        good = False
    if not good:
        report.error(("api", "listen"), f"{listen!r} is no HOST:PORT", 'as in "127.0.0.1:8080"')
    elif not address.is_loopback:
        report.warn(
            ("api", "listen"),
            "tokens and callers' numbers travel unencrypted to other machines",
            "listen on 127.0.0.1, and put a proxy with TLS before it",
        )


def _check_token(token: TokenSettings, path: Path, names: Names, report: Report) -> None:
    if not is_digest(token.digest) and token.digest != "\0":
        report.error((*path, "digest"), "this is no SHA-256 in hex", "sipccd token prints one")
    if token.role == "agent" and not token.agent:
        report.error((*path, "agent"), "a token with the role agent needs its agent", 'add agent = "..."')
    elif token.role != "agent" and token.agent:
        report.warn((*path, "agent"), f"the role {token.role} commands every agent or none", "leave it out")
    if token.agent:
        names.need("agents", token.agent, (*path, "agent"), report)
