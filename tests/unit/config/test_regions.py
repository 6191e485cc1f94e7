"""What ``[regions]`` may say, and what is wrong with it and with its file."""

from __future__ import annotations

from pathlib import Path

import pytest

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


def written(folder: Path, text: str, table: str = "1380013,north\n") -> Path:
    (folder / "regions.csv").write_text(table)
    path = folder / "sipcc.toml"
    path.write_text(text)
    return path


def test_a_right_file(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    assert check(path, {}) == []
    assert load(path, {}).regions.file == str(tmp_path / "regions.csv")


@pytest.mark.parametrize(
    ("old", "new", "where", "cause", "cure"),
    [
        ('"0108*"', '"mobile"', "5 regions.overrides.mobile", "no number", "digits"),
        ('"busy"', '"menu:x"', "numbers[0].regions.north", "no menu 'x'", "none"),
        ("regions.csv", "other.csv", "4 regions.file", "cannot read", ""),
    ],
)
def test_wrong_regions(tmp_path: Path, old: str, new: str, where: str, cause: str, cure: str) -> None:
    assert old in GOOD
    found = check(written(tmp_path, GOOD.replace(old, new, 1)), {})
    assert len(found) == 1, found
    assert where in found[0].where
    assert cause in found[0].message
    assert cure in found[0].hint


def test_a_wrong_line_of_the_table_is_named(tmp_path: Path) -> None:
    (found,) = check(written(tmp_path, GOOD, "1380013,north\n138,south\nx\n"), {})
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
