from __future__ import annotations

import pytest

from sipcc.acd.agents import AgentInput
from sipcc.acd.events import AgentStateChanged
from sipcc.acd.model import AgentState
from sipcc.acd.settings import AgentSettings
from sipcc.acd.staff import Alarms, Staff
from sipcc.errors import ConfigError, LocalProtocolError
from sipcc.events import Event


def staff() -> tuple[Staff, Alarms, list[Event]]:
    alarms, events = Alarms(), list[Event]()
    return Staff([AgentSettings(name="alice"), AgentSettings(name="bob")], alarms, events), alarms, events


def test_alarms_ring_in_order_and_once() -> None:
    alarms = Alarms()
    assert alarms.next is None
    for at, key in [(3.0, "c"), (1.0, "a"), (2.0, "b"), (2.5, "a")]:
        alarms.add(at, key)
    assert alarms.next == 1.0
    assert alarms.due(now=2.5) == ["a", "b"]
    assert alarms.next == 3.0


def test_a_change_is_told_once_with_its_reason() -> None:
    it, _, events = staff()
    it.registration("alice", True, now=1.0)
    it.registration("alice", True, now=2.0)
    it.command("alice", AgentInput.PAUSE, now=3.0, reason="lunch")
    it.command("alice", AgentInput.PAUSE, now=4.0, reason="lunch")
    assert events == [
        AgentStateChanged(at=1.0, agent="alice", before="offline", after="ready", reason="registered"),
        AgentStateChanged(at=3.0, agent="alice", before="ready", after="not_ready", reason="lunch"),
    ]


def test_deadlines_and_back_off_set_alarms() -> None:
    it, alarms, _ = staff()
    it.registration("alice", True, now=1.0)
    it.apply("alice", AgentInput.RESERVE, now=2.0, deadline=7.0, offer="o")
    assert alarms.next == 7.0
    it.hold("alice", until=4.0)
    assert (alarms.next, it.get("alice").deadline) == (4.0, 4.0)
    it.hold("alice", until=9.0)
    assert it.get("alice").deadline == 4.0
    it.apply("alice", AgentInput.REFUSE, now=3.0, not_before=13.0, backoff_cause="busy")
    assert alarms.due(now=13.0)[-1] == "wake"


def test_unknown_and_repeated_names() -> None:
    it, _, _ = staff()
    with pytest.raises(LocalProtocolError, match="mallory"):
        it.get("mallory")
    with pytest.raises(ConfigError, match="given twice"):
        Staff([AgentSettings(name="a"), AgentSettings(name="a")], Alarms(), [])


def test_presence_means_neither_offline_nor_quarantined() -> None:
    it, _, _ = staff()
    assert not it.present(("alice", "bob"))
    it.registration("alice", True, now=1.0)
    it.command("alice", AgentInput.PAUSE, now=2.0)
    assert it.present(("alice", "bob"))
    it.command("alice", AgentInput.MAKE_READY, now=3.0)
    it.apply("alice", AgentInput.RESERVE, now=4.0, deadline=9.0, offer="o")
    it.apply("alice", AgentInput.RING, now=4.0, deadline=29.0)
    it.apply("alice", AgentInput.QUARANTINE, now=24.0, deadline=84.0)
    assert not it.present(("alice", "bob"))


def test_own_calls_may_be_told_twice() -> None:
    it, _, _ = staff()
    it.registration("alice", True, now=1.0)
    it.external("alice", "d1", True, now=2.0)
    it.external("alice", "d1", True, now=3.0)
    assert it.get("alice").state is AgentState.EXTERNAL
    it.external("alice", "d1", False, now=4.0)
    it.external("alice", "d1", False, now=5.0)
    assert it.get("alice").state is AgentState.READY


def test_wrap_up_never_ends_in_the_past() -> None:
    it, _, _ = staff()
    it.registration("alice", True, now=1.0)
    with pytest.raises(LocalProtocolError):
        it.extend_wrap_up("alice", 30.0, now=2.0)
    it.apply("alice", AgentInput.RESERVE, now=2.0, deadline=7.0, offer="o")
    it.apply("alice", AgentInput.RING, now=2.0, deadline=20.0)
    it.apply("alice", AgentInput.ANSWER, now=3.0)
    it.apply("alice", AgentInput.TALK_ENDED, now=4.0, deadline=19.0)
    assert it.extend_wrap_up("alice", 30.0, now=5.0).deadline == 49.0
    assert it.extend_wrap_up("alice", -300.0, now=6.0).deadline == 6.0


def in_wrap_up(**changes: object) -> Staff:
    it, _, _ = staff()
    it.registration("alice", True, now=1.0)
    it.apply("alice", AgentInput.RESERVE, now=2.0, deadline=7.0, offer="o")
    it.apply("alice", AgentInput.RING, now=2.0, deadline=20.0)
    it.apply("alice", AgentInput.ANSWER, now=3.0)
    it.apply("alice", AgentInput.TALK_ENDED, now=4.0, deadline=19.0, **changes)
    return it


def test_wrap_up_is_not_extended_beyond_its_limit() -> None:
    it = in_wrap_up(wrap_up_limit=34.0)
    assert it.extend_wrap_up("alice", 10.0, now=5.0).deadline == 29.0
    assert it.extend_wrap_up("alice", 10.0, now=6.0).deadline == 34.0


@pytest.mark.parametrize("state", [AgentState.OFFLINE, AgentState.NOT_READY, AgentState.READY])
def test_a_forced_state_comes_at_once_to_whom_no_call_holds(state: AgentState) -> None:
    offline, _, _ = staff()
    assert offline.force("alice", state, now=1.0, reason="shift").state is state
    assert in_wrap_up().force("alice", state, now=5.0).state is state
    banned, _, _ = staff()
    banned.registration("alice", True, now=1.0)
    banned.apply("alice", AgentInput.RESERVE, now=2.0, deadline=7.0, offer="o")
    banned.apply("alice", AgentInput.RING, now=2.0, deadline=20.0)
    banned.apply("alice", AgentInput.QUARANTINE, now=20.0, deadline=80.0)
    assert banned.force("alice", state, now=21.0).state is state


def test_a_forced_state_follows_a_talk() -> None:
    it, _, events = staff()
    it.registration("alice", True, now=1.0)
    it.apply("alice", AgentInput.RESERVE, now=2.0, deadline=7.0, offer="o")
    it.apply("alice", AgentInput.RING, now=2.0, deadline=20.0)
    it.apply("alice", AgentInput.ANSWER, now=3.0)
    assert it.force("alice", AgentState.NOT_READY, now=4.0, reason="training").state is AgentState.TALKING
    assert it.apply("alice", AgentInput.RELEASE, now=5.0).state is AgentState.NOT_READY
    told = events[-1]
    assert isinstance(told, AgentStateChanged)
    assert told.reason == "training"


@pytest.mark.parametrize(
    "state",
    [*(state for state in AgentState if state not in ("offline", "not_ready", "ready")), "asleep", ""],
)
def test_no_activity_can_be_forced_nor_what_is_no_state(state: str) -> None:
    it, _, _ = staff()
    with pytest.raises(LocalProtocolError, match=f"cannot be forced into {state}: only into not_ready, off"):
        it.force("alice", state, now=1.0)
