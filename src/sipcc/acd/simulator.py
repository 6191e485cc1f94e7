"""A centre on a virtual clock: the floor of the live one, with callers and phones that are made up.

What decides is `sipcc.acd.floor.Floor` itself, so a strategy or a setting does here what it will do live.
Callers, phones and the clock are events on a heap; a day takes as long as its decisions take. The same
arrivals and the same seed give the same events in every run.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from math import inf
from typing import TYPE_CHECKING, Any

import msgspec

from sipcc.acd import strategies
from sipcc.acd.agents import AgentInput
from sipcc.acd.events import GAVE_UP, OfferOutcome
from sipcc.acd.floor import Floor
from sipcc.acd.model import AgentState, Order, Release, Ring, Stage, StopRinging
from sipcc.acd.queues import Tally
from sipcc.acd.settings import AgentSettings, QueueSettings
from sipcc.errors import LocalProtocolError
from sipcc.events import Event

if TYPE_CHECKING:
    from random import Random


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """One caller to come."""

    at: float
    """When, in seconds of the virtual clock; arrivals are given in this order."""
    queue: str
    handle: float
    """How long the conversation will last; wrap-up comes on top, by the settings."""
    patience: float = inf
    """After so many seconds of waiting the caller hangs up."""
    priority: int = 0
    caller: str = ""
    plan: tuple[Stage, ...] = ()


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """When an agent is there."""

    agent: str
    begin: float
    end: float
    """The agent finishes the call of that moment, and logs out."""


class Phone(msgspec.Struct, frozen=True, kw_only=True):
    """How agents deal with a phone that rings."""

    delay: float = 0.0
    """Mean time to an answer, exponential; 0 for at once. Beyond the ring time it is a missed call."""
    declines: float = 0.0
    """Share of offers that are declined, after the same time."""
    misses: float = 0.0
    """Share of offers that nobody takes."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the callers of one queue."""

    queue: str
    offered: int
    """Everybody who came."""
    answered: int
    abandoned: int
    """Hung up while waiting, the short ones included."""
    others: int
    """Left in any other way."""
    asa: float
    """Mean wait of those who were answered; 0 for none."""
    service_level: float
    """Answered within T of the queue / offered; 1 when nobody came."""


def poisson(
    queue: str, *, calls: int, rate: float, handle: float, patience: float = inf, draw: Random
) -> Iterator[Arrival]:
    """`calls` callers at `rate` per second, with exponential conversations and patience of those means."""
    at = 0.0
    for _ in range(calls):
        at += draw.expovariate(rate)
        yield Arrival(
            at=at,
            queue=queue,
            handle=draw.expovariate(1.0 / handle),
            patience=draw.expovariate(1.0 / patience) if patience < inf else inf,
        )


class Simulation:
    """One run of a centre."""

    def __init__(
        self,
        agents: Sequence[AgentSettings],
        queues: Sequence[QueueSettings],
        *,
        draw: Random,
        phone: Phone | None = None,
        shifts: Iterable[Shift] = (),
        sink: Callable[[Event], object] | None = None,
    ) -> None:
        """Build a centre whose clock is at 0.

        Args:
            agents: In member order. Who has no shift is there from the beginning to the end.
            queues: Each with its rules and its strategy.
            draw: What chance there is comes from here; seed it for a run that can be repeated.
            phone: How agents deal with ringing; without it everybody answers at once.
            shifts: When agents are there.
            sink: Gets every event of the floor, in order.

        Raises:
            ConfigError: a name is given twice, or a queue or strategy is unknown.
            LocalProtocolError: a shift is of an unknown agent.
        """
        numbers = count(1)
        self.floor = Floor(
            agents,
            queues,
            strategies={queue.name: strategies.load(queue.strategy) for queue in queues},
            new_id=lambda prefix: f"{prefix}-{next(numbers)}",
        )
        self.now = 0.0
        self._draw, self._phone, self._sink = draw, phone or Phone(), sink
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = count()
        self._callers: dict[str, Arrival] = {}
        """Who has come and not left, by entry."""
        self.floor.staff.open(now=0.0)
        rostered = set()
        for shift in shifts:
            self.floor.staff.get(shift.agent)
            rostered.add(shift.agent)
            self._at(shift.begin, self._begin, shift.agent)
            self._at(shift.end, self._end, shift.agent)
        for agent in agents:
            if agent.name not in rostered:
                self._begin(agent.name)

    def run(self, arrivals: Iterable[Arrival]) -> list[Summary]:
        """Let everybody come and go; a summary of each queue.

        Agents and callers who are there for ever do not keep it running: it ends when nothing is to
        happen any more.

        Raises:
            LocalProtocolError: an arrival is earlier than the one before, or of an unknown queue.
        """
        entries = count(1)
        self._pump()
        for arrival in arrivals:
            if arrival.at < self.now:
                raise LocalProtocolError(f"an arrival at {arrival.at} s comes after one at {self.now} s")
            self._pass(arrival.at)
            self.now = arrival.at
            self._join(f"entry-{next(entries)}", arrival)
            self._pump()
        self._pass(inf)
        return [self._summary(name) for name in self.floor.lines]

    def _join(self, entry: str, arrival: Arrival) -> None:
        self._callers[entry] = arrival
        self.floor.join(
            entry,
            arrival.queue,
            call=f"call-{entry}",
            caller=arrival.caller,
            priority=arrival.priority,
            plan=arrival.plan,
            now=self.now,
        )
        if arrival.patience < inf:
            self._at(self.now + arrival.patience, self._hang_up, entry)

    # Time

    def _at(self, when: float, act: Callable[..., None], *given: Any) -> None:
        heapq.heappush(self._heap, (when, next(self._order), act, given))

    def _pass(self, until: float) -> None:
        """Do all that is due before `until`, or at that time."""
        while True:
            due = self._heap[0][0] if self._heap else inf
            deadline = self.floor.deadline
            if deadline is not None and deadline <= due:
                if deadline > until:
                    return
                self.now = max(self.now, deadline)
                self.floor.expire(now=self.now)
            else:
                if due > until or due == inf:
                    return
                self.now, _, act, given = heapq.heappop(self._heap)
                act(*given)
            self._pump()

    def _pump(self) -> None:
        while True:
            self.floor.route(now=self.now, bits=self._draw.getrandbits(64))
            orders = self.floor.orders()
            for event in self.floor.events():
                if self._sink is not None:
                    self._sink(event)
            if not orders:
                return
            for order in orders:
                self._obey(order)

    def _obey(self, order: Order) -> None:
        if isinstance(order, Ring):
            if self.floor.ringing(order.offer.id, now=self.now):
                self._ring(order)
        elif isinstance(order, StopRinging):
            self.floor.ring_ended(order.offer, "cancelled", 487, now=self.now)
        elif isinstance(order, Release):
            self._callers.pop(order.entry.id, None)

    # People

    def _begin(self, agent: str) -> None:
        staff = self.floor.staff
        if staff.get(agent).state is AgentState.OFFLINE:
            staff.command(agent, AgentInput.LOGIN, now=self.now)
        if staff.get(agent).wish is not AgentState.READY:
            staff.command(agent, AgentInput.MAKE_READY, now=self.now)

    def _end(self, agent: str) -> None:
        self.floor.staff.command(agent, AgentInput.LOGOUT, now=self.now, reason="end_of_shift")

    def _hang_up(self, entry: str) -> None:
        self.floor.hung_up(entry, now=self.now)

    def _ring(self, order: Ring) -> None:
        phone, offer = self._phone, order.offer
        chance = self._draw.random()
        delay = self._draw.expovariate(1.0 / phone.delay) if phone.delay else 0.0
        if chance < phone.misses or delay >= order.timeout:
            self._at(self.now + order.timeout, self._ring_ended, offer.id, "no_answer", 408)
        elif chance < phone.misses + phone.declines:
            self._at(self.now + delay, self._ring_ended, offer.id, "declined", 486)
        elif delay:
            self._at(self.now + delay, self._answer, offer.id, offer.entry)
        else:
            self._answer(offer.id, offer.entry)

    def _ring_ended(self, offer: str, outcome: OfferOutcome, status: int) -> None:
        self.floor.ring_ended(offer, outcome, status, now=self.now)

    def _answer(self, offer: str, entry: str) -> None:
        if self.floor.answered(offer, now=self.now) and self.floor.bridged(entry, now=self.now) is not None:
            self._at(self.now + self._callers.pop(entry).handle, self._part, entry)

    def _part(self, entry: str) -> None:
        self.floor.talk_ended(entry, now=self.now)

    def _summary(self, name: str) -> Summary:
        tally: Tally = self.floor.lines[name].tally
        answered = tally.exits["answered"]
        abandoned = sum(tally.exits[name] for name in GAVE_UP)
        return Summary(
            queue=name,
            offered=tally.joined,
            answered=answered,
            abandoned=abandoned,
            others=tally.exits.total() - answered - abandoned,
            asa=tally.answer_wait / answered if answered else 0.0,
            service_level=tally.answered_in_time / tally.joined if tally.joined else 1.0,
        )
