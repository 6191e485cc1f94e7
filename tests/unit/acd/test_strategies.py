from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from sipcc.acd import strategies
from sipcc.acd.model import Agent, AgentState, Entry, Strategy, Turn
from sipcc.acd.settings import AgentSettings
from sipcc.acd.strategies import Linear, LongestIdle, Random, RingAll, RoundRobin
from sipcc.errors import ConfigError

ENTRY = Entry(id="e", number=1, queue="q", call="c", caller="13800138000", priority=0, joined=0.0)


def team(*idle_since: float) -> list[Agent]:
    return [
        Agent(settings=AgentSettings(name=f"a{i}"), order=i, state=AgentState.READY, idle_since=since)
        for i, since in enumerate(idle_since)
    ]


def choose(strategy: Strategy, agents: list[Agent], **turn: Any) -> list[str]:
    return list(strategy.choose(agents, Turn(entry=ENTRY, **({"last": -1, "bits": 0, "now": 99.0} | turn))))


def test_linear_takes_the_first_in_member_order() -> None:
    assert choose(Linear(), team(5, 1, 3)) == ["a0"]


def test_longest_idle_takes_the_smallest_time_and_member_order_breaks_ties() -> None:
    assert choose(LongestIdle(), team(5, 1, 3)) == ["a1"]
    assert choose(LongestIdle(), team(5, 1, 1)) == ["a1"]
    assert choose(LongestIdle(), list(reversed(team(1, 1, 1)))) == ["a0"]


@pytest.mark.parametrize(("last", "chosen"), [(-1, "a0"), (0, "a1"), (1, "a2"), (2, "a0"), (7, "a0")])
def test_round_robin_goes_on_after_the_last(last: int, chosen: str) -> None:
    assert choose(RoundRobin(), team(0, 0, 0), last=last) == [chosen]


def test_round_robin_passes_over_agents_that_are_not_free() -> None:
    a0, _a1, a2 = team(0, 0, 0)
    assert choose(RoundRobin(), [a0, a2], last=0) == ["a2"]


def test_ring_all_takes_everybody() -> None:
    assert choose(RingAll(), team(5, 1, 3)) == ["a0", "a1", "a2"]
    assert RingAll().rings_all


def test_random_is_made_of_the_bits_alone_and_fair() -> None:
    agents = team(0, 0, 0, 0)
    assert choose(Random(), agents, bits=6) == ["a2"]
    found = Counter(choose(Random(), agents, bits=bits)[0] for bits in range(4000))
    assert set(found.values()) == {1000}


@pytest.mark.parametrize("name", ["longest-idle", "round-robin", "linear", "random", "ring-all"])
def test_built_in_strategies_are_found_by_name(name: str) -> None:
    assert isinstance(strategies.load(name), strategies.BUILT_IN[name])


def test_an_unknown_strategy_is_a_config_error_that_lists_the_known() -> None:
    with pytest.raises(ConfigError, match=r"longest-idle.*ring-all"):
        strategies.load("best-looking")
