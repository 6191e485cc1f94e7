"""Who served a caller, and for how long: segments folded from events, and what a call is a part of."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sipcc.acd.events import AgentStateChanged, QueueJoined, QueueLeft, TalkEnded
from sipcc.call.events import (
    BridgeEnded,
    BridgeStarted,
    CallAnswered,
    CallEndedEvent,
    CallStarted,
    InteractionJoined,
    LegAnswered,
    LegEnded,
    LegHeld,
    LegResumed,
    LegStarted,
    TransferCompleted,
    TransferFailed,
    TransferStarted,
)
from sipcc.events import Event
from sipcc.records.cdr import LINGER_S, Cdr, CdrFold
from sipcc.records.eventlog import REGISTRY
from sipcc.records.segments import Segment

WALL = 1_790_000_000.0


def began(call: str = "c1", at: float = 0.0) -> list[Event]:
    start = CallStarted(
        at=at,
        call=call,
        caller="13800138000",
        called="4008123456",
        trunk="carrier",
        sip_call_id="x@example.com",
        source="127.0.0.2:5060",
    )
    return [start, CallAnswered(at=at, call=call)]


def over(at: float, call: str = "c1", by: Any = "caller", cause: str = "normal") -> Event:
    return CallEndedEvent(at=at, call=call, cause=cause, sip_status=200, ended_by=by)


def rung(at: float, leg: str, agent: str, call: str = "c1") -> list[Event]:
    return [
        LegStarted(at=at, call=call, leg=leg, target=f"sip:{agent}@example.com", agent=agent),
        LegAnswered(at=at, call=call, leg=leg),
    ]


def left(at: float, leg: str, by: Any = "us", call: str = "c1", cause: str = "normal") -> Event:
    return LegEnded(at=at, call=call, leg=leg, cause=cause, sip_status=200, ended_by=by)


def state(at: float, agent: str, before: str, after: str) -> Event:
    return AgentStateChanged(at=at, agent=agent, before=before, after=after)


def queued(
    at: float, entry: str, agent: str, leg: str, queue: str = "sales", call: str = "c1"
) -> list[Event]:
    """A caller who joins at `at`, waits two seconds, and talks with `agent` from then on."""
    return [
        QueueJoined(at=at, entry=entry, queue=queue, call=call, caller="13800138000", priority=0, position=1),
        *rung(at + 2, leg, agent, call),
        QueueLeft(at=at + 2, entry=entry, queue=queue, call=call, exit="answered", waited=2.0, agent=agent),
        BridgeStarted(at=at + 2, call=call, leg=leg),
    ]


def parted(
    at: float, entry: str, agent: str, leg: str, *, wrap: float, queue: str = "sales", call: str = "c1"
) -> list[Event]:
    """The end of that talk; the wrap-up of `agent` ends `wrap` seconds later."""
    done: list[Event] = [
        BridgeEnded(at=at, call=call, leg=leg),
        TalkEnded(at=at, entry=entry, queue=queue, call=call, agent=agent, talked=1.0),
    ]
    if wrap:
        return [
            *done,
            state(at, agent, "talking", "wrap_up"),
            state(at + wrap, agent, "wrap_up", "ready"),
        ]
    return [*done, state(at, agent, "talking", "ready")]


def last_of(events: list[Event], call: str = "c1", fold: CdrFold | None = None) -> Cdr:
    fold = fold or CdrFold()
    found = [
        record
        for event in sorted(events, key=lambda event: event.at)
        if (record := fold.apply(event, WALL + event.at)) is not None and record.id == call
    ]
    return found[-1]


def figures(segment: Segment) -> tuple[str, str, float, float, float, str, str]:
    return (
        segment.agent,
        segment.queue,
        segment.talk,
        segment.hold,
        segment.wrap,
        segment.how,
        segment.to,
    )


def whole() -> list[Event]:
    """Alice talks, holds, transfers blind to a second queue, where bob answers; the caller hangs up."""
    return [
        *began(),
        *queued(1.0, "e1", "alice", "l1"),
        LegHeld(at=10.0, call="c1", leg="l1", by="party"),
        LegResumed(at=14.0, call="c1", leg="l1", by="party"),
        TransferStarted(at=20.0, call="c1", leg="l1", kind="blind", target="queue:help"),
        TransferCompleted(at=20.0, call="c1", leg="l1", kind="blind", new=""),
        left(20.0, "l1"),
        *parted(20.0, "e1", "alice", "l1", wrap=8.0),
        *queued(21.0, "e2", "bob", "l2", "help"),
        *parted(43.0, "e2", "bob", "l2", wrap=30.0, queue="help"),
        over(43.0),
        left(43.1, "l2"),
    ]


def test_a_chain_of_two_agents() -> None:
    alice, bob = last_of(whole()).segments
    assert figures(alice) == ("alice", "sales", 13.0, 4.0, 8.0, "blind", "queue:help")
    assert figures(bob) == ("bob", "help", 20.0, 0.0, 30.0, "caller", "")
    assert (alice.entry, bob.entry) == ("e1", "e2")
    assert (alice.handled, bob.handled) == (25.0, 50.0)


def test_a_cut_at_every_event_changes_nothing() -> None:
    events = sorted(whole(), key=lambda event: event.at)
    live = last_of(events)
    for cut in range(len(events) + 1):
        fold, record = CdrFold(), None
        for event in events[:cut]:
            row = REGISTRY.encode(event, wall=WALL + event.at)
            again = REGISTRY.decode(row.type, row.json)
            assert again is not None
            record = fold.apply(again, row.wall) or record
        for event in events[cut:]:
            record = fold.apply(event, WALL + event.at) or record
        assert record == live
        assert fold.open_count == 0


def test_a_wrap_up_that_outlasts_the_call_by_far_is_counted() -> None:
    fold = CdrFold()
    events = [
        *began(),
        *queued(1.0, "e1", "alice", "l1"),
        *parted(10.0, "e1", "alice", "l1", wrap=10 * LINGER_S),
        over(10.0),
        left(10.0, "l1"),
        *[event for n in range(12) for event in [*began(f"d{n}", 20 + n * 50), over(40 + n * 50, f"d{n}")]],
    ]
    (segment,) = last_of(events, fold=fold).segments
    assert segment.wrap == 10 * LINGER_S
    assert fold.open_count == 0


def test_who_never_wraps_up_keeps_no_call() -> None:
    fold = CdrFold()
    events = [
        *began(),
        *queued(1.0, "e1", "alice", "l1"),
        *parted(10.0, "e1", "alice", "l1", wrap=0.0),
        over(10.0),
        left(10.0, "l1", by="callee"),
    ]
    (segment,) = last_of(events, fold=fold).segments
    assert (segment.how, segment.wrap) == ("agent", 0.0)
    assert fold.open_count == 0


def test_a_wrap_up_in_a_run_that_died_ended_with_it() -> None:
    fold = CdrFold()
    events = [
        *began(),
        *queued(1.0, "e1", "alice", "l1"),
        *parted(10.0, "e1", "alice", "l1", wrap=1000.0)[:-1],
        over(10.0),
        left(10.0, "l1"),
        *began("c2", 17.0),
        state(500.0, "alice", "offline", "ready"),
    ]
    (segment,) = last_of(events, fold=fold).segments
    assert segment.wrap == 7.0


@pytest.mark.parametrize(
    ("ends", "how"),
    [
        ([over(9.0), left(9.1, "l1")], "caller"),
        ([left(9.0, "l1", by="callee"), over(9.1, by="us")], "agent"),
        ([over(9.0, by="us"), left(9.1, "l1")], "us"),
        ([over(9.0, by="network"), left(9.1, "l1")], "network"),
        ([left(9.0, "l1", by="network"), over(12.0)], "network"),
        ([left(9.0, "l1"), over(12.0)], "us"),
        ([left(9.0, "l1", cause="transferred"), over(9.0, cause="transferred", by="us")], "moved"),
    ],
)
def test_how_a_segment_ends(ends: list[Event], how: str) -> None:
    events = [
        *began(),
        *rung(1.0, "l1", "alice"),
        BridgeStarted(at=2.0, call="c1", leg="l1"),
        BridgeEnded(at=9.0, call="c1", leg="l1"),
        *ends,
    ]
    (segment,) = last_of(events).segments
    assert (segment.how, segment.talk) == (how, 7.0)


@pytest.mark.parametrize(
    ("leg", "by", "held"),
    [
        ("l1", "party", 3.0),
        ("caller", "us", 3.0),
        ("l1", "us", 3.0),
        ("caller", "party", 0.0),
        ("l9", "party", 0.0),
    ],
)
def test_whose_hold_counts(leg: str, by: Any, held: float) -> None:
    """The agent's and a program's; not that of the caller, nor of somebody who was not there."""
    events = [
        *began(),
        *rung(1.0, "l1", "alice"),
        BridgeStarted(at=2.0, call="c1", leg="l1"),
        LegHeld(at=4.0, call="c1", leg=leg, by=by),
        LegHeld(at=4.5, call="c1", leg=leg, by=by),
        LegResumed(at=7.0, call="c1", leg=leg, by=by),
        BridgeEnded(at=12.0, call="c1", leg="l1"),
        over(12.0),
    ]
    (segment,) = last_of(events).segments
    assert (segment.talk, segment.hold) == (10.0 - held, held)


def test_a_hold_that_is_never_taken_back_lasts_to_the_end() -> None:
    events = [
        *began(),
        *rung(1.0, "l1", "alice"),
        BridgeStarted(at=2.0, call="c1", leg="l1"),
        LegHeld(at=4.0, call="c1", leg="l1", by="party"),
        over(12.0),
    ]
    (segment,) = last_of(events).segments
    assert (segment.talk, segment.hold, segment.ended) == (2.0, 8.0, WALL + 12.0)


def test_who_hangs_up_before_its_transfer_is_done_has_transferred_all_the_same() -> None:
    events = [
        *began(),
        *rung(1.0, "l1", "alice"),
        BridgeStarted(at=2.0, call="c1", leg="l1"),
        TransferStarted(at=4.0, call="c1", leg="l1", kind="blind", target="sip:1002@pbx.example.com"),
        BridgeEnded(at=5.0, call="c1", leg="l1"),
        left(5.0, "l1", by="callee"),
        *rung(6.0, "l2", "bob"),
        TransferCompleted(at=9.0, call="c1", leg="l1", kind="blind", new="l2"),
        BridgeStarted(at=9.0, call="c1", leg="l2"),
        over(20.0),
    ]
    alice, bob = last_of(events).segments
    assert (alice.talk, alice.how, alice.to) == (3.0, "blind", "sip:1002@pbx.example.com")
    assert (bob.talk, bob.how) == (11.0, "caller")


def test_a_later_transfer_that_fails_says_nothing_of_those_before_it() -> None:
    """Nor one that succeeds: each segment keeps whom its own caller went to."""
    events = [
        *began(),
        *rung(1.0, "l1", "ann"),
        BridgeStarted(at=1.0, call="c1", leg="l1"),
        TransferStarted(at=4.0, call="c1", leg="l1", kind="application", target="queue:help"),
        TransferCompleted(at=4.0, call="c1", leg="l1", kind="application", new=""),
        BridgeEnded(at=4.0, call="c1", leg="l1"),
        left(4.0, "l1", cause="transferred"),
        *queued(5.0, "e2", "cat", "l2", "help"),
        *rung(8.0, "l3", "eve"),
        TransferStarted(at=9.0, call="c1", leg="l2", kind="takeover", target="eve"),
        TransferCompleted(at=9.0, call="c1", leg="l2", kind="takeover", new="l3"),
        *parted(9.0, "e2", "cat", "l2", wrap=0.0, queue="help"),
        left(9.0, "l2", cause="transferred"),
        BridgeStarted(at=9.0, call="c1", leg="l3"),
        TransferStarted(at=12.0, call="c1", leg="l3", kind="application", target="13800000077"),
        TransferFailed(at=13.0, call="c1", leg="l3", kind="application", sip_status=480),
        over(20.0),
    ]
    assert [(part.agent, part.how, part.to) for part in last_of(events).segments] == [
        ("ann", "application", "queue:help"),
        ("cat", "takeover", "eve"),
        ("eve", "caller", ""),
    ]


def test_a_call_of_a_colleague_s_in_a_wrap_up_does_not_take_it() -> None:
    """Nor one that came to the same phone while the agent talked."""
    colleague = [
        *began("c2", 12.0),
        *rung(12.0, "l2", "alice", "c2"),
        BridgeStarted(at=12.0, call="c2", leg="l2"),
        over(14.0, "c2"),
    ]
    for early in (0.0, 8.0):
        other = [msgspec.structs.replace(event, at=event.at - early) for event in colleague]
        talk = [*began(), *queued(1.0, "e1", "alice", "l1")]
        end = [*parted(10.0, "e1", "alice", "l1", wrap=9.0), over(10.0), left(10.0, "l1")]
        assert [part.wrap for part in last_of([*talk, *other, *end]).segments] == [9.0]
        assert [part.wrap for part in last_of([*talk, *other, *end], "c2").segments] == [0.0]


def test_a_wrap_up_goes_with_the_last_that_the_agent_served() -> None:
    """Carol was asked in a call of alice's, and got the caller: she wraps up after the latter."""
    events = [
        *began(),
        *rung(1.0, "l1", "alice"),
        BridgeStarted(at=1.0, call="c1", leg="l1"),
        *began("c2", 5.0),
        *queued(5.0, "e2", "carol", "l2", "help", call="c2"),
        InteractionJoined(at=10.0, call="c2", interaction="c1"),
        left(10.0, "l2", call="c2", cause="transferred"),
        BridgeEnded(at=10.0, call="c2", leg="l2"),
        over(10.0, "c2", by="us", cause="transferred"),
        *rung(10.0, "l2", "carol"),
        TransferCompleted(at=10.0, call="c1", leg="l1", kind="attended", new="l2"),
        BridgeEnded(at=10.0, call="c1", leg="l1"),
        BridgeStarted(at=10.0, call="c1", leg="l2"),
        over(30.0),
        TalkEnded(at=30.0, entry="e2", queue="help", call="c2", agent="carol", talked=23.0),
        state(30.0, "carol", "talking", "wrap_up"),
        state(36.0, "carol", "wrap_up", "ready"),
        BridgeEnded(at=30.1, call="c1", leg="l2"),
        left(30.1, "l2"),
    ]
    fold = CdrFold()
    alice, carol = last_of(events, fold=fold).segments
    assert (alice.agent, alice.how, carol.agent, carol.talk, carol.wrap) == (
        "alice",
        "attended",
        "carol",
        20.0,
        6.0,
    )
    consult = last_of(events, "c2")
    assert consult.interaction == "c1"
    assert [(part.agent, part.talk, part.wrap, part.how) for part in consult.segments] == [
        ("carol", 3.0, 0.0, "moved")
    ]
