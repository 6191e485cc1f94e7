"""Whom the live centre rings: the order and the ties of every strategy, 8 agents and 400 calls each.

What must come is worked out from what the dialer and the talks do, seen from outside, by the words of the
documentation; the router is not asked.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from tests.flow.acd_fakes import Centre, FakeCaller, FakeTalk, now

from sipcc.acd import AgentSettings, AgentStateChanged, OfferEnded, OfferMade, QueueSettings
from sipcc.errors import LocalProtocolError

CALLS = 400
NAMES = [f"a{i}" for i in range(8)]
WEIGHTS = [1.0, 2.0, 3.0, 4.0, 0.5, 0.5, 1.0, 8.0]
CHI_SQUARE_7_P01 = 18.475
"""The 99 % point of the chi-square distribution with 7 degrees of freedom."""


class Books:
    """What each agent has done, kept from the changes of state that are told."""

    def __init__(self, *, began: float) -> None:
        self.began = began
        self.free = set(NAMES)
        self.last = -1
        """The place of the agent rung last."""
        self.idle = dict.fromkeys(NAMES, began)
        self.calls = dict.fromkeys(NAMES, 0)
        self.talked = dict.fromkeys(NAMES, 0.0)
        self.wrapped = dict.fromkeys(NAMES, 0.0)
        self.away = dict.fromkeys(NAMES, 0.0)
        self._since = dict.fromkeys(NAMES, began)
        self._worked: set[str] = set()

    def enter(self, event: AgentStateChanged) -> None:
        """Note a change of state."""
        name, spent = event.agent, event.at - self._since[event.agent]
        self._since[name] = event.at
        if event.before == "talking":
            self.talked[name] += spent
            self.calls[name] += 1
            self._worked.add(name)
        elif event.before == "wrap_up":
            self.wrapped[name] += spent
        elif event.before == "not_ready":
            self.away[name] += spent
        if event.after == "ready":
            self.free.add(name)
            if name in self._worked:
                self.idle[name] = event.at
                self._worked.remove(name)
        else:
            self.free.discard(name)

    def occupancy(self, name: str, at: float) -> float:
        """The part of the time at work that was talk and wrap-up."""
        at_work = at - self.began - self.away[name]
        return (self.talked[name] + self.wrapped[name]) / at_work if at_work else 0.0


Measure = Callable[[Books, str, int, float], tuple[float, ...]]
LEAST: dict[str, Measure] = {
    "linear": lambda books, name, place, at: (place,),
    "ring-all": lambda books, name, place, at: (place,),
    "ring-progressive": lambda books, name, place, at: (place,),
    "round-robin": lambda books, name, place, at: (place <= books.last, place),
    "longest-idle": lambda books, name, place, at: (books.idle[name], place),
    "fewest-calls": lambda books, name, place, at: (books.calls[name], books.idle[name], place),
    "least-talk": lambda books, name, place, at: (books.talked[name], books.idle[name], place),
    "least-occupied": lambda books, name, place, at: (books.occupancy(name, at), books.idle[name], place),
}
"""The least of the free agents by this is rung; equal measures are the documented ties."""


class Talker(FakeCaller):
    """Hangs up after so many seconds of talk."""

    def __init__(self, name: str, length: float) -> None:
        super().__init__(name)
        self._length = length

    async def bridge(self, leg: Any) -> FakeTalk:
        asyncio.get_running_loop().call_later(self._length, self.hang_up)
        return await super().bridge(leg)


async def day(strategy: str, *, gap: float, answer: float = 1.0, seed: int = 7) -> Centre:
    """400 calls with a mean of `gap` seconds between them; one agent has a break."""
    agents = [
        AgentSettings(name=name, uri="carrier/13800138000", queues=("q",), weight=weight)
        for name, weight in zip(NAMES, WEIGHTS, strict=True)
    ]
    queue = QueueSettings(name="q", strategy=strategy, wrap_up=2.0, max_wait=0.0, ring_step=5.0)
    it, draw = Centre(agents, [queue], seed=seed), Random(seed)
    it.dialer.default = ("answered", answer)
    await it.acd.start()

    async def call(number: int, length: float) -> None:
        assert (await it.acd.queue("q").enter(Talker(f"c{number}", length))).exit == "answered"

    calls = []
    for number in range(CALLS):
        calls.append(asyncio.ensure_future(call(number, float(draw.randint(5, 60)))))
        await asyncio.sleep(gap if gap > 90.0 else draw.choice([0.0, draw.expovariate(1.0 / gap)]))
        if number in (100, 120):
            it.acd.force("a3", "not_ready" if number == 100 else "ready", "lunch")
    await asyncio.gather(*calls)
    return it


@pytest.mark.parametrize("strategy", sorted(LEAST))
async def test_who_is_rung_is_who_the_documentation_says(strategy: str) -> None:
    began = now()
    it = await day(strategy, gap=20.0, answer=12.0 if strategy == "ring-progressive" else 1.0)
    books, rung, chosen, offered = Books(began=began), list[str](), 0, Counter[str]()
    for event in it.events:
        if isinstance(event, OfferMade):
            offered[event.call] += 1
        if not isinstance(event, AgentStateChanged):
            continue
        if event.after == "reserved":
            measure = {name: LEAST[strategy](books, name, NAMES.index(name), event.at) for name in books.free}
            assert event.agent == min(measure, key=lambda name: measure[name]), event
            chosen += len(books.free) > 1
            rung.append(event.agent)
            books.last = NAMES.index(event.agent)
        books.enter(event)
    assert [agent for _, agent, _ in it.dialer.rings] == rung
    assert offered.keys() == {f"c{number}" for number in range(CALLS)}
    assert chosen > 200, "there was little to choose from"
    if strategy == "ring-all":
        assert offered.total() > 2 * CALLS
    elif strategy == "ring-progressive":
        steps = Counter(times for times in offered.values())
        assert steps[3] > 50, "rung at 0, 5 and 10 s, answered at 12"
    else:
        assert set(offered.values()) == {1}


async def test_ring_all_leaves_nobody_out() -> None:
    began = now()
    it = await day("ring-all", gap=20.0)
    books, answered = Books(began=began), 0
    for event in it.events:
        if isinstance(event, AgentStateChanged):
            books.enter(event)
        elif isinstance(event, OfferEnded) and event.outcome == "answered":
            assert not books.free, "the phone of somebody who was free did not ring"
            answered += 1
    assert answered == CALLS


@pytest.mark.parametrize(("strategy", "shares"), [("random", [1.0] * 8), ("weighted", WEIGHTS)])
async def test_chance_is_fair(strategy: str, shares: list[float]) -> None:
    it = await day(strategy, gap=100.0)  # everybody is free for each call, but for the lunch of one
    lunch = {f"c{number}" for number in range(100, 122)}
    rung = [agent for _, agent, call in it.dialer.rings if call not in lunch]
    found = Counter(rung)
    expected = {name: len(rung) * share / sum(shares) for name, share in zip(NAMES, shares, strict=True)}
    assert len(rung) > 370
    assert sum((found[name] - mean) ** 2 / mean for name, mean in expected.items()) < CHI_SQUARE_7_P01
    assert rung != sorted(rung)


@pytest.mark.parametrize("strategy", ["longest-idle", "round-robin", "random", "fewest-calls"])
async def test_each_trace_tells_what_everybody_did_at_that_moment(strategy: str) -> None:
    it = await day(strategy, gap=14.0)
    states, offered, reasons = dict.fromkeys(NAMES, "ready"), dict[str, str](), Counter[str]()
    just_reserved = ""
    for event in it.events:
        if isinstance(event, AgentStateChanged):
            states[event.agent] = event.after
            just_reserved = event.agent if event.after == "reserved" else ""
        elif isinstance(event, OfferMade):
            assert event.agent == just_reserved
            offered[event.agent] = event.entry
            for verdict in it.acd.trace(event.offer):
                name, reason = verdict.agent, verdict.reason
                assert verdict.chosen == (name == event.agent)
                if reason.startswith("is "):
                    assert reason.split()[1] == states[name]
                elif reason.startswith("was picked for "):
                    assert states[name] == "reserved"
                    assert reason == f"was picked for {offered[name]}, which goes first"
                elif not verdict.chosen:
                    assert states[name] == "ready"
                    assert reason == f"was not the choice of {strategy}"
                reasons[" ".join(reason.split()[:2])] += 1
    assert reasons[""] > 200, "the traces of the last 256 offers are kept"
    assert reasons["is talking"] > 200
    assert reasons["was not"] > 200


async def test_a_state_that_cannot_be_forced_is_refused() -> None:
    it = Centre(
        [AgentSettings(name="a", uri="carrier/13800138000", queues=("q",))], [QueueSettings(name="q")]
    )
    await it.acd.start()
    with pytest.raises(LocalProtocolError, match="only into not_ready, offline, ready"):
        it.acd.force("a", "asleep")  # type: ignore[arg-type]
