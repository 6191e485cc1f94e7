"""Flows that were mangled at random: each is read or refused with a reason; what is read ends a call."""

from __future__ import annotations

import json
import os
import tomllib
from random import Random
from typing import Any

import pytest
from tests.unit.ivr.flows.test_load import BANK
from tests.unit.ivr.flows.test_run import OTHERS, SPOKEN, SUB, Stage

from sipcc.errors import CallEnded
from sipcc.ivr.flows.load import NODES, parse_flow
from sipcc.ivr.flows.run import LookupFailed, playable, run_flow
from sipcc.ivr.sim import SimSession, finish
from sipcc.log import quiet

RUNS = int(os.environ.get("SIPCC_MANGLED_FLOWS", "60"))
TEXTS = [BANK, OTHERS, SPOKEN, SUB]
ODD: list[Any] = [
    *(None, 0, -1, 1.5, 9e99, True, "", [], {}, "x", "{", "{a}", "back", "queue:x", "1,2"),
    *(["a"], {"a": 1}, [["a"]], [[1, 2]], {"en": "x"}, {"say": "number"}, {"text": 5}, {"noinput": -1}),
    *NODES,
]
KEYS = ("type", "then", "prompt", "retry", "into", "nodes", "options", "when", "digits", "send", "x")


def mangled(value: Any, chance: Random) -> Any:
    """`value` with something in it replaced."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice(KEYS if chance.random() < 0.25 else list(value))
        return {**value, key: mangled(value[key], chance) if key in value else chance.choice(ODD)}
    if isinstance(value, list) and value and chance.random() < 0.6:
        at = chance.randrange(len(value))
        return [*value[:at], mangled(value[at], chance), *value[at + 1 :]]
    return chance.choice(ODD)


def scrawled(text: str, chance: Random) -> str:
    """`text` with a few characters replaced."""
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text))
        text = text[:at] + chance.choice('{}[]"=\n#é1') + text[at + chance.randint(0, 6) :]
    return text


def script(chance: Random) -> str:
    """What some caller does."""
    lines = []
    for _ in range(chance.randint(0, 12)):
        typed = "".join(chance.choice("0123456789*#") for _ in range(chance.randint(1, 17)))
        lines.append(chance.choice([f"keys {typed}", "keys 1", "silence", "say weather", "hangup"]))
    lines.append(f"dial={chance.choice(['busy', 'answered', 'failed'])}")
    lines.append(f"queue={chance.choice(['full', 'answered', 'timed_out'])}")
    return "\n".join(lines)


@pytest.mark.parametrize("is_json", [False, True])
def test_whatever_is_written_is_read_or_refused_with_a_reason(is_json: bool) -> None:
    chance = Random(18)
    for _ in range(RUNS):
        text = chance.choice(TEXTS)
        text = json.dumps(mangled(tomllib.loads(text), chance)) if is_json else scrawled(text, chance)
        flow, report = parse_flow(text, "mangled", is_json=is_json)
        assert (flow is None) is report.failed, text
        assert all(finding.message for finding in report.findings)


def test_whatever_is_read_takes_a_call_to_its_end() -> None:
    chance = Random(81)
    ends = set()
    with quiet():
        for _ in range(RUNS):
            tree = tomllib.loads(chance.choice(TEXTS))
            if chance.random() < 0.7:
                tree = mangled(tree, chance)
            flow, _ = parse_flow(json.dumps(tree), "mangled", is_json=True)
            if flow is None:
                continue
            stage = Stage(BANK)
            stage.answer = chance.choice([{"level": 3}, {"level": 1, "name": None}, LookupFailed("no"), {}])
            try:
                session = SimSession(script(chance))
                ends.add(finish(run_flow(session, playable(flow), stage.services)).how)
            except CallEnded:
                ends.add("ended")
    assert ends == {"destination", "returned", "hungup", "ended"}
