"""What the switch does with a call that is sent to a workflow: one stay in a queue after another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from sipcc.acd import Acd, Agent, QueueResult
from sipcc.acd.model import Journey
from sipcc.acd.workflow import Leg, Walk, Workflow
from sipcc.call import Call, Handler
from sipcc.clock import Clock
from sipcc.config import Config
from sipcc.config.workflows import read_workflows
from sipcc.expr import Value
from sipcc.switch.missing import missing
from sipcc.switch.queueing import Queueing
from sipcc.switch.routers import known_of

_NOT_TAKEN = frozenset({"full", "no_agent", "timed_out"})


class Workflows:
    """The handlers of workflows."""

    def __init__(self, config: Config, *, acd: Acd, queueing: Queueing, clock: Clock) -> None:
        """Read every workflow.

        Args:
            config: Has them.
            acd: Where calls wait.
            queueing: What becomes of calls that leave a queue for somewhere else.
            clock: The loop's.

        Raises:
            ConfigError: one cannot be read.
        """
        self._acd, self._queueing, self._clock = acd, queueing, clock
        self.workflows: Mapping[str, Workflow] = read_workflows(config)
        """By their names. Those that are put here count for calls that come later."""

    def handler(self, name: str) -> Handler:
        """The treatment of calls that are sent to the workflow called `name`.

        Raises:
            LocalProtocolError: there is none.
        """
        if name not in self.workflows:
            raise missing("workflow", name, self.workflows)

        async def handler(call: Call) -> None:
            await self._queueing.wait(call, partial(self._go_through, self.workflows[name], call))

        return handler

    async def _go_through(self, workflow: Workflow, call: Call) -> QueueResult:
        """Let `call` wait here and there; how the last stay went."""
        began = self._clock.now()
        walk = workflow.begin(self._task_of(call), self._acd.planner.own)
        self._tell_filter(call, workflow, walk)
        result = QueueResult(exit="no_agent", waited=0.0)
        while (leg := self._next(call, walk, began)) is not None:
            journey = Journey(began=began, until=None if leg.until is None else began + leg.until, to=leg.to)
            queue = self._acd.queue(leg.queue)
            result = await queue.enter(call, priority=leg.priority, plan=leg.plan, journey=journey)
            if call.ended or not _goes_on(result, leg):
                break
        return result

    def _next(self, call: Call, walk: Walk, began: float) -> Leg | None:
        now = self._clock.now()
        leg = walk.next(now - began, self._team, now=now)
        for label, why in walk.passed:
            call.context.decided(call.id, f"{label}: passed over", why)
        if leg is not None:
            call.context.decided(
                call.id, f"{leg.label}: queue:{leg.queue}", f"{now - began:g} s after it began"
            )
        return leg

    def _team(self, queue: str) -> Sequence[Agent]:
        floor = self._acd.floor
        return [floor.staff.agents[name] for name in floor.line(queue).members]

    def _task_of(self, call: Call) -> dict[str, Value]:
        last = self._acd.planner.last_agents.of(call.caller, window=float("inf"), now=self._clock.now())
        known = {**known_of(call), "number": call.called}
        return dict(flattened({**known, "last_agent": last} if last else known))

    def _tell_filter(self, call: Call, workflow: Workflow, walk: Walk) -> None:
        if walk.expression:
            call.context.decided(call.id, f"workflow {workflow.name}: filter {walk.filter}", walk.expression)
        else:
            call.context.decided(
                call.id, f"workflow {workflow.name}: default_filter", "no filter takes this call"
            )


def _goes_on(result: QueueResult, leg: Leg) -> bool:
    """True when a call that has left a queue so is still on its way through the workflow."""
    if result.exit == "overflowed":
        return bool(leg.to) and result.to == leg.to
    return result.exit in _NOT_TAKEN and not result.to


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Value]]:
    """Attributes as expressions see them: lists as they are, ``a.b`` for what is in a table."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _plain(value)


def _plain(value: Any) -> Value:
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(_plain(item) for item in value)
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
