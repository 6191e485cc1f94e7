"""Checks of what callers want of agents, as a core: conditions can be read, and somebody has each skill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sipcc.acd.settings import QueueSettings
from sipcc.acd.skills import compile_skills
from sipcc.expr import ExpressionError
from sipcc.reading.convert import did_you_mean
from sipcc.reading.findings import Report
from sipcc.reading.lines import Path


def check_skills(
    queues: Sequence[tuple[int, QueueSettings]], data: Mapping[str, Any], report: Report
) -> None:
    """Check `skills` and `relax` of each queue; `data` has the agents, well-formed or not."""
    known = _skills_of(data.get("agents"))
    for index, queue in queues:
        conditions: list[tuple[Path, str]] = [(("queues", index, "skills"), queue.skills)]
        for place, step in enumerate(queue.relax):
            conditions.append((("queues", index, "relax", place, "skills"), step.skills))
        for path, text in conditions:
            check_condition(text, path, known, report)


def check_condition(text: str, path: Path, known: Sequence[str], report: Report) -> None:
    """Check one condition over skills, of which agents have `known`."""
    try:
        condition = compile_skills(text)
    except ExpressionError as error:
        report.error(path, f"{text!r} is no condition: {error}", 'write it as in "billing >= 2 and english"')
        return
    for name in condition.names if condition is not None else ():
        if name.name not in known:
            report.warn(
                path,
                f"no agent has the skill {name.name!r}, at column {name.column}",
                _hint(name.name, known),
            )


def _hint(name: str, known: Sequence[str]) -> str:
    return did_you_mean(name, known) if known else "no agent has skills: add skills = { NAME = LEVEL }"


def _skills_of(agents: Any) -> list[str]:
    """The skills that agents have, whether or not these agents are well-formed."""
    entries = agents if isinstance(agents, list) else []
    tables = [agent.get("skills") for agent in entries if isinstance(agent, dict)]
    return sorted({str(name) for table in tables if isinstance(table, dict) for name in table})
