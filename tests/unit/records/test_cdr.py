"""The fold of events into call records."""

from __future__ import annotations

import msgspec
import pytest

from sipcc.acd.events import AgentStateChanged, QueueJoined
from sipcc.call.events import (
    BridgeEnded,
    BridgeStarted,
    CallAnswered,
    CallEndedEvent,
    CallRinging,
    CallStarted,
    DigitsCollected,
    LegAnswered,
    LegEnded,
    LegRinging,
    LegStarted,
    RecordingFinished,
    RecordingStarted,
    RecordingStored,
    TransferCompleted,
)
from sipcc.events import Event
from sipcc.records.cdr import LINGER_S, Cdr, CdrFold
from sipcc.records.cdrparts import CdrRecording
from sipcc.records.eventlog import REGISTRY
from sipcc.rtp.flow import RtpStats

WALL = 1_790_000_000.0
STATS = RtpStats(packets_received=98, lost=2, jitter_ms=1.5, rtt_ms=20.0, mos=4.4)


def started(at: float, call: str = "c1") -> CallStarted:
    return CallStarted(
        at=at,
        call=call,
        caller="13800138000",
        called="4008123456",
        trunk="carrier",
        sip_call_id="x@example.com",
        source="127.0.0.2:5060",
    )


def ended(at: float, call: str = "c1", **changes: object) -> CallEndedEvent:
    values: dict[str, object] = {"cause": "normal", "sip_status": 200, "ended_by": "caller", "stats": STATS}
    return CallEndedEvent(at=at, call=call, **(values | changes))  # type: ignore[arg-type]


def leg_started(at: float, leg: str, agent: str) -> LegStarted:
    return LegStarted(at=at, call="c1", leg=leg, target=f"sip:{agent}@example.com", agent=agent)


def leg_ended(at: float, leg: str, cause: str = "normal", status: int = 200) -> LegEnded:
    return LegEnded(at=at, call="c1", leg=leg, cause=cause, sip_status=status, ended_by="callee", stats=STATS)


def whole_call() -> list[Event]:
    """Menu, queue, one agent who is busy, one who answers; the agent's leg and the file lag behind."""
    return [
        started(0.0),
        CallRinging(at=0.1, call="c1"),
        CallAnswered(at=0.25, call="c1"),
        DigitsCollected(at=2.0, call="c1", prompt="welcome", digits="1", outcome="match"),
        QueueJoined(at=2.1, entry="e1", queue="sales", call="c1", caller="x", priority=0, position=1),
        leg_started(2.2, "l1", "alice"),
        leg_ended(2.4, "l1", "busy", 486),
        leg_started(2.5, "l2", "bob"),
        LegRinging(at=2.7, call="c1", leg="l2"),
        LegAnswered(at=5.0, call="c1", leg="l2"),
        BridgeStarted(at=5.01, call="c1", leg="l2"),
        RecordingStarted(at=5.02, call="c1", path="recordings/c1.wav"),
        BridgeEnded(at=15.01, call="c1", leg="l2"),
        ended(15.02),
        leg_ended(15.05, "l2"),
        RecordingFinished(at=15.4, call="c1", path="recordings/c1.wav", seconds=10.0004, reason="stopped"),
    ]


def fold_all(events: list[Event], fold: CdrFold | None = None) -> list[Cdr]:
    fold = fold or CdrFold()
    return [record for event in events if (record := fold.apply(event, WALL + event.at)) is not None]


def test_a_whole_call() -> None:
    records = fold_all(whole_call())
    assert [len(r.legs) for r in records] == [2, 2, 2]  # at the end, after the leg, after the recording
    record = records[-1]
    assert (record.caller, record.called, record.trunk) == ("13800138000", "4008123456", "carrier")
    assert record.started == WALL
    assert record.ringing == WALL + 0.1
    assert record.answered == WALL + 0.25
    assert record.ended == WALL + 15.02
    assert (record.setup, record.duration, record.talked) == (0.25, 14.77, 10.0)
    assert (record.cause, record.sip_status, record.ended_by) == ("normal", 200, "caller")
    assert record.agents == ("bob",)
    assert record.queues == ("sales",)
    assert [(d.prompt, d.digits, d.outcome) for d in record.digits] == [("welcome", "1", "match")]
    assert (record.recording, record.recorded) == ("recordings/c1.wav", 10.0)
    assert record.lost_fraction == pytest.approx(0.02)
    busy, bob = record.legs
    assert (busy.cause, busy.sip_status, busy.rang, busy.talked, busy.answered) == (
        "busy",
        486,
        0.2,
        0.0,
        None,
    )
    assert (bob.rang, bob.talked, bob.ended) == (2.5, 10.0, WALL + 15.05)
    assert bob.stats == STATS


def test_a_cut_at_every_event_changes_nothing() -> None:
    events = whole_call()
    live = fold_all(events)
    for cut in range(len(events) + 1):
        fold = CdrFold()
        logged = [REGISTRY.encode(event, wall=WALL + event.at) for event in events[:cut]]
        told = []
        for row in logged:  # replayed from the log up to the cut, live from there
            event = REGISTRY.decode(row.type, row.json)
            assert event is not None
            if (record := fold.apply(event, row.wall)) is not None:
                told.append(record)
        assert told + fold_all(events[cut:], fold) == live


def test_refused_before_answer_is_told_once() -> None:
    fold = CdrFold()
    (record,) = fold_all([started(0.0), ended(0.5, cause="busy", sip_status=486, ended_by="us")], fold)
    assert (record.answered, record.ringing, record.duration, record.setup) == (None, None, 0.0, 0.5)
    assert record.recording is None
    assert record.agents == ()
    assert fold.open_count == 0
    assert fold.finished == 1


def test_the_end_of_the_call_ends_the_talk() -> None:
    events = [
        started(0.0),
        CallAnswered(at=1.0, call="c1"),
        leg_started(1.0, "l1", "alice"),
        LegAnswered(at=2.0, call="c1", leg="l1"),
        BridgeStarted(at=2.0, call="c1", leg="l1"),
        ended(8.0),
        BridgeEnded(at=8.5, call="c1", leg="l1"),
        BridgeStarted(at=8.6, call="c1", leg="l1"),
        leg_ended(9.0, "l1"),
    ]
    records = fold_all(events)
    assert len(records) == 2
    assert records[-1].legs[0].talked == 6.0


def test_repeated_and_unknown_events_change_nothing() -> None:
    once = fold_all(whole_call())
    fold = CdrFold()
    twice = fold_all([event for event in whole_call() for _ in (0, 1) if _ == 0 or not _again(event)], fold)
    assert twice == once
    assert fold.strays == 0


def test_the_record_follows_a_recording_to_its_final_form_and_is_settled_then() -> None:
    fold = CdrFold()
    before = fold_all(whole_call(), fold)[-1]
    path, new = before.recordings[0].path, "recordings/c1.flac"
    stored = RecordingStored(at=16, call="c1", path=path, stored=new, size_bytes=9, sha256="ab" * 32)
    [record] = fold_all([stored], fold)
    assert record.recordings == (CdrRecording(path=new, seconds=10.0, reason="stopped", sha256="ab" * 32),)
    assert fold_all([LegRinging(at=16.1, call="c1", leg="nobody")], fold) == []
    assert fold.strays == 1


def _again(event: Event) -> bool:
    """Events that may be told twice without meaning a second thing."""
    return isinstance(event, DigitsCollected | QueueJoined)


def test_events_of_no_call_pass() -> None:
    fold = CdrFold()
    assert fold.apply(AgentStateChanged(at=0, agent="a", before="ready", after="ringing"), WALL) is None
    assert fold.apply(ended(1.0), WALL) is None
    assert fold.strays == 1


def test_laggards_are_waited_for_only_so_long() -> None:
    fold = CdrFold()
    fold_all([started(0.0), leg_started(1.0, "l1", "alice"), ended(2.0)], fold)
    assert fold.open_count == 1
    assert fold.live == []
    fold.apply(started(70.0, "c2"), WALL + 2.0 + LINGER_S + 0.001)
    assert fold.live == ["c2"]
    assert fold.apply(leg_ended(70.0, "l1"), WALL + 70.0) is None
    assert fold.strays == 1


def test_a_record_survives_json() -> None:
    record = fold_all(whole_call())[-1]
    assert msgspec.json.decode(msgspec.json.encode(record), type=Cdr) == record


def test_no_packets_no_loss_figure() -> None:
    (record,) = fold_all([started(0.0), ended(1.0, stats=RtpStats())])
    assert record.lost_fraction is None


def test_a_talk_that_goes_on_at_another_phone_is_counted_there() -> None:
    """An INVITE with Replaces: caller and new phone hear each other without another word about it."""
    events = [
        started(0.0),
        leg_started(1.0, "l1", "alice"),
        LegAnswered(at=2.0, call="c1", leg="l1"),
        BridgeStarted(at=2.0, call="c1", leg="l1"),
        leg_started(6.0, "l2", "alice"),
        LegAnswered(at=6.0, call="c1", leg="l2"),
        TransferCompleted(at=6.0, call="c1", leg="l1", kind="takeover", new="l2"),
        leg_ended(6.0, "l1"),
        ended(16.0),
        BridgeEnded(at=16.0, call="c1", leg="l1"),
        leg_ended(16.0, "l2"),
    ]
    record = fold_all(events)[-1]
    assert [leg.talked for leg in record.legs] == [4.0, 10.0]
