from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sipcc.acd.model import Agent, AgentState, Entry, EntryState, Line, Strategy, Turn, Verdict
from sipcc.acd.router import Pick, decide, rank
from sipcc.acd.settings import AgentSettings
from sipcc.acd.strategies import Linear, LongestIdle, Random, RingAll, RoundRobin

NOW = 1000.0


def agent(name: str, order: int, **fields: Any) -> Agent:
    fields.setdefault("state", AgentState.READY)
    return Agent(settings=AgentSettings(name=name), order=order, **fields)


def team(count: int, **fields: Any) -> dict[str, Agent]:
    return {f"a{i}": agent(f"a{i}", i, **fields) for i in range(count)}


def entry(number: int, *, queue: str = "q", priority: int = 0, **fields: Any) -> Entry:
    fields.setdefault("state", EntryState.WAITING)
    return Entry(
        id=f"e{number}",
        number=number,
        queue=queue,
        call=f"c{number}",
        caller="13800138000",
        priority=priority,
        joined=NOW - 100 + number,
        **fields,
    )


def line(
    *entries: Entry,
    members: Sequence[str],
    strategy: Strategy | None = None,
    queue: str = "q",
    last: int = -1,
) -> Line:
    return Line(
        queue=queue,
        strategy=strategy or Linear(),
        strategy_name="s",
        members=tuple(members),
        entries=tuple(sorted(entries, key=rank)),
        last=last,
    )


def pairs(picks: Sequence[Pick]) -> list[tuple[str, tuple[str, ...]]]:
    return [(pick.entry, pick.agents) for pick in picks]


def test_nobody_waits_or_nobody_is_free() -> None:
    agents = team(2, state=AgentState.TALKING)
    assert decide([line(members=["a0"])], agents, now=NOW) == []
    assert decide([line(entry(1), members=["a0", "a1"])], agents, now=NOW) == []
    assert decide([], agents, now=NOW) == []


def test_best_caller_first() -> None:
    callers = [entry(1), entry(2, priority=5), entry(3, priority=5), entry(4)]
    picks = decide([line(*callers, members=["a0", "a1", "a2"])], team(3), now=NOW)
    assert pairs(picks) == [("e2", ("a0",)), ("e3", ("a1",)), ("e1", ("a2",))]


def test_an_agent_of_two_queues_gets_one_offer_and_the_better_caller() -> None:
    lines = [
        line(entry(2, queue="x"), members=["a0"], queue="x"),
        line(entry(1, queue="y"), entry(3, queue="y", priority=1), members=["a0"], queue="y"),
    ]
    assert pairs(decide(lines, team(1), now=NOW)) == [("e3", ("a0",))]


def test_back_off_keeps_an_agent_out_until_its_end() -> None:
    agents = {"a0": agent("a0", 0, not_before=NOW + 5, backoff_cause="declined")}
    one = line(entry(1), members=["a0"])
    assert decide([one], agents, now=NOW + 4.9) == []
    assert pairs(decide([one], agents, now=NOW + 5)) == [("e1", ("a0",))]


def test_who_turned_the_caller_down_is_asked_again_only_when_nobody_else_is_free() -> None:
    caller = entry(1, tried=frozenset({"a0"}))
    first = decide([line(caller, members=["a0", "a1"])], team(2), now=NOW)
    assert pairs(first) == [("e1", ("a1",))]
    assert not first[0].new_round
    again = decide([line(caller, members=["a0"])], team(1), now=NOW)
    assert pairs(again) == [("e1", ("a0",))]
    assert again[0].new_round


def test_the_agent_a_caller_was_turned_down_by_may_serve_the_next() -> None:
    callers = [entry(1, tried=frozenset({"a0"})), entry(2)]
    picks = decide([line(*callers, members=["a0", "a1"])], team(2), now=NOW)
    assert pairs(picks) == [("e1", ("a1",)), ("e2", ("a0",))]


def test_a_caller_being_offered_waits_for_that_offer() -> None:
    caller = entry(1, state=EntryState.OFFERING, offers=frozenset({"o"}))
    assert decide([line(caller, members=["a0"])], team(1), now=NOW) == []


def test_ring_all_takes_all_and_later_only_who_is_new() -> None:
    strategy = RingAll()
    first = decide([line(entry(1), entry(2), members=["a0", "a1"], strategy=strategy)], team(2), now=NOW)
    assert pairs(first) == [("e1", ("a0", "a1"))]
    ringing = entry(1, state=EntryState.OFFERING, offers=frozenset({"o"}), tried=frozenset({"a0"}))
    members = ["a0", "a1"]
    later = decide([line(ringing, entry(2), members=members, strategy=strategy)], team(2), now=NOW)
    assert pairs(later) == [("e1", ("a1",)), ("e2", ("a0",))]


def test_round_robin_goes_on_within_one_decision() -> None:
    callers = [entry(n) for n in range(3)]
    one = line(*callers, members=["a0", "a1", "a2"], strategy=RoundRobin(), last=0)
    assert [pick.agents[0] for pick in decide([one], team(3), now=NOW)] == ["a1", "a2", "a0"]


def test_longest_idle_over_a_whole_line() -> None:
    agents = {
        f"a{i}": agent(f"a{i}", i, idle_since=since) for i, since in enumerate([30.0, 10.0, 10.0, 20.0])
    }
    callers = [entry(n) for n in range(4)]
    one = line(*callers, members=list(agents), strategy=LongestIdle())
    assert [pick.agents[0] for pick in decide([one], agents, now=NOW)] == ["a1", "a2", "a3", "a0"]


def test_random_draws_anew_for_each_caller_and_repeats_with_the_same_bits() -> None:
    one = line(*[entry(n) for n in range(20)], members=list(team(20)), strategy=Random())
    first = pairs(decide([one], team(20), now=NOW, bits=7))
    assert first == pairs(decide([one], team(20), now=NOW, bits=7))
    assert first != pairs(decide([one], team(20), now=NOW, bits=8))


def test_a_trace_names_the_first_predicate_that_failed_for_each_member() -> None:
    agents = {
        "off": agent("off", 0, state=AgentState.OFFLINE, reason="logout"),
        "paused": agent("paused", 1, state=AgentState.NOT_READY, reason="lunch"),
        "shy": agent("shy", 2, not_before=NOW + 7, backoff_cause="declined"),
        "tried": agent("tried", 3),
        "first": agent("first", 4),
        "second": agent("second", 5),
        "third": agent("third", 6),
    }
    callers = [entry(1), entry(2, tried=frozenset({"tried"}))]
    members = ["off", "paused", "shy", "first", "tried", "second", "third"]
    picks = decide([line(*callers, members=members)], agents, now=NOW)
    assert pairs(picks) == [("e1", ("first",)), ("e2", ("second",))]
    assert picks[1].trace.verdicts() == (
        Verdict("off", False, "is offline (logout)"),
        Verdict("paused", False, "is not_ready (lunch)"),
        Verdict("shy", False, "backs off for 7.0 s more (declined)"),
        Verdict("first", False, "was picked for e1, which goes first"),
        Verdict("tried", False, "did not take this caller in the present round"),
        Verdict("second", True, ""),
        Verdict("third", False, "was not the choice of s"),
    )
    assert picks[0].trace.verdicts()[5] == Verdict("second", False, "was not the choice of s")


class Raises:
    rings_all = False

    def choose(self, agents: Sequence[Agent], turn: Turn) -> Sequence[str]:
        raise ZeroDivisionError("oh")


class Strangers:
    rings_all = False

    def choose(self, agents: Sequence[Agent], turn: Turn) -> Sequence[str]:
        return ("mallory",)


class OnlyForOld:
    rings_all = False

    def choose(self, agents: Sequence[Agent], turn: Turn) -> Sequence[str]:
        return (agents[0].name,) if turn.entry.number > 1 else ()


def test_a_faulty_strategy_costs_nobody_the_turn() -> None:
    raised = decide([line(entry(1), members=["a0", "a1"], strategy=Raises())], team(2), now=NOW)
    assert pairs(raised) == [("e1", ("a0",))]
    assert raised[0].trace.fault == "raised ZeroDivisionError: oh"
    strange = decide([line(entry(1), members=["a0", "a1"], strategy=Strangers())], team(2), now=NOW)
    assert pairs(strange) == [("e1", ("a0",))]
    assert "mallory" in strange[0].trace.fault


def test_a_strategy_may_keep_a_caller_waiting() -> None:
    one = line(entry(1), entry(2), members=["a0"], strategy=OnlyForOld())
    assert pairs(decide([one], team(1), now=NOW)) == [("e2", ("a0",))]


@st.composite
def floors(draw: st.DrawFn) -> tuple[list[Line], dict[str, Agent]]:
    names = [f"a{i}" for i in range(draw(st.integers(1, 6)))]
    states = st.sampled_from([AgentState.READY, AgentState.READY, AgentState.TALKING, AgentState.NOT_READY])
    agents = {
        name: agent(
            name,
            order,
            state=draw(states),
            idle_since=draw(st.sampled_from([1.0, 2.0, 3.0])),
            not_before=draw(st.sampled_from([0.0, NOW + 1])),
        )
        for order, name in enumerate(names)
    }
    lines, number = [], 0
    for queue in ("x", "y"):
        members = [name for name in names if draw(st.booleans())]
        callers = []
        for _ in range(draw(st.integers(0, 5))):
            number += 1
            tried = draw(st.frozensets(st.sampled_from(names), max_size=2))
            callers.append(entry(number, queue=queue, priority=draw(st.integers(0, 1)), tried=tried))
        known: list[Strategy] = [Linear(), LongestIdle(), RoundRobin(), Random(), RingAll()]
        strategy = draw(st.sampled_from(known))
        ageing, weight = draw(st.sampled_from([0.0, 0.5, 60.0])), draw(st.sampled_from([0.5, 1.0, 3.0]))
        callers.sort(key=partial(rank, now=NOW, ageing=ageing, weight=weight))
        plain = line(members=members, strategy=strategy, queue=queue)
        lines.append(replace(plain, entries=tuple(callers), ageing=ageing, weight=weight))
    return lines, agents


@given(floors(), st.integers(0, 2**64 - 1))
def test_laws(floor: tuple[list[Line], dict[str, Agent]], bits: int) -> None:
    lines, agents = floor
    picks = decide(lines, agents, now=NOW, bits=bits)
    assert pairs(picks) == pairs(decide(lines, agents, now=NOW, bits=bits))
    members = {each.queue: each.members for each in lines}
    rung = [name for pick in picks for name in pick.agents]
    assert len(rung) == len(set(rung)), "an agent got two offers"
    for pick in picks:
        for name in pick.agents:
            assert name in members[pick.queue]
            assert agents[name].state is AgentState.READY
            assert agents[name].not_before <= NOW
        verdicts = pick.trace.verdicts()
        assert [verdict.agent for verdict in verdicts] == list(members[pick.queue])
        assert {verdict.agent for verdict in verdicts if verdict.chosen} == set(pick.agents)
        assert all(verdict.reason for verdict in verdicts if not verdict.chosen)
    everyone = {caller.id: caller for each in lines for caller in each.entries}
    key = {
        caller.id: rank(caller, now=NOW, ageing=each.ageing, weight=each.weight)
        for each in lines
        for caller in each.entries
    }
    served = {pick.entry for pick in picks}
    left_over = {n for n, a in agents.items() if a.state is AgentState.READY and a.not_before <= NOW} - set(
        rung
    )
    for caller in everyone.values():
        if caller.id in served:
            continue
        assert not left_over & set(members[caller.queue]), "somebody waits though an agent is free"
        for pick in picks:  # no overtaking: whoever was served instead goes before
            if set(pick.agents) & set(members[caller.queue]):
                assert key[pick.entry] < key[caller.id]
