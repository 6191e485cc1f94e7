"""The dashboard and the alert rules name only figures that the code has, with labels that these have."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from sipcc.api.metrictable import METRICS

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "examples" / "monitoring"
NAME = re.compile(r"sipcc_[a-z_]+")
LABELS = re.compile(r"(?:by|on) \(([^)]*)\)|\{\{(?: \$labels\.)?([a-z_]+)")


def expressions() -> list[tuple[str, str]]:
    """What is asked, with the text beside it."""
    board = json.loads((FOLDER / "grafana-dashboard.json").read_text())
    found = [(each["expr"], each["legendFormat"]) for panel in board["panels"] for each in panel["targets"]]
    rules = (FOLDER / "prometheus-rules.yml").read_text()
    asked = re.findall(r"expr: (.*)", rules)
    said = re.findall(r"summary: (.*)", rules)
    return found + [(json.loads(expr), json.loads(text)) for expr, text in zip(asked, said, strict=True)]


def family(name: str) -> str:
    """The row of the table that a sample belongs to."""
    for end in ("", "_bucket", "_sum", "_count"):
        if name.removesuffix(end) in METRICS and name.endswith(end):
            return name.removesuffix(end)
    raise AssertionError(f"{name} is in no row of the table")


@pytest.mark.parametrize(("expression", "text"), expressions())
def test_what_is_asked_is_exported(expression: str, text: str) -> None:
    names = NAME.findall(expression)
    assert names
    known = {label for name in names for label in METRICS[family(name)].labels} | {"le"}
    for by, shown in LABELS.findall(expression + " " + text):
        assert {label.strip() for label in (by or shown).split(",")} <= known


def test_every_figure_is_drawn() -> None:
    drawn = {family(name) for expression, _ in expressions() for name in NAME.findall(expression)}
    assert drawn == set(METRICS)


def test_the_files_are_as_the_code_says() -> None:
    made: dict[str, Any] = runpy.run_path(str(ROOT / "tools" / "make_monitoring.py"))
    for name, make in made["FILES"].items():
        assert (FOLDER / name).read_text() == make()
