"""Checks of what touches the network, as a core: listeners, ports, users and trunks."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import get_args

import msgspec

from sipcc.config.connections import check_connections, collide
from sipcc.config.values import check_values
from sipcc.errors import ConfigError
from sipcc.reading.convert import did_you_mean
from sipcc.reading.findings import Report
from sipcc.reading.lines import Path
from sipcc.rtp.flow import CodecName
from sipcc.rtp.settings import MediaSettings
from sipcc.sip.guard import networks_of
from sipcc.sip.settings import GuardSettings, SipSettings, TrunkSettings, UserSettings
from sipcc.sip.subscription import SubscriptionSettings
from sipcc.sip.transport.base import TransportName
from sipcc.sip.trunk import TrunkTable

SHORT_PASSWORD = 8
"""Digest passwords below this length are guessed from one captured answer in minutes."""

MIN_PORTS = 4
"""One bridged call takes two legs of two ports each."""

_LISTEN = re.compile(r"(udp|tcp|tls|ws|wss):(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+)):([0-9]{1,5})")
_USER = re.compile(r"[A-Za-z0-9\-_.!~*'()&=+$,;?/]+")
_WILDCARDS = frozenset({"0.0.0.0", "::"})


def check_sip(sip: SipSettings, report: Report) -> list[tuple[str, str, int]]:
    """Check ``[sip]`` and return its listeners as (transport, host, port)."""
    listeners: list[tuple[str, str, int]] = []
    if not sip.listen:
        report.error(("sip", "listen"), "the list is empty", 'as in ["udp:0.0.0.0:5060"]')
    for index, text in enumerate(sip.listen):
        path: Path = ("sip", "listen", index)
        match = _LISTEN.fullmatch(text)
        if match is None:
            transport = text.partition(":")[0]
            known = transport in get_args(TransportName)
            report.error(
                path,
                f"{text!r} is no listening address",
                "write transport:host:port, as in udp:0.0.0.0:5060"
                + ("" if known else "; the transport is udp or tcp, tls, ws or wss"),
            )
            continue
        transport, host, port = match[1], match[2] or match[3], int(match[4])
        if port > 65535:
            report.error(path, f"there is no port {port}", "ports go up to 65535")
        elif not _is_ip(host):
            report.error(
                path, f"{host!r} is no IP address of this machine", "write its IP, or 0.0.0.0 for all"
            )
        elif port and any(collide((transport, host, port), other) for other in listeners):
            report.error(
                path, f"{text!r} stands there twice, or its port does", "remove one, or take another port"
            )
        else:
            listeners.append((transport, host, port))
    check_connections(sip, {transport for transport, _, _ in listeners}, report)
    if not sip.min_expires <= sip.default_expires <= sip.max_expires:
        report.error(
            ("sip", "default_expires"),
            f"must be from min_expires to max_expires, {sip.min_expires} to {sip.max_expires},"
            f" found {sip.default_expires}",
        )
    if sip.session_expires < sip.min_se:
        report.error(("sip", "session_expires"), f"must not be below min_se, {sip.min_se}")
    check_values(sip, report)
    _check_guard(sip.guard, report)
    _check_subscriptions(sip.subscriptions, report)
    return listeners


def _check_subscriptions(settings: SubscriptionSettings, report: Report) -> None:
    """Check ``[sip.subscriptions]``."""
    if settings.max_expires < settings.min_expires:
        report.error(
            ("sip", "subscriptions", "max_expires"),
            f"must not be below min_expires, {settings.min_expires}",
            f"write {settings.min_expires} or more",
        )
    if settings.total < settings.per_user:
        report.error(
            ("sip", "subscriptions", "total"),
            f"must not be below per_user, {settings.per_user}",
            "multiply what one user needs by the number of users",
        )


def _check_guard(guard: GuardSettings, report: Report) -> None:
    """Check ``[sip.guard]``."""
    for index, entry in enumerate(guard.trusted):
        try:
            networks_of((entry,))
        except ConfigError as error:
            report.error(("sip", "guard", "trusted", index), error.message, error.hint)
    if guard.max_ban < guard.ban:
        report.error(
            ("sip", "guard", "max_ban"), f"must not be below ban, {guard.ban:g}", f"write {guard.ban:g}"
        )
    if guard.strangers_rate < guard.stranger_rate:
        report.warn(
            ("sip", "guard", "strangers_rate"),
            f"all strangers together may send {guard.strangers_rate:g} a second, one alone"
            f" {guard.stranger_rate:g}",
            "make it some times as much: phones that register for the first time are strangers",
        )


def check_media(media: MediaSettings, listeners: Sequence[tuple[str, str, int]], report: Report) -> None:
    """Check ``[media]``: its addresses, and a port range that holds calls and nothing else."""
    first, last = media.ports
    if first % 2:
        report.error(
            ("media", "ports", 0), f"the first port must be even, found {first}", f"write {first + 1}"
        )
    elif last - first + 1 < MIN_PORTS:
        report.error(
            ("media", "ports"),
            f"{last - first + 1} ports are not enough for one call",
            "a leg takes 2, a bridged call 4: give a thousand ports for 250 calls",
        )
    for transport, host, port in listeners:
        if transport == "udp" and first <= port <= last and _overlap(host, media.address):
            report.error(("media", "ports"), f"the SIP listener udp:{host}:{port} lies within", "move one")
    if not _is_ip(media.address):
        report.error(
            ("media", "address"), f"{media.address!r} is no IP address", "write an IP of this machine"
        )
    elif media.advertise and not _is_ip(media.advertise):
        report.error(("media", "advertise"), f"{media.advertise!r} is no IP address", "write the public IP")
    elif media.public_host in _WILDCARDS:
        report.error(
            ("media", "advertise" if media.advertise else "address"),
            f"{media.public_host} cannot be told to a phone",
            "set advertise to the address that phones can reach",
        )
    elif _is_loopback(media.public_host) and any(not _is_loopback(host) for _, host, _ in listeners):
        report.warn(
            ("media", "address"),
            f"SIP listens beyond this machine, but audio is sent to {media.public_host}",
            "set address to an IP of this machine that phones can reach",
        )


def check_users(users: Sequence[tuple[int, UserSettings]], report: Report) -> None:
    """Check names and passwords."""
    for index, user in users:
        path: Path = ("users", index)
        if not _USER.fullmatch(user.name):
            report.error((*path, "name"), f"{user.name!r} is no SIP user name", "no spaces, no @, no colon")
        if report.has_error_below((*path, "password")):
            continue
        if not user.password:
            report.error((*path, "password"), "the password is empty", 'as in "env:NAME", or a long text')
        elif len(user.password) < SHORT_PASSWORD or user.password == user.name:
            report.warn(
                (*path, "password"),
                f"the password of {user.name!r} is easily guessed",
                f"take {SHORT_PASSWORD} characters or more, not the name",
            )


def check_trunks(trunks: Sequence[tuple[int, TrunkSettings]], report: Report) -> None:
    """Check addresses, codecs and what a registration needs."""
    owners: dict[str, str] = {}
    for index, trunk in trunks:
        path: Path = ("trunks", index)
        for position, address in enumerate(trunk.addresses):
            place = (*path, "addresses", position)
            try:
                TrunkTable([msgspec.structs.replace(trunk, addresses=(address,))])
            except ConfigError as error:
                report.error(place, error.message, error.hint or "an IP, IP:port or a network")
                continue
            if (owner := owners.setdefault(address, trunk.name)) != trunk.name:
                report.error(place, f"{address!r} belongs to trunk {owner!r} already", "one carrier for each")
        if not trunk.addresses and not trunk.host:
            report.error(
                path,
                f"trunk {trunk.name!r} has neither addresses nor host",
                'as in addresses = ["192.0.2.1"]',
            )
        for position, codec in enumerate(trunk.codecs):
            if codec not in get_args(CodecName):
                report.error(
                    (*path, "codecs", position),
                    f"unknown codec {codec!r}",
                    did_you_mean(codec, get_args(CodecName)),
                )
        for key in ("username", "host"):
            if trunk.register and not getattr(trunk, key):
                report.error((*path, "register"), f"a registration needs {key!r}", f"add {key} = ...")
        if trunk.username and not trunk.password and not report.has_error_below((*path, "password")):
            report.warn(
                (*path, "username"), "there is a username but no password", 'add password = "env:NAME"'
            )


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return _is_ip(host) and ipaddress.ip_address(host).is_loopback


def _overlap(one: str, other: str) -> bool:
    return one == other or one in _WILDCARDS or other in _WILDCARDS
