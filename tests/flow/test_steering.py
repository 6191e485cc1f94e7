"""Callers who wait in the running ACD, and are moved, prioritised and assigned."""

from __future__ import annotations

import asyncio

import pytest
from tests.flow.acd_fakes import Centre, FakeCaller, now

from sipcc.acd import Acd, AgentSettings, QueueJoined, QueueLeft, QueueSettings
from sipcc.errors import LocalProtocolError


async def two_queues(**help_: object) -> Centre:
    settings = [
        AgentSettings(name="alice", uri="carrier/13800138000", queues=("sales",)),
        AgentSettings(name="bob", uri="carrier/13800138001", queues=("help",)),
    ]
    queues = [
        QueueSettings(name="sales", strategy="linear", wrap_up=0.0, music="sales", priority=1),
        QueueSettings(name="help", strategy="linear", wrap_up=0.0, music="help", **help_),  # type: ignore[arg-type]
    ]
    it = Centre(settings, queues)
    await it.acd.start()
    for agent in ("alice", "bob"):
        it.acd.pause(agent)
    return it


def entry_of(acd: Acd, queue: str, call: str) -> str:
    return next(each.entry for each in acd.queue(queue).waiting if each.call == call)


@pytest.mark.parametrize("keep", [True, False])
async def test_a_moved_caller_is_served_in_the_other_queue(keep: bool) -> None:
    it = await two_queues(keys={"1": "menu:main"})
    early, other = FakeCaller("early"), FakeCaller("other")
    first = asyncio.ensure_future(it.acd.queue("sales").enter(early, priority=3))
    await asyncio.sleep(20.0)
    second = asyncio.ensure_future(it.acd.queue("help").enter(other, priority=3))
    await asyncio.sleep(10.0)
    old = entry_of(it.acd, "sales", "early")
    new = it.acd.move(old, "help", keep_place=keep, by="lisa")
    await asyncio.sleep(1.0)
    assert it.acd.queue("sales").waiting == ()
    assert [each.call for each in it.acd.queue("help").waiting] == (
        ["early", "other"] if keep else ["other", "early"]
    )
    assert entry_of(it.acd, "help", "early") == new
    assert early.playing == "~help"
    assert it.acd.invariants() == []
    it.acd.ready("bob")
    await asyncio.sleep(4.0)
    talking = early if keep else other
    assert it.dialer.rings[-1][2] == talking.id
    for caller in (early, other):
        caller.hang_up()
    result, _ = await first, await second
    left = {event.entry: event for event in it.of(QueueLeft)}
    assert (left[old].exit, left[old].to, left[old].waited) == ("withdrawn", "queue:help", 30.0)
    assert result.exit == left[new].exit
    joined = {event.entry: event for event in it.of(QueueJoined)}
    assert (joined[new].priority, joined[new].requeued, joined[new].at) == (3, False, joined[old].at + 30.0)
    assert left[new].waited == pytest.approx(left[new].at - joined[new].at)
    assert len(left) == len(it.of(QueueLeft)) == len(joined) == 3
    await asyncio.sleep(1.0)
    assert it.idle()


async def test_a_moved_caller_hears_the_keys_of_its_new_queue() -> None:
    it = await two_queues(keys={"1": "menu:main"})
    caller = FakeCaller()
    stay = asyncio.ensure_future(it.acd.queue("sales").enter(caller))
    await asyncio.sleep(1.0)
    it.acd.move(entry_of(it.acd, "sales", caller.id), "help")
    await asyncio.sleep(1.0)
    caller.press("1")
    result = await stay
    assert (result.exit, result.to) == ("key_exit", "menu:main")
    await asyncio.sleep(1.0)
    assert it.idle()


async def test_a_caller_that_leaves_in_the_instant_of_its_move_leaves_by_both_queues() -> None:
    it = await two_queues()
    caller = FakeCaller()
    stay = asyncio.ensure_future(it.acd.queue("sales").enter(caller))
    await asyncio.sleep(1.0)
    it.acd.move(entry_of(it.acd, "sales", caller.id), "help")
    caller.hang_up()
    assert (await stay).exit == "short_abandoned"
    assert [(event.queue, event.exit) for event in it.of(QueueLeft)] == [
        ("sales", "withdrawn"),
        ("help", "short_abandoned"),
    ]
    await asyncio.sleep(1.0)
    assert it.idle()


async def test_a_move_that_is_cancelled_leaves_nothing_behind() -> None:
    it = await two_queues()
    caller = FakeCaller()
    stay = asyncio.ensure_future(it.acd.queue("sales").enter(caller))
    await asyncio.sleep(1.0)
    it.acd.move(entry_of(it.acd, "sales", caller.id), "help")
    stay.cancel()
    await asyncio.wait({stay})
    await asyncio.sleep(1.0)
    assert len(it.of(QueueLeft)) == len(it.of(QueueJoined))
    assert it.idle()


async def test_priority_and_assignment_count_at_the_next_offer() -> None:
    it = await two_queues()
    callers = [FakeCaller(name) for name in ("c1", "c2", "c3")]
    stays = [asyncio.ensure_future(it.acd.queue("sales").enter(caller)) for caller in callers]
    await asyncio.sleep(1.0)
    assert it.acd.prioritise(entry_of(it.acd, "sales", "c3"), 4) == 1
    it.acd.assign(entry_of(it.acd, "sales", "c3"), "alice", by="lisa")
    it.acd.ready("alice")
    await asyncio.sleep(1.0)
    assert it.dialer.rings == [(now() - 1.0, "alice", "c3")]
    with pytest.raises(LocalProtocolError, match="does not serve"):
        it.acd.assign(entry_of(it.acd, "sales", "c1"), "bob")
    for caller in callers:
        caller.hang_up()
    await asyncio.gather(*stays)
