"""The page about prompts: its tables and configurations are good, and what it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sipcc.config import load
from sipcc.ivr.prompttable import parse_table
from sipcc.ivr.say import kinds, say_text
from sipcc.ivr.speech.speaker import BUILT_IN

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "prompts.md").read_text("utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
QUEUE = '[[queues]]\nname = "sales"\n[[users]]\nname = "1001"\npassword = "correct-horse-1001"\n'


@pytest.mark.parametrize("text", [block for block in BLOCKS if 'zh = "' in block and "[speech" not in block])
def test_tables_are_good(text: str) -> None:
    table, report = parse_table(text, "prompts.toml")
    assert report.findings == []
    assert table.entries


@pytest.mark.parametrize("text", [block for block in BLOCKS if "[speech" in block or "[[numbers]]" in block])
def test_configurations_are_good(text: str, tmp_path: Path) -> None:
    number = "" if "[[numbers]]" in text else '[[numbers]]\nnumber = "1"\nto = "echo"\n'
    (tmp_path / "sipcc.toml").write_text(text + number + QUEUE)
    assert load(tmp_path / "sipcc.toml", {}).numbers


def test_every_kind_and_engine_is_told_and_said_so() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE, re.MULTILINE))
    assert set(kinds()) <= rows.keys()
    assert set(BUILT_IN) <= rows.keys()
    for kind, value in (("date", "2025-03-02"), ("time", "14:05"), ("money", "12.05"), ("ordinal", "3")):
        assert say_text(kind, value, "zh") in rows[kind]
        assert say_text(kind, value, "en") in rows[kind]


def test_the_program_reads_well() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    compile(program, "prompts.md", "exec")
