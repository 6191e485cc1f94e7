"""What `sipccd ivr` says of names of files and of languages that do not go with what was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sipcc.cli.main import main

FLOW = """
fallback = "queue:help"
[nodes.bye]
type = "say"
prompt = "closed"
then = "queue:help"
"""


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    path = tmp_path / "bank.toml"
    path.write_text(FLOW)
    return path


def run(*args: object) -> Result:
    return CliRunner().invoke(main, ["ivr", *map(str, args)])


@pytest.mark.parametrize(
    ("name", "form", "right"),
    [
        ("x.png", "svg", False),
        ("x.svg", "dot", False),
        ("x.SVG", "svg", True),
        ("x.gv", "dot", True),
        ("x.mmd", "mermaid", True),
        ("drawing", "svg", True),
    ],
)
def test_a_drawing_is_written_under_a_name_of_its_format(
    flow: Path, name: str, form: str, *, right: bool
) -> None:
    output = flow.parent / name
    result = run("graph", flow, "--format", form, "-o", output)
    assert (result.exit_code == 0) is right is output.exists()
    if not right:
        assert ".svg" in result.stderr
        assert ".dot, .gv" in result.stderr


def test_a_language_without_prompts_is_told(flow: Path) -> None:
    assert "there are no prompts for 'zz'" in run("walk", flow, "--walks", 3, "--language", "zz").stderr
    assert run("walk", flow, "--walks", 3, "--language", "zh").stderr == ""
