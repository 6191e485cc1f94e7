"""The routing decision written plainly, in time that grows with the square of the agents: an oracle.

It asks `choose` of each strategy for each pick, with a list made anew, and looks for the next caller among
all that are left. Whatever `sipcc.acd.router.decide` does to be quick must not change what comes out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sipcc.acd.model import Agent, AgentState, Entry, EntryState, Line, Stage, Turn
from sipcc.acd.router import _draw

Made = tuple[str, tuple[str, ...], bool, str, tuple[tuple[str, bool, str], ...]]
"""Entry, agents, whether a round is new, the fault of the strategy, the verdicts."""


def decide(lines: Sequence[Line], agents: Mapping[str, Agent], *, now: float, bits: int) -> list[Made]:
    """What `sipcc.acd.router.decide` must come to."""
    taken: dict[str, str] = {}
    lasts = {line.queue: line.last for line in lines}
    made: list[Made] = []
    callers = [(line, entry) for line in lines for entry in line.entries]
    callers.sort(key=lambda pair: place(*pair, now=now))
    for line, entry in callers:
        if entry.state is EntryState.OFFERING and (
            not line.strategy.rings_all or now < entry.offered_at + line.ring_step
        ):
            continue
        stage = stage_of(entry, [agents[name] for name in line.members], now=now)
        free = [
            agents[name]
            for name in line.members
            if agents[name].state is AgentState.READY
            and agents[name].not_before <= now
            and name not in taken
            and (stage is None or not stage.want.why_not(agents[name]))
        ]
        fresh = [agent for agent in free if agent.name not in entry.tried]
        if not free or (entry.state is EntryState.OFFERING and not fresh):
            continue
        candidates, bits_now = fresh or free, _draw(bits, len(made))
        if stage is not None and stage.order is not None:
            best = min(map(stage.order, candidates))
            candidates = [agent for agent in candidates if stage.order(agent) == best]
        turn = Turn(entry=entry, last=lasts[line.queue], bits=bits_now, now=now)
        chosen, fault = ask(line, candidates, turn)
        if not chosen:
            continue
        lasts[line.queue] = agents[chosen[-1]].order
        verdicts = tuple(
            (
                name,
                name in chosen,
                reason(agents[name], agents[chosen[0]], chosen, taken, stage, fresh, line, entry, now),
            )
            for name in line.members
        )
        made.append((entry.id, chosen, not fresh, fault, verdicts))
        taken |= dict.fromkeys(chosen, entry.id)
    return made


def place(line: Line, entry: Entry, *, now: float) -> tuple[float, float, int]:
    """Where a caller stands among those of all lines."""
    waited = now - entry.joined
    aged = waited / line.ageing if line.ageing else 0.0
    return (-(entry.priority + aged), -line.weight * waited, entry.number)


def stage_of(entry: Entry, team: Sequence[Agent], *, now: float) -> Stage | None:
    """The last stage that has begun, or is begun early because the one before would be waited for in vain."""
    current = None
    for stage in entry.plan:
        if now - entry.joined < stage.after and not (current and in_vain(current, team)):
            break
        current = stage
    return None if current and in_vain(current, team) else current


def in_vain(stage: Stage, team: Sequence[Agent]) -> bool:
    there = [agent for agent in team if agent.state not in (AgentState.OFFLINE, AgentState.QUARANTINED)]
    return stage.skip_absent and all(stage.want.why_not(agent) for agent in there)


def ask(line: Line, candidates: list[Agent], turn: Turn) -> tuple[tuple[str, ...], str]:
    """The strategy's choice, each once; the first candidate when it is faulty."""
    first, known = (candidates[0].name,), [agent.name for agent in candidates]
    try:
        chosen = tuple(dict.fromkeys(line.strategy.choose(candidates, turn)))
    except Exception as error:
        return first, f"raised {type(error).__name__}: {error}"
    for name in chosen:
        if name not in known:
            return first, f"chose {name!r}, who was not offered to it"
    return chosen, ""


def reason(
    agent: Agent,
    best: Agent,
    chosen: Sequence[str],
    taken: Mapping[str, str],
    stage: Stage | None,
    fresh: Sequence[Agent],
    line: Line,
    entry: Entry,
    now: float,
) -> str:
    """The first thing that speaks against `agent`."""
    if agent.name in chosen:
        return ""
    if agent.state is not AgentState.READY:
        return f"is {agent.state}" + (f" ({agent.reason})" if agent.reason else "")
    if agent.not_before > now:
        return f"backs off for {agent.not_before - now:.1f} s more ({agent.backoff_cause})"
    if agent.name in taken:
        return f"was picked for {taken[agent.name]}, which goes first"
    if stage is not None and (why := stage.want.why_not(agent)):
        return f"{stage.label}: {why}"
    if fresh and agent.name in entry.tried:
        return "did not take this caller in the present round"
    if stage is not None and stage.order is not None and stage.order(agent) > stage.order(best):
        return f"{stage.label}: {best.name} goes first by its order"
    return f"was not the choice of {line.strategy_name}"
