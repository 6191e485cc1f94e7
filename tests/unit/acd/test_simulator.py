"""The simulator: it agrees with Erlang, it is the same every time, and nobody is lost in it."""

from __future__ import annotations

import heapq
from collections import Counter
from math import inf
from random import Random
from typing import Any

import pytest

from sipcc.acd.erlang import Load, performance
from sipcc.acd.events import AgentStateChanged, OfferEnded, OfferMade, QueueJoined, QueueLeft, TalkEnded
from sipcc.acd.invariants import violations
from sipcc.acd.settings import AgentSettings, QueueSettings
from sipcc.acd.simulator import Arrival, Phone, Shift, Simulation, Summary, poisson
from sipcc.errors import LocalProtocolError
from sipcc.events import Event


def team(size: int, *queues: str) -> list[AgentSettings]:
    return [AgentSettings(name=f"a{i}", user=f"a{i}", queues=queues or ("q",)) for i in range(size)]


def queue(**more: Any) -> QueueSettings:
    given: dict[str, Any] = {"name": "q", "wrap_up": 0.0, "max_wait": 0.0, "short_abandon": 0.0} | more
    return QueueSettings(**given)


def theory(load: Load, agents: int, *, calls: int, seed: int) -> tuple[Summary, Any]:
    draw = Random(seed)
    simulation = Simulation(team(agents), [queue()], draw=draw)
    [found] = simulation.run(
        poisson("q", calls=calls, rate=load.rate, handle=load.handle, patience=load.patience, draw=draw)
    )
    return found, performance(load, agents, within=20.0)


def test_patient_callers_wait_as_erlang_c_says() -> None:
    """Tolerances, some three standard errors: 2 points of service level, 20 % of the ASA."""
    found, said = theory(Load(rate=0.05, handle=150.0), 10, calls=15_000, seed=1)
    assert (found.offered, found.answered, found.abandoned) == (15_000, 15_000, 0)
    assert found.service_level == pytest.approx(said.service_level, abs=0.02)
    assert found.asa == pytest.approx(said.asa, rel=0.2)


def test_impatient_callers_give_up_as_erlang_a_says() -> None:
    """Tolerances, some three standard errors: 2 points, 1 point, and a tenth of the ASA."""
    found, said = theory(Load(rate=0.08, handle=150.0, patience=120.0), 13, calls=15_000, seed=2)
    assert found.service_level == pytest.approx(said.service_level, abs=0.02)
    assert found.abandoned / found.offered == pytest.approx(said.abandoned, abs=0.01)
    assert found.asa == pytest.approx(said.asa, rel=0.1)


@pytest.mark.parametrize("patience", [inf, 120.0])
def test_every_caller_waits_as_long_as_in_the_textbook_line(patience: float) -> None:
    """First come, first served by the first agent to be free, worked out without any floor."""
    arrivals = list(poisson("q", calls=3000, rate=0.08, handle=150.0, patience=patience, draw=Random(5)))
    events: list[Event] = []
    Simulation(team(13), [queue()], draw=Random(1), sink=events.append).run(arrivals)
    waits: dict[str, tuple[str, Any]] = {
        e.entry: (e.exit, e.waited) for e in events if isinstance(e, QueueLeft)
    }
    free = [0.0] * 13
    for number, arrival in enumerate(arrivals, start=1):
        left = waits[f"entry-{number}"]
        begin = max(arrival.at, free[0])
        if begin - arrival.at < arrival.patience:
            heapq.heapreplace(free, begin + arrival.handle)
            assert left == ("answered", pytest.approx(begin - arrival.at, abs=1e-6))
        else:
            assert left == ("abandoned", pytest.approx(arrival.patience))


def events_of(seed: int) -> tuple[list[Event], Simulation, list[Summary]]:
    draw = Random(seed)
    events: list[Event] = []
    simulation = Simulation(
        team(6, "q", "help"),
        [
            queue(wrap_up=10.0, max_wait=90.0, short_abandon=5.0),
            queue(name="help", strategy="ring-all", max_length=3, reject_backoff=2.0),
        ],
        draw=draw,
        phone=Phone(delay=4.0, declines=0.1, misses=0.05),
        shifts=[Shift(agent="a5", begin=600.0, end=1800.0), Shift(agent="a5", begin=2000.0, end=2100.0)],
        sink=events.append,
    )
    both = [
        arrival
        for name in ("q", "help")
        for arrival in poisson(name, calls=400, rate=0.03, handle=60.0, patience=60.0, draw=draw)
    ]
    return events, simulation, simulation.run(sorted(both, key=lambda arrival: arrival.at))


def test_the_same_seed_gives_the_same_events() -> None:
    first, _, summary = events_of(7)
    again, _, _ = events_of(7)
    other, _, _ = events_of(8)
    assert first == again
    assert first != other
    assert [one.offered for one in summary] == [400, 400]


def test_everybody_leaves_once_and_nothing_is_left() -> None:
    events, simulation, summaries = events_of(7)
    told = Counter(type(event) for event in events)
    exits = Counter(event.entry for event in events if isinstance(event, QueueLeft))
    assert set(exits.values()) == {1}
    assert told[QueueJoined] == told[QueueLeft] == 800
    assert told[OfferMade] == told[OfferEnded]
    assert told[TalkEnded] == sum(one.answered for one in summaries)
    assert {event.outcome for event in events if isinstance(event, OfferEnded)} == {
        "answered", "declined", "no_answer", "cancelled",
    }  # fmt: skip
    assert all(one.answered and one.abandoned for one in summaries)
    assert sum(one.others for one in summaries) > 0
    assert all(one.offered == one.answered + one.abandoned + one.others for one in summaries)
    assert simulation.floor.entries == {}
    assert violations(simulation.floor, now=simulation.now) == []
    times = [event.at for event in events]
    assert times == sorted(times)


def test_a_shift_is_the_time_in_which_an_agent_is_there() -> None:
    events: list[Event] = []
    simulation = Simulation(
        team(1),
        [queue()],
        draw=Random(1),
        shifts=[Shift(agent="a0", begin=100.0, end=200.0)],
        sink=events.append,
    )
    calls = [Arrival(at=at, queue="q", handle=60.0, patience=150.0) for at in (0.0, 150.0, 190.0)]
    [found] = simulation.run(calls)
    assert (found.answered, found.abandoned) == (2, 1)
    left = [(event.exit, event.waited) for event in events if isinstance(event, QueueLeft)]
    assert left == [("answered", 100.0), ("answered", 10.0), ("abandoned", 150.0)]
    states = [event.after for event in events if isinstance(event, AgentStateChanged)]
    assert (states[0], states[-1]) == ("ready", "offline")
    assert events[-2].at == 220.0, "the call of the last moment is finished"


def test_a_queue_without_callers() -> None:
    [found] = Simulation(team(1), [queue()], draw=Random(1)).run([])
    assert (found.offered, found.asa, found.service_level) == (0, 0.0, 1.0)


def test_what_cannot_be() -> None:
    late = [Arrival(at=at, queue="q", handle=1.0) for at in (5.0, 4.0)]
    with pytest.raises(LocalProtocolError, match="comes after"):
        Simulation(team(1), [queue()], draw=Random(1)).run(late)
    with pytest.raises(LocalProtocolError, match="no agent 'x'"):
        Simulation(team(1), [queue()], draw=Random(1), shifts=[Shift(agent="x", begin=0.0, end=1.0)])
