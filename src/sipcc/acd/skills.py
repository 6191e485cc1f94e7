"""Skills that a caller wants of an agent, as conditions over the levels in `AgentSettings.skills`.

``billing >= 2 and (english or mandarin) and not trainee``: a skill that an agent has not got is at level 0,
and a skill alone means any level above 0. The language is that of `sipcc.expr`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sipcc.acd.model import Agent, Stage
from sipcc.acd.settings import RelaxStep
from sipcc.expr import Expression, compile_expression

LABEL = "skills"
"""What the decision trace calls a stage that wants skills."""


class Skilled(msgspec.Struct, frozen=True):
    """Wants agents whose levels meet a condition; see `sipcc.acd.model.Want`."""

    condition: Expression

    def why_not(self, agent: Agent) -> str:
        """The first part of the condition that `agent` does not meet."""
        levels = agent.settings.skills
        return self.condition.why_not(lambda name: levels.get(name, 0))


class Anybody(msgspec.Struct, frozen=True):
    """Wants any member of the queue."""

    def why_not(self, agent: Agent) -> str:
        """Nothing speaks against anybody."""
        return ""


def compile_skills(text: str) -> Expression | None:
    """Read a condition over skills; None for an empty one, which everybody meets.

    Raises:
        ExpressionError: it cannot be read, or compares a level with what is no number.
    """
    return compile_expression(text, lambda _: "number") if text.strip() else None


def skill_stages(skills: str, relax: Sequence[RelaxStep]) -> tuple[Stage, ...]:
    """The stages of a caller who wants `skills`, and less as `relax` says; empty when it wants none at all.

    Raises:
        ExpressionError: a condition cannot be read.
    """
    if not skills.strip() and not relax:
        return ()
    first = Stage(after=0.0, want=_want(skills), label=LABEL)
    steps = sorted(relax, key=lambda step: step.after)
    return (first, *(Stage(after=step.after, want=_want(step.skills), label=LABEL) for step in steps))


def _want(text: str) -> Skilled | Anybody:
    condition = compile_skills(text)
    return Anybody() if condition is None else Skilled(condition)
