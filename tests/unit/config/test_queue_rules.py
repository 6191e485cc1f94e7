"""Where callers go on to from a queue: destinations are checked like any other."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sipcc.acd import QueueSettings
from sipcc.config.names import Names, check_queue_exits
from sipcc.reading.findings import Report

DATA: dict[str, Any] = {"queues": [{"name": "sales"}, {"name": "help"}], "menus": [{"name": "main"}]}
DATA |= {"trunks": [{"name": "carrier"}], "agents": [{"name": "1@carrier"}]}


def findings(**queue: Any) -> list[tuple[str, str]]:
    settings = msgspec.convert({"name": "sales", **queue}, QueueSettings)
    report = Report("sipcc.toml")
    check_queue_exits([(0, settings)], Names(DATA), report)
    return [(finding.where, finding.message) for finding in report.findings]


def rule(when: str, at: float, to: str = "queue:help") -> dict[str, Any]:
    return {"overflow": [{"when": when, "at": at, "to": to}]}


@pytest.mark.parametrize(
    ("queue", "where", "cause"),
    [
        ({"then": "menu:mian"}, "queues[0].then", "there is no menu 'mian'"),
        ({"then": "nowhere"}, "queues[0].then", "unknown destination 'nowhere'"),
        ({"keys": {"1": "menu:mian"}}, "queues[0].keys.1", "there is no menu 'mian'"),
        (rule("wait", 5, "queue:hlep"), "queues[0].overflow[0].to", "there is no queue 'hlep'"),
        (rule("size", 0), "queues[0].overflow[0].at", 'when = "size" with at = 0'),
        (rule("wait", 0), "queues[0].overflow[0].at", 'when = "wait" with at = 0'),
        ({"bound": ["carrier/13800138000", "cariier/1"]}, "queues[0].bound[1]", "there is no trunk"),
        ({"bound": ["13800138000"]}, "queues[0].bound[0]", "'13800138000' is no outside number"),
        ({"bound": ["carrier/1"]}, "queues[0].bound[0]", "an agent is called '1@carrier' already"),
        (rule("estimate", 0), "queues[0].overflow[0].at", 'when = "estimate" with at = 0'),
    ],
)  # fmt: skip
def test_wrong_exits_name_place_and_cause(queue: dict[str, Any], where: str, cause: str) -> None:
    [(found, message)] = findings(**queue)
    assert found == f"sipcc.toml {where}"
    assert message.startswith(cause)


@pytest.mark.parametrize(
    "queue",
    [
        {},
        {"keys": {"*": "hangup"}},
        {"then": "menu:main"},
        {"bound": ["carrier/13800138000", "sip:13800138001@example.com"]},
        rule("no_agent", 0),
        rule("size", 3),
        rule("wait", 0.5),
    ],
)
def test_right_exits(queue: dict[str, Any]) -> None:
    assert findings(**queue) == []


@pytest.mark.parametrize("when", ["size", "somehow"])
def test_a_rule_needs_a_known_trigger_and_a_destination(when: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        findings(overflow=[{"when": when, "at": 3} | ({"to": "echo"} if when == "somehow" else {})])


@pytest.mark.parametrize("key", ["", "10", "x"])
def test_a_key_is_one_key(key: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        findings(keys={key: "hangup"})
