"""The page of features names tests that are there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "features.md").read_text("utf-8")
NAMED = re.findall(r"`((?:tests/[a-z/0-9_]*)?test_\w+\.py)(?:::(\w+))?`", PAGE)


@cache
def functions_of(path: Path) -> set[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, kinds)}


@pytest.mark.parametrize(("file", "test"), NAMED, ids="::".join)
def test_a_test_that_is_named_is_there(file: str, test: str) -> None:
    path = ROOT / (file if "/" in file else f"tests/flow/{file}")
    assert path.exists()
    assert not test or test in functions_of(path)


def test_a_benchmark_that_is_named_is_there() -> None:
    named = set(re.findall(r"`benchmarks\.(\w+)", PAGE))
    assert len(named) > 5
    assert [name for name in sorted(named) if not (ROOT / "benchmarks" / f"{name}.py").exists()] == []


def test_each_goal_of_the_media_engine_has_a_row() -> None:
    goals = [f"M{n}" for n in range(1, 31)] + [f"D0{n}" for n in range(1, 10)]
    goals += ["H01", "H02", "H05", "H08", "H18", "P1", "P2", "P4", "P13"]
    assert re.findall(r"^\| ([MDHP]\d+) \|", PAGE, re.MULTILINE) == goals


def test_each_row_names_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "tests |" not in line]
    assert len(rows) > 40
    assert [row for row in rows if "test_" not in row] == []
