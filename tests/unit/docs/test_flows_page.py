"""The page about flows: its examples are right, and every type of node with every key stands on it."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from sipcc.config import check, load
from sipcc.config.flows import read_flows
from sipcc.ivr.flows.load import NODES, parse_flow
from sipcc.ivr.flows.model import FlowHead
from sipcc.ivr.say import kinds

PAGE = (Path(__file__).parents[3] / "docs" / "flows.md").read_text("utf-8")
EXAMPLES = Path(__file__).parents[3] / "examples"
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
COMMON = {"note", "then", "prompt", "retry", "timeout", "interdigit", "bargein"}


@pytest.mark.parametrize("kind", sorted(NODES))
def test_every_key_of_every_type_is_told(kind: str) -> None:
    [row] = re.findall(rf"^\| `{kind}` \|.*$", PAGE, re.MULTILINE)
    told = set(re.findall(r"`([a-z_]+)`", row))
    keys = {field.encode_name for field in msgspec.structs.fields(NODES[kind])} - COMMON
    assert keys - told == set()


def test_every_key_of_a_flow_and_every_kind_of_value_is_told() -> None:
    keys = {field.encode_name for field in msgspec.structs.fields(FlowHead)}
    assert [key for key in sorted(keys) if f"`{key}`" not in PAGE] == []
    assert [kind for kind in kinds() if f"`{kind}`" not in PAGE] == []


def test_the_first_steps_work_from_the_page_alone(tmp_path: Path) -> None:
    path = tmp_path / "sipcc.toml"
    path.write_text(BLOCKS[0])
    assert [finding for finding in check(path, {}) if finding.severity == "error"] == []
    nodes = "\n".join(block.replace("[flows.nodes.", "[nodes.") for block in BLOCKS[1:4])
    unknown = '\n[nodes.unknown]\ntype = "say"\nprompt = "We do not know it."\nthen = "card"\n'
    flow, report = parse_flow('fallback = "queue:service"\n' + nodes + unknown, "bank")
    assert report.findings == []
    assert flow is not None
    assert list(flow.nodes) == ["card", "verify", "bot", "agent", "unknown"]
    assert parse_flow(BLOCKS[4], "bank")[0] is not None


def test_the_example_is_what_the_page_has(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"SIPCC_1001": "correct-horse-1001", "SIPCC_1002": "correct-horse-1002"}
    [bank] = read_flows(load(EXAMPLES / "18_bank.toml", secrets)).values()
    assert list(bank.nodes) == ["card", "verify", "unknown", "bot", "agent"]


@pytest.mark.parametrize("text", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_the_programs_can_be_read(text: str) -> None:
    compile(text, "flows.md", "exec")
