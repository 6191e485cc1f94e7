"""The ACD over a restart: the process before is killed between two moments, the next one goes on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.flow.acd_fakes import Centre, FakeCaller, FakeLeg, FakeTalk, now

from sipcc.acd import AgentSettings, OfferEnded, QueueJoined, QueueLeft, QueueSettings, TalkEnded
from sipcc.acd.callback import CallbackSettings
from sipcc.acd.events import QueueResumed, RecallClosed
from sipcc.acd.keeping import HOLD_S, Keeping
from sipcc.acd.model import Journey
from sipcc.clock import LoopClock
from sipcc.shelves import Shelves

AGENTS = [AgentSettings(name=name, uri="carrier/13800138000", queues=("q",)) for name in ("alice", "bob")]
PHONE = AgentSettings(name="carol", user="1003", queues=("q",))


EPOCH = 1_700_000_000.0


async def settle(seconds: float = 0.0) -> None:
    await asyncio.sleep(seconds)
    for _ in range(20):
        await asyncio.sleep(0)


class Nobody:
    """Calls no customers."""

    def call(self, call_id: str, number: str, queue: str) -> Any:
        raise AssertionError("no agent is there")


class Life:
    """One process: it ends by being left alone, as by kill -9."""

    def __init__(
        self,
        folder: Path,
        *,
        agents: Collection[AgentSettings] = AGENTS,
        others: Collection[str] = (),
        **queue: Any,
    ) -> None:
        rules: dict[str, Any] = {"name": "q", "strategy": "linear", "wrap_up": 30.0} | queue
        queues = [QueueSettings(**rules), *(QueueSettings(name=name) for name in others)]
        self.it = Centre([*agents], queues, presence=self)
        self.registered: set[str] = set()
        self.shelves = Shelves(folder / "sipccd.shelves")
        self.shelves.open()
        self.acd = self.it.acd
        self.acd._clock = LoopClock(wall=EPOCH + now())  # the wall goes on as the clock of the test does
        self.keeping = Keeping(self.acd, self.shelves, bus=self.it.bus, clock=self.acd._clock)

    def reachable(self, agent: AgentSettings) -> bool:
        return agent.user in self.registered

    async def start(self, *calls: str) -> Life:
        await self.acd.start(lambda: self.keeping.restore(calls))
        return self

    async def kill(self) -> None:
        """Nothing is written from here on, and nobody of this process does anything any more."""
        self.keeping.close()
        self.shelves.close()
        for task in [*self.acd.tasks._tasks, *self.acd._rings._tasks]:
            task.cancel()
        if self.acd._driver is not None:
            self.acd._driver.close()
        await settle()

    def enter(self, caller: FakeCaller, queue: str = "q", **more: Any) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(self.acd.queue(queue).enter(caller, **more))

    def agent(self, name: str) -> Any:
        return self.acd.floor.staff.get(name)


async def test_pauses_wrap_ups_and_back_offs_are_the_same_afterwards(tmp_path: Path) -> None:
    one = await Life(tmp_path).start()
    one.acd.pause("bob", "lunch")
    caller = FakeCaller("c1")
    stay = one.enter(caller)
    await settle(10.0)
    one.acd.pause("alice", "training")  # after the talk
    caller.hang_up()
    await stay
    one.acd.extend_wrap_up("alice", 12.0)
    before = {name: one.agent(name) for name in ("alice", "bob")}
    await one.kill()
    await settle(2.0)
    two = await Life(tmp_path).start()
    for name, was in before.items():
        after = two.agent(name)
        assert (after.state, after.reason) == (was.state, was.reason)
        assert after.since == pytest.approx(was.since, abs=0.002)
    assert two.agent("alice").deadline == pytest.approx(before["alice"].deadline, abs=0.002)
    assert two.acd.snapshot().agents[0].pending == "not_ready"
    await settle(before["alice"].deadline - now() + 0.01)
    assert (two.agent("alice").state, two.agent("alice").reason) == ("not_ready", "training")
    assert two.agent("alice").effort.calls == 1
    assert two.acd.invariants() == []
    await two.kill()


async def test_callers_who_waited_are_served_in_their_order_whoever_comes_back_first(tmp_path: Path) -> None:
    one = await Life(tmp_path).start()
    for name in ("alice", "bob"):
        one.acd.pause(name)
    callers = [FakeCaller(f"c{number}") for number in range(1, 5)]
    for caller in callers:
        one.enter(caller)
        await settle(10.0)
    joined = {event.call: event for event in one.it.of(QueueJoined)}
    began = now()
    for caller in callers:
        caller.key_sinks.clear()
    await one.kill()
    two = await Life(tmp_path).start("c1", "c2", "c3", "c4")
    two.acd.ready("alice")
    two.acd.ready("bob")
    await settle()
    fresh = FakeCaller("c5")
    stays = {fresh.id: two.enter(fresh)}
    two.keeping.taken_up(["c1", "c2", "c3"])  # the leg of c4 is gone
    for caller in (callers[2], callers[1]):
        stays[caller.id] = two.enter(caller)
        await settle(0.1)
    assert two.it.dialer.rings == []
    stays["c1"] = two.enter(callers[0])
    await settle()
    assert [ring[1:] for ring in two.it.dialer.rings] == [("alice", "c1"), ("bob", "c2")]
    await settle(3.0)
    assert [event.call for event in two.it.of(QueueJoined)] == ["c5"]
    assert [event.call for event in two.it.of(QueueResumed)] == ["c1", "c2", "c3", "c4"]
    left = {event.call: event for event in two.it.of(QueueLeft)}
    assert {call: event.entry for call, event in left.items()} == {
        call: joined[call].entry for call in ("c1", "c2")
    }
    assert left["c1"].waited == pytest.approx(began - joined["c1"].at + 3.2, abs=0.01)
    assert two.acd.invariants() == []
    for stay in stays.values():
        stay.cancel()
    await settle(3.0)
    await two.kill()
    three = Life(tmp_path)
    assert three.keeping._entries.left == {}
    await three.kill()


async def test_who_does_not_come_back_holds_up_the_others_for_a_moment_only(tmp_path: Path) -> None:
    one = await Life(tmp_path).start()
    one.acd.pause("alice")
    one.acd.pause("bob")
    one.enter(FakeCaller("c1"))
    await settle(5.0)
    await one.kill()
    two = await Life(tmp_path).start("c1")
    two.keeping.taken_up(["c1"])
    two.acd.ready("alice")
    stay = two.enter(FakeCaller("c2"))
    await settle(HOLD_S - 0.1)
    assert two.it.dialer.rings == []
    await settle(0.2)
    assert [ring[1:] for ring in two.it.dialer.rings] == [("alice", "c2")]
    two.keeping.call_over("c1")
    [left] = two.it.of(QueueLeft)
    assert (left.call, left.exit) == ("c1", "failed")
    assert left.waited == pytest.approx(5.0 + HOLD_S, abs=0.2)
    stay.cancel()
    await settle(3.0)
    await two.kill()


async def test_a_talk_goes_on_and_its_agent_rests_when_it_ends(tmp_path: Path) -> None:
    one = await Life(tmp_path).start()
    caller = FakeCaller("c1")
    one.enter(caller)
    await settle(10.0)
    [joined] = one.it.of(QueueJoined)
    await one.kill()
    two = await Life(tmp_path).start("c1")
    two.keeping.taken_up(["c1"])
    assert two.agent("alice").state == "talking"
    assert two.acd.invariants() == [f"entry {joined.entry}: nobody stays for it"]
    leg = FakeLeg("alice")

    async def talk() -> FakeTalk:
        by = await leg.over
        return FakeTalk(by, 0.0, lost=by == "lost")

    entry_id = two.keeping.talk_of("c1")
    again = FakeCaller("c1")
    stay = asyncio.ensure_future(two.acd.go_on(again, entry_id, talk()))
    await settle(20.0)
    assert two.acd.invariants() == []
    leg.end("callee")
    assert await stay == ""
    [ended] = two.it.of(TalkEnded)
    assert (ended.entry, ended.agent) == (joined.entry, "alice")
    assert ended.talked == pytest.approx(27.0, abs=0.01)
    assert two.agent("alice").state == "wrap_up"
    assert two.agent("alice").effort.calls == 1
    await two.kill()


async def test_a_talk_whose_agent_is_lost_after_the_restart_goes_back_to_its_place(tmp_path: Path) -> None:
    one = await Life(tmp_path).start()
    one.enter(FakeCaller("c1"))
    await settle(10.0)
    await one.kill()
    two = await Life(tmp_path).start("c1")
    two.keeping.taken_up(["c1"])

    async def talk() -> FakeTalk:
        await asyncio.sleep(5.0)
        return FakeTalk("network", 5.0, lost=True)

    again = FakeCaller("c1")
    assert await two.acd.go_on(again, two.keeping.talk_of("c1"), talk()) == "q"
    stay = two.enter(again)
    await settle(4.0)
    assert [ring[1:] for ring in two.it.dialer.rings] == [("bob", "c1")]
    assert [event.requeued for event in two.it.of(QueueJoined)] == [True]
    assert "agent_lost" in [what for _, what in again.heard]
    again.hang_up()
    await stay
    await two.kill()


async def test_an_agent_whose_talk_did_not_outlive_the_process_rests(tmp_path: Path) -> None:
    one = await Life(tmp_path).start()
    one.enter(FakeCaller("c1"))
    waiting = FakeCaller("c2")
    one.acd.pause("bob")
    one.enter(waiting)
    await settle(10.0)
    await one.kill()
    two = await Life(tmp_path).start()
    assert (two.agent("alice").state, two.agent("bob").state) == ("wrap_up", "not_ready")
    assert two.it.of(TalkEnded) == []  # whoever keeps the records closes them
    assert two.acd.invariants() == []
    await two.kill()


async def test_who_was_being_rung_is_free_and_the_offer_is_over(tmp_path: Path) -> None:
    one = await Life(tmp_path).start()
    one.it.dialer.default = ("answered", 15.0)
    one.enter(FakeCaller("c1"))
    await settle(5.0)
    assert one.agent("alice").state == "ringing"
    await one.kill()
    two = await Life(tmp_path).start("c1")
    assert [(event.agent, event.outcome) for event in two.it.of(OfferEnded)] == [("alice", "cancelled")]
    assert two.agent("alice").state == "ready"
    await two.kill()


async def test_agents_of_phones_are_there_when_their_phones_are(tmp_path: Path) -> None:
    one = Life(tmp_path, agents=[PHONE])
    one.registered.add("1003")
    await one.start()
    one.acd.pause("carol", "lunch")
    await one.kill()
    two = await Life(tmp_path, agents=[PHONE]).start()
    two.registered.add("1003")
    two.keeping.taken_up([])
    assert (two.agent("carol").state, two.agent("carol").reason) == ("not_ready", "lunch")
    await two.kill()
    three = await Life(tmp_path, agents=[PHONE]).start()
    three.keeping.taken_up([])  # its connection died with the process
    assert three.agent("carol").state == "offline"
    three.acd.user_reachable("1003", True)
    assert (three.agent("carol").state, three.agent("carol").reason) == ("not_ready", "lunch")
    await three.kill()


async def test_whoever_talked_with_a_caller_last_is_remembered(tmp_path: Path) -> None:
    one = await Life(tmp_path).start()
    caller = FakeCaller("c1")
    stay = one.enter(caller)
    await settle(10.0)
    caller.hang_up()
    await stay
    await one.kill()
    two = await Life(tmp_path).start()
    last = two.acd.planner.last_agents
    assert last.of(caller.caller, window=60.0, now=now()) == "alice"
    assert last.of(caller.caller, window=1.0, now=now()) == ""
    await two.kill()


async def test_any_moment_of_a_busy_hour_can_be_the_last(tmp_path: Path) -> None:
    """Killed at a random moment: everybody is in a state that can last, and nobody is stuck."""
    for seed in range(12):
        dice = random.Random(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        one = await Life(folder, wrap_up=5.0, max_wait=60.0).start()
        one.it.dialer.choose = lambda _, dice=dice: dice.choice(  # type: ignore[misc]
            [("answered", 3.0), ("declined", 1.0), ("no_answer", 6.0), ("busy", 0.0)]
        )
        callers = [FakeCaller(f"c{number}") for number in range(8)]
        for caller in callers:
            one.enter(caller)
            await settle(dice.uniform(0.0, 4.0))
            if dice.random() < 0.3:
                dice.choice(callers).hang_up()
        was = {name: one.agent(name) for name in ("alice", "bob")}
        waiting = [entry.call for entry in one.acd.floor.entries.values() if entry.agent is None]
        await one.kill()
        two = await Life(folder, wrap_up=5.0, max_wait=60.0).start(*waiting)
        two.keeping.taken_up(waiting)
        stays = [two.enter(caller) for caller in callers if caller.id in waiting]
        await settle()
        assert two.acd.invariants() == [], seed
        for name, agent in was.items():
            assert two.agent(name).misses == agent.misses or agent.state == "ringing"
        await settle(120.0)
        for caller in callers:
            caller.hang_up()
        for stay in stays:
            await stay
        await settle(10.0)
        assert two.it.idle(), seed
        assert {agent.state for agent in two.acd.floor.staff.agents.values()} <= {"ready", "quarantined"}
        await two.kill()


async def waiting_and_killed(folder: Path, **queue: Any) -> Life:
    """The second life of a queue whose only caller's call died with the first, and its agents in a pause."""
    one = await Life(folder, **queue).start()
    for name in ("alice", "bob"):
        one.acd.pause(name)
    one.enter(FakeCaller("c1"))
    await settle(50.0)
    await one.kill()
    return Life(folder, **queue)


async def test_who_waited_and_whose_call_died_is_called_back_at_its_place(tmp_path: Path) -> None:
    two = await waiting_and_killed(tmp_path)
    two.acd.call_customers(Nobody(), CallbackSettings())
    await two.start()
    two.keeping.taken_up([])
    await settle()
    [callback] = two.acd.callbacks()
    assert (callback.number, callback.call) == ("13800138000", "c1")
    assert callback.joined == pytest.approx(now() - 50.0, abs=0.01)
    other = FakeCaller("c2")
    other.caller = "13800138002"
    stay = two.enter(other)
    await settle()
    assert two.acd.position(two.it.of(QueueJoined)[-1].entry) == 2
    stay.cancel()
    await settle(3.0)
    await two.kill()


@pytest.mark.parametrize("can_call", [True, False])
async def test_else_it_counts_as_one_who_gave_up(tmp_path: Path, can_call: bool) -> None:
    rules = {"callback_lost": False, "recall_window": 600.0, "resume_within": 60.0}
    two = await waiting_and_killed(tmp_path, **rules)
    if can_call:
        two.acd.call_customers(Nobody(), CallbackSettings())
    await two.start()
    two.keeping.taken_up([])
    await settle()
    assert [task.number for task in two.acd.floor.recalls.open(now=now())] == ["13800138000"]
    assert two.acd.callbacks() == []
    stay = two.enter(FakeCaller("c3"))
    await settle()
    assert two.acd.snapshot().queues[0].waiting[0].joined == pytest.approx(now() - 50.0, abs=0.01)
    stay.cancel()
    await settle(3.0)
    await two.kill()


async def test_who_goes_elsewhere_has_left_its_queue_at_that_moment(tmp_path: Path) -> None:
    one = await Life(tmp_path).start()
    for name in ("alice", "bob"):
        one.acd.pause(name)
    journey = Journey(began=now() - 5.0, until=now() + 600.0, to="queue:other")
    one.enter(FakeCaller("c1"), journey=journey)
    one.enter(FakeCaller("c2"))
    await settle(10.0)
    await one.kill()
    two = await Life(tmp_path).start("c1", "c2")
    two.keeping.taken_up(["c1", "c2"])
    assert [two.keeping.queue_of(call) for call in ("c1", "c2")] == ["", "q"]
    two.acd.returning["c2"] = replace(two.acd.returning["c2"], queue="another")
    stays = [two.enter(FakeCaller(name)) for name in ("c1", "c2")]
    await settle()
    assert [(event.call, event.exit) for event in two.it.of(QueueLeft)] == [("c2", "failed")]
    assert [event.call for event in two.it.of(QueueJoined)] == ["c2"]
    for stay in stays:
        stay.cancel()
    await settle(3.0)
    await two.kill()


async def gave_up_and_killed(folder: Path, **queue: Any) -> None:
    one = await Life(folder, **queue).start()
    for name in ("alice", "bob"):
        one.acd.pause(name)
    caller = FakeCaller("c1")
    stay = one.enter(caller)
    await settle(50.0)
    caller.hang_up()
    await stay
    await settle()
    await one.kill()


GAVE_UP = {"recall_window": 600.0, "resume_within": 300.0}


async def test_who_gave_up_is_listed_and_has_its_place_after_a_kill(tmp_path: Path) -> None:
    await gave_up_and_killed(tmp_path, **GAVE_UP)
    await settle(60.0)
    two = await Life(tmp_path, **GAVE_UP).start()
    (task,) = two.acd.recalls()
    assert (task.number, task.calls, task.call) == ("13800138000", 1, "c1")
    assert now() - task.last == pytest.approx(60.0, abs=0.01)
    stays = [two.enter(FakeCaller("c2"))]
    await settle()
    assert two.acd.snapshot().queues[0].waiting[0].joined == pytest.approx(now() - 110.0, abs=0.01)
    assert two.acd.recalls() == []
    for stay in stays:
        stay.cancel()
    await settle(3.0)
    await two.kill()
    three = await Life(tmp_path, **GAVE_UP).start()
    assert three.acd.recalls() == []
    assert len(three.acd.floor.kept) == 0
    await three.kill()


async def test_windows_go_on_while_no_process_is_there(tmp_path: Path) -> None:
    await gave_up_and_killed(tmp_path, **GAVE_UP)
    await settle(601.0)
    two = await Life(tmp_path, **GAVE_UP).start()
    assert two.acd.recalls() == []
    assert [event.why for event in two.it.of(RecallClosed)] == ["expired"]
    assert len(two.acd.floor.kept) == 0
    await two.kill()


async def test_a_renamed_queue_has_the_tasks_and_the_places_of_a_process_before(tmp_path: Path) -> None:
    await gave_up_and_killed(tmp_path, **GAVE_UP)
    agents = [replace(agent, queues=("orders",)) for agent in AGENTS]
    renamed: dict[str, Any] = GAVE_UP | {"name": "orders", "was": "q"}
    for _ in range(2):
        life = await Life(tmp_path, agents=agents, **renamed).start()
        assert [task.queue for task in life.acd.recalls()] == ["orders"]
        assert len(life.acd.floor.kept) == 1
        await life.kill()
    plain: dict[str, Any] = GAVE_UP | {"name": "orders"}
    last = await Life(tmp_path, agents=agents, **plain).start()
    for agent in ("alice", "bob"):
        last.acd.pause(agent)
    stay = last.enter(FakeCaller("c2"), "orders")
    await settle()
    assert last.acd.snapshot().queues[0].waiting[0].joined == pytest.approx(now() - 50.0, abs=0.01)
    stay.cancel()
    await settle(3.0)
    await last.kill()
