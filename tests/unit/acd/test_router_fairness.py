"""Priority, ageing and weight: who goes first, and that nobody is overtaken by an equal."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.acd.floor_desk import Desk, agents

from sipcc.acd import strategies
from sipcc.acd.floor import Floor
from sipcc.acd.model import AgentState, Entry, EntryState, OfferState, Ring, StopRinging
from sipcc.acd.queues import WaitingLine
from sipcc.acd.router import rank
from sipcc.acd.settings import AgentSettings, QueueSettings
from sipcc.acd.strategies import Linear


def order(*queues: QueueSettings, joins: list[tuple[str, str, float, int]]) -> list[str]:
    """The callers in the order in which one agent of all `queues` gets them, from the last join on."""
    team = agents("a", queues=tuple(queue.name for queue in queues))
    centre = Desk(team, *queues)
    centre.join("busy", queues[0].name)
    centre.answer("a")
    centre.talk("busy")
    for name, queue, at, priority in joins:
        centre.at(at)
        centre.join(name, queue, priority)
    taken, talking = [], "busy"
    for _ in joins:
        centre.part(talking)
        (talking,) = (offer.entry for offer in centre.floor.offers.values())
        centre.answer("a")
        centre.talk(talking)
        taken.append(talking)
    return taken


def queue(name: str = "q", **settings: Any) -> QueueSettings:
    return QueueSettings(name=name, **({"wrap_up": 0.0, "max_wait": 0.0} | settings))


@pytest.mark.parametrize(
    ("ageing", "taken"),
    [
        (0.0, ["vip", "old", "new"]),
        (60.0, ["old", "vip", "new"]),  # at 130: old has 130/60 points, vip 1 + 9/60
        (130.0, ["vip", "old", "new"]),  # old has 1, vip 1 + 9/130
    ],
)
def test_a_wait_is_worth_points_of_priority(ageing: float, taken: list[str]) -> None:
    joins = [("old", "q", 0.0, 0), ("vip", "q", 121.0, 1), ("new", "q", 130.0, 0)]
    assert order(queue(ageing=ageing), joins=joins) == taken


def test_an_aged_caller_goes_before_the_strict_priority_of_another_queue() -> None:
    joins = [("old", "x", 0.0, 0), ("vip", "y", 100.0, 1)]
    assert order(queue("x", ageing=50.0), queue("y"), joins=joins) == ["old", "vip"]
    assert order(queue("x"), queue("y"), joins=joins) == ["vip", "old"]


def test_a_weight_makes_the_waits_of_a_queue_count_faster() -> None:
    joins = [("first", "x", 0.0, 0), ("second", "y", 5.0, 0), ("third", "x", 20.0, 0)]
    assert order(queue("x"), queue("y"), joins=joins) == ["first", "second", "third"]
    assert order(queue("x"), queue("y", weight=3.0), joins=joins) == ["second", "first", "third"]


def test_a_weight_does_not_go_before_priority() -> None:
    joins = [("first", "x", 0.0, 0), ("vip", "y", 20.0, 1)]
    assert order(queue("x", weight=9.0), queue("y"), joins=joins) == ["vip", "first"]


@given(
    st.sampled_from([0.0, 1.0, 60.0]),
    st.lists(st.tuples(st.integers(0, 3), st.floats(0, 50)), max_size=30),
    st.floats(0, 1e6),
)
def test_a_line_is_sorted_at_any_time(ageing: float, joins: list[tuple[int, float]], later: float) -> None:
    line, entries, now = WaitingLine(queue(ageing=ageing), Linear(), ()), dict[str, Entry](), 0.0
    for number, (priority, gap) in enumerate(joins):
        now += gap
        entry = Entry(
            id=f"e{number}",
            number=number,
            queue="q",
            call="c",
            caller="13800138000",
            priority=priority,
            joined=now,
        )
        entries[entry.id] = entry
        line.insert(entry)
    keys = [rank(entries[name], now=now + later, ageing=ageing)[0] for name in line.ids]
    assert keys == pytest.approx(sorted(keys))
    for place, name in enumerate(line.ids, 1):
        assert line.position(entries[name]) == place
        assert all(
            entries[later_one].number > entries[name].number
            for later_one in line.ids[place:]
            if entries[later_one].priority == entries[name].priority
        )


class Centre:
    """A floor that is driven at random, and watched for callers that are overtaken."""

    def __init__(self, seed: int, ageing: float) -> None:
        self.dice, self.now, self.joined, self.count = Random(seed), 0.0, 0, 0
        names = ("x", "y", "z")
        team = [
            AgentSettings(name=f"a{i}", queues=tuple(self.dice.sample(names, self.dice.randint(1, 3))))
            for i in range(self.dice.randint(2, 8))
        ]
        self.queues = [
            queue(name, strategy=self.dice.choice(sorted(strategies.BUILT_IN)), ageing=ageing)
            for name in names
        ]
        known = {each.name: strategies.load(each.strategy) for each in self.queues}
        self.floor = Floor(team, self.queues, strategies=known, new_id=self.new_id)
        for agent in team:
            self.floor.staff.registration(agent.name, True, now=0.0)

    def new_id(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def route(self) -> None:
        before = [e for e in self.floor.entries.values() if e.state is EntryState.WAITING]
        self.floor.route(now=self.now, bits=self.dice.getrandbits(64))
        while orders := self.floor.orders():
            for order in orders:
                if isinstance(order, Ring):
                    self.floor.ringing(order.offer.id, now=self.now)
                    self.check(order, [e for e in before if self.waits(e)])
                elif isinstance(order, StopRinging):
                    self.floor.ring_ended(order.offer, "cancelled", 487, now=self.now)

    def waits(self, entry: Entry) -> bool:
        return self.floor.entries[entry.id].state is EntryState.WAITING

    def check(self, ring: Ring, waiting: list[Entry]) -> None:
        served = self.floor.entries[ring.offer.entry]
        queues = self.floor.staff.get(ring.offer.agent).settings.queues
        overtaken = [
            entry.id
            for entry in waiting
            if entry.number < served.number and entry.priority == served.priority and entry.queue in queues
        ]
        assert not overtaken, f"{ring.offer.agent} was offered {served.id} before {overtaken}"

    def step(self) -> None:
        self.now += self.dice.random()
        self.floor.expire(now=self.now)
        ringing = [o for o in self.floor.offers.values() if o.state is OfferState.RINGING]
        talks = [a.entry for a in self.floor.staff.agents.values() if a.state is AgentState.TALKING]
        what = self.dice.choice(["join", "join", "answer", "answer", "decline", "part", "part", "leave"])
        if what == "join":
            self.joined += 1
            self.floor.join(
                f"e{self.joined}",
                self.dice.choice(self.queues).name,
                call="c",
                caller="13800138000",
                priority=self.dice.randint(0, 1),
                now=self.now,
            )
        elif what == "answer" and ringing:
            offer = self.dice.choice(ringing)
            assert self.floor.answered(offer.id, now=self.now)
            self.floor.bridged(offer.entry, now=self.now)
        elif what == "decline" and ringing:
            self.floor.ring_ended(self.dice.choice(ringing).id, "declined", 603, now=self.now)
        elif what == "part" and talks:
            self.floor.talk_ended(self.dice.choice(talks) or "", now=self.now)
        elif what == "leave" and self.floor.entries:
            self.floor.hung_up(self.dice.choice(list(self.floor.entries)), now=self.now)
        self.route()


@pytest.mark.parametrize("ageing", [0.0, 20.0])
def test_ten_thousand_calls_and_nobody_is_overtaken_by_an_equal(ageing: float) -> None:
    calls = 0
    for seed in range(25):
        centre = Centre(seed, ageing)
        while centre.joined < 400:
            centre.step()
        calls += centre.joined
    assert calls == 10_000
