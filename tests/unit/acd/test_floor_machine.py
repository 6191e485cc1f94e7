"""Callers, agents and phones that do as they like, in any order: nobody may ever be stuck."""

from __future__ import annotations

from collections import Counter
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.samples import so_many
from tests.unit.acd.floor_desk import overtaken

from sipcc.acd import strategies
from sipcc.acd.agents import TABLE, AgentInput
from sipcc.acd.events import OfferEnded, OfferMade, OfferOutcome, QueueJoined, QueueLeft
from sipcc.acd.floor import Floor
from sipcc.acd.invariants import violations
from sipcc.acd.model import AgentState, EntryState, Release, Ring, StopRinging
from sipcc.acd.settings import AgentSettings, QueueSettings
from sipcc.errors import LocalProtocolError

AGENTS = ["a0", "a1", "a2", "a3"]
OUTCOMES = st.sampled_from(["no_answer", "busy", "declined", "unreachable", "failed", "cancelled"])
COMMANDS = st.sampled_from(
    [AgentInput.LOGIN, AgentInput.LOGOUT, AgentInput.MAKE_READY, AgentInput.PAUSE, AgentInput.END_WRAP_UP]
)


class FloorMachine(RuleBasedStateMachine):
    """The floor, with a shell that may be as late as it likes."""

    @initialize(
        strategy=st.sampled_from(sorted(strategies.BUILT_IN)), leave=st.booleans(), backoff=st.booleans()
    )
    def open(self, strategy: str, leave: bool, backoff: bool) -> None:
        queues = [
            QueueSettings(
                name="x",
                strategy=strategy,
                max_wait=60.0,
                max_length=4,
                no_agent="leave" if leave else "wait",
                reject_backoff=10.0 if backoff else 0.0,
            ),
            QueueSettings(name="y", strategy="ring-all", max_wait=90.0, wrap_up=0.0, priority=1),
        ]
        agents = [
            AgentSettings(
                name=name,
                uri="carrier/13800138000" if name == "a3" else "",
                queues=("x",) if name == "a0" else ("x", "y"),
            )
            for name in AGENTS
        ]
        ids = count()
        self.floor = Floor(
            agents,
            queues,
            strategies={queue.name: strategies.load(queue.strategy) for queue in queues},
            new_id=lambda prefix: f"{prefix}{next(ids)}",
        )
        self.now = 0.0
        self.phones: list[str] = []
        """Offers whose phone still rings, as the dialer sees it."""
        self.stopped: set[str] = set()
        self.winners: list[str] = []
        self.talks: list[str] = []
        self.released: set[str] = set()
        self.entries = count()
        self.told: Counter[str] = Counter()
        self.exits: Counter[str] = Counter()
        for name in AGENTS:
            self.floor.staff.registration(name, True, now=self.now)
        self.settle()

    def settle(self) -> None:
        while True:
            self.floor.route(now=self.now, bits=self.now.__hash__())
            orders = self.floor.orders()
            events = self.floor.events()
            assert overtaken(self.floor, [event for event in events if isinstance(event, OfferMade)]) == []
            for event in events:
                self.told[type(event).__name__] += 1
                if isinstance(event, QueueLeft):
                    self.exits[event.entry] += 1
            if not orders:
                return
            for order in orders:
                if isinstance(order, Ring):
                    if self.floor.ringing(order.offer.id, now=self.now):
                        self.phones.append(order.offer.id)
                elif isinstance(order, StopRinging):
                    assert order.offer in self.phones
                    self.stopped.add(order.offer)
                elif isinstance(order, Release):
                    assert order.entry.id not in self.released
                    self.released.add(order.entry.id)

    @rule(queue=st.sampled_from(["x", "y"]), priority=st.integers(0, 1))
    def join(self, queue: str, priority: int) -> None:
        name = f"e{next(self.entries)}"
        self.floor.join(name, queue, call=name, caller="4008123456", priority=priority, now=self.now)
        self.settle()

    @precondition(lambda self: self.floor.entries)
    @rule(data=st.data())
    def hang_up(self, data: st.DataObject) -> None:
        self.floor.hung_up(data.draw(st.sampled_from(sorted(self.floor.entries))), now=self.now)
        self.settle()

    @precondition(lambda self: self.floor.entries)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        self.floor.leave(data.draw(st.sampled_from(sorted(self.floor.entries))), "withdrawn", now=self.now)
        self.settle()

    @precondition(lambda self: self.phones)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        """Cancelled phones too: an answer may cross our CANCEL."""
        offer_id = data.draw(st.sampled_from(self.phones))
        self.phones.remove(offer_id)
        offer = self.floor.offers.get(offer_id)
        if self.floor.answered(offer_id, now=self.now):
            assert offer is not None
            self.winners.append(offer.entry)
        self.settle()

    @precondition(lambda self: self.phones)
    @rule(data=st.data())
    def answer_twice(self, data: st.DataObject) -> None:
        offer_id = data.draw(st.sampled_from(self.phones))
        offer = self.floor.offers.get(offer_id)
        self.phones.remove(offer_id)
        if self.floor.answered(offer_id, now=self.now):
            assert offer is not None
            self.winners.append(offer.entry)
        assert not self.floor.answered(offer_id, now=self.now)
        self.settle()

    @precondition(lambda self: self.phones)
    @rule(data=st.data(), outcome=OUTCOMES)
    def fail(self, data: st.DataObject, outcome: OfferOutcome) -> None:
        offer_id = data.draw(st.sampled_from(self.phones))
        self.phones.remove(offer_id)
        self.floor.ring_ended(offer_id, outcome, 480, now=self.now)
        self.settle()

    @precondition(lambda self: self.phones)
    @rule(data=st.data())
    def vanish(self, data: st.DataObject) -> None:
        """The dialer forgets the phone and never tells; the lease must end the offer."""
        offer_id = data.draw(st.sampled_from(self.phones))
        wait = 30.0
        self.pass_time(wait)
        assert offer_id not in self.floor.offers
        assert offer_id in self.stopped
        self.phones.remove(offer_id)

    @precondition(lambda self: self.winners)
    @rule(data=st.data())
    def bridge(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.winners))
        self.winners.remove(entry)
        if self.floor.bridged(entry, now=self.now) is not None:
            self.talks.append(entry)
        self.settle()

    @precondition(lambda self: self.talks)
    @rule(data=st.data())
    def part(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.talks))
        self.talks.remove(entry)
        self.floor.talk_ended(entry, now=self.now)
        self.settle()

    @rule(agent=st.sampled_from(AGENTS), given=COMMANDS)
    def command(self, agent: str, given: AgentInput) -> None:
        before = self.floor.staff.get(agent)
        try:
            self.floor.staff.command(agent, given, now=self.now)
        except LocalProtocolError:
            assert given not in TABLE[before.state]
            assert self.floor.staff.get(agent) is before
        self.settle()

    @rule(agent=st.sampled_from(AGENTS[:3]), reachable=st.booleans())
    def registration(self, agent: str, reachable: bool) -> None:
        self.floor.staff.registration(agent, reachable, now=self.now)
        self.settle()

    @rule(agent=st.sampled_from(AGENTS), dialog=st.sampled_from(["d1", "d2"]), began=st.booleans())
    def own_call(self, agent: str, dialog: str, began: bool) -> None:
        self.floor.staff.external(agent, dialog, began, now=self.now)
        self.settle()

    @rule(seconds=st.sampled_from([0.5, 1.0, 5.0, 10.0, 20.0, 60.0]))
    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while (deadline := self.floor.deadline) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.floor.expire(now=self.now)
            self.settle()
        self.now = end

    @invariant()
    def nothing_is_broken(self) -> None:
        if not hasattr(self, "floor"):
            return
        assert violations(self.floor, now=self.now) == []
        offered = Counter(offer.agent for offer in self.floor.offers.values())
        assert all(live == 1 for live in offered.values()), "an agent is offered one caller at a time"
        assert all(times == 1 for times in self.exits.values())
        told = (entry for entry in self.floor.entries.values() if not entry.silent)
        inside = sum(1 for entry in told if entry.exit is None)
        assert self.told[QueueJoined.__name__] == self.told[QueueLeft.__name__] + inside
        live = sum(1 for offer in self.floor.offers.values() if offer.outcome is None)
        assert self.told[OfferMade.__name__] == self.told[OfferEnded.__name__] + live

    def teardown(self) -> None:
        if not hasattr(self, "floor"):
            return
        for entry in self.talks:
            self.floor.talk_ended(entry, now=self.now)
        self.talks.clear()
        self.pass_time(600.0)
        for agent in self.floor.staff.agents.values():
            for dialog in agent.external:
                self.floor.staff.external(agent.name, dialog, False, now=self.now)
        waiting = [entry for entry in self.floor.entries.values() if entry.state is not EntryState.CONNECTED]
        assert waiting == []
        rest = {AgentState.OFFLINE, AgentState.NOT_READY, AgentState.READY}
        stuck = [agent.name for agent in self.floor.staff.agents.values() if agent.state not in rest]
        assert stuck == []


# 300 are some 10 s of processor time, most of it Hypothesis drawing
TestFloorMachine = pytest.mark.timeout(120)(FloorMachine.TestCase)
TestFloorMachine.settings = settings(max_examples=so_many(300, 75), stateful_step_count=60, deadline=None)
