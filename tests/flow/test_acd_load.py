"""Thousands of random calls on the virtual clock: every caller leaves once, and nothing is left stuck."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest
from tests.flow.acd_fakes import Behaviour, Centre, FakeCaller, centre

from sipcc.acd import (
    AgentSettings,
    OfferEnded,
    OfferMade,
    QueueJoined,
    QueueLeft,
    QueueResult,
    QueueSettings,
    TalkEnded,
)
from sipcc.errors import LocalProtocolError

CALLS = 2000
SECONDS_OF_ARRIVALS = 3600.0

QUEUES = [
    QueueSettings(name="sales", strategy="longest-idle", announce_position=True, max_wait=120.0),
    QueueSettings(name="help", strategy="ring-all", wrap_up=5.0, max_wait=90.0, priority=1),
    QueueSettings(name="help2", strategy="round-robin", max_length=3, no_agent="leave"),
    QueueSettings(name="night", no_agent="leave"),
    QueueSettings(name="gold", strategy="random", priority=5, record=True, reject_backoff=0.0),
]


def staff() -> list[AgentSettings]:
    """Twelve agents in one to three queues; three have fixed contacts, one serves the night queue."""
    names = [queue.name for queue in QUEUES if queue.name != "night"]
    return [
        AgentSettings(
            name=f"a{i}",
            user=f"10{i:02}",
            uri="carrier/13800138000" if i >= 9 else "",
            queues=(
                *dict.fromkeys((names[i % 4], names[(i + 1) % 4], names[(i * 3) % 4])),
                *["night"][i > 0 :],
            ),
            start="not_ready" if i == 0 else "ready",
        )
        for i in range(12)
    ]


def moods(draw: random.Random) -> Behaviour:
    """What a phone does: mostly it answers, and it may do anything else, also at once."""
    outcome = draw.choices(
        ["answered", "no_answer", "declined", "busy", "unreachable", "failed"], [70, 10, 8, 6, 3, 3]
    )[0]
    return (outcome, draw.choice([0.0, 0.0, 1.0, draw.uniform(0.5, 12.0)]))  # type: ignore[return-value]


async def one_call(it: Centre, number: int, draw: random.Random) -> QueueResult | None:
    await asyncio.sleep(draw.uniform(0.0, SECONDS_OF_ARRIVALS))
    loop = asyncio.get_running_loop()
    caller = FakeCaller(f"c{number}", stubborn=draw.choice([0.0, 0.0, 3.0]))
    loop.call_later(draw.choice([draw.uniform(0.0, 10.0), draw.expovariate(1 / 90.0)]), caller.hang_up)
    queue = draw.choice(QUEUES).name
    stay = loop.create_task(it.acd.queue(queue).enter(caller, priority=draw.choice([0, 0, 0, 3])))
    if draw.random() < 0.03:
        loop.call_later(draw.uniform(0.0, 40.0), stay.cancel)
    try:
        result = await stay
    except asyncio.CancelledError:
        result = None
    assert caller.playing == "", "something still plays to a caller who has left the queue"
    return result


async def meddle(it: Centre, draw: random.Random) -> None:
    """Agents who press every button, phones that come and go, talks that agents end."""
    while True:
        await asyncio.sleep(draw.uniform(0.5, 6.0))
        name = f"a{draw.randrange(12)}"
        acts = [
            lambda n=name: it.acd.pause(n, "tea"),
            lambda n=name: it.acd.ready(n),
            lambda n=name: it.acd.ready(n),
            lambda n=name: it.acd.login(n),
            lambda n=name: it.acd.login(n),
            lambda n=name: it.acd.end_wrap_up(n),
            lambda n=name: it.acd.extend_wrap_up(n, 10.0),
            lambda n=name: it.acd.logout(n) if draw.random() < 0.2 else None,
            lambda n=name: it.acd.agent_reachable(n, draw.random() < 0.9),
            lambda n=name: it.acd.agent_external(n, "d", draw.random() < 0.3),
        ]
        try:
            draw.choice(acts)()
        except LocalProtocolError:
            continue  # a button that does nothing in this state
        finally:
            assert it.acd.invariants() == []
        if it.dialer.legs and draw.random() < 0.3:
            draw.choice(it.dialer.legs[-20:]).end("callee")


@pytest.mark.parametrize("seed", [1, 2])
async def test_two_thousand_calls_and_not_one_is_stuck(seed: int) -> None:
    draw = random.Random(seed)
    it = Centre(staff(), QUEUES, seed=seed)
    it.dialer.choose = lambda agent: moods(draw)
    await it.acd.start()
    for i in range(9):
        it.acd.agent_reachable(f"a{i}", True)
    loop = asyncio.get_running_loop()
    meddler = loop.create_task(meddle(it, draw))
    results = await asyncio.gather(*(one_call(it, number, draw) for number in range(CALLS)))
    meddler.cancel()
    await asyncio.sleep(120.0)

    assert it.idle()
    assert it.acd.invariants() == []
    assert it.acd.tasks.crashes == 0
    assert not +it.dialer.live
    assert all(leg.over.done() for leg in it.dialer.legs)
    exits = Counter(event.exit for event in it.of(QueueLeft))
    assert len(it.of(QueueJoined)) == exits.total()
    assert {event.entry for event in it.of(QueueJoined)} == {event.entry for event in it.of(QueueLeft)}
    assert len(it.of(OfferMade)) == len(it.of(OfferEnded))
    assert len(it.of(TalkEnded)) == exits["answered"]
    assert exits["answered"] > 200
    assert exits.keys() >= {"abandoned", "short_abandoned", "timed_out", "withdrawn", "no_agent", "full"}
    told = Counter(result.exit for result in results if result is not None)
    assert all(told[exit_] <= count for exit_, count in exits.items())
    tallies = sum((Counter(queue.exits) for queue in it.acd.snapshot().queues), Counter())
    assert tallies == exits
    states = {agent.state.value for agent in it.acd.snapshot().agents}
    assert states <= {"ready", "not_ready", "offline", "external"}


async def test_two_hundred_callers_and_one_agent() -> None:
    it = await centre("alice", wrap_up=0.0, max_wait=0.0)
    it.dialer.choose = lambda agent: ("answered", 0.0)
    callers = [FakeCaller(f"c{number}") for number in range(200)]
    stays = [asyncio.ensure_future(it.acd.queue("q").enter(caller)) for caller in callers]
    for served in range(200):
        for _ in range(12):
            await asyncio.sleep(0)
        talking = [caller for caller in callers if caller.leg is not None and not caller.ended]
        assert [caller.id for caller in talking] == [f"c{served}"], (
            "one agent talks with one caller, in order"
        )
        talking[0].hang_up()
    results = await asyncio.gather(*stays)
    assert [result.exit for result in results] == ["answered"] * 200
    assert it.idle()


async def test_one_agent_and_two_hundred_callers_who_all_hang_up_as_they_are_offered() -> None:
    it = await centre("alice", max_wait=0.0)
    callers = [FakeCaller(f"c{number}") for number in range(200)]
    loop = asyncio.get_running_loop()
    by_name = {caller.id: caller for caller in callers}
    it.bus.on(OfferMade, lambda event: loop.call_soon(by_name[event.call].hang_up))
    results = await asyncio.gather(*(it.acd.queue("q").enter(caller) for caller in callers))
    assert {result.exit for result in results} <= {"abandoned", "short_abandoned"}
    assert len(it.of(OfferMade)) == 200
    await asyncio.sleep(1.0)
    assert it.state("alice") == "ready"
    assert it.acd.floor.staff.get("alice").misses == 0
    assert it.idle()
