"""What a configuration says about recordings: who is wrong is told where, why and what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipcc.config import check

GOOD = """
[sip]
listen = ["udp:127.0.0.1:5060"]
[[users]]
name = "1001"
password = "correct-horse-1001"
[[agents]]
name = "alice"
user = "1001"
queues = ["sales"]
[[queues]]
name = "sales"
record = {record}
[queues.recording]
{rules}
[[numbers]]
number = "4008123456"
to = "queue:sales"
"""


def found(folder: Path, record: str, rules: str) -> list[tuple[str, str, str, str]]:
    file = folder / "sipcc.toml"
    file.write_text(GOOD.format(record=record, rules=rules))
    return [(finding.severity, finding.where, finding.message, finding.hint) for finding in check(file, {})]


@pytest.mark.parametrize(
    ("record", "rules"),
    [
        ("true", ""),
        ("false", ""),
        ('"on_demand"', "retention_days = 30"),
        ('"sample"', "percent = 12.5"),
        ("true", 'prompt = "welcome"\nkey = "1"\nretention_days = 3650'),
        ("true", "retention_days = 3650\nconsented = true"),
    ],
)
def test_what_is_right(tmp_path: Path, record: str, rules: str) -> None:
    assert found(tmp_path, record, rules) == []


@pytest.mark.parametrize(
    ("record", "rules", "severity", "where", "message", "hint"),
    [
        ('"allways"', "", "error", "record", "expected one of", ""),
        ("7", "", "error", "record", "expected true or false", ""),
        ("true", "percnt = 5", "error", "recording.percnt", "unknown key", "did you mean 'percent'"),
        ("true", "retention_days = 60", "error", "recording.retention_days", "expected one of", ""),
        ("true", 'key = "x"\nprompt = "welcome"', "error", "recording.key", "expected a text", ""),
        ("true", 'key = "1"', "error", "recording.key", "no prompt asks for this key", "add prompt"),
        ("true", 'prompt = "nowhere"', "error", "recording.prompt", "prompt 'nowhere' is", "put now"),
        ("false", "retention_days = 30", "warning", "recording", "nothing is recorded here", "add record"),
        ("true", "percent = 5", "warning", "recording.percent", "no sample is drawn", "write record"),
        (
            "true",
            "retention_days = 3650",
            "warning",
            "recording.retention_days",
            "without the callers' consent recordings go after 180 days",
            'add key = "1"',
        ),
    ],
)
def test_what_is_wrong(
    tmp_path: Path, record: str, rules: str, severity: str, where: str, message: str, hint: str
) -> None:
    [(level, place, text, cure)] = found(tmp_path, record, rules)
    assert level == severity
    assert place.endswith(f"queues[0].{where}")
    assert text.startswith(message)
    assert cure.startswith(hint)
