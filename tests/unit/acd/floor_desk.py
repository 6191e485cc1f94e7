"""A floor in the hand of a test: its clock, its phones, and the orders it gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

from sipcc.acd import strategies
from sipcc.acd.agents import AgentInput
from sipcc.acd.events import OfferMade
from sipcc.acd.floor import Floor
from sipcc.acd.invariants import violations
from sipcc.acd.model import AgentState, EntryState, Release, Ring, StopRinging
from sipcc.acd.router import rank
from sipcc.acd.settings import AgentSettings, QueueSettings


class Desk:
    """A floor with a clock in the hand of the test, and orders that wait to be obeyed."""

    def __init__(self, agents: Sequence[AgentSettings], *queues: QueueSettings) -> None:
        numbers = count(1)
        self.floor = Floor(
            agents,
            queues,
            strategies={queue.name: strategies.load(queue.strategy) for queue in queues},
            new_id=lambda prefix: f"{prefix}{next(numbers)}",
        )
        self.now = 0.0
        self.events: list[Any] = []
        self.released: dict[str, str] = {}
        self.rings: dict[str, str] = {}
        """Agent -> offer of the phones that ring."""
        self.stopped: list[str] = []
        for agent in agents:
            self.floor.staff.registration(agent.name, True, now=0.0)
        self.settle()

    def settle(self) -> None:
        while True:
            self.floor.route(now=self.now, bits=0)
            orders = self.floor.orders()
            self.events += self.floor.events()
            if not orders:
                break
            for order in orders:
                if isinstance(order, Ring):
                    assert self.floor.ringing(order.offer.id, now=self.now)
                    self.rings[order.offer.agent] = order.offer.id
                elif isinstance(order, StopRinging):
                    self.stopped.append(order.offer)
                elif isinstance(order, Release):
                    assert order.entry.id not in self.released
                    self.released[order.entry.id] = str(order.entry.exit)
        assert violations(self.floor, now=self.now) == []

    def join(self, name: str, queue: str = "q", priority: int = 0) -> None:
        self.floor.join(
            name, queue, call=f"call-{name}", caller="13800138000", priority=priority, now=self.now
        )
        self.settle()

    def hang_up(self, name: str) -> None:
        self.floor.hung_up(name, now=self.now)
        self.settle()

    def ended(self, agent: str, outcome: Any = "no_answer", status: int = 408) -> None:
        self.floor.ring_ended(self.rings.pop(agent), outcome, status, now=self.now)
        self.settle()

    def answer(self, agent: str) -> bool:
        won = self.floor.answered(self.rings.pop(agent), now=self.now)
        self.settle()
        return won

    def talk(self, entry: str) -> None:
        assert self.floor.bridged(entry, now=self.now) is not None
        self.settle()

    def part(self, entry: str) -> float:
        talked = self.floor.talk_ended(entry, now=self.now)
        self.settle()
        return talked

    def at(self, now: float) -> None:
        while (deadline := self.floor.deadline) is not None and deadline <= now:
            self.now = max(self.now, deadline)
            self.floor.expire(now=self.now)
            self.settle()
        self.now = now

    def command(self, agent: str, given: AgentInput, reason: str = "") -> None:
        self.floor.staff.command(agent, given, now=self.now, reason=reason)
        self.settle()

    def state(self, agent: str) -> AgentState:
        return self.floor.staff.get(agent).state

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if type(event) is kind]


def overtaken(floor: Floor, made: Iterable[OfferMade]) -> list[str]:
    """Who waits, right after a decision, though an agent was given to somebody who comes later.

    A caller comes before another one with a higher priority, or with the same one and an earlier joining;
    it counts for the agents of its own queue. For callers without a plan.
    """
    waiting = [
        entry for entry in floor.entries.values() if entry.state is EntryState.WAITING and not entry.plan
    ]
    if not waiting:
        return []
    return [
        f"{entry.id} by {offer.entry} for {offer.agent}"
        for offer in made
        for entry in waiting
        if rank(entry) < rank(floor.entries[offer.entry]) and offer.agent in floor.lines[entry.queue].members
    ]


def agents(*names: str, queues: tuple[str, ...] = ("q",), **more: Any) -> list[AgentSettings]:
    return [AgentSettings(name=name, user=name, queues=queues, **more) for name in names]


def desk(*names: str, **queue: Any) -> Desk:
    return Desk(agents(*names), QueueSettings(name="q", **({"strategy": "linear"} | queue)))
