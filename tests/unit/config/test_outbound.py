"""What ``[toll]`` names: the list of `do_not_call`, the calendar of `hours`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from sipcc.config import Config, check, load
from sipcc.config.outbound import outbound_hours, read_do_not_call
from sipcc.errors import ConfigError
from sipcc.numbers import plan_of

FILE = """\
[sip]
listen = ["udp:127.0.0.1:5060"]
[dialling]
country = "86"
area_code = "010"
[toll]
do_not_call = "unwanted.txt"
[[numbers]]
number = "600"
to = "echo"
"""

CHINA = plan_of("86", "010")


def written(folder: Path, lines: bytes | None) -> Path:
    if lines is not None:
        (folder / "unwanted.txt").write_bytes(lines)
    path = folder / "sipcc.toml"
    path.write_text(FILE)
    return path


def test_a_right_list(tmp_path: Path) -> None:
    lines = "\ufeff138 0013 8000 # asked by letter\n\n# a line\n010-8123-4567,2026-11-01\n+8613900139000\n"
    path = written(tmp_path, lines.encode())
    assert check(path, {}) == []
    settings = load(path, {}).toll
    assert settings.do_not_call == str(tmp_path / "unwanted.txt")
    assert read_do_not_call(settings, CHINA) == {"+8613800138000", "+861081234567", "+8613900139000"}


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (None, "cannot read"),
        (b"13800138000\nalice\n", "line 2: 'alice' is no telephone number"),
        (b"\xff\xfe1\x003\x00", "is not UTF-8"),
    ],
)
def test_a_wrong_list(tmp_path: Path, lines: bytes | None, cause: str) -> None:
    path = written(tmp_path, lines)
    (found,) = check(path, {})
    assert found.where == "sipcc.toml:7 toll.do_not_call"
    assert cause in found.message
    with pytest.raises(ConfigError, match=r"toll\.do_not_call"):
        read_do_not_call(load(path, {}).toll, CHINA)


def test_no_list_is_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "sipcc.toml"
    path.write_text(FILE.replace('do_not_call = "unwanted.txt"', ""))
    assert read_do_not_call(load(path, {}).toll, CHINA) == frozenset()


OFFICE = """\
[sip]
listen = ["udp:127.0.0.1:5060"]
[toll]
hours = "office"
[[hours]]
name = "office"
timezone = "Asia/Shanghai"
week = { "mon-fri" = "09:00-18:00" }
holidays = ["2026-10-01..2026-10-07"]
workdays = ["2026-10-10"]
[[numbers]]
number = "600"
to = "echo"
"""


@pytest.mark.parametrize(
    ("day", "hour", "opened"),
    [("2026-11-23", 9, True), ("2026-11-23", 18, False), ("2026-10-01", 10, False), ("2026-10-10", 10, True)],
)
def test_the_calendar_is_open(tmp_path: Path, day: str, hour: int, opened: bool) -> None:
    path = tmp_path / "sipcc.toml"
    path.write_text(OFFICE)
    assert check(path, {}) == []
    hours = outbound_hours(load(path, {}))
    assert hours is not None
    there = datetime.fromisoformat(f"{day} {hour:02}:00").replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    # what the guard is told is the local time of this machine
    assert hours(datetime.fromtimestamp(there.timestamp())) is opened


def test_a_calendar_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "sipcc.toml"
    path.write_text(OFFICE.replace('hours = "office"', 'hours = "offices"'))
    (found,) = check(path, {})
    assert str(found) == (
        "error: sipcc.toml:4 toll.hours: there is no calendar 'offices' (did you mean 'office'?)"
    )
    assert outbound_hours(Config()) is None
