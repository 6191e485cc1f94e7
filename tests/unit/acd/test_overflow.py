"""Overflow on a floor: each trigger, in line and on entry, and what is left for everybody else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.acd.floor_desk import Desk, agents, desk

from sipcc.acd import QueueLeft, QueueSettings
from sipcc.acd.agents import AgentInput
from sipcc.acd.estimate import Staffing
from sipcc.acd.overflow import Outlook, Standing, destination
from sipcc.acd.settings import OverflowRule


def rule(when: Any, at: float = 0.0, to: str = "queue:help") -> OverflowRule:
    return OverflowRule(when=when, at=at, to=to)


def exits(it: Desk) -> dict[str, tuple[float, str, str]]:
    """(when, exit, destination) of each caller that has left."""
    return {event.entry: (event.at, event.exit, event.to) for event in it.of(QueueLeft)}


def test_size_sends_on_whoever_comes_to_a_long_line() -> None:
    it = desk("alice", overflow=(rule("size", 2),))
    it.join("talks")
    it.answer("alice")
    it.talk("talks")
    it.join("one")
    it.join("two")
    it.join("three")
    it.join("four", priority=9)
    assert exits(it) == {
        "talks": (0.0, "answered", ""),
        "three": (0.0, "overflowed", "queue:help"),
        "four": (0.0, "overflowed", "queue:help"),
    }
    assert it.floor.lines["q"].ids == ["one", "two"]


@pytest.mark.parametrize("rung", [False, True])
def test_wait_sends_on_who_has_waited_so_long_even_while_an_agent_rings(rung: bool) -> None:
    it = desk(*(["alice"] if rung else []), overflow=(rule("wait", 12.1),))
    it.at(0.3)
    it.join("one")
    it.at(12.0)
    assert exits(it) == {}
    it.at(20.0)
    assert exits(it) == {"one": (0.3 + 12.1, "overflowed", "queue:help")}
    assert len(it.stopped) == rung


def test_no_agent_sends_on_at_once_or_after_a_while() -> None:
    it = desk("alice", overflow=(rule("no_agent", 5.0),))
    it.command("alice", AgentInput.LOGOUT)
    it.join("one")
    it.at(4.9)
    assert exits(it) == {}
    it.at(6.0)
    assert exits(it) == {"one": (5.0, "overflowed", "queue:help")}

    it = desk("alice", overflow=(rule("no_agent"),))
    it.command("alice", AgentInput.PAUSE)
    it.join("one")
    assert exits(it) == {}, "a paused agent is present"
    it.command("alice", AgentInput.LOGOUT)
    it.join("two")
    assert exits(it) == {"one": (0.0, "overflowed", "queue:help"), "two": (0.0, "overflowed", "queue:help")}


def test_estimate_sends_on_from_the_end_of_the_line_and_only_as_many_as_needed() -> None:
    it = desk("alice", "bob", overflow=(rule("estimate", 150.0),), handle_time=100.0)
    for name in ("t1", "t2"):
        it.join(name)
    for agent, name in (("alice", "t1"), ("bob", "t2")):
        it.answer(agent)
        it.talk(name)
    for name in ("one", "two", "three", "four"):
        it.join(name)
    assert exits(it)["four"] == (0.0, "overflowed", "queue:help"), "200 s at place 4 of two agents"
    assert it.floor.lines["q"].ids == ["one", "two", "three"]
    it.command("bob", AgentInput.LOGOUT)
    it.at(85.0)
    it.part("t2")
    it.at(101.0)
    assert {name: at for name, (at, exit_, _) in exits(it).items() if exit_ == "overflowed"} == {
        "four": 0.0,
        "two": 100.0,
        "three": 100.0,
    }
    assert it.floor.lines["q"].ids == ["one"]


def test_nobody_is_sent_on_for_whom_an_agent_is_free() -> None:
    it = desk("alice", "bob", overflow=(rule("estimate", 1.0),))
    it.join("one")
    it.join("two")
    assert exits(it) == {}
    it.join("three")
    assert exits(it) == {"three": (0.0, "overflowed", "queue:help")}


def test_the_first_rule_that_applies_wins_and_goes_before_full_and_no_agent() -> None:
    rules = (rule("size", 1, "menu:sorry"), rule("no_agent", 0.0, "dial:1002"))
    it = desk(overflow=rules, max_length=1, no_agent="leave", then="hangup")
    it.join("one")
    assert exits(it) == {"one": (0.0, "overflowed", "dial:1002")}
    it = desk("alice", overflow=rules, max_length=1, no_agent="leave", then="hangup")
    it.join("one")
    it.join("two")
    assert exits(it) == {"two": (0.0, "overflowed", "menu:sorry")}
    it.floor.close(now=0.0)
    it.join("three")
    assert exits(it)["three"] == (0.0, "closed", "")


@pytest.mark.parametrize(
    ("settings", "exit_", "at"),
    [
        ({"max_wait": 30.0}, "timed_out", 30.0),
        ({"max_length": 1}, "full", 0.0),
        ({"no_agent": "leave"}, "no_agent", 0.0),
    ],
)
def test_then_is_where_callers_go_that_were_not_served(
    settings: dict[str, Any], exit_: str, at: float
) -> None:
    it = desk(*(["alice"] if exit_ == "full" else []), then="play:sorry", **settings)
    it.join("one")
    if exit_ == "full":
        it.join("two")
    it.at(31.0)
    assert exits(it)["two" if exit_ == "full" else "one"] == (at, exit_, "play:sorry")


def test_who_hangs_up_goes_nowhere() -> None:
    it = desk(then="play:sorry")
    it.join("one")
    it.at(9.0)
    it.hang_up("one")
    assert exits(it) == {"one": (9.0, "abandoned", "")}


def test_each_line_has_its_own_rules() -> None:
    it = Desk(
        agents("alice", queues=("a", "b")),
        QueueSettings(name="a", overflow=(rule("wait", 5.0),)),
        QueueSettings(name="b"),
    )
    for entry, queue in (("one", "a"), ("two", "a"), ("three", "b")):
        it.join(entry, queue)
    it.at(6.0)
    assert sorted(exits(it)) == ["one", "two"]


def test_the_handle_time_follows_the_talks() -> None:
    it = desk("alice", wrap_up=20.0, handle_time=100.0)
    assert it.floor.lines["q"].tally.handle_time.mean == 100.0
    it.join("one")
    it.answer("alice")
    it.talk("one")
    it.at(40.0)
    it.part("one")
    assert it.floor.lines["q"].tally.handle_time.mean == 80.0


def test_an_estimate_is_made_once_for_a_line_and_only_where_a_rule_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []

    def count(states: Any) -> Staffing:
        made.append(1)
        return Staffing(0, len(list(states)))

    monkeypatch.setattr(Staffing, "of", count)
    it = desk("alice", overflow=(rule("size", 99), rule("wait", 500.0)))
    for number in range(10):
        it.join(f"e{number}")
    it.at(30.0)
    assert made == []
    it = desk("alice", overflow=(rule("estimate", 9e9),))
    for number in range(10):
        it.join(f"e{number}")
    made.clear()
    it.floor.route(now=it.now, bits=0)
    it.join("e10")
    assert made == [], "no agent has changed"
    it.command("alice", AgentInput.PAUSE)
    assert made == [1]


@given(
    st.lists(st.tuples(st.sampled_from(["join", "answer", "part", "hang_up", "wait"]), st.floats(0, 30))),
    st.lists(
        st.tuples(st.sampled_from(["wait", "estimate", "no_agent"]), st.sampled_from([1.0, 40.0, 90.0])),
        min_size=1,
        max_size=3,
    ),
)
def test_nobody_is_left_in_line_to_whom_a_rule_applies(
    steps: list[tuple[str, float]], rules: list[tuple[str, float]]
) -> None:
    it = desk("alice", "bob", overflow=tuple(rule(when, at) for when, at in rules), handle_time=50.0)
    it.command("bob", AgentInput.LOGOUT)
    for number, (step, gap) in enumerate(steps):
        it.at(it.now + gap)
        entries = it.floor.entries
        if step == "join":
            it.join(f"e{number}")
        elif step == "answer" and (ringing := [o for o in it.floor.offers.values() if o.state == "ringing"]):
            assert it.answer("alice")
            it.talk(ringing[0].entry)
        elif step == "part" and (talking := [e.id for e in entries.values() if e.agent]):
            it.part(talking[0])
        elif step == "hang_up" and (waiting := [e.id for e in entries.values() if not e.agent]):
            it.hang_up(waiting[-1])
        line, outlook = it.floor.lines["q"], Outlook(it.floor.lines["q"], it.floor.staff)
        place = 0
        for name in line.ids:
            waits = entries[name].state == "waiting"
            place += waits
            standing = Standing(
                joined=entries[name].began, now=it.now, outlook=outlook, place=place if waits else 0
            )
            assert destination(line.settings, standing) == ""
