"""Supervisors and customers beside callers, agents and phones that do as they like: the same rules hold."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from tests.samples import so_many
from tests.unit.acd.test_floor_machine import AGENTS, FloorMachine

from sipcc.acd.callback import Callbacks, CallbackSettings, CallbackState
from sipcc.acd.model import AgentState
from sipcc.acd.queues import IN_LINE
from sipcc.errors import LocalProtocolError


class SteeredMachine(FloorMachine):
    """The floor, with callbacks and with somebody who moves, prioritises and assigns."""

    @initialize(
        strategy=st.sampled_from(["linear", "ring-all", "longest-idle"]),
        leave=st.booleans(),
        backoff=st.booleans(),
    )
    def open(self, strategy: str, leave: bool, backoff: bool) -> None:
        super().open(strategy, leave, backoff)
        floor = self.floor
        rules = CallbackSettings(retries=1, pause=20.0, expiry=300.0, ring_timeout=15.0, hours="office")
        self.may_call = True
        floor.callbacks = Callbacks(
            rules, floor._events, new_id=floor._new_id, may_call=lambda now: self.may_call
        )

    def waiting(self) -> list[str]:
        return sorted(name for name, entry in self.floor.entries.items() if entry.state in IN_LINE)

    @rule(queue=st.sampled_from(["x", "y"]), number=st.integers(0, 5))
    def calls(self, queue: str, number: int) -> None:
        name = f"e{next(self.entries)}"
        caller = f"1380013800{number}"
        self.floor.join(name, queue, call=name, caller=caller, priority=0, now=self.now)
        self.settle()

    @precondition(lambda self: self.floor.entries)
    @rule(data=st.data())
    def books(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.floor.entries)))
        before = self.floor.entries[name]
        if self.floor.leave_for_callback(name, before.caller, now=self.now):
            callbacks = self.floor.callbacks
            assert callbacks is not None
            kept = callbacks.of_number(before.caller)
            assert kept is not None
            assert kept.joined <= before.joined or kept.booked < self.now or kept.queue != before.queue
        self.settle()

    @rule(queue=st.sampled_from(["x", "y"]), number=st.integers(0, 5), priority=st.integers(0, 2))
    def books_without_waiting(self, queue: str, number: int, priority: int) -> None:
        self.floor.book(queue, f"1390013800{number}", priority=priority, now=self.now)
        self.settle()

    def turns(self) -> list[str]:
        """Offers of callbacks whose phone rings still."""
        live = [name for name in self.phones if name in self.floor.offers and name not in self.stopped]
        return [name for name in live if self.floor.entries[self.floor.offers[name].entry].callback]

    @precondition(lambda self: self.turns())
    @rule(data=st.data(), reached=st.booleans(), rings=st.sampled_from([0.0, 5.0, 14.0]))
    def its_turn(self, data: st.DataObject, reached: bool, rings: float) -> None:
        """An agent picks up for a callback, and the customer is rung."""
        offer_id = data.draw(st.sampled_from(self.turns()))
        self.phones.remove(offer_id)
        entry = self.floor.offers[offer_id].entry
        assert self.floor.answered(offer_id, now=self.now)
        self.settle()
        self.pass_time(rings)
        if reached:
            assert self.floor.bridged(entry, now=self.now) is not None
            self.talks.append(entry)
        else:
            self.floor.customer_missed(entry, "no_answer", now=self.now)
        self.settle()

    @precondition(lambda self: any(self.floor.entries[name].callback for name in self.winners_left()))
    @rule(data=st.data(), outcome=st.sampled_from(["no_answer", "busy"]))
    def customer_missed(self, data: st.DataObject, outcome: str) -> None:
        names = [name for name in self.winners_left() if self.floor.entries[name].callback]
        name = data.draw(st.sampled_from(names))
        self.winners.remove(name)
        self.floor.customer_missed(name, outcome, now=self.now)
        self.settle()

    def winners_left(self) -> list[str]:
        return [name for name in self.winners if name in self.floor.entries]

    @precondition(lambda self: self.floor.callbacks is not None and len(self.floor.callbacks))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        assert self.floor.callbacks is not None
        names = [one.id for one in self.floor.callbacks.pending()]
        with suppress(LocalProtocolError):
            self.floor.cancel_callback(data.draw(st.sampled_from(names)), now=self.now)
        self.settle()

    @rule(may_call=st.booleans())
    def hours(self, may_call: bool) -> None:
        self.may_call = may_call

    @precondition(lambda self: self.waiting())
    @rule(data=st.data(), priority=st.integers(-2, 2))
    def prioritise(self, data: st.DataObject, priority: int) -> None:
        self.floor.prioritise(data.draw(st.sampled_from(self.waiting())), priority, by="", now=self.now)
        self.settle()

    @precondition(lambda self: self.waiting())
    @rule(data=st.data(), agent=st.sampled_from(AGENTS))
    def assign(self, data: st.DataObject, agent: str) -> None:
        with suppress(LocalProtocolError):
            self.floor.assign(data.draw(st.sampled_from(self.waiting())), agent, by="", now=self.now)
        self.settle()

    @precondition(lambda self: self.waiting())
    @rule(data=st.data(), kept=st.booleans())
    def moves(self, data: st.DataObject, kept: bool) -> None:
        name = data.draw(st.sampled_from(self.waiting()))
        to = "y" if self.floor.entries[name].queue == "x" else "x"
        with suppress(LocalProtocolError):
            entry = self.floor.movable(name, to)
            new = f"e{next(self.entries)}"
            self.floor.move(entry, to, new=new, kept=kept, by="", now=self.now)
            self.floor.join(new, to, call=entry.call, caller=entry.caller, priority=0, now=self.now)
        self.settle()

    @invariant()
    def no_more_customers_are_called_than_agents_wait(self) -> None:
        if not hasattr(self, "floor") or self.floor.callbacks is None:
            return
        called = [one for one in self.floor.callbacks.pending() if one.state is CallbackState.DIALLING]
        talking = [agent for agent in self.floor.staff.agents.values() if agent.state is AgentState.TALKING]
        assert len(called) <= len(talking)
        numbers = [one.number for one in self.floor.callbacks.pending()]
        assert len(numbers) == len(set(numbers))
        for one in self.floor.callbacks.pending():
            assert (one.state is CallbackState.PARKED) == (one.entry not in self.floor.entries)

    def teardown(self) -> None:
        if hasattr(self, "floor"):
            self.winners.clear()
            super().teardown()
            assert self.floor.callbacks is not None
            assert len(self.floor.callbacks) == 0


# 150 are some 10 s of processor time, most of it Hypothesis drawing
TestSteeredMachine = pytest.mark.timeout(120)(SteeredMachine.TestCase)
TestSteeredMachine.settings = settings(max_examples=so_many(150, 40), stateful_step_count=60, deadline=None)
