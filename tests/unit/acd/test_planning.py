"""The plan of a caller: what its queue wants, behind the wait for the agent who knows it."""

from __future__ import annotations

import pytest

from sipcc.acd.model import Agent
from sipcc.acd.planning import Plan, Planner
from sipcc.acd.settings import AgentSettings, QueueSettings, RelaxStep
from sipcc.errors import ConfigError, LocalProtocolError

CALLER = "13800138000"
TEAM = [
    Agent(settings=AgentSettings(name=name, skills={"billing": level}), order=0)
    for name, level in [("alice", 3), ("bob", 1), ("carol", 0)]
]


def shape(plan: Plan) -> list[tuple[float, str, str, bool]]:
    """When, what, whom, and whether absence ends it."""
    return [
        (
            stage.after,
            stage.label,
            " ".join(agent.name for agent in TEAM if not stage.want.why_not(agent)),
            stage.skip_absent,
        )
        for stage in plan
    ]


def planner(**settings: object) -> Planner:
    made = Planner([QueueSettings(name="q", **settings)])  # type: ignore[arg-type]  # the cases name fields
    made.last_agents.talked(CALLER, "bob", now=0.0)
    return made


def test_nothing_wanted_is_no_plan() -> None:
    assert planner().plan("q", CALLER, now=1.0) == ()


def test_skills_are_relaxed() -> None:
    relax = (RelaxStep(after=15, skills="billing"), RelaxStep(after=30, skills=""))
    plan = planner(skills="billing >= 2", relax=relax).plan("q", CALLER, now=1.0)
    assert shape(plan) == [
        (0, "skills", "alice", False),
        (15, "skills", "alice bob", False),
        (30, "skills", "alice bob carol", False),
    ]


def test_skills_of_one_caller_stand_in_place_of_the_queues() -> None:
    it = planner(skills="billing >= 2", relax=(RelaxStep(after=15, skills=""),))
    assert shape(it.plan("q", CALLER, skills="billing == 1", now=1.0)) == [(0, "skills", "bob", False)]
    assert it.plan("q", CALLER, skills="", now=1.0) == ()


def test_the_last_agent_first() -> None:
    assert shape(planner(sticky=20).plan("q", CALLER, now=1.0)) == [
        (0, "last agent", "bob", True),
        (20, "skills", "alice bob carol", False),
    ]


@pytest.mark.parametrize(("caller", "now"), [("13900139000", 1.0), (CALLER, 604801.0)])
def test_who_is_not_known_does_not_wait(caller: str, now: float) -> None:
    assert planner(sticky=20).plan("q", caller, now=now) == ()


def test_steps_within_the_wait_begin_at_its_end() -> None:
    relax = (RelaxStep(after=15, skills="billing"), RelaxStep(after=30, skills=""))
    plan = planner(skills="billing < 3", relax=relax, sticky=20).plan("q", CALLER, now=1.0)
    assert shape(plan) == [
        (0, "last agent", "bob", True),
        (20, "skills", "bob carol", False),
        (20, "skills", "alice bob", False),
        (30, "skills", "alice bob carol", False),
    ]


def test_a_last_agent_without_the_skills_is_nobody() -> None:
    plan = planner(skills="billing >= 2", sticky=20).plan("q", CALLER, now=1.0)
    assert shape(plan)[0] == (0, "last agent", "", True)


def test_faults() -> None:
    with pytest.raises(ConfigError, match=r"queues\[0\]\.skills.*column 9"):
        planner(skills="billing &")
    with pytest.raises(LocalProtocolError, match="column 11"):
        planner().plan("q", CALLER, skills="billing >=", now=1.0)
