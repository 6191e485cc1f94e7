"""`sipccd demo` without a terminal, as CI runs it."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.interop.programs import ROOT, Program


def test_the_script_of_the_demo_comes_true_within_30_s(tmp_path: Path, programs: list[Program]) -> None:
    demo = Program(
        "demo",
        [sys.executable, "-m", "sipcc.cli.main", "demo"],
        tmp_path,
        env={"PYTHONPATH": str(ROOT / "src")},
    )
    programs.append(demo)
    assert demo.wait(40) == 0, demo.output
    assert "All came true" in demo.output


def test_a_day_is_reported_as_the_messages_tell_it(tmp_path: Path, programs: list[Program]) -> None:
    day = Program(
        "day",
        [sys.executable, "-m", "sipcc.cli.main", "demo", "--day", "--seed", "7", "--scale", "0.4"],
        tmp_path,
        env={"PYTHONPATH": str(ROOT / "src")},
    )
    programs.append(day)
    assert day.wait(120) == 0, day.output
    assert "260 callers in twelve hours" in day.output
    assert "The messages confirm every figure." in day.output
