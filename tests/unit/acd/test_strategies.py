from __future__ import annotations

from collections import Counter
from random import Random as SeededRandom
from typing import Any

import pytest
from msgspec.structs import replace

from sipcc.acd import strategies
from sipcc.acd.effort import Effort
from sipcc.acd.model import Agent, AgentState, Entry, Strategy, Turn
from sipcc.acd.settings import AgentSettings
from sipcc.acd.strategies import (
    FewestCalls,
    LeastOccupied,
    LeastTalk,
    Linear,
    LongestIdle,
    Random,
    RingAll,
    RingProgressive,
    RoundRobin,
    Weighted,
)
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


def crew(*efforts: Effort, idle_since: tuple[float, ...] = ()) -> list[Agent]:
    idle = idle_since or (0.0,) * len(efforts)
    return [replace(one, effort=effort) for one, effort in zip(team(*idle), efforts, strict=True)]


def test_fewest_calls_then_longest_idle_then_member_order() -> None:
    assert choose(FewestCalls(), crew(Effort(calls=3), Effort(calls=1), Effort(calls=2))) == ["a1"]
    even = [Effort(calls=1)] * 3
    assert choose(FewestCalls(), crew(*even, idle_since=(9, 8, 7))) == ["a2"]
    assert choose(FewestCalls(), crew(*even, idle_since=(9, 7, 7))) == ["a1"]


def test_least_talk_then_longest_idle_then_member_order() -> None:
    assert choose(LeastTalk(), crew(Effort(talked=30), Effort(talked=20.5), Effort(talked=20))) == ["a2"]
    even = [Effort(talked=1)] * 3
    assert choose(LeastTalk(), crew(*even, idle_since=(9, 8, 8))) == ["a1"]


def test_least_occupied_counts_the_time_at_work_alone() -> None:
    half = Effort(handled=25, login=49)
    third = Effort(handled=10, login=49, away=20)
    most = Effort(handled=20, login=49, away=20)
    assert choose(LeastOccupied(), crew(half, third, most)) == ["a1"]
    assert choose(LeastOccupied(), crew(most, half, most)) == ["a1"]
    assert choose(LeastOccupied(), crew(half, half, half, idle_since=(9, 8, 8))) == ["a1"]
    assert choose(LeastOccupied(), crew(half, Effort(login=99))) == ["a1"], "somebody new has done nothing"


def draws(strategy: Strategy, agents: list[Agent], count: int) -> list[int]:
    """How often each agent is chosen, with bits of a fixed seed."""
    bits = SeededRandom(20261121)
    found = Counter(choose(strategy, agents, bits=bits.getrandbits(64))[0] for _ in range(count))
    return [found[agent.name] for agent in agents]


def chi_square(found: list[int], shares: list[float]) -> float:
    total = sum(found)
    expected = [total * share / sum(shares) for share in shares]
    return sum((f - e) ** 2 / e for f, e in zip(found, expected, strict=True))


CHI_SQUARE_7_P01 = 18.475
"""The 99 % point of the chi-square distribution with 7 degrees of freedom."""


def test_random_is_even_over_eight_agents() -> None:
    assert chi_square(draws(Random(), team(*[0.0] * 8), 3200), [1.0] * 8) < CHI_SQUARE_7_P01


def weighed(*weights: float) -> list[Agent]:
    return [
        replace(one, settings=AgentSettings(name=one.name, weight=weight))
        for one, weight in zip(team(*[0.0] * len(weights)), weights, strict=True)
    ]


def test_weighted_gives_each_its_share() -> None:
    shares = [1.0, 2.0, 3.0, 4.0, 0.5, 0.5, 1.0, 8.0]
    assert chi_square(draws(Weighted(), weighed(*shares), 3200), shares) < CHI_SQUARE_7_P01


@pytest.mark.parametrize("bits", [0, 1, 2**63, 2**64 - 1])
def test_weight_nought_is_asked_only_among_its_like(bits: int) -> None:
    assert choose(Weighted(), weighed(0, 1, 0), bits=bits) == ["a1"]
    assert choose(Weighted(), weighed(0, 0), bits=bits) == [f"a{bits % 2}"]


def test_ring_progressive_begins_with_the_first_in_member_order() -> None:
    assert choose(RingProgressive(), team(5, 1, 3)) == ["a0"]
    assert RingProgressive().rings_all
    assert RingProgressive().paced


@pytest.mark.parametrize("name", sorted(strategies.BUILT_IN))
def test_built_in_strategies_are_found_by_name(name: str) -> None:
    assert isinstance(strategies.load(name), strategies.BUILT_IN[name])


def test_an_unknown_strategy_is_a_config_error_that_lists_the_known() -> None:
    with pytest.raises(ConfigError, match=r"longest-idle.*ring-all"):
        strategies.load("best-looking")
