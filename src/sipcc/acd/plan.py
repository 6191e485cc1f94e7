"""Plans: whom a caller may have as its wait goes on (see `sipcc.acd.model.Stage`).

Skills that are relaxed, the last agent who is waited for, and the targets of a workflow are all stages of one
plan; the stage that counts is the last one that has begun, but for those that would be waited for in vain.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sipcc.acd.model import Agent, AgentState, Entry, Stage

ABSENT = frozenset({AgentState.OFFLINE, AgentState.QUARANTINED})
"""States of agents who are not there."""


def stage_at(entry: Entry, team: Sequence[Agent], *, now: float) -> Stage | None:
    """The stage that counts at `now`; None when every member of the queue is admitted.

    Args:
        entry: Whose plan.
        team: The members of its queue.
        now: Seconds of the monotonic clock.
    """
    waited = now - entry.joined
    current: Stage | None = None
    for stage in entry.plan:
        vain = current is not None and current.skip_absent and not _anybody(current, team)
        if stage.after > waited and not vain:
            break
        current = stage
    if current is not None and current.skip_absent and not _anybody(current, team):
        return None  # the last one: nobody it wants is there, so everybody may be had
    return current


def admitted(stage: Stage | None, agents: Iterable[Agent]) -> dict[str, Agent]:
    """Those of `agents` whom `stage` admits, by name, in their order or that of the stage."""
    if stage is None:
        return {agent.name: agent for agent in agents}
    found = [agent for agent in agents if not stage.want.why_not(agent)]
    if stage.order is not None:
        found.sort(key=stage.order)
    return {agent.name: agent for agent in found}


def _anybody(stage: Stage, team: Sequence[Agent]) -> bool:
    return any(agent.state not in ABSENT and not stage.want.why_not(agent) for agent in team)
