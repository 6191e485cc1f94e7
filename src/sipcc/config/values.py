"""Checks of single values of ``[sip]`` that go on the wire or into timers, as a core."""

from __future__ import annotations

import re

from sipcc.reading.findings import Report
from sipcc.sip.nat import is_address
from sipcc.sip.overload import OverloadSettings
from sipcc.sip.settings import SipSettings
from sipcc.sip.timers import Timers

LEAST_SE = 90
"""Seconds below which no Min-SE may be (RFC 4028 §5)."""

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?\.?")
_PRODUCT = re.compile(r"[ -~]*")
_DIALLED = re.compile(r"[0-9*#+]+")


def is_host(text: str) -> bool:
    """True for what can stand as the host of a URI: a name or an IP address."""
    return bool(_HOST.fullmatch(text)) or is_address(text)


def check_values(sip: SipSettings, report: Report) -> None:
    """Check what of ``[sip]`` peers are shown, and its times."""
    if sip.domain and not is_host(sip.domain):
        report.error(("sip", "domain"), f"{sip.domain!r} is no name of a host", "as in pbx.example.com")
    if sip.advertise and (not is_host(sip.advertise) or sip.advertise in ("0.0.0.0", "::")):
        report.error(
            ("sip", "advertise"),
            f"{sip.advertise!r} is no address that a peer could use",
            "as in 203.0.113.7",
        )
    if not _PRODUCT.fullmatch(sip.user_agent):
        report.error(
            ("sip", "user_agent"),
            f"{sip.user_agent!r} cannot stand in a header",
            "write it on one line, in ASCII",
        )
    if not sip.digest:
        report.error(("sip", "digest"), "the list is empty: nobody could register", 'as in ["MD5"]')
    elif len(set(sip.digest)) < len(sip.digest):
        report.error(("sip", "digest"), "an algorithm stands there twice", "name each one once")
    if sip.min_se < LEAST_SE:
        report.warn(
            ("sip", "min_se"),
            f"{sip.min_se} is below the {LEAST_SE} seconds that RFC 4028 allows: some peers refuse it",
            f"write {LEAST_SE}",
        )
    _check_timers(sip.timers, report)
    _check_overload(sip.overload, report)


def _check_timers(timers: Timers, report: Report) -> None:
    """Check ``[sip.timers]``."""
    if timers.t2 < timers.t1:
        report.error(
            ("sip", "timers", "t2"), f"must not be below t1, {timers.t1:g}", f"write {8 * timers.t1:g}"
        )


def _check_overload(overload: OverloadSettings, report: Report) -> None:
    """Check ``[sip.overload]``."""
    least, most = overload.retry_after
    if most < least:
        report.error(
            ("sip", "overload", "retry_after"),
            f"the most, {most}, is below the least, {least}",
            f"write [{most}, {least}]",
        )
    if overload.longest < overload.target:
        report.error(
            ("sip", "overload", "longest"),
            f"must not be below target, {overload.target:g}",
            f"write {8 * overload.target:g}",
        )
    for index, number in enumerate(overload.emergency):
        if not _DIALLED.fullmatch(number):
            report.error(
                ("sip", "overload", "emergency", index),
                f"{number!r} is no number that can be dialled",
                'as in "112"',
            )
