"""The one decision of the ACD: which agents are offered which callers now.

`decide` is a pure function over frozen data, so the live centre, a simulator and a test get the same
answer from the same input. Its rules:

- Callers are looked at best first, in all queues together: priority, aged by the wait where the queue says
  so; then the wait, weighed by the queue's weight; then the order of joining (`rank`). A caller is never
  passed over in favour of a later one of the same priority and the same queue settings for an agent that
  both could have.
- An agent is offered one caller at most, however many queues it serves.
- A caller is offered to agents that have not turned it down in this round; when there is no such agent
  free, a new round begins with those that are.
- A caller with a plan is offered only to agents whom the stage that counts admits.
- A caller that is being offered already is not offered further, but by a strategy that rings all, which
  adds agents that have become ready since, or one with a pace, which adds the next agent at its step.

Each pick carries a `Trace`: for every member of the queue the first predicate that failed.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

import msgspec

from sipcc.acd.model import Agent, AgentState, Entry, EntryState, Line, Stage, Turn, Verdict
from sipcc.acd.plan import admitted, stage_at

_MASK = (1 << 64) - 1


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """Why these agents: all that the choice was made from. The words are made when somebody asks."""

    at: float
    strategy: str
    team: tuple[Agent, ...]
    """The members of the queue as the router saw them."""
    taken: Mapping[str, tuple[int, str]]
    """Agents picked in the same decision: in which place, and for which entry."""
    place: int
    """The place of this pick in its decision."""
    tried: frozenset[str]
    """Agents that were kept back because this caller's round had passed them."""
    chosen: tuple[str, ...]
    stage: Stage | None = None
    """The stage of the caller's plan that counted."""
    fault: str = ""
    """What the strategy did wrong; the first agent in member order was taken instead."""

    def verdicts(self) -> tuple[Verdict, ...]:
        """One verdict for each member, in member order."""
        return tuple(
            Verdict(agent.name, agent.name in self.chosen, self._reason(agent)) for agent in self.team
        )

    def _reason(self, agent: Agent) -> str:
        if agent.name in self.chosen:
            return ""
        if agent.state is not AgentState.READY:
            return f"is {agent.state}" + (f" ({agent.reason})" if agent.reason else "")
        if agent.not_before > self.at:
            return f"backs off for {agent.not_before - self.at:.1f} s more ({agent.backoff_cause})"
        place, entry = self.taken.get(agent.name, (self.place, ""))
        if place < self.place:
            return f"was picked for {entry}, which goes first"
        if self.stage is not None and (why := self.stage.want.why_not(agent)):
            return f"{self.stage.label}: {why}"
        if agent.name in self.tried:
            return "did not take this caller in the present round"
        return f"was not the choice of {self.strategy}"


class Pick(msgspec.Struct, frozen=True, kw_only=True):
    """One caller and the agents to ring for it."""

    entry: str
    queue: str
    agents: tuple[str, ...]
    new_round: bool
    """True when every agent that is free had turned this caller down before."""
    trace: Trace


def eligible(agent: Agent, *, now: float) -> bool:
    """True when `agent` may be offered a caller at `now`."""
    return agent.state is AgentState.READY and agent.not_before <= now


class _Bench:
    """The free agents of one line while a decision is made."""

    def __init__(self, line: Line, team: tuple[Agent, ...], *, now: float) -> None:
        self.line = line
        self.team = team
        free = [agent for agent in team if eligible(agent, now=now)]
        self.key = getattr(line.strategy, "key", None)
        if self.key is not None:
            try:
                free.sort(key=partial(self.key, now=now))
            except Exception:  # a plug-in's: `choose` is asked instead, whose faults stand in the trace
                self.key = None
        self.free = {agent.name: agent for agent in free}
        """In the order of the strategy's key, else in member order; who is picked is taken out."""
        self.last = line.last


def decide(lines: Sequence[Line], agents: Mapping[str, Agent], *, now: float, bits: int = 0) -> list[Pick]:
    """All offers to make at `now`, best caller first.

    Args:
        lines: The queues with their waiting callers, each best first.
        agents: Every agent by name.
        now: Seconds of the monotonic clock.
        bits: 64 random bits, for strategies that draw.
    """
    benches = {}
    for line in lines:
        if line.entries:
            bench = _Bench(line, tuple([agents[name] for name in line.members]), now=now)
            if bench.free:
                benches[line.queue] = bench
    taken: dict[str, tuple[int, str]] = {}
    picks: list[Pick] = []
    for entry in _in_order([bench.line for bench in benches.values()], now=now):
        bench = benches[entry.queue]
        if not bench.free:
            continue
        pick = _pick(entry, bench, taken, place=len(picks), now=now, bits=_draw(bits, len(picks)))
        if pick is None:
            continue
        picks.append(pick)
        for name in pick.agents:
            taken[name] = (pick.trace.place, entry.id)
            for other in benches.values():
                other.free.pop(name, None)
        if not any(other.free for other in benches.values()):
            break
    return picks


def _in_order(lines: Sequence[Line], *, now: float) -> Iterable[Entry]:
    """The callers of all lines, best first; no further than somebody asks."""
    if len(lines) == 1:
        return lines[0].entries
    return (entry for _, entry in heapq.merge(*[_ranked(line, now=now) for line in lines]))


def _ranked(line: Line, *, now: float) -> Iterator[tuple[tuple[float, float, int], Entry]]:
    for entry in line.entries:
        yield rank(entry, now=now, ageing=line.ageing, weight=line.weight), entry


def rank(
    entry: Entry, *, now: float = 0.0, ageing: float = 0.0, weight: float = 1.0
) -> tuple[float, float, int]:
    """The sort key of callers: priority and what the wait adds to it, then the weighed wait, then who joined.

    Args:
        entry: The caller.
        now: When; of no account among callers of the same settings.
        ageing: Seconds of waiting that are worth one point of priority; 0 for none.
        weight: How much a second of waiting counts.
    """
    waited = now - entry.joined
    priority = entry.priority + waited / ageing if ageing else entry.priority
    return (-priority, -weight * waited, entry.number)


def _pick(
    entry: Entry, bench: _Bench, taken: dict[str, tuple[int, str]], *, place: int, now: float, bits: int
) -> Pick | None:
    strategy = bench.line.strategy
    if entry.state is EntryState.OFFERING and not (
        strategy.rings_all and entry.offered_at + bench.line.ring_step <= now
    ):
        return None
    stage, free = None, bench.free
    if entry.plan:
        stage = stage_at(entry, bench.team, now=now)
        free = admitted(stage, bench.free.values())
    fresh = free
    if entry.tried:
        fresh = {name: agent for name, agent in free.items() if name not in entry.tried}
    if entry.state is EntryState.OFFERING and not fresh:
        return None
    candidates = fresh or free
    if not candidates:
        return None
    turn = Turn(entry=entry, last=bench.last, bits=bits, now=now)
    chosen, fault = _ask(bench, candidates, turn)
    if not chosen:
        return None
    bench.last = candidates[chosen[-1]].order
    trace = Trace(
        at=now,
        strategy=bench.line.strategy_name,
        team=bench.team,
        taken=taken,
        place=place,
        tried=entry.tried if fresh else frozenset(),
        chosen=chosen,
        stage=stage,
        fault=fault,
    )
    return Pick(entry=entry.id, queue=entry.queue, agents=chosen, new_round=not fresh, trace=trace)


def _ask(bench: _Bench, candidates: Mapping[str, Agent], turn: Turn) -> tuple[tuple[str, ...], str]:
    """The strategy's choice, or the first candidate and what was wrong with the choice."""
    if bench.key is not None:
        return (next(iter(candidates)),), ""
    agents = list(candidates.values())
    try:
        chosen = tuple(dict.fromkeys(bench.line.strategy.choose(agents, turn)))
        strangers = [name for name in chosen if name not in candidates]
        fault = f"chose {strangers[0]!r}, who was not offered to it" if strangers else ""
    except Exception as error:  # a plug-in's fault must not cost the caller its turn
        chosen, fault = (), f"raised {type(error).__name__}: {error}"
    return ((agents[0].name,), fault) if fault else (chosen, "")


def _draw(bits: int, place: int) -> int:
    """64 fresh bits for the pick at `place`: the finaliser of SplitMix64 over a counter."""
    mixed = (bits + (place + 1) * 0x9E3779B97F4A7C15) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return mixed ^ (mixed >> 31)
