"""Checks of telephone numbers and of the rules about them, as a core."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sipcc.call.screening import ScreeningSettings
from sipcc.call.settings import DiallingSettings, TollSettings
from sipcc.call.tollguard import parse_hours
from sipcc.config.names import Names, check_destination
from sipcc.errors import LocalProtocolError, ParseError
from sipcc.numbers import Pattern
from sipcc.reading.findings import Report
from sipcc.reading.lines import Path
from sipcc.sip.headers import canonical
from sipcc.sip.identity import EDGE_ONLY
from sipcc.sip.settings import TrunkSettings, UserSettings
from sipcc.sip.uri import SipUri

_COUNTRY = re.compile(r"[1-9][0-9]{0,2}")
_AREA = re.compile(r"[0-9]{1,6}")
_DIGITS = re.compile(r"\+?[0-9*#]*")
_RULE_HINT = "write a number, a beginning such as 0108*, or national, mobile, international, premium, *"


def check_dialling(dialling: DiallingSettings, report: Report) -> None:
    """Check ``[dialling]``."""
    _check_place(dialling.country, dialling.area_code, ("dialling",), report)
    for index, number in enumerate(dialling.emergency):
        if not (number.isascii() and number.isdigit() and 2 <= len(number) <= 6):
            report.error(
                ("dialling", "emergency", index),
                f"{number!r} is no emergency number",
                "write 2 to 6 digits, as in 110",
            )


def check_toll(toll: TollSettings, report: Report) -> None:
    """Check ``[toll]``."""
    for key in ("allow", "deny"):
        _check_rules(getattr(toll, key), ("toll", key), report)
    if "*" in toll.allow and "international" not in toll.deny:
        report.warn(
            ("toll", "allow"),
            "* lets everybody call any number of the world",
            'name the numbers that are needed, as in ["national", "+852*"]',
        )
    for index, host in enumerate(toll.hosts):
        try:
            if SipUri.parse(f"sip:{host}").port is None:
                continue
        except ParseError:
            pass
        report.error(
            ("toll", "hosts", index), f"{host!r} is no host", "write a name or an IP, without a port"
        )
    if toll.night:
        try:
            parse_hours(toll.night)
        except ValueError as error:
            report.error(("toll", "night"), str(error), 'as in "22:00-07:00"')


def check_screening(screening: ScreeningSettings, names: Names, report: Report) -> None:
    """Check ``[screening]``."""
    for key in ("allow", "deny"):
        _check_rules(getattr(screening, key), ("screening", key), report)
    check_destination(screening.to, ("screening", "to"), names, report)


def check_trunk_numbers(trunks: Sequence[tuple[int, TrunkSettings]], report: Report) -> None:
    """Check what trunks say about numbers and identities."""
    for index, trunk in trunks:
        path: Path = ("trunks", index)
        _check_place(trunk.country, trunk.area_code, path, report)
        for key in ("allow", "deny", "numbers"):
            _check_rules(getattr(trunk, key), (*path, key), report, kinds=key != "numbers")
        for key in ("strip_in", "prepend_in", "strip_out", "prepend_out"):
            if not _DIGITS.fullmatch(getattr(trunk, key)):
                report.error((*path, key), f"{getattr(trunk, key)!r} is no part of a number", "write digits")
        if trunk.numbers and not trunk.caller_id and all(text.endswith("*") for text in trunk.numbers):
            report.error(
                (*path, "numbers"),
                "there are only beginnings: nobody knows what to show for a caller of another number",
                'add caller_id = "...", or one whole number',
            )
        for position, name in enumerate(trunk.pass_headers):
            _check_header(name, (*path, "pass_headers", position), report)


def check_user_numbers(users: Sequence[tuple[int, UserSettings]], report: Report) -> None:
    """Check the numbers of users: they are shown to whoever is called."""
    for index, user in users:
        if user.number and ("*" in user.number or not _is_rule(user.number, kinds=False)):
            report.error(
                ("users", index, "number"), f"{user.number!r} is no telephone number", "write digits"
            )


def _check_place(country: str, area: str, path: Path, report: Report) -> None:
    if country and not _COUNTRY.fullmatch(country):
        report.error((*path, "country"), f"{country!r} is no country code", 'as in "86", without plus')
    if area and not _AREA.fullmatch(area):
        report.error((*path, "area_code"), f"{area!r} is no area code", 'as in "010"')


def _check_rules(rules: Sequence[str], path: Path, report: Report, *, kinds: bool = True) -> None:
    for index, rule in enumerate(rules):
        if not _is_rule(rule, kinds=kinds):
            hint = _RULE_HINT if kinds else "write digits, or a beginning with * at its end"
            report.error((*path, index), f"{rule!r} is no number and no rule", hint)


def _is_rule(rule: str, *, kinds: bool) -> bool:
    try:
        return not Pattern.parse(rule).kinds or kinds
    except ValueError:
        return False


def _check_header(name: str, path: Path, report: Report) -> None:
    try:
        known = canonical(name)
    except LocalProtocolError:
        known = ""
    if not known:
        report.error(path, f"{name!r} is no header name", 'as in "X-Account"')
    elif known in EDGE_ONLY:
        report.error(path, f"{known} never passes to a carrier", "rules of the trunk write it: see identity")
