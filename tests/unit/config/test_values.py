from __future__ import annotations

import msgspec
import pytest

from sipcc.config.trunks import check_trunk_ways
from sipcc.config.values import check_values, is_host
from sipcc.reading.findings import Report
from sipcc.sip.overload import OverloadSettings
from sipcc.sip.settings import SipSettings, TrunkSettings
from sipcc.sip.timers import Timers


@pytest.mark.parametrize(
    ("sip", "severity", "where", "cause"),
    [
        (SipSettings(domain="a b"), "error", "domain", "no name of a host"),
        (SipSettings(domain='a"b'), "error", "domain", "no name of a host"),
        (SipSettings(advertise="a b"), "error", "advertise", "no address that a peer could use"),
        (SipSettings(advertise="0.0.0.0"), "error", "advertise", "no address that a peer could use"),
        (SipSettings(user_agent="a\r\nX: b"), "error", "user_agent", "cannot stand in a header"),
        (SipSettings(digest=()), "error", "digest", "nobody could register"),
        (SipSettings(digest=("MD5", "MD5")), "error", "digest", "stands there twice"),
        (SipSettings(min_se=10), "warning", "min_se", "RFC 4028"),
        (SipSettings(timers=Timers(t1=5.0)), "error", "timers.t2", "must not be below t1, 5"),
        (
            SipSettings(overload=OverloadSettings(retry_after=(5, 1))),
            "error", "overload.retry_after", "below the least, 5",
        ),
        (
            SipSettings(overload=OverloadSettings(target=1.0)),
            "error", "overload.longest", "must not be below target, 1",
        ),
        (
            SipSettings(overload=OverloadSettings(emergency=("110", "police"))),
            "error", "overload.emergency[1]", "'police' is no number",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_value(sip: SipSettings, severity: str, where: str, cause: str) -> None:
    report = Report("sipcc.toml")
    check_values(sip, report)
    [finding] = report.findings
    assert (finding.severity, finding.where) == (severity, f"sipcc.toml sip.{where}")
    assert cause in finding.message
    assert finding.hint


def test_the_defaults_are_fine() -> None:
    report = Report("sipcc.toml")
    check_values(SipSettings(), report)
    assert report.findings == []


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("pbx", True), ("sip.Carrier-1.example.com.", True), ("192.0.2.1", True), ("2001:db8::1", True),
        ("a b", False), ("a:5060", False), ("-a", False), ("a@b", False), ("a\n", False),
        ("名.example", False),
    ],
)  # fmt: skip
def test_hosts(text: str, good: bool) -> None:
    assert is_host(text) == good


@pytest.mark.parametrize("key", ["host", "from_host"])
def test_hosts_of_a_carrier(key: str) -> None:
    trunk = msgspec.convert({"name": "c", "addresses": ["192.0.2.1"], key: "a b:5060"}, TrunkSettings)
    report = Report("sipcc.toml")
    check_trunk_ways([(0, trunk)], report)
    [finding] = report.findings
    assert (finding.where, finding.severity) == (f"sipcc.toml trunks[0].{key}", "error")


@pytest.mark.parametrize("value", [0, -1, 61])
def test_timers_must_be_times(value: float) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"t1": value}, Timers)
