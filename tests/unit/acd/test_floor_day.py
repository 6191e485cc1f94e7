"""Thousands of callers on the virtual clock: nobody is overtaken, lost, or offered to an agent twice."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from tests.unit.acd.floor_desk import overtaken

from sipcc.acd.events import OfferEnded, OfferMade, QueueJoined, QueueLeft, TalkEnded
from sipcc.acd.invariants import violations
from sipcc.acd.settings import AgentSettings, QueueSettings
from sipcc.acd.simulator import Arrival, Phone, Shift, Simulation
from sipcc.events import Event

SECONDS = 30_000.0


def chaos(draw: Random, calls: int) -> list[Arrival]:
    """Callers of three queues who come in bursts, some with a priority, and give up when they like."""
    times = sorted(round(draw.uniform(0.0, SECONDS)) * 1.0 for _ in range(calls))
    return [
        Arrival(
            at=at,
            queue=draw.choice(["sales", "help", "gold"]),
            handle=draw.choice([0.0, draw.expovariate(1 / 60.0)]),
            patience=draw.choice([0.0, 3.0, draw.expovariate(1 / 90.0), draw.expovariate(1 / 90.0)]),
            priority=draw.choice([0, 0, 0, 2]),
        )
        for at in times
    ]


def shifts(draw: Random) -> list[Shift]:
    """Four of the agents come and go all day."""
    made = []
    for agent in ("a0", "a3", "a4", "a8"):
        begin = 0.0
        while begin < SECONDS:
            end = begin + draw.expovariate(1 / 600.0)
            made.append(Shift(agent=agent, begin=begin, end=end))
            begin = end + draw.expovariate(1 / 300.0)
    return made


class Watch:
    """Counts what is told, and looks at the floor after each decision."""

    def __init__(self) -> None:
        self.told: Counter[type[Event]] = Counter()
        self.exits: Counter[str] = Counter()
        self.live: Counter[str] = Counter()
        self.simulation: Simulation | None = None

    def __call__(self, event: Event) -> None:
        assert self.simulation is not None
        self.told[type(event)] += 1
        if isinstance(event, OfferMade):
            self.live[event.agent] += 1
            assert self.live[event.agent] == 1, "two live offers"
            assert overtaken(self.simulation.floor, [event]) == []
        elif isinstance(event, OfferEnded):
            self.live[event.agent] -= 1
        elif isinstance(event, QueueLeft):
            self.exits[event.entry] += 1
            if self.exits.total() % 20 == 0:
                assert violations(self.simulation.floor, now=self.simulation.now) == []


def watched(
    agents: list[AgentSettings], queues: list[QueueSettings], draw: Random
) -> tuple[Simulation, Watch]:
    watch = Watch()
    phone = Phone(delay=4.0, declines=0.08, misses=0.04) if len(agents) > 1 else Phone(delay=1.0)
    roster = shifts(draw) if len(agents) > 1 else []
    watch.simulation = Simulation(agents, queues, draw=draw, phone=phone, shifts=roster, sink=watch)
    return watch.simulation, watch


def test_ten_thousand_callers_and_not_one_is_overtaken() -> None:
    draw = Random(20)
    queues = [
        QueueSettings(name="sales", wrap_up=5.0, max_wait=120.0),
        QueueSettings(name="help", strategy="round-robin", max_length=3, no_agent="leave", wrap_up=0.0),
        QueueSettings(name="gold", strategy="random", priority=1, reject_backoff=0.0, max_wait=60.0),
    ]
    agents = [
        AgentSettings(
            name=f"a{i}", user=f"a{i}", queues=(queues[i % 3].name, *(["gold"] if i % 3 < 2 else ["sales"]))
        )
        for i in range(9)
    ]
    simulation, watch = watched(agents, queues, draw)
    summaries = simulation.run(chaos(draw, 10_000))
    assert watch.told[QueueJoined] == watch.told[QueueLeft] == 10_000
    assert set(watch.exits.values()) == {1}
    assert watch.told[OfferMade] == watch.told[OfferEnded]
    assert watch.told[TalkEnded] == sum(one.answered for one in summaries)
    assert all(one.answered > 500 and one.abandoned > 500 for one in summaries)
    assert sum(one.others for one in summaries) > 100
    assert not simulation.floor.entries
    assert not simulation.floor.offers
    assert violations(simulation.floor, now=simulation.now) == []


@pytest.mark.parametrize("strategy", ["longest-idle", "ring-all"])
def test_two_hundred_callers_of_one_moment_and_one_agent(strategy: str) -> None:
    """Fifty times, one after the other: the agent has one offer at a time, and takes them in their order."""
    queue = QueueSettings(name="q", strategy=strategy, wrap_up=0.0, max_wait=0.0)
    simulation, watch = watched([AgentSettings(name="a", user="a", queues=("q",))], [queue], Random(3))
    arrivals = [
        Arrival(at=10_000.0 * burst, queue="q", handle=0.5) for burst in range(50) for _ in range(200)
    ]
    [found] = simulation.run(arrivals)
    assert found.answered == watch.told[OfferMade] == 10_000
    assert set(watch.exits.values()) == {1}
