from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st

from sipcc.acd.model import Entry, EntryState
from sipcc.acd.queues import CONNECT_LEASE, TABLE, EntryInput, WaitingLine, diagram, hang_up_exit, step
from sipcc.acd.settings import QueueSettings
from sipcc.acd.strategies import Linear
from sipcc.errors import LocalProtocolError

S, I = EntryState, EntryInput  # noqa: E741


def entry(state: EntryState = S.JOINED, *, number: int = 1, priority: int = 0, **fields: Any) -> Entry:
    return Entry(
        id=f"e{number}",
        number=number,
        queue="q",
        call=f"c{number}",
        caller="13800138000",
        priority=priority,
        joined=100.0,
        state=state,
        **fields,
    )


@pytest.mark.parametrize(
    ("state", "given", "after"),
    [
        (S.JOINED, I.ADMIT, S.WAITING),
        (S.JOINED, I.LEAVE, S.ENDED),
        (S.WAITING, I.OFFER, S.OFFERING),
        (S.WAITING, I.LEAVE, S.ENDED),
        (S.OFFERING, I.OFFER, S.OFFERING),
        (S.OFFERING, I.OFFER_LOST, S.OFFERING),
        (S.OFFERING, I.LAST_OFFER_LOST, S.WAITING),
        (S.OFFERING, I.ANSWER, S.CONNECTING),
        (S.OFFERING, I.LEAVE, S.ENDED),
        (S.CONNECTING, I.BRIDGE, S.CONNECTED),
        (S.CONNECTING, I.LEAVE, S.ENDED),
        (S.WAITING, I.TAKE, S.CONNECTED),
        (S.CONNECTED, I.PART, S.ENDED),
    ],
)
def test_rows(state: EntryState, given: EntryInput, after: EntryState) -> None:
    assert step(entry(state), given, now=120.0, exit_="abandoned").state is after


@pytest.mark.parametrize(("state", "given"), [(s, i) for s in S for i in I if i not in TABLE[s]])
def test_unlisted_rows(state: EntryState, given: EntryInput) -> None:
    with pytest.raises(LocalProtocolError):
        step(entry(state), given, now=120.0)


def test_no_path_writes_a_second_exit() -> None:
    writers = {I.BRIDGE, I.TAKE, I.LEAVE}
    after_exit = {TABLE[state][given] for state in S for given in TABLE[state] if given in writers}
    for state in after_exit:
        assert state is not None
        assert not writers & TABLE[state].keys()


def test_the_exit_answered_is_dated_at_the_answer() -> None:
    it = step(entry(S.OFFERING, offers=frozenset({"o"})), I.ANSWER, now=120.0, agent="alice")
    assert (it.deadline, it.offers, it.exit) == (120.0 + CONNECT_LEASE, frozenset(), None)
    it = step(it, I.BRIDGE, now=120.1)
    assert (it.exit, it.left_at, it.deadline) == ("answered", 120.0, None)
    assert it.waited(now=500.0) == 20.0
    assert it.talked(now=130.0) == 10.0


@pytest.mark.parametrize(
    ("after", "exit_"), [(0.0, "short_abandoned"), (4.99, "short_abandoned"), (5.0, "abandoned")]
)
def test_a_short_abandon_is_shorter_than_the_setting(after: float, exit_: str) -> None:
    assert hang_up_exit(entry(S.WAITING), QueueSettings(name="q"), now=100.0 + after) == exit_


def line(**settings: Any) -> WaitingLine:
    return WaitingLine(QueueSettings(name="q", **settings), Linear(), ("alice",))


def test_order_is_priority_then_joining() -> None:
    it = line()
    for number, priority in [(1, 0), (2, 5), (3, 0), (4, 5), (5, -1)]:
        it.insert(entry(number=number, priority=priority))
    assert it.ids == ["e2", "e4", "e1", "e3", "e5"]
    assert it.position(entry(number=3)) == 4
    it.remove(entry(number=2, priority=5))
    assert it.position(entry(number=3)) == 3
    assert it.position(entry(number=2, priority=5)) == 0
    it.remove(entry(number=2, priority=5))
    assert len(it) == 4


@hypothesis_given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), max_size=40))
def test_the_line_is_always_sorted(steps: list[tuple[int, bool]]) -> None:
    it, inside = line(), []
    for number, (priority, leaves) in enumerate(steps):
        it.insert(entry(number=number, priority=priority))
        inside.append(entry(number=number, priority=priority))
        if leaves:
            it.remove(inside.pop(0))
    expected = sorted(inside, key=lambda each: (-each.priority, each.number))
    assert it.ids == [each.id for each in expected]
    assert [it.position(each) for each in expected] == list(range(1, len(expected) + 1))


def test_full() -> None:
    it = line(max_length=1)
    assert not it.full
    it.insert(entry())
    assert it.full
    unlimited = line()
    unlimited.insert(entry())
    assert not unlimited.full


def test_the_tally_counts_exits_and_answers_in_time() -> None:
    it = line(service_level=20.0)
    for left_at in (120.0, 120.5):
        it.tally.left(entry(S.CONNECTED, exit="answered", left_at=left_at), it.settings)
    it.tally.left(entry(S.ENDED, exit="timed_out", left_at=400.0), it.settings)
    assert it.tally.exits == {"answered": 2, "timed_out": 1}
    assert (it.tally.answer_wait, it.tally.answered_in_time) == (40.5, 1)


def test_diagram() -> None:
    assert "    offering --> connecting: answer\n" in diagram()
