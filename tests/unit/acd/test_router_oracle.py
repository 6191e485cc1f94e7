"""The quick decision and the plain one agree: all strategies, plans, priorities, weights, ageing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.samples import so_many
from tests.unit.acd import naive_router

from sipcc.acd.effort import Effort
from sipcc.acd.lately import LastAgent
from sipcc.acd.model import Agent, AgentState, Entry, EntryState, Line, Stage, Strategy, Turn, Want
from sipcc.acd.planning import Both, before
from sipcc.acd.router import decide, rank
from sipcc.acd.settings import AgentSettings, RelaxStep
from sipcc.acd.skills import Anybody, skill_stages
from sipcc.acd.strategies import BUILT_IN

NOW = 1000.0


class LastOfThem:
    """A plug-in that looks at all agents, and takes some callers only."""

    rings_all = False

    def choose(self, agents: Sequence[Agent], turn: Turn) -> Sequence[str]:
        return [] if turn.bits % 5 == 0 else [sorted(agents, key=lambda agent: agent.name)[-1].name]


class Faulty:
    """A plug-in that raises, chooses whom it was not offered, or chooses twice."""

    rings_all = False

    def choose(self, agents: Sequence[Agent], turn: Turn) -> Sequence[str]:
        match turn.bits % 4:
            case 0:
                raise ValueError(len(agents))
            case 1:
                return ["a0", "a1"]
            case 2:
                return [agents[-1].name, agents[0].name, agents[-1].name]
        return [agent.name for agent in agents[:2]]


class FaultyKey(Faulty):
    def key(self, agent: Agent, *, now: float) -> float:
        raise ValueError(agent.name)


class FaultyShare(Faulty):
    def share(self, agent: Agent) -> float:
        return float("inf")


def best_x(agent: Agent) -> tuple[float, ...]:
    return (-agent.settings.skills.get("x", 0),)


STRATEGIES: list[type[Strategy]] = [*BUILT_IN.values(), LastOfThem, Faulty, FaultyKey, FaultyShare]
PLANS = [
    (),
    skill_stages("x", ()),
    skill_stages("x >= 2 or y", [RelaxStep(after=40.0, skills="x"), RelaxStep(after=70.0, skills="")]),
    skill_stages("z", ()),
    (Stage(after=30.0, want=LastAgent("a1"), label="late"),),
    (Stage(after=0.0, want=Anybody(), label="best x", order=best_x),),
    before(skill_stages("x >= 3", ())[0].want, 30.0, (), label="region", order=best_x),
    before(skill_stages("z", ())[0].want, 60.0, skill_stages("x or y", ()), label="region"),
]
STATES = [*[AgentState.READY] * 6, AgentState.TALKING, AgentState.OFFLINE, AgentState.NOT_READY]


def floor(draw: Random, *, most: int) -> tuple[list[Line], dict[str, Agent]]:
    """A floor of some agents and three lines, in which anything may be."""
    names = [f"a{i}" for i in range(draw.randint(1, most))]
    agents = {name: agent(name, order, draw) for order, name in enumerate(names)}
    lines, number = [], 0
    for queue in ("p", "q", "r")[: draw.randint(1, 3)]:
        strategy = draw.choice(STRATEGIES)()
        ageing, weight = draw.choice([0.0, 0.0, 0.5, 60.0]), draw.choice([0.5, 1.0, 1.0, 3.0])
        callers = []
        for _ in range(draw.randint(0, most)):
            number += 1
            callers.append(caller(number, queue, names, draw))
        lines.append(
            Line(
                queue=queue,
                strategy=strategy,
                strategy_name=type(strategy).__name__,
                members=tuple(name for name in names if draw.random() < 0.8),
                entries=tuple(sorted(callers, key=partial(rank, now=NOW, ageing=ageing, weight=weight))),
                last=draw.randint(-1, len(names)),
                ring_step=draw.choice([0.0, 5.0]),
                ageing=ageing,
                weight=weight,
            )
        )
    return lines, agents


def agent(name: str, order: int, draw: Random) -> Agent:
    skills = {skill: draw.randint(0, 3) for skill in "xy" if draw.random() < 0.5}
    return Agent(
        settings=AgentSettings(name=name, skills=skills, weight=draw.choice([0.0, 0.1, 0.3, 1.0, 7.0])),
        order=order,
        state=draw.choice(STATES),
        reason=draw.choice(["", "tea"]),
        idle_since=draw.choice([1.0, 2.0, 3.0]),
        not_before=draw.choice([0.0, 0.0, 0.0, NOW, NOW + 1]),
        backoff_cause="busy",
        effort=Effort(
            calls=draw.randint(0, 2), talked=draw.choice([0.0, 5.0]), handled=draw.choice([0.0, 9.0])
        ),
    )


def caller(number: int, queue: str, names: Sequence[str], draw: Random) -> Entry:
    plan = draw.choice(PLANS)
    if draw.random() < 0.2:
        last: Want = LastAgent(draw.choice(names))
        want = Both(last, plan[0].want) if plan else last
        plan = before(want, 50.0, plan, label="last agent")
    return Entry(
        id=f"e{number}",
        number=number,
        queue=queue,
        call=f"c{number}",
        caller="13800138000",
        priority=draw.choice([0, 0, 1]),
        joined=NOW - draw.choice([0.0, 10.0, 20.0, 50.0, 90.0]),
        plan=plan,
        state=draw.choice([EntryState.WAITING] * 5 + [EntryState.OFFERING]),
        offered_at=draw.choice([NOW, NOW - 5.0]),
        tried=frozenset(draw.sample(names, draw.choice([0, 0, 0, 1, len(names) // 3, len(names)]))),
    )


def agree(lines: Sequence[Line], agents: dict[str, Agent], *, bits: int) -> int:
    """Both decisions are one; how many picks there were."""
    expected = naive_router.decide(lines, agents, now=NOW, bits=bits)
    ready = {name for name, agent in agents.items() if agent.state is AgentState.READY}
    teams = [replace(line, team=frozenset(line.members)) for line in lines]
    for known, seen in ((None, lines), (ready, lines), (ready, teams)):
        picks = decide(seen, agents, now=NOW, bits=bits, ready=known)
        assert [
            (
                pick.entry,
                pick.agents,
                pick.new_round,
                pick.trace.fault,
                tuple((verdict.agent, verdict.chosen, verdict.reason) for verdict in pick.trace.verdicts()),
            )
            for pick in picks
        ] == expected
    return len(expected)


@settings(max_examples=so_many(400, 100))
@given(st.randoms(use_true_random=False), st.integers(0, 2**64 - 1))
def test_random_floors(draw: Random, bits: int) -> None:
    agree(*floor(draw, most=8), bits=bits)


@pytest.mark.parametrize("seed", range(40))
def test_floors_with_many_agents(seed: int) -> None:
    draw = Random(seed)
    agree(*floor(draw, most=60), bits=draw.getrandbits(64))


@pytest.mark.parametrize("seed", range(20))
def test_floors_where_few_are_ready(seed: int) -> None:
    draw = Random(seed)
    lines, agents = floor(draw, most=100)
    for name in draw.sample(sorted(agents), len(agents) * 19 // 20):
        agents[name] = replace(agents[name], state=AgentState.TALKING)
    agree(lines, agents, bits=draw.getrandbits(64))


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_each_strategy_where_callers_and_agents_are_many(name: str) -> None:
    draw = Random(name)
    agents = {f"a{i}": agent(f"a{i}", i, draw) for i in range(80)}
    callers = [caller(number, "q", list(agents), draw) for number in range(100)]
    line = Line(
        queue="q",
        strategy=BUILT_IN[name](),
        strategy_name=name,
        members=tuple(agents),
        entries=tuple(sorted(callers, key=rank)),
        last=40,
    )
    assert agree([line], agents, bits=draw.getrandbits(64)) >= (1 if name == "ring-all" else 10)
