from __future__ import annotations

import pytest

from sipcc.acd.lately import LastAgent, LastAgents
from sipcc.acd.model import Agent
from sipcc.acd.settings import AgentSettings


def test_the_last_one_counts_within_the_window() -> None:
    last = LastAgents()
    last.talked("13800138000", "alice", now=0.0)
    last.talked("13800138000", "bob", now=10.0)
    assert last.of("13800138000", window=100.0, now=110.0) == "bob"
    assert last.of("13800138000", window=100.0, now=110.1) == ""
    assert last.of("13900139000", window=100.0, now=20.0) == ""


@pytest.mark.parametrize("caller", ["", "anonymous", "Anonymous", "unknown"])
def test_hidden_callers_are_not_one_person(caller: str) -> None:
    last = LastAgents()
    last.talked(caller, "alice", now=0.0)
    assert last.of(caller, window=100.0, now=1.0) == ""


def test_the_oldest_talk_is_forgotten_first() -> None:
    last = LastAgents(kept=2)
    for at, caller in enumerate(["c1", "c2", "c1", "c3"]):
        last.talked(caller, "alice", now=float(at))
    assert len(last) == 2
    assert [caller for caller in ("c1", "c2", "c3") if last.of(caller, window=9.0, now=4.0)] == ["c1", "c3"]


def test_only_that_agent_is_wanted() -> None:
    want = LastAgent("alice")
    agents = [Agent(settings=AgentSettings(name=name), order=0) for name in ("alice", "bob")]
    assert [want.why_not(agent) for agent in agents] == ["", "the caller talked with alice last"]
