"""What ``[screening]`` may say, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipcc.config import check, load

GOOD = """\
[sip]
listen = ["udp:127.0.0.1:5060"]
[screening]
allow = ["13800138000", "0108*"]
deny = ["premium", "+852*"]
anonymous = "reject"
calls = 3
window = 60.0
to = "busy"
[[numbers]]
number = "600"
to = "echo"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "sipcc.toml"
    path.write_text(text)
    return path


def test_a_right_file(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    assert check(path, {}) == []
    assert load(path, {}).screening.deny == ("premium", "+852*")


@pytest.mark.parametrize(
    ("old", "new", "where", "cause", "cure"),
    [
        ('"0108*"', '"01*08"', "4 screening.allow[1]", "no number and no rule", "0108*"),
        ('"premium"', '"bad"', "5 screening.deny[0]", "no number and no rule", "premium"),
        ('"reject"', '"refuse"', "6 screening.anonymous", "expected one of", ""),
        ("calls = 3", "calls = -1", "7 screening.calls", "expected a whole number", ""),
        ("window = 60.0", "window = 0", "8 screening.window", "expected a number", ""),
        ('"busy"', '"menu:x"', "9 screening.to", "no menu 'x'", "none"),
    ],
)
def test_wrong_screening(tmp_path: Path, old: str, new: str, where: str, cause: str, cure: str) -> None:
    assert old in GOOD
    found = check(written(tmp_path, GOOD.replace(old, new, 1)), {})
    assert len(found) == 1, found
    assert where in found[0].where
    assert cause in found[0].message
    assert cure in found[0].hint
