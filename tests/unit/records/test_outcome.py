"""The fold of events into queue outcomes: each entry leaves by exactly one exit."""

from __future__ import annotations

import random

import pytest

from sipcc.acd.events import OfferEnded, OfferMade, QueueJoined, QueueLeft, TalkEnded
from sipcc.call.events import CallEndedEvent
from sipcc.events import Event
from sipcc.records.cdr import LINGER_S
from sipcc.records.eventlog import REGISTRY
from sipcc.records.outcome import OutcomeFold, QueueOutcome

WALL = 1_790_000_000.0


def joined(at: float, entry: str = "e1", call: str = "c1") -> QueueJoined:
    return QueueJoined(
        at=at, entry=entry, queue="sales", call=call, caller="13800138000", priority=1, position=1
    )


def offered(at: float, offer: str, agent: str, entry: str = "e1") -> OfferMade:
    return OfferMade(at=at, offer=offer, entry=entry, queue="sales", call="c1", agent=agent)


def offer_ended(at: float, offer: str, outcome: str, status: int = 0, entry: str = "e1") -> OfferEnded:
    return OfferEnded(
        at=at,
        offer=offer,
        entry=entry,
        queue="sales",
        call="c1",
        agent="any",
        outcome=outcome,  # type: ignore[arg-type]
        sip_status=status,
    )


def left(at: float, exit_: str, entry: str = "e1", agent: str | None = None) -> QueueLeft:
    return QueueLeft(
        at=at,
        entry=entry,
        queue="sales",
        call="c1",
        exit=exit_,
        waited=at,
        agent=agent,  # type: ignore[arg-type]
    )


def talk_ended(at: float, talked: float) -> TalkEnded:
    return TalkEnded(at=at, entry="e1", queue="sales", call="c1", agent="bob", talked=talked)


def call_ended(at: float, call: str = "c1") -> CallEndedEvent:
    return CallEndedEvent(at=at, call=call, cause="normal", sip_status=200, ended_by="caller")


def fold_all(events: list[Event], fold: OutcomeFold | None = None) -> list[QueueOutcome]:
    fold = fold or OutcomeFold()
    return [outcome for event in events for outcome in fold.apply(event, WALL + event.at)]


ANSWERED: list[Event] = [
    joined(0.0),
    offered(1.0, "o1", "alice"),
    offer_ended(6.0, "o1", "declined", 603),
    offered(6.0, "o2", "bob"),
    offered(6.0, "o3", "carol"),
    offer_ended(9.0, "o2", "answered", 200),
    left(9.0, "answered", agent="bob"),
    offer_ended(9.1, "o3", "cancelled", 487),
    talk_ended(69.0, 60.0),
    call_ended(69.0),
]


def test_answered_after_a_decline() -> None:
    fold = OutcomeFold()
    told = fold_all(ANSWERED, fold)
    assert [outcome.talked for outcome in told] == [None, None, 60.0]
    last = told[-1]
    assert (last.exit, last.agent, last.waited, last.joined, last.left) == (
        "answered",
        "bob",
        9.0,
        WALL,
        WALL + 9.0,
    )
    assert [(o.agent, o.outcome, o.rang, o.sip_status) for o in last.offers] == [
        ("alice", "declined", 5.0, 603),
        ("bob", "answered", 3.0, 200),
        ("carol", "cancelled", 3.1, 487),
    ]
    assert (fold.joined, fold.exits, fold.waiting, fold.open_count, fold.violation_count) == (1, 1, 0, 0, 0)


def test_a_cut_at_every_event_changes_nothing() -> None:
    live = fold_all(ANSWERED)
    for cut in range(len(ANSWERED) + 1):
        fold = OutcomeFold()
        told: list[QueueOutcome] = []
        for row in [REGISTRY.encode(event, wall=WALL + event.at) for event in ANSWERED[:cut]]:
            event = REGISTRY.decode(row.type, row.json)
            assert event is not None
            told += fold.apply(event, row.wall)
        assert told + fold_all(ANSWERED[cut:], fold) == live


def test_abandoned_is_told_once() -> None:
    (outcome,) = fold_all([joined(0.0), left(12.0, "abandoned"), call_ended(12.0)])
    assert (outcome.exit, outcome.agent, outcome.talked, outcome.offers) == ("abandoned", None, None, ())


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([joined(0.0), joined(1.0)], "joined queue sales twice"),
        ([left(1.0, "abandoned")], "without being in it"),
        ([joined(0.0), left(1.0, "abandoned"), left(2.0, "timed_out")], "without being in it"),
        (
            [joined(0.0), left(1.0, "answered", agent="bob"), left(2.0, "abandoned")],
            "left queue sales by abandoned after answered",
        ),
    ],
)
def test_broken_invariants_are_named_and_the_first_exit_stands(events: list[Event], said: str) -> None:
    fold = OutcomeFold()
    told = fold_all(events, fold)
    assert fold.violation_count == 1
    assert said in fold.violations[0]
    assert len({outcome.exit for outcome in told}) <= 1


def test_an_entry_that_outlives_its_call_is_closed() -> None:
    fold = OutcomeFold()
    assert fold_all([joined(0.0), call_ended(5.0)], fold) == []
    (outcome,) = fold.apply(joined(99.0, "e2", "c2"), WALL + 5.0 + LINGER_S + 1)
    assert (outcome.entry, outcome.exit, outcome.waited) == ("e1", "failed", 5.0)
    assert fold.violation_count == 1
    assert (fold.joined, fold.exits, fold.waiting) == (2, 1, 1)


def test_a_talk_without_end_is_forgotten_after_its_call() -> None:
    fold = OutcomeFold()
    fold_all([joined(0.0), left(1.0, "answered", agent="bob"), call_ended(5.0)], fold)
    assert fold.open_count == 1
    assert fold.apply(joined(99.0, "e2", "c2"), WALL + 70.0) == []
    assert (fold.open_count, fold.violation_count) == (1, 0)


def test_events_of_unknown_entries_pass() -> None:
    fold = OutcomeFold()
    events: list[Event] = [offered(0.0, "o", "a"), offer_ended(1.0, "o", "busy"), talk_ended(2.0, 1.0)]
    assert fold_all(events, fold) == []
    assert fold_all([joined(0.0), offer_ended(1.0, "never", "busy")], fold) == []


def test_closing_gives_each_open_entry_its_end() -> None:
    fold = OutcomeFold()
    fold_all(
        [joined(0.0), offered(1.0, "o1", "alice"), joined(2.0, "e2"), left(3.0, "answered", "e2", "bob")],
        fold,
    )
    told = fold_all(fold.closing(10.0, WALL + 10.0), fold)
    assert {outcome.entry: (outcome.exit, outcome.talked) for outcome in told} == {
        "e1": ("failed", None),
        "e2": ("answered", 7.0),
    }
    assert (fold.open_count, fold.violation_count) == (0, 0)


def test_every_join_has_one_exit_in_any_interleaving() -> None:
    """300 entries with random exits, told in a random interleaving that keeps each entry's own order."""
    rng = random.Random(7)
    exits = ["answered", "abandoned", "short_abandoned", "timed_out", "overflowed", "no_agent", "withdrawn"]
    lines: list[list[Event]] = []
    for index in range(300):
        entry, exit_ = f"e{index}", rng.choice(exits)
        line: list[Event] = [joined(0.0, entry, f"c{index}")]
        for offer in range(rng.randrange(3)):
            line += [
                offered(0.0, f"{entry}-{offer}", "alice", entry),
                offer_ended(0.0, f"{entry}-{offer}", "busy", 486, entry),
            ]
        line.append(left(1.0, exit_, entry, "alice" if exit_ == "answered" else None))
        lines.append(line)
    fold, told = OutcomeFold(), []
    while lines:
        line = rng.choice(lines)
        told += fold_all([line.pop(0)], fold)
        lines = [rest for rest in lines if rest]
    assert len(told) == len({outcome.entry for outcome in told}) == fold.joined == fold.exits == 300
    assert fold.violation_count == 0
