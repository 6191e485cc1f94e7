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


REGIONS = {CALLER: "北京", "13900139000": "上海", "01081234567": "北京", "13700137000": ""}
CREW = [
    Agent(settings=AgentSettings(name="alice", regions=("天津", "北京"), skills={"billing": 3}), order=0),
    Agent(settings=AgentSettings(name="bob", regions=("上海",)), order=1),
    Agent(settings=AgentSettings(name="carol", uri="carrier/01081234567"), order=2),
    Agent(settings=AgentSettings(name="dave", user="1001", skills={"billing": 1}), order=3),
    Agent(settings=AgentSettings(name="erin", uri="sip:erin@192.0.2.1", regions=("北京",)), order=4),
]


def regional(**settings: object) -> Planner:
    queue = QueueSettings(name="q", region_wait=15.0, **settings)  # type: ignore[arg-type]  # the cases name fields
    return Planner([queue], region_of=lambda number: REGIONS.get(number, ""))


def crew(plan: Plan) -> list[tuple[float, str, str]]:
    """When, what, and whom, in the order in which they are asked."""
    found = []
    for stage in plan:
        agents = [agent for agent in CREW if not stage.want.why_not(agent)]
        if stage.order is not None:
            agents.sort(key=stage.order)
        found.append((stage.after, stage.label, " ".join(agent.name for agent in agents)))
    return found


ALL = "alice bob carol dave erin"


@pytest.mark.parametrize(
    ("caller", "settings", "plan"),
    [
        # carol by her number; alice names the region last
        (CALLER, {}, [(0, "region", "carol erin alice"), (15, "skills", ALL)]),
        ("13900139000", {}, [(0, "region", "bob"), (15, "skills", ALL)]),
        ("13700137000", {}, []),
        ("anonymous", {}, []),
        (
            CALLER,
            {"skills": "billing >= 2", "relax": (RelaxStep(after=5, skills="billing"),)},
            # a step within the wait begins when that has ended
            [(0, "region", "alice"), (15, "skills", "alice"), (15, "skills", "alice dave")],
        ),
    ],
)
def test_agents_of_the_region_first(
    caller: str, settings: dict[str, object], plan: list[tuple[float, str, str]]
) -> None:
    assert crew(regional(**settings).plan("q", caller, now=1.0)) == plan


def test_the_last_agent_goes_before_the_region_and_need_not_be_of_it() -> None:
    it = regional(sticky=20)
    it.last_agents.talked(CALLER, "bob", now=0.0)
    assert crew(it.plan("q", CALLER, now=1.0)) == [
        (0, "last agent", "bob"),
        (20, "region", "carol erin alice"),
        (20, "skills", ALL),
    ]


def test_callers_of_a_region_share_what_they_want_and_skills_of_their_own_go_before_it() -> None:
    it = regional()
    first, second = it.plan("q", CALLER, now=1.0), it.plan("q", "01081234567", now=1.0)
    assert first[0].want is second[0].want
    assert it.plan("q", CALLER, skills="", now=1.0) == ()


def test_why_an_agent_of_another_region_is_kept_back() -> None:
    (near, _) = regional().plan("q", CALLER, now=1.0)
    assert [near.want.why_not(agent) for agent in CREW] == [
        "",
        "the caller is of 北京, the agent of 上海",
        "",
        "the caller is of 北京, the agent of no region",
        "",
    ]
