"""What the configuration says about numbers: right rules are taken, wrong ones are explained."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.config.files import assert_wrong, written

from sipcc.config import check, load

GOOD = """\
[dialling]
country = "86"
area_code = "010"
[toll]
allow = ["national", "+852*", "13800138000"]
deny = ["premium", "0108*"]
hosts = ["partner.example.net", "192.0.2.7"]
night = "22:00-07:00"
[[users]]
name = "1001"
password = "a-long-password"
number = "010-8123-4567"
[[trunks]]
name = "carrier"
addresses = ["127.0.0.2"]
trusted = true
numbers = ["400-812-3456", "0108123*"]
pass_headers = ["X-Account"]
strip_out = "+"
[[numbers]]
number = "4008123456"
to = "dial:carrier/*"
[sip]
listen = ["udp:127.0.0.1:5060"]
"""


def test_a_right_file(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    assert check(path, {}) == []
    config = load(path, {})
    assert config.dialling.country == "86"
    assert config.toll.calls_per_user == 2
    assert config.trunks[0].trusted


@pytest.mark.parametrize(
    ("old", "new", "where", "cause", "cure"),
    [
        ('country = "86"', 'country = "+86"', "2 dialling.country", "no country code", "without plus"),
        ('area_code = "010"', 'area_code = "Beijing"', "3 dialling.area_code", "no area code", '"010"'),
        ('area_code = "010"', 'emergency = ["110", "sos"]', "dialling.emergency[1]", "'sos'", "6 digits"),
        ('"+852*"', '"+852*1"', "5 toll.allow[1]", "no number and no rule", "0108*"),
        ('"premium"', '"premum"', "6 toll.deny[0]", "'premum' is no number", "premium"),
        ('"192.0.2.7"', '"sip:x"', "7 toll.hosts[1]", "no host", "without a port"),
        ("22:00-07:00", "22-7", "8 toll.night", "22:00-07:00", "22:00-07:00"),
        ("22:00-07:00", "25:00-07:00", "8 toll.night", "there is no 25:00", "22:00-07:00"),
        ("010-8123-4567", "boss", "12 users[0].number", "no telephone number", "digits"),
        ('"0108123*"', '"national"', "17 trunks[0].numbers[1]", "no number", "beginning with *"),
        ('"400-812-3456", ', "", "17 trunks[0].numbers", "only beginnings", "caller_id"),
        ('"X-Account"', '"From"', "18 trunks[0].pass_headers[0]", "never passes", "identity"),
        ('"X-Account"', '"X Account"', "18 trunks[0].pass_headers[0]", "no header name", "X-Account"),
        ('strip_out = "+"', 'strip_out = "plus"', "19 trunks[0].strip_out", "no part of a number", "digits"),
        ("trusted = true", 'country = "0"', "16 trunks[0].country", "no country code", '"86"'),
        ("trusted = true", 'identity = "pay"', "16 trunks[0].identity", "'pay'", "pai"),
    ],
)  # fmt: skip
def test_wrong_files(tmp_path: Path, old: str, new: str, where: str, cause: str, cure: str) -> None:
    assert old in GOOD
    assert_wrong(tmp_path, GOOD.replace(old, new, 1), where, cause, cure)


def test_everything_to_everywhere_is_a_warning(tmp_path: Path) -> None:
    text = GOOD.replace('allow = ["national", "+852*", "13800138000"]', 'allow = ["*"]')
    [finding] = check(written(tmp_path, text), {})
    assert finding.severity == "warning"
    assert "any number of the world" in str(finding)


def test_one_number_in_two_spellings_is_one_number(tmp_path: Path) -> None:
    text = GOOD + '[[numbers]]\nnumber = "+864008123456"\nto = "echo"\n'
    [finding] = check(written(tmp_path, text), {})
    assert "'+864008123456' has a destination already, at numbers[0]" in str(finding)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('max_calls = 2\nfull = "queue:x"', "numbers[0].full: there is no queue 'x'"),
        ('full = "busy"', "numbers[0].full: the number has no limit (add max_calls = NUMBER)"),
        ('max_calls = 2\nfull = "bussy"', "numbers[0].full: unknown destination 'bussy'"),
        ('max_calls = 2\nfull = "play:nothing"', "numbers[0].full: "),
    ],
)
def test_the_treatment_of_calls_that_are_too_many(tmp_path: Path, settings: str, said: str) -> None:
    path = tmp_path / "sipcc.toml"
    text = f'[sip]\nlisten = ["udp:127.0.0.1:5060"]\n[[numbers]]\nnumber = "600"\nto = "echo"\n{settings}\n'
    path.write_text(text)
    (found,) = check(path, {})
    assert said in str(found)
