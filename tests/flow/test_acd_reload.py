"""Other agents and queues while callers wait, ring and talk: nobody loses a place, a state or a call."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest
from tests.flow.acd_fakes import Centre, FakeCaller

from sipcc.acd import AgentSettings, QueueResult, QueueSettings
from sipcc.acd.events import AgentStateChanged, OfferMade, QueueJoined, QueueLeft, TalkEnded
from sipcc.errors import ConfigError, LocalProtocolError

Queue = QueueSettings


def agent(name: str, *queues: str, **more: Any) -> AgentSettings:
    return AgentSettings(name=name, uri=f"carrier/{name}", queues=queues or ("sales",), **more)


class Hall:
    """A centre whose configuration changes, and its callers."""

    def __init__(self, agents: Sequence[AgentSettings], queues: Sequence[Queue], **more: Any) -> None:
        self.centre = Centre(agents, queues, **more)
        self.acd = self.centre.acd
        self.callers: dict[str, FakeCaller] = {}
        self.visits: dict[str, asyncio.Task[QueueResult]] = {}

    def reload(self, agents: Sequence[AgentSettings], queues: Sequence[Queue]) -> None:
        self.acd.prepare(agents, queues)()
        assert self.acd.invariants() == []

    async def call(self, name: str, queue: str = "sales") -> FakeCaller:
        caller = self.callers[name] = FakeCaller(name)
        self.visits[name] = asyncio.ensure_future(self.acd.queue(queue).enter(caller))
        await asyncio.sleep(0.01)
        return caller

    def line(self, queue: str) -> list[str]:
        """The calls in a line, in their order."""
        floor = self.acd.floor
        return [floor.entries[name].call for name in floor.line(queue).ids]

    def state(self, name: str) -> str:
        return self.centre.state(name)

    def talks(self) -> dict[str, str]:
        """Who talks with whom, by call."""
        return {name: caller.leg.agent for name, caller in self.callers.items() if caller.leg is not None}

    async def leave(self) -> None:
        """All calls end."""
        for caller in self.callers.values():
            caller.hang_up()
        await asyncio.gather(*self.visits.values())
        await asyncio.sleep(60.0)
        assert self.centre.idle()
        await self.acd.stop()


async def hall(agents: Sequence[AgentSettings], queues: Sequence[Queue], **more: Any) -> Hall:
    it = Hall(agents, queues, **more)
    await it.acd.start()
    return it


async def test_a_renamed_queue_keeps_its_callers_agents_and_counters() -> None:
    agents, queues = [agent("alice")], [Queue(name="sales", strategy="linear", wrap_up=0)]
    it = await hall(agents, queues)
    for name in ("c1", "c2", "c3"):
        await it.call(name)
    await asyncio.sleep(5.0)
    assert it.talks() == {"c1": "alice"}
    it.reload([agent("alice", "orders")], [Queue(name="orders", was="sales", strategy="linear", wrap_up=0)])
    assert it.state("alice") == "talking"
    assert it.line("orders") == it.line("sales") == ["c2", "c3"]  # who knows the old name finds it too
    await it.call("c4", "orders")
    await it.call("c5", "sales")
    assert it.line("orders") == ["c2", "c3", "c4", "c5"]
    for name in ("c1", "c2", "c3", "c4"):
        it.callers[name].hang_up()
        await asyncio.sleep(5.0)
    assert it.talks()["c5"] == "alice"
    [row] = it.acd.snapshot().queues
    assert (row.name, row.offered, row.answered) == ("orders", 5, 5)
    await it.leave()
    told = {(kind, event.call): event.queue for kind in (QueueJoined, OfferMade, QueueLeft, TalkEnded)
            for event in it.centre.of(kind)}  # fmt: skip
    assert {told[kind, "c1"] for kind in (QueueJoined, QueueLeft, TalkEnded)} == {"sales"}
    assert {told[kind, "c2"] for kind in (QueueJoined, OfferMade, QueueLeft, TalkEnded)} == {"sales"}
    assert {told[kind, "c5"] for kind in (QueueJoined, OfferMade, QueueLeft, TalkEnded)} == {"orders"}


async def test_a_name_may_come_back_for_another_queue_while_callers_of_the_first_are_in_line() -> None:
    it = await hall([agent("alice")], [Queue(name="sales", strategy="linear")])
    it.acd.pause("alice")
    await it.call("c1")
    it.reload([agent("alice", "orders")], [Queue(name="orders", was="sales")])
    it.reload([agent("alice", "orders", "sales")], [Queue(name="orders"), Queue(name="sales")])
    await it.call("c2", "sales")
    assert (it.line("orders"), it.line("sales")) == (["c1"], ["c2"])
    await it.leave()


async def test_a_removed_queue_serves_those_who_are_in_it_and_is_gone() -> None:
    both = [Queue(name="sales", strategy="linear", wrap_up=0), Queue(name="help", strategy="linear")]
    it = await hall([agent("alice", "sales", "help")], both)
    await it.call("c1")
    await it.call("c2")
    await asyncio.sleep(4.0)
    it.reload([agent("alice", "help")], both[1:])
    assert it.state("alice") == "talking"
    it.callers["c1"].hang_up()
    await asyncio.sleep(4.0)
    assert it.talks()["c2"] == "alice"
    assert set(it.acd.floor.lines) == {"help", "sales"}
    it.callers["c2"].hang_up()
    await asyncio.sleep(1.0)
    assert set(it.acd.floor.lines) == {"help"}
    with pytest.raises(LocalProtocolError, match="known: help"):
        it.acd.queue("sales")
    assert [visit.result().exit for visit in it.visits.values()] == ["answered", "answered"]
    await it.leave()


async def test_callers_of_a_removed_queue_without_agents_go_where_it_leads() -> None:
    queues = [Queue(name="sales", then="queue:help"), Queue(name="help")]
    it = await hall([agent("alice"), agent("bob", "help")], queues)
    it.acd.pause("alice")
    await it.call("c1")
    it.reload([agent("bob", "help")], queues[1:])
    result = await it.visits["c1"]
    assert (result.exit, result.to) == ("no_agent", "queue:help")
    assert set(it.acd.floor.lines) == {"help"}
    assert set(it.acd.floor.staff.agents) == {"bob"}
    await it.leave()


async def test_a_removed_agent_ends_its_call_and_wrap_up_and_is_gone() -> None:
    queues = [Queue(name="sales", strategy="linear", wrap_up=5)]
    it = await hall([agent("alice"), agent("bob")], queues)
    it.acd.pause("bob")
    await it.call("c1")
    await asyncio.sleep(4.0)
    await it.call("c2")
    it.reload([agent("bob")], queues)
    assert it.talks() == {"c1": "alice"}
    assert it.acd.floor.line("sales").members == ("bob",)
    it.callers["c1"].hang_up()
    await asyncio.sleep(1.0)
    assert it.state("alice") == "wrap_up"
    await asyncio.sleep(5.0)
    assert set(it.acd.floor.staff.agents) == {"bob"}
    assert it.centre.of(AgentStateChanged)[-1].after == "offline"
    assert it.line("sales") == ["c2"]
    await it.leave()


async def test_an_agent_who_comes_back_before_it_has_gone_has_lost_nothing() -> None:
    queues = [Queue(name="sales", strategy="linear", wrap_up=5)]
    it = await hall([agent("alice"), agent("bob")], queues)
    await it.call("c1")
    await asyncio.sleep(4.0)
    it.acd.pause("alice", "lunch")
    it.reload([agent("bob")], queues)
    it.reload([agent("bob"), agent("alice")], queues)
    it.callers["c1"].hang_up()
    await asyncio.sleep(7.0)
    [row] = [row for row in it.acd.snapshot().agents if row.name == "alice"]
    assert (row.state, row.reason) == ("not_ready", "lunch")
    await it.leave()


async def test_an_added_agent_is_there_at_once_and_takes_who_waits() -> None:
    queues = [Queue(name="sales", strategy="linear")]
    it = await hall([agent("alice")], queues)
    it.acd.pause("alice")
    await it.call("c1")
    it.reload([agent("bob"), agent("alice")], queues)
    await asyncio.sleep(4.0)
    assert it.talks() == {"c1": "bob"}
    assert it.state("alice") == "not_ready"
    await it.leave()


async def test_a_renamed_queue_keeps_the_places_of_those_who_gave_up_and_whom_to_call_back() -> None:
    rules: dict[str, Any] = {"strategy": "linear", "resume_within": 300, "recall_window": 3600}
    it = await hall([agent("alice")], [Queue(name="sales", **rules)])
    it.acd.pause("alice")
    for name, caller in (("c1", "13800138001"), ("c2", "13800138002")):
        it.callers[name] = FakeCaller(name)
        it.callers[name].caller = caller
        it.visits[name] = asyncio.ensure_future(it.acd.queue("sales").enter(it.callers[name]))
        await asyncio.sleep(10.0)
    it.callers["c1"].hang_up()
    await asyncio.sleep(1.0)
    it.reload([agent("alice", "orders")], [Queue(name="orders", was="sales", **rules)])
    assert [task.queue for task in it.acd.recalls()] == ["orders"]
    it.callers["c3"] = FakeCaller("c3")
    it.callers["c3"].caller = "13800138001"
    it.visits["c3"] = asyncio.ensure_future(it.acd.queue("orders").enter(it.callers["c3"]))
    await asyncio.sleep(1.0)
    assert it.line("orders") == ["c3", "c2"]
    await it.leave()


async def test_a_process_that_begins_with_the_new_name_knows_the_old_one() -> None:
    it = await hall([agent("alice", "orders")], [Queue(name="orders", was="sales")])
    assert it.acd.queue("sales").name == "sales"
    assert it.acd.floor.knows("sales")
    assert not it.acd.floor.knows("help")
    await it.call("c1", "sales")
    assert it.line("orders") == ["c1"]
    await it.leave()


async def test_round_robin_goes_on_where_it_was() -> None:
    queues = [Queue(name="sales", strategy="round-robin", wrap_up=0)]
    team = [agent(name) for name in ("alice", "bob", "carol")]
    it = await hall(team, queues)
    await it.call("c1")
    await asyncio.sleep(4.0)
    it.callers["c1"].hang_up()
    await asyncio.sleep(1.0)
    it.reload([agent("dave"), agent("carol"), agent("alice"), agent("bob")], queues)
    await it.call("c2")
    await asyncio.sleep(4.0)
    assert it.talks()["c2"] == "bob"  # who follows alice now
    it.callers["c2"].hang_up()
    await asyncio.sleep(1.0)
    it.reload([agent("dave"), agent("carol"), agent("alice")], queues)
    await it.call("c3")
    await asyncio.sleep(4.0)
    assert it.talks()["c3"] == "dave"  # bob is gone: on behind alice, from the beginning
    await it.leave()


async def test_other_rules_count_for_those_who_wait_where_they_are_about_the_line() -> None:
    agents = [agent("alice")]
    it = await hall(agents, [Queue(name="sales", ageing=0.0)])
    it.acd.pause("alice")
    for name, priority in (("c1", 0), ("c2", 1)):
        caller = it.callers[name] = FakeCaller(name)
        it.visits[name] = asyncio.ensure_future(it.acd.queue("sales").enter(caller, priority=priority))
        await asyncio.sleep(10.0)
    assert it.line("sales") == ["c2", "c1"]
    it.reload(agents, [Queue(name="sales", ageing=5.0)])
    assert it.line("sales") == ["c1", "c2"]
    await it.leave()


@pytest.mark.parametrize(
    ("agents", "queues", "cause"),
    [
        ([agent("alice"), agent("alice")], [Queue(name="sales")], "given twice"),
        ([agent("alice", "nowhere")], [Queue(name="sales")], "no queue 'nowhere'"),
        ([agent("alice")], [Queue(name="sales", strategy="magic")], "magic"),
        ([agent("alice")], [Queue(name="sales", skills="a >=")], "skills"),
    ],
)
async def test_what_cannot_be_changes_nothing(
    agents: list[AgentSettings], queues: list[Queue], cause: str
) -> None:
    it = await hall([agent("alice")], [Queue(name="sales", strategy="linear")])
    await it.call("c1")
    before = it.acd.snapshot(), it.acd.floor.line("sales").settings
    with pytest.raises(ConfigError, match=cause):
        it.acd.prepare(agents, queues)
    assert (it.acd.snapshot(), it.acd.floor.line("sales").settings) == before
    await it.leave()


STRATEGIES = ("linear", "longest-idle", "round-robin", "random", "fewest-calls")


async def test_a_hundred_reloads_under_load_lose_no_call_and_no_state() -> None:
    """Two queues whose names, rules and agents change 100 times, once every 0.7 s, while callers come."""
    chance = random.Random(8)
    core = [f"a{number}" for number in range(8)]

    def config(turn: int) -> tuple[list[AgentSettings], list[Queue]]:
        name, was = ("orders", "sales") if turn % 2 else ("sales", "orders")
        extra = [f"x{number}" for number in range(turn % 3)]
        queues = (name, "help") if turn % 5 else (name,)
        team = [agent(each, *queues, skills={"turn": turn}) for each in (*core, *extra)]
        lines = [
            Queue(name=name, was=was, strategy=chance.choice(STRATEGIES), wrap_up=2, max_wait=0),
            Queue(name="help", strategy="linear", wrap_up=2, max_wait=0),
        ]
        return team, lines if turn % 5 else lines[:1]

    it = await hall(*config(0), seed=3)
    it.acd.pause("a0", "lunch")
    it.acd.logout("a1")
    seen: set[str] = set()
    for turn in range(1, 101):
        for _ in range(chance.randrange(3)):
            here = [name for name in ("sales", "orders", "help") if name in it.acd.floor.lines]
            await it.call(f"c{len(it.callers)}", chance.choice(here))
        talking = [caller for caller in it.callers.values() if caller.leg is not None and not caller.ended]
        for caller in talking[:2]:
            if chance.random() < 0.6:
                caller.hang_up()
        await asyncio.sleep(0.7)
        states = {name: (it.state(name), it.acd.floor.staff.get(name).effort.calls) for name in core}
        lines = {tuple(it.line(name)) for name in it.acd.floor.lines}
        calls = set(it.acd.floor.entries)
        seen |= {state for state, _ in states.values()} | {f"{min(len(line), 3)} in line" for line in lines}
        it.reload(*config(turn))
        for name, (state, calls_taken) in states.items():
            now = it.acd.floor.staff.get(name)
            assert (now.state, now.effort.calls) == (state, calls_taken) or state == "ready"
        after = {tuple(it.line(name)) for name in it.acd.floor.lines}
        assert {line for line in after if line} == {line for line in lines if line}
        assert set(it.acd.floor.entries) == calls
    assert seen >= {"ready", "ringing", "talking", "wrap_up", "not_ready", "offline", "3 in line"}
    row = {row.name: row for row in it.acd.snapshot().agents}
    assert (row["a0"].state, row["a0"].reason) == ("not_ready", "lunch")
    assert row["a1"].state == "offline"
    assert all(agent_.settings.skills == {"turn": 100} for agent_ in it.acd.floor.staff.agents.values())
    for _ in range(200):
        for caller in it.callers.values():
            if caller.leg is not None:
                caller.hang_up()
        await asyncio.sleep(3.0)
    assert [await visit for visit in it.visits.values() if (await visit).exit != "answered"] == []
    assert len(it.callers) > 80
    await it.leave()


async def test_five_hundred_calls_outlive_a_hundred_reloads() -> None:
    """200 talk, 50 are rung for, 250 wait; agents are paused, in wrap-up and on calls of their own (G5)."""
    states = (
        ("talking",) * 200 + ("ringing",) * 50 + ("not_ready",) * 20 + ("external",) * 10 + ("wrap_up",) * 20
    )
    names = [f"a{number}" for number in range(len(states))]

    def config(turn: int) -> tuple[list[AgentSettings], list[Queue]]:
        name, was = ("orders", "sales") if turn % 2 else ("sales", "orders")
        team = [agent(each, name, weight=1.0 + turn) for each in (names if turn % 3 else reversed(names))]
        rules: dict[str, Any] = {"wrap_up": 900, "max_wait": 0, "ring_timeout": 900, "max_wrap_up": 0}
        return team, [Queue(name=name, was=was, strategy=STRATEGIES[turn % len(STRATEGIES)], **rules)]

    it = await hall(*config(0))
    of = dict(zip(names, states, strict=True))
    it.centre.dialer.choose = lambda name: ("answered", 1.0 if of[name] in ("talking", "wrap_up") else 800.0)
    for name, state in of.items():
        if state == "not_ready":
            it.acd.pause(name, "lunch")
        elif state == "external":
            it.acd.agent_external(name, "own", True)
    for number in range(520):
        await it.call(f"c{number}")
    await asyncio.sleep(3.0)
    for caller in list(it.callers.values()):
        if caller.leg is not None and of[caller.leg.agent] == "wrap_up":
            caller.hang_up()
    await asyncio.sleep(1.0)
    assert {name: it.state(name) for name in names} == of
    line, talks, live = it.line("sales"), it.talks(), set(it.acd.floor.entries)
    assert (len(live), len(line)) == (500, 300)
    efforts = {name: it.acd.floor.staff.get(name).effort for name in names}
    told = len(it.centre.events)
    for turn in range(1, 101):
        it.reload(*config(turn))
        assert {name: it.state(name) for name in names} == of
        assert it.line("sales") == it.line("orders") == line
        await asyncio.sleep(0.1)
    assert (it.talks(), set(it.acd.floor.entries)) == (talks, live)
    assert {name: it.acd.floor.staff.get(name).effort for name in names} == efforts
    assert len(it.centre.events) == told  # a reload that takes nobody away tells nothing of anybody
    await it.acd.stop()
    for caller in it.callers.values():
        caller.hang_up()
    await asyncio.gather(*it.visits.values())


OUTCOMES = ("answered", "answered", "answered", "no_answer", "declined", "busy", "unreachable")
QUEUES = ("q0", "q1", "q2", "q3")


def any_config(chance: random.Random, before: Sequence[str]) -> tuple[list[AgentSettings], list[Queue]]:
    """Some agents in any order, and some queues, of which some are others under a new name."""
    names = chance.sample(QUEUES, chance.randrange(1, len(QUEUES)))
    gone = [name for name in before if name not in names]
    queues = []
    for name in names:
        was = gone.pop() if gone and name not in before and chance.random() < 0.5 else ""
        rules: dict[str, Any] = {
            "strategy": chance.choice([*STRATEGIES, "ring-all", "ring-progressive", "weighted"]),
            "wrap_up": chance.choice([0, 2]),
            "max_wait": chance.choice([0, 60]),
            "no_agent": chance.choice(["wait", "leave"]),
            "ageing": chance.choice([0.0, 10.0]),
            "then": chance.choice(["", "queue:q0"]),
        }
        queues.append(Queue(name=name, was=was, **rules))
    team = [agent(f"a{n}", *chance.sample(names, chance.randrange(1, len(names) + 1))) for n in range(6)]
    return chance.sample(team, chance.randrange(1, len(team) + 1)), queues


@pytest.mark.parametrize("seed", range(25))
async def test_whatever_changes_the_floor_keeps_its_rules_and_everybody_comes_out(seed: int) -> None:
    chance = random.Random(seed)
    it = await hall(*any_config(chance, ()), seed=seed)
    it.centre.dialer.choose = lambda _: (chance.choice(OUTCOMES), chance.uniform(0.0, 30.0))
    for _ in range(120):
        floor = it.acd.floor
        match chance.randrange(6):
            case 0 | 1:
                await it.call(f"c{len(it.callers)}", chance.choice(list(floor.lines)))
            case 2 if it.callers:
                chance.choice(list(it.callers.values())).hang_up()
            case 3:
                name = chance.choice(list(floor.staff.agents))
                it.acd.pause(name, "lunch") if chance.random() < 0.3 else it.acd.force(name, "ready")
            case _:
                live = set(floor.entries)
                it.acd.prepare(*any_config(chance, [*floor.lines]))()
                lost = live - set(floor.entries)
                told = {event.entry: event.exit for event in it.centre.of(QueueLeft)}
                assert {told[entry] for entry in lost} <= {
                    "no_agent"
                }  # of queues that nobody serves any more
        assert it.acd.invariants() == []
        await asyncio.sleep(chance.uniform(0.0, 8.0))
        assert it.acd.invariants() == []
    for _ in range(60):
        for caller in it.callers.values():
            caller.hang_up()
        await asyncio.sleep(5.0)
    results = await asyncio.gather(*it.visits.values())
    left = [event.entry for event in it.centre.of(QueueLeft)]
    assert len(left) == len(set(left)) == len(results)
    assert it.centre.idle()
    assert not it.acd.floor.leaving
    assert not it.acd.floor.retired
    await it.acd.stop()
