"""Workflows: which queue a call waits in, for which agents, and how that changes as it waits.

The document is that of TaskRouter. A call is a task. The first filter whose `expression` holds for it is
taken; the call goes through its targets in their order, and then to the queue of `default_filter`.

- `timeout` counts from the beginning of the workflow: those of the targets add up. A target of 10 s and the
  next of 10 s are left at 20 s, also when the first was passed over. Who is being rung for is not moved.
- `skip_if` is looked at once, when the call comes to the target, and only if no agent can be offered the call
  at once.
- Targets in one queue are stages of one plan (see `sipcc.acd.plan`), as long as nothing has to be looked at
  between them: the call stays in its line. Else it moves, and stands as if it had come there at first.
- The `skills` and `relax` of the queue hold beside the target's expression; its `sticky` does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from sipcc.acd.model import Agent, AgentState, Stage, Want
from sipcc.acd.planning import Both, Plan
from sipcc.acd.skills import Anybody
from sipcc.acd.steering import Only
from sipcc.acd.taskrouter import (
    WORKERS,
    Document,
    Ordering,
    Target,
    Task,
    compile_filter,
    compile_order,
    compile_skip,
    compile_target,
    look_up,
)
from sipcc.expr import Expression

_AWAY = frozenset({AgentState.OFFLINE, AgentState.NOT_READY, AgentState.QUARANTINED})
"""States of agents who take no calls."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A target that was read."""

    label: str
    queue: str
    admits: Expression | None
    skip: Expression | None
    order: tuple[tuple[str, bool], ...]
    """Names of numbers of agents, and whether the larger is better."""
    known: str
    priority: int | None
    ends: float | None
    """Seconds since the beginning of the workflow; None for never."""


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One stay in one queue."""

    label: str
    """The target that it begins with."""
    queue: str
    priority: int
    plan: Plan
    """Its times count from the beginning of the workflow."""
    until: float | None = None
    """When the stay ends, from the beginning of the workflow; None for never."""
    to: str = ""
    """Where it leads then; empty when this is the last."""


class Admitted(msgspec.Struct, frozen=True):
    """Wants agents whom a target's expression admits; see `sipcc.acd.model.Want`."""

    condition: Expression
    task: Task

    def why_not(self, agent: Agent) -> str:
        """The first part of the expression that does not hold for `agent`."""
        return self.condition.why_not(lambda name: look_up(name, self.task, agent.settings))


class Workflow:
    """A workflow that was read and checked, for any number of calls."""

    def __init__(self, name: str, document: Document) -> None:
        """Read every expression.

        Raises:
            ExpressionError: one cannot be read.
        """
        self.name = name
        self.document = document
        """As it is written."""
        routing = document.task_routing
        self._default = routing.default_filter.queue if routing.default_filter is not None else ""
        self._filters: list[tuple[str, Expression, list[Step]]] = []
        for place, item in enumerate(routing.filters, 1):
            title = item.filter_friendly_name or str(place)
            steps = self._steps(f"workflow {name}, filter {title}", item.targets)
            self._filters.append((title, compile_filter(item.expression), steps))

    def begin(self, task: Task, queue_plan: Callable[[str], Plan]) -> Walk:
        """The way of a call through it.

        Args:
            task: What is known of the call.
            queue_plan: The stages of a queue's own `skills` and `relax`, with times from joining it.
        """
        for title, expression, steps in self._filters:
            if expression.test(lambda name: look_up(name, task, None)):
                return Walk(self, title, expression.text, steps, self._default, task, queue_plan)
        return Walk(self, "", "", [], self._default, task, queue_plan)

    @staticmethod
    def _steps(label: str, targets: Sequence[Target]) -> list[Step]:
        steps, ends = [], 0.0
        for place, target in enumerate(targets, 1):
            ends += target.timeout or 0.0
            steps.append(
                Step(
                    label=f"{label}, target {place}",
                    queue=target.queue,
                    admits=compile_target(target.expression) if target.expression else None,
                    skip=compile_skip(target.skip_if) if target.skip_if else None,
                    order=compile_order(target.order_by),
                    known=target.known_worker_friendly_name or target.known_worker_sid,
                    priority=target.priority,
                    ends=None if target.timeout is None else ends,
                )
            )
        return steps


class Walk:
    """One call's way through a workflow."""

    def __init__(
        self,
        workflow: Workflow,
        title: str,
        text: str,
        steps: Sequence[Step],
        default: str,
        task: Task,
        queue_plan: Callable[[str], Plan],
    ) -> None:
        """See `Workflow.begin`; `title` and `text` are of the filter that was taken, empty for none."""
        self.filter, self.expression = title, text
        self.passed: list[tuple[str, str]] = []
        """Targets that `next` has just passed over, and why."""
        self._workflow, self._steps, self._default = workflow, list(steps), default
        self._task, self._queue_plan = task, queue_plan
        self._priority = 0

    def next(self, waited: float, team_of: Callable[[str], Sequence[Agent]], *, now: float) -> Leg | None:
        """The next stay; None when there is none left.

        Args:
            waited: Seconds since the beginning of the workflow.
            team_of: The agents of a queue as they are now.
            now: Seconds of the monotonic clock.
        """
        self.passed = []
        while self._steps:
            step = self._steps[0]
            if why := self._why_pass(step, waited, team_of(step.queue), now=now):
                self.passed.append((step.label, why))
                del self._steps[0]
            else:
                return self._leg(waited)
        queue, self._default = self._default, ""
        if not queue:
            return None
        plan = _from(waited, self._queue_plan(queue))
        label = f"workflow {self._workflow.name}, default_filter"
        return Leg(label=label, queue=queue, priority=self._priority, plan=plan)

    def _why_pass(self, step: Step, waited: float, team: Sequence[Agent], *, now: float) -> str:
        if step.ends is not None and step.ends <= waited:
            return f"it ends at {step.ends:g} s"
        if step.known:
            name = self._known(step)
            if not any(agent.name == name for agent in team):
                return f"{step.known} is {name or 'missing'}, who is no agent of {step.queue}"
        if step.skip is None:
            return ""
        want = self._want(step)
        free = (agent for agent in team if agent.state is AgentState.READY and agent.not_before <= now)
        if any(not want.why_not(agent) for agent in free):
            return ""
        away = sum(agent.state in _AWAY for agent in team)
        counts = zip(WORKERS, (len(team) - away, away), strict=True)
        known = {**self._task, **dict(counts)}
        held = step.skip.test(lambda name: look_up(name, known, None))
        return f"nobody is free, and {step.skip.text} holds" if held else ""

    def _leg(self, waited: float) -> Leg:
        """The stay that begins with the first of the steps left, which are used up."""
        first = self._steps.pop(0)
        if first.priority is not None:
            self._priority = first.priority
        stages, last = [self._stage(first, waited)], first
        while last.ends is not None and self._steps and self._stays(self._steps[0], first):
            stages.append(self._stage(self._steps[0], last.ends))
            last = self._steps.pop(0)
        return Leg(
            label=first.label,
            queue=first.queue,
            priority=self._priority,
            plan=beside(stages, _from(waited, self._queue_plan(first.queue))),
            until=last.ends,
            to=f"workflow:{self._workflow.name}" if self._steps or self._default else "",
        )

    def _stays(self, step: Step, first: Step) -> bool:
        """True when a call can come to `step` in the line where it stands, without a look at the agents."""
        same = step.queue == first.queue and step.priority in (None, self._priority)
        return same and step.skip is None and not step.known

    def _stage(self, step: Step, after: float) -> Stage:
        order = Ordering(step.order) if step.order else None
        return Stage(after=after, want=self._want(step), label=step.label, order=order)

    def _want(self, step: Step) -> Want:
        wants: list[Want] = [Only(self._known(step))] if step.known else []
        if step.admits is not None:
            wants.append(Admitted(step.admits, self._task))
        if not wants:
            return Anybody()
        return wants[0] if len(wants) == 1 else Both(*wants)

    def _known(self, step: Step) -> str:
        if not step.known.startswith("task."):
            return step.known
        value = look_up(step.known, self._task, None)
        return value if isinstance(value, str) else ""


def _from(begin: float, plan: Plan) -> Plan:
    return tuple(msgspec.structs.replace(stage, after=stage.after + begin) for stage in plan)


def beside(stages: Sequence[Stage], others: Plan) -> Plan:
    """`stages`, each beside that of `others` which counts at the time: an agent must meet both."""
    found = []
    first = stages[0].after
    for at in sorted({*(stage.after for stage in stages), *(max(other.after, first) for other in others)}):
        stage = [stage for stage in stages if stage.after <= at][-1]
        other = [other for other in others if other.after <= at]
        want = Both(stage.want, other[-1].want) if other else stage.want
        found.append(msgspec.structs.replace(stage, after=at, want=want))
    return tuple(found)
