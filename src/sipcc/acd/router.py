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
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import cached_property

import msgspec

from sipcc.acd.bench import Bench, Free
from sipcc.acd.model import Agent, AgentState, Entry, EntryState, Line, Stage, Turn, Verdict

_MASK = (1 << 64) - 1


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """Why these agents: all that the choice was made from. The words are made when somebody asks."""

    at: float
    strategy: str
    agents: tuple[Agent, ...]
    """Everybody, as the router saw them."""
    members: tuple[str, ...]
    """The members of the queue."""
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
        agents = {agent.name: agent for agent in self.agents}
        best = agents[self.chosen[0]]
        return tuple(
            Verdict(name, name in self.chosen, self._reason(agents[name], best)) for name in self.members
        )

    def _reason(self, agent: Agent, best: Agent) -> str:
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
        order = self.stage.order if self.stage is not None else None
        if self.stage is not None and order is not None and order(agent) > order(best):
            return f"{self.stage.label}: {best.name} goes first by its order"
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


def decide(
    lines: Sequence[Line],
    agents: Mapping[str, Agent],
    *,
    now: float,
    bits: int = 0,
    ready: Set[str] | None = None,
) -> list[Pick]:
    """All offers to make at `now`, best caller first.

    Args:
        lines: The queues with their waiting callers, each best first.
        agents: Every agent by name.
        now: Seconds of the monotonic clock.
        bits: 64 random bits, for strategies that draw.
        ready: The agents who are ready, where somebody keeps count of them; None looks at all members.
    """
    scene = _Scene(agents)
    benches: dict[str, Bench] = {}
    for line in lines:
        if _asks(line):
            names = _ready(line, agents, ready)
            free = [  # as `eligible` says; one of many calls less
                agent
                for name in names
                if (agent := agents[name]).state is AgentState.READY and agent.not_before <= now
            ]
            if free:
                benches[line.queue] = Bench(line, free, agents=agents, gone=scene.gone, now=now)
    if not benches:
        return []
    picks: list[Pick] = []
    for entry in _in_order(list(benches.values()), now=now):
        bits_now = _draw(bits, len(picks))
        pick = _pick(entry, benches[entry.queue], scene, place=len(picks), now=now, bits=bits_now)
        if pick is not None:
            picks.append(pick)
            scene.take(pick)
    return picks


class _Scene:
    """What the picks of one decision share."""

    def __init__(self, agents: Mapping[str, Agent]) -> None:
        self._agents = agents
        self.taken: dict[str, tuple[int, str]] = {}
        self.gone: list[str] = []
        """The keys of `taken`."""

    @cached_property
    def everybody(self) -> tuple[Agent, ...]:
        """The agents as they are before the offers are made."""
        return tuple(self._agents.values())

    def take(self, pick: Pick) -> None:
        """The agents of `pick` are free no more."""
        for name in pick.agents:
            self.taken[name] = (pick.trace.place, pick.entry)
            self.gone.append(name)


def _ready(line: Line, agents: Mapping[str, Agent], ready: Set[str] | None) -> Iterable[str]:
    """The members of a line who may be ready, in member order."""
    if ready is not None and 8 * len(ready) < len(line.team):  # in a busy centre, few of many
        return sorted(line.team & ready, key=lambda name: agents[name].order)
    return line.members


def _asks(line: Line) -> bool:
    """True when there may be a caller to be offered: mostly, somebody's phone is ringing and that is all."""
    if line.strategy.rings_all:
        return bool(line.entries)
    return any(entry.state is not EntryState.OFFERING for entry in line.entries)


def _in_order(benches: Sequence[Bench], *, now: float) -> Iterable[Entry]:
    """The callers of all lines, best first; of each line only until nobody is free there any more."""
    if len(benches) == 1:
        return _served(benches[0])
    return (entry for _, entry in heapq.merge(*[_ranked(bench, now=now) for bench in benches]))


def _served(bench: Bench) -> Iterator[Entry]:
    for entry in bench.line.entries:
        if not bench.free()[0]:
            return
        yield entry


def _ranked(bench: Bench, *, now: float) -> Iterator[tuple[tuple[float, float, int], Entry]]:
    for entry in _served(bench):
        yield rank(entry, now=now, ageing=bench.line.ageing, weight=bench.line.weight), entry


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


def _pick(entry: Entry, bench: Bench, scene: _Scene, *, place: int, now: float, bits: int) -> Pick | None:
    rung = entry.state is EntryState.OFFERING
    if rung and not (bench.line.strategy.rings_all and entry.offered_at + bench.line.ring_step <= now):
        return None
    stage = bench.stage(entry, now=now) if entry.plan else None
    ranks = [free for free in bench.free(stage) if free]
    if not ranks:
        return None
    free, skip, fresh = _fresh(entry, ranks)
    if rung and not fresh:
        return None
    turn = Turn(entry=entry, last=bench.last, bits=bits, now=now)
    chosen, fault = _ask(bench, free, skip, turn)
    if not chosen:
        return None
    bench.took(chosen[-1])
    trace = Trace(
        at=now,
        strategy=bench.line.strategy_name,
        agents=scene.everybody,
        members=bench.line.members,
        taken=scene.taken,
        place=place,
        tried=entry.tried if fresh else frozenset(),
        chosen=chosen,
        stage=stage,
        fault=fault,
    )
    return Pick(entry=entry.id, queue=entry.queue, agents=chosen, new_round=not fresh, trace=trace)


def _fresh(entry: Entry, ranks: Sequence[Free]) -> tuple[Free, Sequence[str], bool]:
    """Of the best rank of those who have not turned the caller down: everybody, and who of them has.

    The best rank of all, and False, when each of them has turned it down.
    """
    for free in ranks:
        tried = [name for name in entry.tried if free.has(name)] if entry.tried else []
        if len(tried) < len(free):
            return free, tried, True
    return ranks[0], [], False


def _ask(bench: Bench, free: Free, skip: Sequence[str], turn: Turn) -> tuple[tuple[str, ...], str]:
    """The strategy's choice of `free` without `skip`, or the first of them and what was wrong with it."""
    try:
        if bench.key is not None:
            return (free.least(bench.key, skip).name,), ""
        if bench.share is not None:
            return (free.drawn(bench.share, turn.bits, skip).name,), ""
    except Exception:  # a plug-in's: `choose` is asked instead, whose faults stand in the trace
        bench.key = bench.share = None
    candidates: Sequence[Agent] = free.without(skip) if skip else free
    try:
        chosen = tuple(dict.fromkeys(bench.line.strategy.choose(candidates, turn)))
        strangers = [name for name in chosen if name in skip or not free.has(name)]
        fault = f"chose {strangers[0]!r}, who was not offered to it" if strangers else ""
    except Exception as error:  # a plug-in's fault must not cost the caller its turn
        chosen, fault = (), f"raised {type(error).__name__}: {error}"
    return ((candidates[0].name,), fault) if fault else (chosen, "")


def _draw(bits: int, place: int) -> int:
    """64 fresh bits for the pick at `place`: the finaliser of SplitMix64 over a counter."""
    mixed = (bits + (place + 1) * 0x9E3779B97F4A7C15) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return mixed ^ (mixed >> 31)
