"""What ``[[workflows]]`` and their JSON may say, and what `sipccd check` tells of what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.samples import so_many

from sipcc.acd.model import Agent
from sipcc.acd.settings import AgentSettings, QueueSettings, WorkflowSettings
from sipcc.config import Config, check, load
from sipcc.config.workflows import check_workflows, read_workflows
from sipcc.errors import ConfigError
from sipcc.reading.findings import Report

FILE = """\
[sip]
listen = ["udp:127.0.0.1:5060"]
[[users]]
name = "1001"
password = "a-long-password"
[[agents]]
name = "alice"
user = "1001"
queues = ["sales"]
skills = { billing = 3 }
attributes = { languages = ["zh", "en"], level = 4 }
[[queues]]
name = "sales"
[[queues]]
name = "help"
no_agent = "leave"
[[menus]]
name = "main"
prompt = "welcome"
options = { "1" = "workflow:calls" }
then = "workflow:calls"
[[workflows]]
name = "calls"
file = "calls.json"
[[numbers]]
number = "4008123456"
to = "workflow:calls"
"""

TARGET = {"queue": "sales", "expression": "task.language IN worker.languages", "timeout": 10}
LAST = {"queue": "sales", "order_by": "worker.level DESC", "known_worker_friendly_name": "alice"}


def document(*targets: Any, expression: str = "level == 'gold'", default: Any = None) -> dict[str, Any]:
    return {
        "task_routing": {
            "filters": [{"filter_friendly_name": "gold", "expression": expression, "targets": targets}],
            "default_filter": default or {"queue": "sales"},
        }
    }


def written(folder: Path, data: Any = None, text: str = FILE) -> Path:
    (folder / "calls.json").write_text(data if isinstance(data, str) else json.dumps(data))
    path = folder / "sipcc.toml"
    path.write_text(text)
    return path


def told(folder: Path, data: Any, text: str = FILE) -> list[str]:
    found = check(written(folder, data, text), {})
    return [str(finding) for finding in found if "no agent serves" not in finding.message]


def test_a_right_file(tmp_path: Path) -> None:
    assert told(tmp_path, document(TARGET, LAST)) == []
    config = load(tmp_path / "sipcc.toml", {})
    assert config.workflows[0].file == str(tmp_path / "calls.json")
    assert list(read_workflows(config)) == ["calls"]


def test_the_json_may_stand_in_the_file(tmp_path: Path) -> None:
    text = FILE.replace(
        'file = "calls.json"', f"json = '''{json.dumps(document(TARGET))}'''".replace("'gold'", "1")
    )
    assert told(tmp_path, {}, text) == []


AT = "sipcc.toml:24 workflows[0].file: calls.json"
FILTER = "task_routing.filters[0]"
FIRST = f"{FILTER}.targets[0]"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("{", f"error: {AT}: this is not JSON: Expecting property name"),
        ("[" * 100_000, f"error: {AT}: this is not JSON: it is nested too deep"),
        ("[]", f"error: {AT}: expected a table, found a list of 0"),
        ("null", f"error: {AT}: expected a table, found nothing"),
        ({}, f"error: {AT}: the key 'task_routing' is missing (add \"task_routing\")"),
        ({"task_routing": 5}, f"error: {AT} task_routing: expected a table, found the number 5"),
        (
            {"task_routing": {"filters": [5]}},
            f"error: {AT} {FILTER}: expected a table, found the number 5",
        ),
        (document(), f"error: {AT} {FILTER}.targets: expected"),
        (document(5), f"error: {AT} {FIRST}: expected a table, found the number 5"),
        (
            document({"queue": "sales", "timout": 5}),
            f"error: {AT} {FIRST}.timout: unknown key 'timout' (did you mean 'timeout'?)",
        ),
        (
            document({"queue": "sales", "timeout": "5"}),
            f"error: {AT} {FIRST}.timeout: expected a number, found the text '5' "
            "(write the number without quotes)",
        ),
        (
            document({"queue": "sales", "timeout": 0}),
            f"error: {AT} {FIRST}.timeout: expected a number > 0, found the number 0",
        ),
        (
            document({"queue": "sales", "timeout": float("inf")}),
            f"error: {AT} {FIRST}.timeout: expected a number <= 604800, found the number inf",
        ),
        (
            document({"queue": "sales", "priority": 10**40}),
            f"error: {AT} {FIRST}.priority: ",
        ),
        (
            document({"queue": "sale"}),
            f"error: {AT} {FIRST}.queue: there is no queue 'sale' (did you mean 'sales'?)",
        ),
        (
            document(TARGET, default={"queue": "vip"}),
            f"error: {AT} task_routing.default_filter.queue: there is no queue 'vip' (known: help, sales)",
        ),
        (
            document(TARGET, expression="level = 'gold' &"),
            f"error: {AT} {FILTER}.expression: \"level = 'gold' &\" is no condition: '&' belongs to no "
            "condition, at column 16 (write it as in",
        ),
        (
            document({"queue": "sales", "expression": "level > 3"}),
            f"error: {AT} {FIRST}.expression: 'level > 3' is no condition: 'level' is not task.NAME or "
            "worker.NAME, at column 1",
        ),
        (
            document({"queue": "sales", "skip_if": "workers.idle == 0"}),
            f"error: {AT} {FIRST}.skip_if: 'workers.idle == 0' is no condition: 'workers.idle' is not",
        ),
        (
            document({"queue": "sales", "order_by": "worker.level UP"}),
            f"error: {AT} {FIRST}.order_by: 'worker.level UP' is no order",
        ),
        (
            document({"queue": "sales", "known_worker_sid": "alic"}),
            f"error: {AT} {FIRST}: there is no agent 'alic' (did you mean 'alice'?)",
        ),
        (
            document({"queue": "help", "known_worker_sid": "alice"}),
            f"warning: {AT} {FIRST}: agent 'alice' does not serve queue 'help'",
        ),
        (
            document({"queue": "sales", "expression": "worker.langages HAS 'zh'"}),
            f"warning: {AT} {FIRST}.expression: no agent has the attribute 'langages', at column 1 "
            "(did you mean 'languages'?)",
        ),
        (
            document({"queue": "sales", "order_by": "worker.age"}),
            f"warning: {AT} {FIRST}.order_by: no agent has the attribute 'age', at column 8",
        ),
        (
            document({"queue": "sales"}, TARGET),
            f"warning: {AT} {FIRST}: calls wait here for ever and never come to the targets behind it",
        ),
        (
            {"task_routing": {}},
            f"warning: {AT} task_routing: calls that no filter takes will end",
        ),
    ],
)
def test_wrong_json(tmp_path: Path, data: Any, said: str) -> None:
    (line,) = told(tmp_path, data)
    assert line.startswith(said)
    if said.startswith("error"):
        with pytest.raises(ConfigError, match=r"calls\.json"):
            load(tmp_path / "sipcc.toml", {})


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("calls.json", "other.json", "error: sipcc.toml:24 workflows[0].file: other.json: cannot read"),
        (
            'file = "calls.json"',
            "",
            "error: sipcc.toml:22 workflows[0]: it needs either file or json (add file",
        ),
        (
            'to = "workflow:calls"',
            'to = "workflow:call"',
            "error: sipcc.toml:27 numbers[0].to: there is no workflow 'call' (did you mean 'calls'?)",
        ),
        (
            '"1" = "workflow:calls"',
            '"1" = "workflow:call"',
            "error: sipcc.toml:20 menus[0].options.1: there is no workflow 'call'",
        ),
        (
            'then = "workflow:calls"',
            'then = "workflow:call"',
            "error: sipcc.toml:21 menus[0].then: there is no workflow 'call'",
        ),
        (
            'no_agent = "leave"',
            'then = "workflow:call"',
            "error: sipcc.toml:16 queues[1].then: there is no workflow 'call'",
        ),
        (
            "[[numbers]]",
            '[[workflows]]\nname = "calls"\nfile = "calls.json"\n[[numbers]]',
            "error: sipcc.toml:26 workflows[1].name: another workflow is called 'calls' already",
        ),
        (
            "level = 4",
            "level = { a = 1 }",
            "error: sipcc.toml:11 agents[0].attributes.level: expected",
        ),
    ],
)
def test_wrong_settings(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in FILE
    (line,) = told(tmp_path, document(TARGET, LAST), FILE.replace(old, new, 1))
    assert line.startswith(said)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
WORDS = st.sampled_from(
    ["task.level", "worker.level", "worker.skills", "workers.available", "level", "==", "HAS", "IN", "AND",
     "NOT", "(", ")", "[", "]", ",", "1", "'gold'", "true", ">=", "DESC", "sales", "help", "alice"]
)  # fmt: skip
TEXTS = st.lists(WORDS, max_size=7).map(" ".join)
TARGETS = st.fixed_dictionaries(
    {"queue": st.sampled_from(["sales", "help", "x"])},
    optional={
        "expression": TEXTS | VALUES,
        "skip_if": TEXTS | VALUES,
        "order_by": TEXTS | VALUES,
        "known_worker_sid": TEXTS | VALUES,
        "priority": VALUES,
        "timeout": VALUES | st.integers(1, 30),
    },
)
DOCUMENTS = VALUES | st.builds(
    lambda targets, expression, default: document(*targets, expression=expression, default=default),
    st.lists(TARGETS | VALUES, max_size=4),
    TEXTS | VALUES,
    VALUES,
)


CENTRE = Config(
    agents=(AgentSettings(name="alice", user="1001", queues=("sales",), attributes={"level": 4}),),
    queues=(QueueSettings(name="sales"), QueueSettings(name="help")),
)


@settings(max_examples=so_many(150, 60), deadline=None)
@given(DOCUMENTS)
def test_any_json_is_told_of_or_walked_to_its_end(data: Any) -> None:
    flow = WorkflowSettings(name="calls", json=json.dumps(data))
    config = msgspec.structs.replace(CENTRE, workflows=(flow,))
    report = Report("sipcc.toml")
    check_workflows(config, report)
    if report.failed:
        return
    walk = read_workflows(config)["calls"].begin({"level": "gold"}, lambda _: ())
    team = [Agent(settings=agent, order=0) for agent in config.agents]
    for step in range(8):
        if walk.next(step * 10.0, lambda _: team, now=step * 10.0) is None:
            return
    raise AssertionError("there is no end")
