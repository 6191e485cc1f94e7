"""Checks of ``[sip.tls]``, ``[sip.websocket]`` and ``[sip.connections]``."""

from __future__ import annotations

import re

from sipcc.errors import ConfigError
from sipcc.reading.findings import Report
from sipcc.sip.settings import SipSettings
from sipcc.sip.transport.tls import client_context, server_context

_ORIGIN = re.compile(r"https?://[^/?#\s]+/?")


def check_connections(sip: SipSettings, transports: set[str], report: Report) -> None:
    """Check what listeners on `transports` need, as far as no file is read."""
    tls, websocket, connections = sip.tls, sip.websocket, sip.connections
    secure = sorted(transports & {"tls", "wss"})
    if secure and not tls.certificate:
        report.error(
            ("sip", "tls", "certificate"),
            f"a {secure[0]} listener needs a certificate",
            'as in certificate = "pbx.pem", a PEM file',
        )
    if tls.key and not tls.certificate:
        report.error(("sip", "tls", "key"), "there is a key but no certificate", "add certificate = ...")
    if not websocket.path.startswith("/"):
        report.error(
            ("sip", "websocket", "path"), f"{websocket.path!r} is no path", f'write "/{websocket.path}"'
        )
    for index, origin in enumerate(websocket.origins):
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            report.error(
                ("sip", "websocket", "origins", index),
                f"{origin!r} is no origin",
                "scheme, host and port, as in https://desk.example.com",
            )
    if connections.per_source > connections.total:
        report.error(("sip", "connections", "per_source"), f"must not be above total, {connections.total}")


def check_certificates(sip: SipSettings, report: Report) -> None:
    """The files of ``[sip.tls]`` must be such that TLS can start with them."""
    try:
        if sip.tls.certificate:
            server_context(sip.tls)
        client_context(sip.tls)
    except ConfigError as error:
        report.error(tuple(error.path.split(".")), error.message, error.hint)


def collide(one: tuple[str, str, int], other: tuple[str, str, int]) -> bool:
    """True for two listeners that cannot both have their port: all but UDP share those of TCP."""
    return one[1:] == other[1:] and (one[0] == "udp") == (other[0] == "udp")
