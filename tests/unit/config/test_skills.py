"""What `sipccd check` says of the conditions of queues."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipcc.config import check

FILE = """\
[sip]
listen = ["udp:127.0.0.1:5060"]
[[users]]
name = "1001"
password = "a-long-password"
[[agents]]
name = "alice"
user = "1001"
queues = ["sales"]
skills = { billing = 3, english = 1 }
[[queues]]
name = "sales"
SETTINGS
[[numbers]]
number = "4008123456"
to = "queue:sales"
"""


@pytest.mark.parametrize(
    ("settings", "severity", "where", "message", "hint"),
    [
        (
            'skills = "billing >= 2 & english"',
            "error",
            "sipcc.toml:13 queues[0].skills",
            "is no condition: '&' belongs to no condition, at column 14",
            'write it as in "billing >= 2 and english"',
        ),
        (
            "skills = \"billing == 'high'\"",
            "error",
            "sipcc.toml:13 queues[0].skills",
            "a number is never equal to a text, at column 12",
            'write it as in "billing >= 2 and english"',
        ),
        (
            'skills = "biling"',
            "warning",
            "sipcc.toml:13 queues[0].skills",
            "no agent has the skill 'biling', at column 1",
            "did you mean 'billing'?",
        ),
        (
            'relax = [{ after = 15, skills = "mandarin" }]',
            "warning",
            "sipcc.toml:13 queues[0].relax[0].skills",
            "no agent has the skill 'mandarin', at column 1",
            "known: billing, english",
        ),
    ],
)
def test_wrong_conditions(
    tmp_path: Path, settings: str, severity: str, where: str, message: str, hint: str
) -> None:
    path = tmp_path / "sipcc.toml"
    path.write_text(FILE.replace("SETTINGS", settings))
    (finding,) = check(path, {})
    assert (finding.severity, finding.where) == (severity, where)
    assert message in finding.message
    assert hint in finding.hint


def test_right_conditions(tmp_path: Path) -> None:
    path = tmp_path / "sipcc.toml"
    path.write_text(
        FILE.replace("SETTINGS", 'skills = "billing >= 2"\nrelax = [{ after = 15, skills = "" }]')
    )
    assert check(path, {}) == []


def test_skills_that_nobody_has_at_all(tmp_path: Path) -> None:
    path = tmp_path / "sipcc.toml"
    text = FILE.replace("SETTINGS", 'skills = "billing"').replace(
        "skills = { billing = 3, english = 1 }\n", ""
    )
    path.write_text(text)
    (finding,) = check(path, {})
    assert "add skills = { NAME = LEVEL }" in finding.hint
