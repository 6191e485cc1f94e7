"""The list of ``[toll] do_not_call``: what may stand in it, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipcc.config import check, load
from sipcc.config.donotcall import read_do_not_call
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
