"""Callbacks in the running ACD, with customers and phones that do as told."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.flow.acd_fakes import Centre, FakeCaller, FakeLeg, now
from tests.flow.test_requeue import lose

from sipcc.acd import AgentSettings, QueueJoined, QueueLeft, QueueSettings
from sipcc.acd.callback import CallbackSettings, SavedCallback
from sipcc.acd.events import CallbackBooked, CallbackEnded, CallbackTried, OfferOutcome
from sipcc.errors import CallEnded, LocalProtocolError

OPEN: list[Office] = []


@pytest.fixture(autouse=True)
async def _closed() -> AsyncIterator[None]:
    yield
    while OPEN:
        await OPEN.pop().close()


class FakeCustomer(FakeCaller):
    """A customer who is called; what the phone does is `does`."""

    def __init__(self, call_id: str, number: str, does: tuple[OfferOutcome, float]) -> None:
        super().__init__(call_id)
        self.caller = number
        self.does = does
        self.rung_at: float | None = None

    async def reach(self, leg: FakeLeg, *, timeout: float) -> OfferOutcome:
        self.rung_at = now()
        outcome, after = self.does
        await asyncio.wait({self.over, leg.over}, timeout=min(after, timeout), return_when="FIRST_COMPLETED")
        if leg.over.done() or self.over.done():
            self.hang_up()
            raise CallEnded("normal")
        return outcome if after <= timeout else "no_answer"

    async def free(self) -> None:
        self._check()

    def release(self) -> None:
        self.hang_up()


class FakeCustomers:
    """Calls customers, and counts how many are called at a time."""

    def __init__(self) -> None:
        self.does: dict[str, list[tuple[OfferOutcome, float]]] = {}
        self.made: list[FakeCustomer] = []

    def call(self, call_id: str, number: str, queue: str) -> FakeCustomer:
        script = self.does.get(number, [("answered", 5.0)])
        customer = FakeCustomer(call_id, number, script.pop(0) if len(script) > 1 else script[0])
        self.made.append(customer)
        return customer

    @property
    def order(self) -> list[str]:
        rung = [customer for customer in self.made if customer.rung_at is not None]
        return [customer.caller for customer in sorted(rung, key=lambda one: one.rung_at or 0.0)]


class Office(Centre):
    """A centre that calls back."""

    def __init__(self, *names: str, rules: dict[str, Any] | None = None, **queue: Any) -> None:
        settings = [AgentSettings(name=name, uri="carrier/13800138000", queues=("q",)) for name in names]
        keys = {"1": "callback", "2": "menu:main"}
        queue = {"strategy": "linear", "wrap_up": 0.0, "keys": keys} | queue
        super().__init__(settings, [QueueSettings(name="q", **queue)])
        self.customers = FakeCustomers()
        self.kept: dict[str, SavedCallback | None] = {}
        self.acd.call_customers(
            self.customers,
            CallbackSettings(**(rules or {})),
            objection=lambda number: "listed" if number == "13800138009" else "",
            keep=self.kept.__setitem__,
        )

    async def close(self) -> None:
        """Nobody talks, rings or waits any more."""
        await self.acd.stop()
        for customer in self.customers.made:
            customer.hang_up()
        await asyncio.sleep(1.0)
        assert not self.acd._visits

    async def open(self) -> None:
        OPEN.append(self)
        await self.acd.start()
        for agent in self.acd.snapshot().agents:
            self.acd.pause(agent.name)

    def enters(self, digit: int) -> tuple[FakeCaller, asyncio.Task[Any]]:
        caller = FakeCaller(f"c{digit}")
        caller.caller = f"1380013800{digit}"
        return caller, asyncio.ensure_future(self.acd.queue("q").enter(caller))


async def three(*names: str, **more: Any) -> Office:
    """Three callers who have booked, ten seconds apart."""
    it = Office(*names, **more)
    await it.open()
    for digit in (1, 2, 3):
        caller, stay = it.enters(digit)
        await asyncio.sleep(10.0)
        caller.press("1")
        result = await stay
        assert (result.exit, result.waited, result.to) == ("callback_booked", 10.0, "")
    await asyncio.sleep(1.0)
    return it


async def test_customers_are_called_in_the_order_of_joining_and_one_for_each_agent() -> None:
    it = await three("alice", "bob")
    assert it.acd.invariants() == []
    assert [one.number for one in it.acd.callbacks()] == ["13800138001", "13800138002", "13800138003"]
    it.acd.ready("alice")
    await asyncio.sleep(5.0)
    assert it.customers.order == ["13800138001"]
    it.acd.ready("bob")
    await asyncio.sleep(5.0)
    assert it.customers.order == ["13800138001", "13800138002"]
    talking = it.customers.made[0]
    assert talking.leg is it.dialer.legs[0]
    talking.hang_up()
    await asyncio.sleep(5.0)
    assert it.customers.order == ["13800138001", "13800138002", "13800138003"]
    assert it.acd.invariants() == []
    await asyncio.sleep(10.0)
    for customer in it.customers.made:
        customer.hang_up()
    await asyncio.sleep(1.0)
    assert [event.outcome for event in it.of(CallbackEnded)] == ["served"] * 3
    assert set(it.kept.values()) == {None}
    assert it.idle()


async def test_the_events_of_a_callback_tell_all_and_its_call_comes_first() -> None:
    it = await three("alice")
    (booked, *_) = it.of(CallbackBooked)
    assert (booked.number, booked.credit, booked.queue) == ("13800138001", 10.0, "q")
    it.acd.ready("alice")
    await asyncio.sleep(0.0)
    (joined,) = [event for event in it.of(QueueJoined) if event.callback]
    assert (joined.callback, joined.call) == (booked.callback, it.customers.made[0].id)
    await asyncio.sleep(10.0)
    it.dialer.legs[0].end("callee")
    await asyncio.sleep(1.0)
    assert it.customers.made[0].ended
    (tried,) = it.of(CallbackTried)
    assert (tried.agent, tried.outcome, tried.attempt) == ("alice", "answered", 1)
    left = [event for event in it.of(QueueLeft) if event.entry == joined.entry]
    assert [event.exit for event in left] == ["answered"]


async def test_who_is_not_reached_is_tried_again_at_the_old_place_and_its_agent_serves_others() -> None:
    it = await three("alice", rules={"retries": 1, "pause": 60.0, "ring_timeout": 20.0})
    it.customers.does["13800138001"] = [("no_answer", 90.0), ("busy", 1.0)]
    it.acd.ready("alice")
    await asyncio.sleep(24.0)
    assert it.state("alice") == "ringing"
    assert it.customers.made[0].ended
    await asyncio.sleep(10.0)
    assert it.customers.order == ["13800138001", "13800138002"]
    await asyncio.sleep(60.0)
    it.customers.made[1].hang_up()
    await asyncio.sleep(20.0)
    assert it.customers.order[2:] == ["13800138001", "13800138003"]
    assert [(event.outcome, event.attempts) for event in it.of(CallbackEnded)] == [
        ("served", 1),
        ("unreached", 2),
        ("served", 1),
    ]
    for customer in it.customers.made:
        customer.hang_up()
    await asyncio.sleep(1.0)
    assert it.idle()
    assert all(count == 1 for count in Counter(event.entry for event in it.of(QueueLeft)).values())


async def test_an_agent_who_hangs_up_while_the_customer_rings_ends_that_try() -> None:
    it = await three("alice")
    it.customers.does["13800138001"] = [("answered", 30.0)]
    it.acd.ready("alice")
    await asyncio.sleep(5.0)
    it.acd.pause("alice")
    it.dialer.legs[0].end("callee")
    await asyncio.sleep(1.0)
    assert [event.outcome for event in it.of(CallbackTried)] == ["failed"]
    assert it.state("alice") == "not_ready"
    assert it.acd.invariants() == []


async def test_the_customer_who_is_rung_for_is_cancelled() -> None:
    it = await three("alice")
    it.acd.ready("alice")
    await asyncio.sleep(1.0)
    assert it.state("alice") == "ringing"
    first = it.acd.callbacks()[0]
    it.acd.cancel_callback(first.id)
    await asyncio.sleep(10.0)
    assert it.customers.made[0].ended
    assert it.customers.order == ["13800138002"]
    with pytest.raises(LocalProtocolError, match="no callback"):
        it.acd.cancel_callback(first.id)


async def test_other_keys_and_numbers_that_must_not_be_called_book_nothing() -> None:
    it = Office("alice")
    await it.open()
    caller, stay = it.enters(9)
    await asyncio.sleep(1.0)
    caller.press("1")
    await asyncio.sleep(1.0)
    assert not stay.done()
    caller.press("2")
    assert (await stay).exit == "key_exit"
    assert it.acd.callbacks() == []
    with pytest.raises(LocalProtocolError, match="must not be called"):
        it.acd.book_callback("q", "13800138009")


@pytest.mark.parametrize(("types", "booked"), [("13800138005", True), ("12", False), (None, False)])
async def test_who_shows_no_number_is_asked_for_one_and_waits_on_meanwhile(
    types: str | None, booked: bool
) -> None:
    it = Office("alice", music="hold")
    await it.open()
    caller = FakeCaller("hidden")
    caller.caller, caller.types = "anonymous", (types, 6.0)
    stay = asyncio.ensure_future(it.acd.queue("q").enter(caller))
    await asyncio.sleep(1.0)
    caller.press("1")
    await asyncio.sleep(1.0)
    assert caller.playing == "?enter_number"
    assert len(it.acd.queue("q").waiting) == 1
    await asyncio.sleep(6.0)
    assert stay.done() is booked
    if booked:
        assert [one.number for one in it.acd.callbacks()] == ["13800138005"]
    else:
        assert caller.playing == "~hold"
        caller.hang_up()
        assert (await stay).exit == "abandoned"


async def test_an_agent_who_answers_cuts_the_question() -> None:
    it = Office("alice")
    await it.open()
    caller = FakeCaller("hidden")
    caller.caller, caller.types = "anonymous", ("13800138005", 60.0)
    stay = asyncio.ensure_future(it.acd.queue("q").enter(caller))
    await asyncio.sleep(1.0)
    caller.press("1")
    it.acd.ready("alice")
    await asyncio.sleep(4.0)
    assert caller.leg is not None
    caller.hang_up()
    assert (await stay).exit == "answered"
    assert it.acd.callbacks() == []


async def test_another_process_goes_on_with_the_same_places() -> None:
    it = await three("alice")
    left = [one for one in it.kept.values() if one is not None]
    assert left == it.acd.saved_callbacks()
    await it.acd.stop()
    assert [one for one in it.kept.values() if one is not None] == left
    fresh = Office("alice")
    fresh.acd._clock = it.acd._clock
    await fresh.open()
    fresh.acd.restore_callbacks(left)
    caller, stay = fresh.enters(4)
    await asyncio.sleep(1.0)
    assert [row.caller for row in fresh.acd.queue("q").waiting] == [f"1380013800{n}" for n in (1, 2, 3, 4)]
    caller.hang_up()
    await stay


async def test_draining_waits_for_talks_and_not_for_callbacks() -> None:
    it = await three("alice")
    it.acd.ready("alice")
    await asyncio.sleep(10.0)
    drained = asyncio.ensure_future(it.acd.drain())
    await asyncio.sleep(1.0)
    assert not drained.done()
    it.customers.made[0].hang_up()
    await asyncio.sleep(1.0)
    assert drained.done()
    assert len(it.customers.made) == 1
    assert len(it.acd.callbacks()) == 2


async def test_the_list_of_those_who_gave_up_leads_to_callbacks() -> None:
    it = Office("alice", recall_window=3600.0)
    await it.open()
    caller, stay = it.enters(1)
    await asyncio.sleep(10.0)
    caller.hang_up()
    await stay
    (task,) = it.acd.recalls()
    callback = it.acd.call_back(task.id)
    assert (callback.number, callback.queue) == ("13800138001", "q")
    assert it.acd.recalls() == []
    with pytest.raises(LocalProtocolError, match="is closed: callback"):
        it.acd.call_back(task.id)
    it.acd.ready("alice")
    await asyncio.sleep(10.0)
    assert it.customers.order == ["13800138001"]


async def test_a_crowd_of_callers_and_customers_leaves_nobody_stuck_and_calls_nobody_out_of_turn() -> None:
    names = [f"a{number}" for number in range(4)]
    it = Office(*names, rules={"retries": 1, "pause": 40.0, "ring_timeout": 20.0}, max_wait=0.0)
    await it.open()
    chance = random.Random(7)
    outcomes: list[tuple[OfferOutcome, float]] = [
        ("answered", 4.0),
        ("busy", 1.0),
        ("no_answer", 90.0),
        ("declined", 2.0),
    ]
    stays = []
    for number in range(60):
        caller = FakeCaller(f"c{number}")
        caller.caller = f"139001380{number:02d}"
        it.customers.does[caller.caller] = [chance.choice(outcomes), ("answered", 3.0)]
        stays.append((caller, asyncio.ensure_future(it.acd.queue("q").enter(caller))))
        await asyncio.sleep(chance.uniform(0.1, 2.0))
        if chance.random() < 0.6:
            caller.press("1")
        if number == 20:
            for name in names:
                it.acd.ready(name)
        agents = it.acd.snapshot().agents
        called = [one for one in it.acd.callbacks() if one.state == "dialling"]
        assert len(called) <= sum(agent.state == "talking" for agent in agents)
        assert it.acd.invariants() == []
    for _ in range(200):
        await asyncio.sleep(20.0)
        for caller in [*(caller for caller, _ in stays), *it.customers.made]:
            if caller.leg is not None:
                caller.hang_up()
    await asyncio.gather(*(stay for _, stay in stays))
    assert it.acd.callbacks() == []
    booked = [event.number for event in it.of(CallbackBooked)]
    assert len(booked) > 20
    first_tries = list(dict.fromkeys(it.customers.order))
    assert first_tries == [number for number in booked if number in first_tries]
    ended = Counter(event.outcome for event in it.of(CallbackEnded))
    assert set(ended) == {"served"}
    assert ended.total() == len(booked)
    assert len(it.of(QueueJoined)) == len(it.of(QueueLeft))
    assert it.acd.invariants() == []


async def test_a_customer_whose_agents_phone_dies_waits_again_and_has_the_next_agent() -> None:
    it = await three("alice", "bob")
    it.acd.ready("alice")
    await asyncio.sleep(15.0)
    customer = it.customers.made[0]
    await lose(customer)
    it.acd.ready("bob")
    await asyncio.sleep(1.0)
    assert not customer.ended
    await asyncio.sleep(30.0)
    assert customer.leg is not None
    assert customer.leg.agent == "bob"
    assert it.acd.invariants() == []
    customer.hang_up()
    await asyncio.sleep(1.0)
    assert [event.requeued for event in it.of(QueueJoined) if event.call == customer.id] == [False, True]
