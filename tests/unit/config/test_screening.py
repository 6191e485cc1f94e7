"""What ``[screening]`` may say, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.config.files import assert_wrong, written

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
challenge = ["too_often"]
challenge_key = "9"
[[numbers]]
number = "600"
to = "echo"
"""


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
        ('"too_often"', '"denied"', "10 screening.challenge[0]", "expected one of", ""),
        ('"9"', '"19"', "11 screening.challenge_key", "", ""),
        (
            '"9"',
            '"9"\nchallenge_prompt = "nothing"',
            "12 screening.challenge_prompt",
            "nothing",
            "nothing.wav",
        ),
    ],
)
def test_wrong_screening(tmp_path: Path, old: str, new: str, where: str, cause: str, cure: str) -> None:
    assert old in GOOD
    assert_wrong(tmp_path, GOOD.replace(old, new, 1), where, cause, cure)
