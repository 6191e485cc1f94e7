"""Verbs of calls, legs and switches that pages show are there."""

import re
from pathlib import Path

import pytest

from sipcc import Call, Leg, Switch
from sipcc.ivr.flows import FlowCall

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
HOMES: dict[str, type] = {"call": Call, "leg": Leg, "app": Switch, "switch": Switch}


def verbs_of(page: Path) -> set[tuple[str, str]]:
    text = page.read_text("utf-8")
    code = [*re.findall(r"```python\n(.*?)```", text, re.DOTALL), *re.findall(r"`([^`\n]+)`", text)]
    return set(re.findall(r"\b(call|leg|app|switch)\.(\w+)\(", "\n".join(code)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_verbs_that_a_page_shows_are_there(page: Path) -> None:
    homes = HOMES | {"call": FlowCall} if page.name == "flows.md" else HOMES
    assert [verb for verb in sorted(verbs_of(page)) if not hasattr(homes[verb[0]], verb[1])] == []


def test_the_page_of_transfers_shows_many() -> None:
    assert len(verbs_of(ROOT / "docs" / "transfers.md")) > 12
