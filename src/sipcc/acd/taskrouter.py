"""The JSON of TaskRouter's workflows, and the expressions in it, read once; see `sipcc.acd.workflow`.

| name | stands for |
|---|---|
| ``task.NAME`` | an attribute of the call; in a filter also without ``task.`` |
| ``worker.name``, ``friendly_name``, ``sid``, ``id`` | the agent's name |
| ``worker.display``, ``worker.queues``, ``worker.regions`` | as in the settings |
| ``worker.skills`` | a list of the skills above level 0 |
| ``worker.levels.SKILL`` | the level, 0 for who has not got it |
| ``worker.NAME`` | what `attributes` of the agent say |
| ``workers.available``, ``workers.unavailable`` | in `skip_if`: agents of the queue |

``worker.routing.skills`` and ``worker.routing.levels.SKILL``, as Flex writes them, mean the same. An agent is
available who is there and takes calls, also while it is busy with one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from sipcc.acd.model import Agent
from sipcc.acd.settings import AgentSettings, Priority
from sipcc.expr import Expression, ExpressionError, Kind, Name, Value, compile_expression

Text = Annotated[str, Meta(min_length=1)]
Task = Mapping[str, Value]
"""What is known of a call, by name."""

WORKERS = ("workers.available", "workers.unavailable")
_TEXTS = frozenset({"name", "friendly_name", "sid", "id", "display"})
_LISTS = frozenset({"skills", "queues", "regions"})


class Target(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One target of a filter, as the document has it."""

    queue: Text
    """The name of a queue."""
    expression: str = ""
    """Which of its agents may have the call; empty for all."""
    priority: Priority | None = None
    """The call's priority from here on, added to the queue's; None leaves it as it was, 0 at first."""
    timeout: Annotated[float, Meta(gt=0, le=604800)] | None = None
    """Seconds that are added to the time at which this target is left; None waits for ever."""
    order_by: str = ""
    """Whom it asks first: ``worker.level DESC, worker.age ASC``, by numbers; the strategy chooses among
    equals."""
    skip_if: str = ""
    """When this target is passed over, if nobody can be offered the call at once."""
    known_worker_friendly_name: str = ""
    """The one agent who may have the call: ``task.NAME``, or a name."""
    known_worker_sid: str = ""
    """The same: agents have one name here."""


class Filter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One filter, as the document has it."""

    filter_friendly_name: str = ""
    """The name in decisions; empty for its place, from 1."""
    expression: Text
    """Which calls it is for."""
    targets: Annotated[tuple[Target, ...], Meta(min_length=1)]
    """In the order in which a call goes through them."""


class DefaultFilter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where calls go that no filter takes, or that have gone through all targets."""

    queue: Text


class TaskRouting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The filters."""

    filters: tuple[Filter, ...] = ()
    default_filter: DefaultFilter | None = None


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A workflow as JSON."""

    task_routing: TaskRouting


class Ordering(msgspec.Struct, frozen=True):
    """Sorts agents as `order_by` says: by numbers, those without one last."""

    clauses: tuple[tuple[str, bool], ...]

    def __call__(self, agent: Agent) -> tuple[float, ...]:
        """The sort key."""
        key: list[float] = []
        for name, larger in self.clauses:
            value = worker_value(agent.settings, name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                key += (0.0, -value if larger else value)
            else:
                key += (1.0, 0.0)
        return tuple(key)


def look_up(name: str, task: Task, worker: AgentSettings | None) -> Value:
    """What a name of an expression stands for; `worker` is None where there is none."""
    if name.startswith("worker."):
        return None if worker is None else worker_value(worker, name.removeprefix("worker."))
    return task.get(name.removeprefix("task."))


def worker_value(agent: AgentSettings, name: str) -> Value:
    """What ``worker.NAME`` stands for: something of the settings, or one of `AgentSettings.attributes`."""
    name = name.removeprefix("routing.")  # as Flex writes skills and levels
    if name in ("name", "friendly_name", "sid", "id"):
        return agent.name
    if name == "display":
        return agent.display or agent.name
    if name == "skills":
        return tuple(skill for skill, level in agent.skills.items() if level > 0)
    if name == "queues":
        return agent.queues
    if name == "regions":
        return agent.regions
    if name.startswith("levels."):
        return agent.skills.get(name.removeprefix("levels."), 0)
    return agent.attributes.get(name)


def worker_names(agents: Sequence[AgentSettings]) -> list[str]:
    """Every NAME of ``worker.NAME`` that stands for something with these agents."""
    skills = {f"levels.{skill}" for agent in agents for skill in agent.skills}
    return sorted({*_TEXTS, *_LISTS, *skills, *(name for agent in agents for name in agent.attributes)})


def _worker_kind(name: str) -> Kind:
    name = name.removeprefix("worker.").removeprefix("routing.")
    if name in _TEXTS:
        return "text"
    if name in _LISTS:
        return "list"
    return "number" if name.startswith("levels.") else "any"


def _kind(name: str) -> Kind:
    if name.startswith("worker."):
        return _worker_kind(name)
    return "number" if name in WORKERS else "any"


def _compile(text: str, allowed: Callable[[str], bool], words: str) -> Expression:
    expression = compile_expression(text, _kind)
    for name in expression.names:
        if not allowed(name.name):
            raise ExpressionError(f"{name.name!r} is not {words}", name.column)
    return expression


def compile_filter(text: str) -> Expression:
    """Read the expression of a filter. ExpressionError for what is none."""
    return _compile(text, lambda name: not name.startswith(("worker.", "workers.")), "known of a call")


def compile_target(text: str) -> Expression:
    """Read the expression of a target. ExpressionError for what is none."""
    return _compile(text, lambda name: name.startswith(("task.", "worker.")), "task.NAME or worker.NAME")


def compile_skip(text: str) -> Expression:
    """Read a `skip_if`. ExpressionError for what is none."""
    words = f"task.NAME, {' or '.join(WORKERS)}"
    return _compile(text, lambda name: name.startswith("task.") or name in WORKERS, words)


def compile_order(text: str) -> tuple[tuple[str, bool], ...]:
    """Read an `order_by`, as (name without ``worker.``, larger first). ExpressionError for what is none."""
    clauses, column = [], 1
    for clause in text.split(",") if text.strip() else ():
        words = clause.split()
        direction = words[1].upper() if len(words) == 2 else "ASC"
        if not words or len(words) > 2 or direction not in ("ASC", "DESC"):
            raise ExpressionError(f"{clause.strip()!r} is not worker.NAME ASC or worker.NAME DESC", column)
        name = words[0].removeprefix("worker.")
        if name == words[0] or _worker_kind(name) not in ("number", "any"):
            raise ExpressionError(f"{words[0]!r} is no number of an agent", column)
        clauses.append((name, direction == "DESC"))
        column += len(clause) + 1
    return tuple(clauses)


def worker_names_in(expression: Expression) -> list[Name]:
    """The names of agents' attributes in `expression`, without ``worker.`` and ``routing.``."""
    return [
        Name(name.name.removeprefix("worker.").removeprefix("routing."), name.column)
        for name in expression.names
        if name.name.startswith("worker.")
    ]
