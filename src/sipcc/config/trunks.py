"""Checks of carriers and of the ways to them, as a core: name servers, certificates, outward routes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sipcc.call.trunkroutes import RouteSettings, parse_step
from sipcc.config.names import Names
from sipcc.config.values import is_host
from sipcc.errors import ConfigError
from sipcc.numbers import Pattern
from sipcc.reading.findings import Report
from sipcc.reading.lines import Path
from sipcc.sip.dns import parse_server
from sipcc.sip.settings import SipSettings, TrunkSettings

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")


def check_dns(sip: SipSettings, report: Report) -> None:
    """Check ``[sip.dns]``."""
    for index, text in enumerate(sip.dns.servers):
        try:
            parse_server(text)
        except ConfigError as error:
            report.error(("sip", "dns", "servers", index), error.message, error.hint)


def check_trunk_ways(trunks: Sequence[tuple[int, TrunkSettings]], report: Report) -> None:
    """Check names of certificates, and settings of a carrier that contradict each other."""
    owners: dict[str, str] = {}
    for index, trunk in trunks:
        path: Path = ("trunks", index)
        for position, name in enumerate(trunk.tls_names):
            place = (*path, "tls_names", position)
            if not _HOST_NAME.fullmatch(name):
                report.error(place, f"{name!r} is no name of a host", "as in sip.carrier.example.com")
            elif (owner := owners.setdefault(name.lower(), trunk.name)) != trunk.name:
                report.error(place, f"{name!r} belongs to trunk {owner!r} already", "one carrier for each")
        for key, host in (("host", trunk.host), ("from_host", trunk.from_host)):
            if host and not is_host(host):
                report.error(
                    (*path, key), f"{host!r} is no name of a host", "a name or an IP, without a port"
                )
        if trunk.transport == "auto" and trunk.port:
            report.warn(
                (*path, "transport"),
                f"with port {trunk.port} nobody asks the DNS for a transport: it is UDP",
                "leave the port out, or name the transport",
            )
        health = trunk.health
        if not health.ping and (health.up_after, health.down_after) != (2, 3):
            report.warn((*path, "health"), "nothing is counted without pings", "add ping = 30")


def check_routes(routes: Sequence[tuple[int, RouteSettings]], names: Names, report: Report) -> None:
    """Check that routes can be read, that their trunks exist, and that each can be reached."""
    for index, route in routes:
        path: Path = ("routes", index)
        try:
            Pattern.parse(route.number)
        except ValueError as error:
            report.error((*path, "number"), str(error))
        if route.name in names.known("trunks"):
            report.error(
                (*path, "name"), f"a trunk is called {route.name!r} too", "dial:NAME/NUMBER must mean one"
            )
        if not route.trunks:
            report.error((*path, "trunks"), "the list is empty", 'as in trunks = ["carrier", "backup"]')
        seen: set[str] = set()
        for position, text in enumerate(route.trunks):
            place = (*path, "trunks", position)
            try:
                step = parse_step(text)
            except ValueError as error:
                report.error(place, str(error), 'as in "carrier", or "one:70 two:30"')
                continue
            for share in step:
                names.need("trunks", share.trunk, place, report)
                if share.trunk in seen:
                    report.error(place, f"trunk {share.trunk!r} stands there twice", "keep one")
                seen.add(share.trunk)
    everything = [index for index, route in routes if route.number.strip() == "*" and not route.name]
    for index, route in routes:
        if everything and index > everything[0] and not route.name:
            report.warn(
                ("routes", index, "number"),
                f"routes[{everything[0]}] takes every number before this one",
                'put the route for "*" last',
            )
