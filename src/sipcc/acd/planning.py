"""Makes the plan of each caller from the settings of its queue and from who talked with it last.

    | stage        | from                | admits                                             |
    |--------------|---------------------|----------------------------------------------------|
    | last agent   | 0                   | the last agent, when it is there and meets `skills`|
    | region       | 0, or `sticky`      | those of the caller's region who meet `skills`     |
    | skills       | `region_wait`       | whom the condition admits                          |
    | skills ...   | `relax[].after`     | whom that step admits                              |

A stage that lies within the wait for one before it begins when that wait has ended. A wait for agents of
whom none is there ends at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from msgspec.structs import replace

from sipcc.acd.lately import LastAgent, LastAgents
from sipcc.acd.model import Agent, Stage, Want
from sipcc.acd.regional import Homes, Regional, RegionOf
from sipcc.acd.settings import QueueSettings, RelaxStep
from sipcc.acd.skills import LABEL, Anybody, skill_stages
from sipcc.errors import ConfigError, LocalProtocolError
from sipcc.expr import ExpressionError

Plan = tuple[Stage, ...]
Order = Callable[[Agent], tuple[float, ...]]


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

    def __init__(
        self,
        queues: Sequence[QueueSettings],
        *,
        region_of: RegionOf = lambda _: "",
        last_agents: LastAgents | None = None,
    ) -> None:
        """Read every condition once.

        Args:
            queues: Every queue.
            region_of: Tells where a number is at home.
            last_agents: Those of a planner before this one.

        Raises:
            ConfigError: a condition cannot be read.
        """
        self.last_agents = LastAgents() if last_agents is None else last_agents
        self.region_of = region_of
        self._homes = Homes(lambda number: self.region_of(number))
        self._regional: dict[tuple[str, str], Plan] = {}
        """By queue and region: callers of one region share what they want."""
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
            stages, skilled = self._by_region(queue, caller), self.own(queue)
        else:
            try:
                stages = skilled = skill_stages(skills, relax)
            except ExpressionError as error:
                raise LocalProtocolError(f"skills {skills!r}: {error}") from error
        return self._after_last_agent(queue, caller, stages, skilled, now=now)

    def own(self, queue: str) -> Plan:
        """The stages of the `skills` and `relax` of `queue` itself."""
        return self._stages[queue]

    def _by_region(self, queue: str, caller: str) -> Plan:
        """The stages of the queue itself, behind a wait for agents of the caller's region if it has one."""
        own, wait = self._stages[queue], self._queues[queue].region_wait
        region = self.region_of(caller) if wait else ""
        if not region:
            return own
        made = self._regional.get((queue, region))
        if made is None:
            near = Regional(region, self._homes)
            want: Want = Both(own[0].want, near) if own else near
            made = before(want, wait, own, label="region", order=near.distance)
            self._regional[queue, region] = made
        return made

    def _after_last_agent(self, queue: str, caller: str, stages: Plan, skilled: Plan, *, now: float) -> Plan:
        """`stages`, behind the wait for the last agent when the queue has one and there is such an agent."""
        settings = self._queues[queue]
        if not settings.sticky:
            return stages
        name = self.last_agents.of(caller, window=settings.sticky_window, now=now)
        if not name:
            return stages
        want: Want = LastAgent(name)  # who need not be of the caller's region
        both = Both(want, skilled[0].want) if skilled else want
        return before(both, settings.sticky, stages, label="last agent")


def before(want: Want, wait: float, stages: Plan, *, label: str, order: Order | None = None) -> Plan:
    """`stages`, behind a wait of `wait` seconds for whom `want` admits, if any of those is there."""
    base = stages or (Stage(after=0.0, want=Anybody(), label=LABEL),)
    head = Stage(after=0.0, want=want, label=label, skip_absent=True, order=order)
    return (head, *(replace(stage, after=max(stage.after, wait)) for stage in base))
