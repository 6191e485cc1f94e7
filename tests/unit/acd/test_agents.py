from __future__ import annotations

from typing import Any

import pytest

from sipcc.acd.agents import RETRY_FLOOR, TABLE, AgentInput, backed_off, diagram, settled, step
from sipcc.acd.model import Agent, AgentState
from sipcc.acd.settings import AgentSettings
from sipcc.errors import LocalProtocolError

S, I = AgentState, AgentInput  # noqa: E741
COMMANDS = [I.LOGIN, I.LOGOUT, I.MAKE_READY, I.PAUSE, I.END_WRAP_UP, I.EXTEND_WRAP_UP]
NETWORK = [I.REGISTERED, I.LOST, I.EXTERNAL_BEGAN, I.EXTERNAL_ENDED]


def agent(state: AgentState = S.OFFLINE, **fields: Any) -> Agent:
    settings = fields.pop("settings", AgentSettings(name="alice", user="1001"))
    fields.setdefault("wish", S.OFFLINE if state is S.OFFLINE else S.READY)
    fields.setdefault("reachable", state is not S.OFFLINE)
    return Agent(settings=settings, order=0, state=state, **fields)


LEGAL: list[tuple[AgentState, AgentInput, AgentState]] = [
    (S.OFFLINE, I.LOGIN, S.READY),
    (S.OFFLINE, I.REGISTERED, S.READY),
    (S.OFFLINE, I.LOGOUT, S.OFFLINE),
    (S.OFFLINE, I.LOST, S.OFFLINE),
    (S.READY, I.PAUSE, S.NOT_READY),
    (S.READY, I.LOGOUT, S.OFFLINE),
    (S.READY, I.LOST, S.OFFLINE),
    (S.READY, I.RESERVE, S.RESERVED),
    (S.READY, I.MAKE_READY, S.READY),
    (S.NOT_READY, I.MAKE_READY, S.READY),
    (S.NOT_READY, I.PAUSE, S.NOT_READY),
    (S.NOT_READY, I.LOGOUT, S.OFFLINE),
    (S.RESERVED, I.RING, S.RINGING),
    (S.RESERVED, I.RELEASE, S.READY),
    (S.RESERVED, I.REFUSE, S.READY),
    (S.RESERVED, I.PAUSE, S.RESERVED),
    (S.RINGING, I.ANSWER, S.TALKING),
    (S.RINGING, I.RELEASE, S.READY),
    (S.RINGING, I.MISS, S.READY),
    (S.RINGING, I.REFUSE, S.READY),
    (S.RINGING, I.UNREACHABLE, S.OFFLINE),
    (S.RINGING, I.QUARANTINE, S.QUARANTINED),
    (S.RINGING, I.LOST, S.RINGING),
    (S.RINGING, I.LOGOUT, S.RINGING),
    (S.TALKING, I.TALK_ENDED, S.WRAP_UP),
    (S.TALKING, I.RELEASE, S.READY),
    (S.TALKING, I.LOST, S.TALKING),
    (S.TALKING, I.PAUSE, S.TALKING),
    (S.TALKING, I.LOGOUT, S.TALKING),
    (S.WRAP_UP, I.EXPIRED, S.READY),
    (S.WRAP_UP, I.END_WRAP_UP, S.READY),
    (S.WRAP_UP, I.EXTEND_WRAP_UP, S.WRAP_UP),
    (S.WRAP_UP, I.PAUSE, S.WRAP_UP),
    (S.WRAP_UP, I.MAKE_READY, S.WRAP_UP),
    (S.QUARANTINED, I.EXPIRED, S.READY),
    (S.QUARANTINED, I.MAKE_READY, S.READY),
    (S.QUARANTINED, I.PAUSE, S.NOT_READY),
    (S.QUARANTINED, I.LOST, S.OFFLINE),
    (S.EXTERNAL, I.PAUSE, S.NOT_READY),
    (S.EXTERNAL, I.LOST, S.OFFLINE),
]


@pytest.mark.parametrize(("state", "given", "after"), LEGAL)
def test_a_listed_input_leads_to_its_state(state: AgentState, given: AgentInput, after: AgentState) -> None:
    result = step(agent(state), given, now=7.0)
    assert result.state is after
    if after is not state:
        assert result.since == 7.0


@pytest.mark.parametrize(
    ("state", "given"), [(state, given) for state in S for given in I if given not in TABLE[state]]
)
def test_an_unlisted_input_is_refused(state: AgentState, given: AgentInput) -> None:
    with pytest.raises(LocalProtocolError, match=f"alice is {state}: {given}"):
        step(agent(state), given, now=7.0)


@pytest.mark.parametrize("state", S)
@pytest.mark.parametrize("given", NETWORK)
def test_news_from_the_network_is_possible_in_every_state(state: AgentState, given: AgentInput) -> None:
    step(agent(state), given, now=7.0)


def test_commands_that_make_no_sense_are_refused() -> None:
    refused = [(state, given) for state in S for given in COMMANDS if given not in TABLE[state]]
    assert (S.READY, I.LOGIN) in refused
    assert (S.OFFLINE, I.PAUSE) in refused
    assert (S.READY, I.END_WRAP_UP) in refused
    assert (S.TALKING, I.EXTEND_WRAP_UP) in refused


def test_a_pause_during_a_call_outlives_the_wrap_up_and_keeps_its_reason() -> None:
    it = step(agent(S.TALKING), I.PAUSE, now=1.0, reason="lunch")
    assert (it.state, it.pending) == (S.TALKING, S.NOT_READY)
    it = step(it, I.TALK_ENDED, now=2.0, deadline=17.0, worked=True)
    assert (it.state, it.deadline, it.pending) == (S.WRAP_UP, 17.0, S.NOT_READY)
    it = step(it, I.EXPIRED, now=17.0)
    assert (it.state, it.reason, it.deadline, it.pending) == (S.NOT_READY, "lunch", None, None)


def test_the_last_wish_wins() -> None:
    it = step(agent(S.TALKING), I.PAUSE, now=1.0, reason="lunch")
    it = step(it, I.LOGOUT, now=2.0)
    it = step(it, I.MAKE_READY, now=3.0)
    assert step(it, I.RELEASE, now=4.0).state is S.READY


def test_a_new_pause_reason_is_seen_without_a_new_state() -> None:
    it = step(agent(S.READY), I.PAUSE, now=1.0, reason="lunch")
    it = step(it, I.PAUSE, now=2.0, reason="training")
    assert (it.reason, it.since) == ("training", 1.0)


def test_wrap_up_can_be_extended() -> None:
    it = agent(S.WRAP_UP, deadline=10.0)
    it = step(it, I.EXTEND_WRAP_UP, now=5.0, deadline=40.0)
    assert (it.state, it.deadline) == (S.WRAP_UP, 40.0)


def test_a_refresh_of_the_registration_changes_nothing() -> None:
    logged_out = step(agent(S.READY), I.LOGOUT, now=1.0)
    assert step(logged_out, I.REGISTERED, now=2.0) is logged_out
    paused = step(agent(S.READY), I.PAUSE, now=1.0)
    assert step(paused, I.REGISTERED, now=2.0) is paused


def test_a_lost_and_regained_phone_keeps_the_pause() -> None:
    it = step(agent(S.READY), I.PAUSE, now=1.0, reason="lunch")
    it = step(it, I.LOST, now=2.0)
    assert it.state is S.OFFLINE
    it = step(it, I.REGISTERED, now=3.0)
    assert (it.state, it.reason) == (S.NOT_READY, "lunch")


def test_registering_anew_after_a_logout_is_a_login() -> None:
    it = step(agent(S.READY), I.LOGOUT, now=1.0)
    it = step(it, I.LOST, now=2.0)
    assert step(it, I.REGISTERED, now=3.0).state is S.READY


def test_login_begins_in_the_start_state() -> None:
    settings = AgentSettings(name="bob", user="1002", start="not_ready")
    assert step(agent(settings=settings), I.LOGIN, now=1.0).state is S.NOT_READY


def test_an_unreachable_agent_is_back_with_its_next_registration() -> None:
    it = step(agent(S.RINGING), I.UNREACHABLE, now=1.0, reason="unreachable")
    assert (it.state, it.reason) == (S.OFFLINE, "unreachable")
    assert step(it, I.REGISTERED, now=2.0).state is S.READY


def test_a_phone_that_is_lost_during_a_talk_does_not_end_it() -> None:
    it = step(agent(S.TALKING), I.LOST, now=1.0)
    it = step(it, I.TALK_ENDED, now=2.0, deadline=3.0)
    assert step(it, I.EXPIRED, now=3.0).state is S.OFFLINE


def test_an_own_call_keeps_the_agent_out_until_it_ends() -> None:
    it = step(agent(S.READY), I.EXTERNAL_BEGAN, now=1.0, external=frozenset({"d1"}))
    assert it.state is S.EXTERNAL
    it = step(it, I.EXTERNAL_BEGAN, now=2.0, external=frozenset({"d1", "d2"}))
    it = step(it, I.EXTERNAL_ENDED, now=3.0, external=frozenset({"d2"}))
    assert (it.state, it.since) == (S.EXTERNAL, 1.0)
    assert step(it, I.EXTERNAL_ENDED, now=4.0, external=frozenset()).state is S.READY


def test_an_own_call_during_wrap_up_counts_when_the_wrap_up_ends() -> None:
    it = step(agent(S.WRAP_UP, deadline=9.0), I.EXTERNAL_BEGAN, now=1.0, external=frozenset({"d1"}))
    assert (it.state, it.deadline) == (S.WRAP_UP, 9.0)
    assert step(it, I.EXPIRED, now=9.0).state is S.EXTERNAL


def test_idle_time_counts_from_login_and_from_the_last_call_only() -> None:
    it = step(agent(), I.REGISTERED, now=10.0)
    assert it.idle_since == 10.0
    it = step(it, I.PAUSE, now=20.0)
    it = step(it, I.MAKE_READY, now=30.0)
    assert it.idle_since == 10.0
    it = step(it, I.RESERVE, now=40.0, deadline=45.0)
    it = step(it, I.RING, now=40.0, deadline=65.0)
    it = step(it, I.MISS, now=60.0)
    assert it.idle_since == 10.0
    it = step(it, I.RESERVE, now=61.0, deadline=65.0)
    it = step(it, I.RING, now=61.0, deadline=85.0)
    it = step(it, I.ANSWER, now=62.0)
    it = step(it, I.PAUSE, now=63.0)
    it = step(it, I.RELEASE, now=70.0, worked=True)
    assert (it.state, it.idle_since) == (S.NOT_READY, 10.0)
    it = step(it, I.MAKE_READY, now=80.0)
    assert it.idle_since == 80.0


def test_ready_and_registration_forgive() -> None:
    it = agent(S.QUARANTINED, misses=1, not_before=99.0, backoff_cause="declined")
    assert step(it, I.MAKE_READY, now=1.0).misses == 0
    assert step(it, I.MAKE_READY, now=1.0).not_before == 0.0
    kept = step(it, I.EXPIRED, now=1.0)
    assert (kept.misses, kept.not_before) == (1, 99.0)


def test_a_talk_has_no_deadline() -> None:
    it = step(agent(S.RINGING, deadline=25.0), I.ANSWER, now=1.0)
    assert it.deadline is None


@pytest.mark.parametrize(
    ("seconds", "took", "expected"),
    [(10.0, 20.0, 10.0), (0.0, 20.0, None), (0.0, 0.2, RETRY_FLOOR), (10.0, 0.2, 10.0)],
)
def test_back_off_has_a_floor_for_phones_that_fail_at_once(
    seconds: float, took: float, expected: float | None
) -> None:
    fields = backed_off(agent(S.RINGING), "busy", seconds, began=100.0, now=100.0 + took)
    assert fields.get("not_before") == (None if expected is None else 100.0 + took + expected)


def test_settled_prefers_the_phone_over_the_wish() -> None:
    assert settled(agent(S.READY, reachable=False)) is S.OFFLINE
    assert settled(agent(S.READY, external=frozenset({"d"}))) is S.EXTERNAL
    assert settled(agent(S.READY, wish=S.OFFLINE, external=frozenset({"d"}))) is S.OFFLINE


def test_the_diagram_shows_every_row() -> None:
    drawn = diagram()
    assert drawn.startswith("stateDiagram-v2\n")
    assert "    ringing --> talking: answer\n" in drawn
    for state, row in TABLE.items():
        for given in row:
            assert any(
                line.startswith(f"    {state} -->") and str(given) in line for line in drawn.splitlines()
            )


def test_every_state_that_agents_cannot_leave_themselves_has_a_way_out() -> None:
    for state in (S.WRAP_UP, S.QUARANTINED):
        assert I.EXPIRED in TABLE[state]
    for state in (S.RESERVED, S.RINGING, S.TALKING):
        assert I.RELEASE in TABLE[state]
