"""Whom callers get as they wait, on the virtual clock: skills that are relaxed, and the last agent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.flow.acd_fakes import Centre, FakeCaller

from sipcc.acd import AgentSettings, OfferMade, QueueResult, QueueSettings
from sipcc.acd.settings import RelaxStep
from sipcc.errors import LocalProtocolError

SKILLS = {"expert": {"billing": 3}, "junior": {"billing": 1}, "novice": {}}


async def started(**settings: Any) -> Centre:
    agents = [
        AgentSettings(name=name, uri=f"sip:{name}@192.0.2.1", queues=("q",), skills=levels, wrap_up=0.0)
        for name, levels in SKILLS.items()
    ]
    it = Centre(agents, [QueueSettings(name="q", **settings)])
    await it.acd.start()
    return it


def enter(it: Centre, caller: FakeCaller, **more: Any) -> asyncio.Task[QueueResult]:
    return asyncio.get_running_loop().create_task(it.acd.queue("q").enter(caller, **more))


async def talk(it: Centre, name: str, seconds: float = 5.0) -> str:
    """One whole call; who had it."""
    caller = FakeCaller(name)
    stay = enter(it, caller)
    await asyncio.sleep(seconds)
    caller.hang_up()
    return (await stay).agent or ""


RELAXED = {
    "skills": "billing >= 2",
    "relax": (RelaxStep(after=15, skills="billing >= 1"), RelaxStep(after=30, skills="")),
}


@pytest.mark.parametrize(
    ("ready", "agent", "at"),
    [
        ({"expert", "junior", "novice"}, "expert", 0.0),
        ({"junior", "novice"}, "junior", 15.0),
        ({"novice"}, "novice", 30.0),
    ],
)
async def test_the_agent_at_each_step(ready: set[str], agent: str, at: float) -> None:
    it = await started(**RELAXED)
    for name in SKILLS.keys() - ready:
        it.acd.pause(name, "lunch")
    began = asyncio.get_running_loop().time()
    enter(it, FakeCaller())
    await asyncio.sleep(40.0)
    assert [(round(time - began, 3), name) for time, name, _ in it.dialer.rings] == [(at, agent)]


async def test_the_trace_names_the_first_predicate_that_fails() -> None:
    it = await started(**RELAXED)
    it.acd.pause("expert", "lunch")
    enter(it, FakeCaller())
    await asyncio.sleep(20.0)
    offer = next(event.offer for event in it.events if isinstance(event, OfferMade))
    assert [(verdict.agent, verdict.reason) for verdict in it.acd.trace(offer)] == [
        ("expert", "is not_ready (lunch)"),
        ("junior", ""),
        ("novice", "skills: billing >= 1 fails: billing is 0"),
    ]


async def test_a_caller_may_want_its_own_skills() -> None:
    it = await started(**RELAXED)
    enter(it, FakeCaller(), skills="billing == 1", relax=(RelaxStep(after=5, skills=""),))
    await asyncio.sleep(1.0)
    assert [name for _, name, _ in it.dialer.rings] == ["junior"]
    with pytest.raises(LocalProtocolError, match="column 9"):
        await it.acd.queue("q").enter(FakeCaller(), skills="billing &")


async def test_the_second_call_gets_the_same_agent() -> None:
    it = await started(sticky=20.0)
    first = await talk(it, "c1")
    assert [await talk(it, f"c{number}") for number in (2, 3, 4)] == [first] * 3


async def test_a_busy_last_agent_is_waited_for_and_no_longer() -> None:
    it = await started(sticky=20.0)
    agent = await talk(it, "c1")
    it.acd.agent_external(agent, "dialog", began=True)
    it.dialer.rings.clear()
    began = asyncio.get_running_loop().time()
    enter(it, FakeCaller("c2"))
    await asyncio.sleep(30.0)
    ((at, other, _),) = it.dialer.rings
    assert (round(at - began, 3), other != agent) == (20.0, True)


async def test_a_last_agent_who_becomes_free_in_time() -> None:
    it = await started(sticky=20.0)
    agent = await talk(it, "c1")
    it.acd.agent_external(agent, "dialog", began=True)
    it.dialer.rings.clear()
    enter(it, FakeCaller("c2"))
    await asyncio.sleep(10.0)
    assert it.dialer.rings == []
    it.acd.agent_external(agent, "dialog", began=False)
    await asyncio.sleep(0.1)
    assert [name for _, name, _ in it.dialer.rings] == [agent]


async def test_a_last_agent_who_is_offline_is_not_waited_for() -> None:
    it = await started(sticky=20.0)
    agent = await talk(it, "c1")
    it.acd.logout(agent)
    it.dialer.rings.clear()
    enter(it, FakeCaller("c2"))
    await asyncio.sleep(0.1)
    ((_, other, _),) = it.dialer.rings
    assert other != agent


async def test_a_last_agent_who_leaves_during_the_wait() -> None:
    it = await started(sticky=20.0)
    agent = await talk(it, "c1")
    it.acd.pause(agent, "lunch")
    it.dialer.rings.clear()
    enter(it, FakeCaller("c2"))
    await asyncio.sleep(5.0)
    assert it.dialer.rings == []
    it.acd.logout(agent)
    await asyncio.sleep(0.1)
    assert len(it.dialer.rings) == 1
