"""`sipccd simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.unit.cli.recorded import record

from sipcc.acd.events import AgentStateChanged, QueueJoined, QueueLeft, TalkEnded
from sipcc.cli.main import EXIT_CONFIG, main

CONFIG = """
[[queues]]
name = "sales"
wrap_up = 10.0

[[queues]]
name = "help"
strategy = "round-robin"

[[agents]]
name = "alice"
uri = "trunk/4008123456"
start = "not_ready"
queues = ["sales", "help"]

[[agents]]
name = "bob"
user = "102"
queues = ["sales"]

[[trunks]]
name = "trunk"
host = "192.0.2.1"

[sip]
listen = ["udp:127.0.0.1:5060"]

[[users]]
name = "102"
password = "ohNoNotThisOne-11"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sipcc.toml"
    path.write_text(CONFIG)
    return path


def run(file: Path, *options: str) -> list[str]:
    result = CliRunner().invoke(main, ["simulate", "-c", str(file), "--rate", "40", "--aht", "60", *options])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_a_line_for_each_queue_and_the_same_every_time(file: Path) -> None:
    options = ["--calls", "200", "--patience", "60", "--answer", "3", "--declines", "0.1"]
    first = run(file, *options)
    assert [line.split()[:3] for line in first[1:]] == [
        ["sales", "longest-idle", "200"],
        ["help", "round-robin", "200"],
    ]
    assert run(file, *options) == first
    assert run(file, *options, "--seed", "2") != first


def test_another_strategy_meets_the_same_callers(file: Path) -> None:
    [_, sales, helpers] = run(file, "--calls", "100", "--policy", "sales=linear", "--queue", "sales")
    assert sales.split()[1] == "linear"
    assert helpers.split()[2] == "0"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--policy", "sale=linear"], "'sale'"),
        (["--policy", "sales"], "QUEUE=STRATEGY"),
        (["--policy", "sales=liner"], "'liner'"),
        (["--queue", "sale"], "known: help, sales"),
    ],
)
def test_what_does_not_exist(file: Path, options: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["simulate", "-c", str(file), "--rate", "40", "--aht", "60", *options])
    assert result.exit_code == EXIT_CONFIG
    assert said in result.output


def test_neither_made_up_nor_recorded(file: Path) -> None:
    result = CliRunner().invoke(main, ["simulate", "-c", str(file), "--rate", "40"])
    assert result.exit_code == 2
    assert "give --rate and --aht, or --replay" in result.output


def test_a_recorded_day_under_another_policy(file: Path) -> None:
    """Alice was there all day and bob not at all: the second caller gave up."""
    names: dict[str, Any] = {"queue": "sales", "caller": "13800138000", "priority": 0, "position": 1}
    events = [
        AgentStateChanged(at=0.0, agent="alice", before="offline", after="ready"),
        QueueJoined(at=1.0, entry="e1", call="c1", **names),
        QueueLeft(at=3.0, entry="e1", queue="sales", call="c1", exit="answered", waited=2.0, agent="alice"),
        QueueJoined(at=4.0, entry="e2", call="c2", **names),
        QueueLeft(at=24.0, entry="e2", queue="sales", call="c2", exit="abandoned", waited=20.0),
        TalkEnded(at=60.0, entry="e1", queue="sales", call="c1", agent="alice", talked=57.0),
    ]
    record(file.parent, events)
    when = ["--replay", "2023-11-15T00:00+00:00", "--until", "2023-11-15T02:00+00:00"]
    result = CliRunner().invoke(
        main, ["simulate", "-c", str(file), *when, "--policy", "sales=linear", "--policy", "help=linear"]
    )
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()[1:]]
    assert [line[:6] for line in lines] == [
        ["recorded", "sales", "2", "1", "1", "0"],
        ["recorded", "help", "0", "0", "0", "0"],
        ["simulated", "sales", "linear", "2", "1", "1"],
        ["simulated", "help", "linear", "0", "0", "0"],
    ]
    nobody = ["--replay", "2024-11-15T00:00+00:00"]
    result = CliRunner().invoke(main, ["simulate", "-c", str(file), *nobody])
    assert result.exit_code == 1
    assert "nobody came" in result.output
