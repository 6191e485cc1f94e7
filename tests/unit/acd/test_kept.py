"""Agents and entries go to another process and come back as they were, by wall time."""

from __future__ import annotations

import msgspec
import pytest

from sipcc.acd.agents import settled
from sipcc.acd.effort import Effort
from sipcc.acd.kept import (
    KeptAgent,
    KeptEntry,
    restored_agent,
    restored_entry,
    restored_place,
    saved_agent,
    saved_entry,
)
from sipcc.acd.model import Agent, AgentState, Entry, EntryState, Offer
from sipcc.acd.settings import AgentSettings

OLD, NEW = 1_700_000_000.0 - 5000.0, 1_700_000_000.0 - 20.0
"""Wall time at zero of the two processes' clocks: the second began 4980 s after the first."""
KILLED, NOW = 5030.0, 52.0
"""The same moment but for two seconds, on the clock of each."""

SETTINGS = AgentSettings(name="alice", user="1001", queues=("q",))


def agent(state: AgentState, **fields: object) -> Agent:
    values: dict[str, object] = {"wish": AgentState.READY, "reachable": True, "since": 5000.0, **fields}
    return Agent(settings=SETTINGS, order=3, state=state, **values)  # type: ignore[arg-type]


def through(before: Agent, *, now: float = NOW) -> Agent:
    """Written down by one process, read by the next."""
    saved = saved_agent(before, wall_of=lambda at: at + OLD)
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(saved), type=KeptAgent)
    return restored_agent(Agent(settings=SETTINGS, order=3), read, ages=-NEW, now=now)


def test_a_pause_keeps_its_reason_its_beginning_and_what_follows_it() -> None:
    paused = agent(AgentState.NOT_READY, wish=AgentState.NOT_READY, wish_reason="lunch", reason="lunch")
    after = through(paused)
    assert (after.state, after.reason, after.since) == (AgentState.NOT_READY, "lunch", 20.0)
    assert (after.wish, after.wish_reason, after.reachable) == (AgentState.NOT_READY, "lunch", True)


@pytest.mark.parametrize("state", [AgentState.WRAP_UP, AgentState.QUARANTINED])
def test_a_deadline_is_the_same_moment_by_the_wall(state: AgentState) -> None:
    resting = agent(
        state, deadline=5045.0, wrap_up_limit=5060.0, wish=AgentState.NOT_READY, wish_reason="forced"
    )
    after = through(resting)
    assert after.state is state
    assert after.deadline is not None
    assert after.wrap_up_limit is not None
    assert after.deadline + NEW == pytest.approx(5045.0 + OLD)
    assert after.wrap_up_limit + NEW == pytest.approx(5060.0 + OLD)
    assert (after.wish, after.wish_reason) == (AgentState.NOT_READY, "forced")


def test_a_deadline_that_has_passed_meanwhile_is_done_with() -> None:
    after = through(agent(AgentState.WRAP_UP, deadline=5031.0, worked=True))
    assert (after.state, after.deadline, after.worked, after.idle_since) == (
        AgentState.READY,
        None,
        False,
        NOW,
    )


@pytest.mark.parametrize("state", [AgentState.RESERVED, AgentState.RINGING, AgentState.EXTERNAL])
def test_what_died_with_the_process_leaves_the_agent_to_its_wish(state: AgentState) -> None:
    after = through(agent(state, deadline=5040.0, offer="offer-1", external=frozenset({"call-9"})))
    assert after.state is AgentState.READY
    assert (after.deadline, after.offer, after.external) == (None, None, frozenset())


def test_back_offs_misses_and_the_counters_since_login_are_kept() -> None:
    effort = Effort(calls=7, talked=700.0, handled=800.0, login=1000.0, away=60.0)
    after = through(
        agent(
            AgentState.READY,
            not_before=5040.0,
            backoff_cause="declined",
            misses=1,
            idle_since=4000.0,
            effort=effort,
        )
    )
    assert after.not_before + NEW == pytest.approx(5040.0 + OLD)
    assert after.idle_since + NEW == pytest.approx(4000.0 + OLD)
    assert after.effort.login + NEW == pytest.approx(1000.0 + OLD)
    assert (after.backoff_cause, after.misses) == ("declined", 1)
    assert (after.effort.calls, after.effort.talked, after.effort.handled) == (7, 700.0, 800.0)
    assert after.effort.occupancy(now=NOW) == pytest.approx(effort.occupancy(now=KILLED + 2.0))


@pytest.mark.parametrize("state", list(AgentState))
@pytest.mark.parametrize("wish", [AgentState.OFFLINE, AgentState.NOT_READY, AgentState.READY])
@pytest.mark.parametrize("reachable", [True, False])
def test_every_state_comes_back_as_one_that_can_last(
    state: AgentState, wish: AgentState, reachable: bool
) -> None:
    after = through(agent(state, wish=wish, reachable=reachable, deadline=5090.0, entry="e1"))
    if state in (AgentState.WRAP_UP, AgentState.QUARANTINED, AgentState.TALKING):
        assert after.state is state
    else:
        assert after.state is settled(after)
    assert (after.deadline is not None) == (state in (AgentState.WRAP_UP, AgentState.QUARANTINED))


def test_who_has_a_fixed_contact_now_is_there() -> None:
    saved = saved_agent(agent(AgentState.OFFLINE, reachable=False), wall_of=lambda at: at + OLD)
    fixed = Agent(settings=AgentSettings(name="alice", uri="carrier/13800138000"), order=0)
    assert restored_agent(fixed, saved, ages=-NEW, now=NOW).state is AgentState.READY


def entry(**fields: object) -> Entry:
    values: dict[str, object] = {"state": EntryState.WAITING, "joined": 4900.0, "priority": 6, **fields}
    return Entry(id="e1", number=41, queue="q", call="c1", caller="13800138000", **values)  # type: ignore[arg-type]


def kept(before: Entry, *offers: Offer) -> KeptEntry:
    saved = saved_entry(before, offers, wall_of=lambda at: at + OLD)
    return msgspec.msgpack.decode(msgspec.msgpack.encode(saved), type=KeptEntry)


@pytest.mark.parametrize("back_at", [None, 4950.0])
def test_a_caller_stands_where_it_stood_and_has_waited_as_long(back_at: float | None) -> None:
    before = entry(back_at=back_at)
    place = restored_place("e1", kept(before), ages=-NEW)
    fresh = Entry(id="e1", number=1, queue="q", call="c1", caller="13800138000", priority=0, joined=NOW)
    after = place.given_to(fresh, now=NOW)
    assert (after.number, after.priority) == (41, 6)
    assert after.joined + NEW == pytest.approx(before.joined + OLD)
    assert after.waited(now=NOW) == pytest.approx(before.waited(now=KILLED + 2.0))


def test_a_talk_has_lasted_as_long() -> None:
    before = entry(
        state=EntryState.CONNECTED, agent="alice", answered_at=4960.0, exit="answered", left_at=4960.0
    )
    after = restored_entry("e1", kept(before), ages=-NEW)
    assert (after.state, after.agent, after.exit, after.number) == (
        EntryState.CONNECTED,
        "alice",
        "answered",
        41,
    )
    assert after.talked(now=NOW) == pytest.approx(before.talked(now=KILLED + 2.0))
    assert after.waited(now=NOW) == pytest.approx(60.0)


def test_who_was_being_rung_is_known() -> None:
    offer = Offer(id="o1", entry="e1", queue="q", call="c1", agent="alice", began=5000.0)
    assert kept(entry(state=EntryState.OFFERING), offer).offers == (("o1", "alice"),)
    assert kept(entry(state=EntryState.CONNECTING, agent="alice")).agent == ""
