"""Makes the plan of each caller from the settings of its queue and from who talked with it last.

    | stage        | from                | admits                                             |
    |--------------|---------------------|----------------------------------------------------|
    | last agent   | 0                   | the last agent, when it is there and meets `skills`|
    | skills       | 0, or `sticky`      | whom the condition admits                          |
    | skills ...   | `relax[].after`     | whom that step admits                              |

A step of `relax` that lies within the wait for the last agent begins when that wait has ended.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from sipcc.acd.lately import LastAgent, LastAgents
from sipcc.acd.model import Agent, Stage, Want
from sipcc.acd.settings import QueueSettings, RelaxStep
from sipcc.acd.skills import LABEL, Anybody, skill_stages
from sipcc.errors import ConfigError, LocalProtocolError
from sipcc.expr import ExpressionError

Plan = tuple[Stage, ...]


class Both(msgspec.Struct, frozen=True):
    """Wants what both want; see `sipcc.acd.model.Want`."""

    first: Want
    second: Want

    @property
    def only(self) -> str:
        """The one agent that either of them wants, if there is such a one."""
        return getattr(self.first, "only", "") or getattr(self.second, "only", "")

    def why_not(self, agent: Agent) -> str:
        """What the first has against `agent`, else the second."""
        return self.first.why_not(agent) or self.second.why_not(agent)


class Planner:
    """The plans of callers."""

    def __init__(self, queues: Sequence[QueueSettings]) -> None:
        """Read every condition once.

        Raises:
            ConfigError: one cannot be read.
        """
        self.last_agents = LastAgents()
        self._queues = {queue.name: queue for queue in queues}
        self._stages: dict[str, Plan] = {}
        for index, queue in enumerate(queues):
            try:
                self._stages[queue.name] = skill_stages(queue.skills, queue.relax)
            except ExpressionError as error:
                raise ConfigError(f"queues[{index}].skills", str(error)) from error

    def plan(
        self,
        queue: str,
        caller: str,
        *,
        skills: str | None = None,
        relax: Sequence[RelaxStep] = (),
        now: float,
    ) -> Plan:
        """The plan of a caller who joins `queue` now.

        Args:
            queue: A queue that exists.
            caller: Its number.
            skills: A condition in place of the queue's own, and of its relaxation; None for the queue's.
            relax: The relaxation that goes with `skills`.
            now: Seconds of the monotonic clock.

        Raises:
            LocalProtocolError: a condition cannot be read.
        """
        if skills is None:
            stages = self._stages[queue]
        else:
            try:
                stages = skill_stages(skills, relax)
            except ExpressionError as error:
                raise LocalProtocolError(f"skills {skills!r}: {error}") from error
        return self.after_last_agent(queue, caller, stages, now=now)

    def own(self, queue: str) -> Plan:
        """The stages of the `skills` and `relax` of `queue` itself."""
        return self._stages[queue]

    def after_last_agent(self, queue: str, caller: str, stages: Plan, *, now: float) -> Plan:
        """`stages`, behind the wait for the last agent when the queue has one and there is such an agent."""
        settings = self._queues[queue]
        if not settings.sticky:
            return stages
        name = self.last_agents.of(caller, window=settings.sticky_window, now=now)
        return sticky(name, settings.sticky, stages) if name else stages


def sticky(agent: str, wait: float, stages: Plan) -> Plan:
    """`stages`, behind a wait of `wait` seconds for `agent`, which ends when the agent is not there."""
    want: Want = LastAgent(agent)
    return before(Both(want, stages[0].want) if stages else want, wait, stages, label="last agent")


def before(want: Want, wait: float, stages: Plan, *, label: str) -> Plan:
    """`stages`, behind a wait of `wait` seconds for whom `want` admits, if any of those is there."""
    base = stages or (Stage(after=0.0, want=Anybody(), label=LABEL),)
    head = Stage(after=0.0, want=want, label=label, skip_absent=True)
    return (head, *(replace(stage, after=max(stage.after, wait)) for stage in base))
