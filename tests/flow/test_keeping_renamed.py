"""A queue that is called otherwise, and the restart after that: it stays the same queue for who is in it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.flow.acd_fakes import FakeCaller, FakeLeg, FakeTalk
from tests.flow.test_keeping import AGENTS, Life, settle

from sipcc.acd import QueueJoined, QueueLeft, QueueSettings, TalkEnded
from sipcc.acd.events import QueueResumed

MOVED = [replace(agent, queues=("orders",)) for agent in AGENTS]
RULES: dict[str, Any] = {"strategy": "linear", "wrap_up": 30.0}


def reload(life: Life, *, was: str = "q", more: tuple[str, ...] = ()) -> None:
    queues = [QueueSettings(name="orders", was=was, **RULES)]
    queues += [QueueSettings(name=name, **RULES) for name in more]
    life.acd.prepare([replace(agent, queues=("orders", *more)) for agent in AGENTS], queues)()


async def paused(folder: Path) -> Life:
    life = await Life(folder).start()
    life.acd.pause("alice")
    life.acd.pause("bob")
    return life


@pytest.mark.parametrize("when", ["reload", "reload, and the old name for another", "start"])
async def test_callers_keep_entry_and_wait_in_a_queue_that_was_renamed(tmp_path: Path, when: str) -> None:
    """By a reload before the kill, or by the configuration that the next process finds."""
    one = await paused(tmp_path)
    callers = [FakeCaller(name) for name in ("c1", "c2")]
    for caller in callers:
        one.enter(caller)
        await settle(10.0)
    joined = {event.call: event for event in one.it.of(QueueJoined)}
    if when != "start":
        reload(one)
    if when.endswith("another"):
        reload(one, was="", more=("q",))
    await settle()
    await one.kill()
    another = when.endswith("another")
    two = Life(
        tmp_path, agents=MOVED, others=["q"] if another else [], name="orders", was="" if another else "q"
    )
    await two.start("c1", "c2")
    two.keeping.taken_up(["c1", "c2"])
    assert [two.keeping.queue_of(call) for call in ("c1", "c2")] == ["orders", "orders"]
    stays = [two.enter(caller, "orders") for caller in callers]
    await settle(1.0)
    assert two.it.of(QueueJoined) == two.it.of(QueueLeft) == []
    assert [(event.entry, event.queue) for event in two.it.of(QueueResumed)] == [
        (joined[call].entry, "q") for call in ("c1", "c2")
    ]
    assert {entry.queue for entry in two.acd.floor.entries.values()} == {"orders"}
    two.acd.ready("alice")
    await settle()
    await settle(4.0)
    [left] = two.it.of(QueueLeft)
    assert (left.entry, left.queue, left.exit) == (joined["c1"].entry, "q", "answered")
    assert left.waited == pytest.approx(left.at - joined["c1"].at, abs=0.01)
    assert two.acd.invariants() == []
    for caller in callers:
        caller.hang_up()
    for stay in stays:
        await stay
    await two.kill()


async def test_a_queue_may_be_renamed_while_its_callers_come_back(tmp_path: Path) -> None:
    one = await paused(tmp_path)
    for call in ("c1", "c2"):
        one.enter(FakeCaller(call))
    await settle(10.0)
    [first, second] = one.it.of(QueueJoined)
    await one.kill()
    two = await Life(tmp_path).start("c1", "c2")
    two.keeping.taken_up(["c1", "c2"])
    reload(two)
    stay = two.enter(FakeCaller("c1"), "orders")
    await settle()
    assert two.it.of(QueueJoined) == two.it.of(QueueLeft) == []
    assert list(two.acd.floor.entries) == [first.entry]
    two.keeping.call_over("c2")
    [left] = two.it.of(QueueLeft)
    assert (left.entry, left.queue, left.exit) == (second.entry, "q", "failed")
    stay.cancel()
    await settle(3.0)
    await two.kill()


async def test_a_talk_of_a_queue_that_was_renamed_goes_on_under_its_name(tmp_path: Path) -> None:
    one = await Life(tmp_path).start()
    one.enter(FakeCaller("c1"))
    await settle(10.0)
    [joined] = one.it.of(QueueJoined)
    reload(one)
    await settle()
    await one.kill()
    two = await Life(tmp_path, agents=MOVED, name="orders").start("c1")
    two.keeping.taken_up(["c1"])
    assert two.agent("alice").state == "talking"
    leg = FakeLeg("alice")

    async def talk() -> FakeTalk:
        return FakeTalk(await leg.over, 0.0)

    stay = asyncio.ensure_future(two.acd.go_on(FakeCaller("c1"), two.keeping.talk_of("c1"), talk()))
    await settle(5.0)
    leg.end("callee")
    await stay
    [ended] = two.it.of(TalkEnded)
    assert (ended.entry, ended.queue, ended.agent) == (joined.entry, "q", "alice")
    assert two.agent("alice").state == "wrap_up"
    await two.kill()
