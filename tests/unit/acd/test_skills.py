from __future__ import annotations

import pytest

from sipcc.acd.model import Agent
from sipcc.acd.settings import AgentSettings, RelaxStep
from sipcc.acd.skills import Anybody, skill_stages
from sipcc.expr import ExpressionError


def agent(**skills: int) -> Agent:
    return Agent(settings=AgentSettings(name="a", skills=skills), order=0)


@pytest.mark.parametrize(
    ("skills", "levels", "why"),
    [
        ("billing >= 2 and (english or mandarin)", {"billing": 2, "mandarin": 1}, ""),
        ("billing >= 2", {"billing": 1}, "billing >= 2 fails: billing is 1"),
        ("billing >= 2", {}, "billing >= 2 fails: billing is 0"),
        ("billing and english", {"billing": 1}, "english is missing"),
        ("not trainee", {}, ""),
        ("not trainee", {"trainee": 1}, "not trainee does not hold"),
        ("billing < 1", {}, ""),
    ],
)
def test_what_speaks_against_an_agent(skills: str, levels: dict[str, int], why: str) -> None:
    (stage,) = skill_stages(skills, ())
    assert stage.want.why_not(agent(**levels)) == why


def test_steps_in_the_order_of_time() -> None:
    steps = [RelaxStep(after=30, skills=""), RelaxStep(after=15, skills="billing >= 1")]
    stages = skill_stages("billing >= 2", steps)
    assert [stage.after for stage in stages] == [0, 15, 30]
    assert [stage.want.why_not(agent(billing=1)) == "" for stage in stages] == [False, True, True]
    assert isinstance(stages[2].want, Anybody)


def test_no_skills_make_no_plan() -> None:
    assert skill_stages("  ", ()) == ()


def test_a_level_is_a_number() -> None:
    with pytest.raises(ExpressionError, match="at column 12"):
        skill_stages("billing == 'high'", ())
