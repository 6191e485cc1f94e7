"""What ``[regions]`` may say, and what is wrong with it and with its file."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.config.files import assert_wrong, written

from sipcc.config import check, load

GOOD = """\
[sip]
listen = ["udp:127.0.0.1:5060"]
[regions]
file = "regions.csv"
overrides = { "13800138000" = "north", "0108*" = "north" }
default = "elsewhere"
[[numbers]]
number = "600"
to = "echo"
regions = { "north" = "busy" }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a table of regions."""
    (tmp_path / "regions.csv").write_text("1380013,north\n")
    return tmp_path


def test_a_right_file(folder: Path) -> None:
    path = written(folder, GOOD)
    assert check(path, {}) == []
    assert load(path, {}).regions.file == str(folder / "regions.csv")


@pytest.mark.parametrize(
    ("old", "new", "where", "cause", "cure"),
    [
        ('"0108*"', '"mobile"', "5 regions.overrides.mobile", "no number", "digits"),
        ('"busy"', '"menu:x"', "numbers[0].regions.north", "no menu 'x'", "none"),
        ("regions.csv", "other.csv", "4 regions.file", "cannot read", ""),
    ],
)
def test_wrong_regions(folder: Path, old: str, new: str, where: str, cause: str, cure: str) -> None:
    assert old in GOOD
    assert_wrong(folder, GOOD.replace(old, new, 1), where, cause, cure)


def test_a_wrong_line_of_the_table_is_named(folder: Path) -> None:
    (folder / "regions.csv").write_text("1380013,north\n138,south\nx\n")
    (found,) = check(written(folder, GOOD), {})
    assert "line 3: expected a prefix" in found.message
    assert "0755" in found.hint


CENTRE = """\
[sip]
listen = ["udp:127.0.0.1:5060"]
[[users]]
name = "1001"
password = "a-long-password"
[[agents]]
name = "alice"
user = "1001"
queues = ["sales"]
[[queues]]
name = "sales"
region_wait = 15
[[numbers]]
number = "4008123456"
to = "queue:sales"
"""


def test_a_wait_for_agents_of_whom_none_has_a_region(tmp_path: Path) -> None:
    (found,) = check(written(tmp_path, CENTRE), {})
    assert str(found) == (
        "warning: sipcc.toml:12 queues[0].region_wait: no agent of queue 'sales' has a region "
        '(add regions = ["NAME"] to agents)'
    )
    near = CENTRE.replace('user = "1001"\n', 'user = "1001"\nregions = ["北京"]\n')
    assert check(written(tmp_path, near), {}) == []
