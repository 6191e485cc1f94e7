"""The log in Asterisk's words."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from sipcc.acd.events import AgentStateChanged, OfferEnded, OfferMade, QueueJoined, QueueLeft, TalkEnded
from sipcc.call.events import (
    CallAnswered,
    CallEndedEvent,
    CallStarted,
    LegAnswered,
    LegEnded,
    LegStarted,
    TransferCompleted,
    TransferFailed,
    TransferStarted,
)
from sipcc.events import Event
from sipcc.records.asterisk import master_line
from sipcc.records.cdr import CdrFold
from sipcc.records.queuelog import QueueLogFold

WALL = 1_700_006_400.0
E1: dict[str, Any] = {"entry": "e1", "queue": "sales", "call": "c1"}


def joined(at: float, entry: str, *, position: int = 1, priority: int = 0) -> QueueJoined:
    return QueueJoined(
        at=at, entry=entry, queue="sales", call=entry.replace("e", "c"), caller="a|b\n", priority=priority,
        position=position,
    )  # fmt: skip


def left(at: float, entry: str, exit_: str, waited: float, agent: str | None = None) -> QueueLeft:
    call = entry.replace("e", "c")
    return QueueLeft(
        at=at, entry=entry, queue="sales", call=call, exit=exit_, waited=waited, agent=agent  # type: ignore[arg-type]
    )  # fmt: skip


def written(events: list[Event], **members: tuple[str, ...]) -> list[str]:
    fold = QueueLogFold(members)
    lines = [line for event in events for line in fold.apply(event, WALL + event.at)] + fold.flush()
    return [line.removeprefix("17000064") for line in lines]


def answered(ringing: float = 3.0) -> list[Event]:
    made = 5.0 - ringing
    return [
        joined(0.0, "e1"),
        OfferMade(at=made, offer="o1", agent="alice", **E1),
        LegStarted(at=made, call="c1", leg="l1", target="sip:1001@127.0.0.3", agent="alice"),
        OfferEnded(at=5.0, offer="o1", agent="alice", outcome="answered", sip_status=200, **E1),
        left(5.0, "e1", "answered", 5.0, "alice"),
    ]


TALK = TalkEnded(at=65.0, agent="alice", talked=60.0, **E1)
BEGIN = ["00|c1|sales|NONE|ENTERQUEUE||a b |1", "05|c1|sales|alice|CONNECT|5|l1|3"]


def leg_ended(by: str) -> LegEnded:
    return LegEnded(at=65.1, call="c1", leg="l1", cause="normal", sip_status=200, ended_by=by)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("events", "line"),
    [
        ([TALK, leg_ended("callee")], "65|c1|sales|alice|COMPLETEAGENT|5|60|1"),
        ([TALK, leg_ended("us")], "65|c1|sales|alice|COMPLETECALLER|5|60|1"),
        ([TALK], "65|c1|sales|alice|COMPLETECALLER|5|60|1"),
    ],
)
def test_an_answered_caller(events: list[Event], line: str) -> None:
    assert written([*answered(), *events]) == [*BEGIN, line]


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("blind", "BLINDTRANSFER|1002|default|5|60|1"),
        ("attended", "ATTENDEDTRANSFER|BRIDGE|l2|5|60|1"),
    ],
)
def test_a_transfer_completes_the_talk(kind: Any, line: str) -> None:
    events: list[Event] = [
        *answered(),
        TransferStarted(at=60.0, call="c1", leg="l1", kind=kind, target="1002"),
        TransferCompleted(at=65.0, call="c1", leg="l1", kind=kind, new="l2"),
        TALK,
        leg_ended("callee"),
        CallEndedEvent(at=99.0, call="c1", cause="normal", sip_status=200, ended_by="caller"),
    ]
    assert written(events) == [*BEGIN, f"65|c1|sales|alice|{line}"]


@pytest.mark.parametrize(
    ("fails", "line"),
    [(False, "BLINDTRANSFER|1002|default|"), (True, "COMPLETEAGENT|")],
)
def test_who_hangs_up_before_the_transfer_is_done_has_transferred(fails: bool, line: str) -> None:
    """Many phones do so on the 202; one whose transfer failed has its party back, and completes the talk."""
    failed = TransferFailed(at=61.0, call="c1", leg="l1", kind="blind", sip_status=486)
    events: list[Event] = [
        *answered(),
        TransferStarted(at=60.0, call="c1", leg="l1", kind="blind", target="1002"),
        *([failed] if fails else []),
        TALK,
        leg_ended("callee"),
        TransferCompleted(at=70.0, call="c1", leg="l1", kind="blind", new="l2"),
        CallEndedEvent(at=99.0, call="c1", cause="normal", sip_status=200, ended_by="caller"),
    ]
    [last] = written(events)[len(BEGIN) :]
    assert last.startswith(f"65|c1|sales|alice|{line}")


@pytest.mark.parametrize(
    ("exit_", "line"),
    [
        ("abandoned", "ABANDON|2|3|9"),
        ("short_abandoned", "ABANDON|2|3|9"),
        ("timed_out", "EXITWITHTIMEOUT|2|3|9"),
        ("no_agent", "EXITEMPTY|2|3|9"),
        ("key_exit", "EXITWITHKEY||2|3|9"),
        ("full", "WITHDRAW|2|3|9|full"),
        ("overflowed", "WITHDRAW|2|3|9|overflowed"),
    ],
)
def test_exits_tell_the_place_in_line(exit_: str, line: str) -> None:
    events = [
        joined(0.0, "e1"),
        joined(0.0, "e2", position=2),
        joined(0.0, "e3", position=3),
        joined(1.0, "e4", priority=-1, position=4),
        left(5.0, "e1", "abandoned", 5.0),
        left(9.0, "e3", exit_, 9.0),
        left(9.0, "e3", exit_, 9.0),
    ]
    assert written(events)[-1] == f"09|c3|sales|NONE|{line}"


@pytest.mark.parametrize(("outcome", "name"), [("no_answer", "RINGNOANSWER"), ("cancelled", "RINGCANCELED")])
def test_offers_that_came_to_nothing(outcome: Any, name: str) -> None:
    events: list[Event] = [
        OfferMade(at=0.0, offer="o1", agent="alice", **E1),
        OfferEnded(at=2.5, offer="o1", agent="alice", outcome=outcome, sip_status=0, **E1),
        OfferEnded(at=2.5, offer="o1", agent="alice", outcome=outcome, sip_status=0, **E1),
    ]
    assert written(events) == [f"02|c1|sales|alice|{name}|2500"]


def test_agents_come_pause_and_go_in_each_of_their_queues() -> None:
    def state(at: float, before: str, after: str) -> AgentStateChanged:
        return AgentStateChanged(at=at, agent="alice", before=before, after=after, reason="lunch")

    events: list[Event] = [
        state(0.0, "offline", "ready"),
        state(1.0, "ready", "not_ready"),
        state(2.0, "not_ready", "ready"),
        state(3.0, "ready", "offline"),
    ]
    names = ["00|ADDMEMBER|", "01|PAUSE|lunch", "02|UNPAUSE|", "03|REMOVEMEMBER|"]
    parts = [name.split("|", 1) for name in names]
    assert written(events) == [f"{at}|NONE|NONE|alice|{rest}" for at, rest in parts]
    assert [line.split("|")[2] for line in written(events, alice=("sales", "help"))] == ["sales", "help"] * 4


def test_the_fields_of_master_csv() -> None:
    fold = CdrFold()
    events: list[Event] = [
        CallStarted(
            at=0.0,
            call="c1",
            caller='+86"1',
            called="4008123456",
            trunk="carrier",
            sip_call_id="x",
            source="x",
        ),
        CallAnswered(at=1.0, call="c1"),
        joined(1.0, "e1"),
        LegStarted(at=2.0, call="c1", leg="l1", target="sip:1001@127.0.0.3", agent="alice"),
        LegAnswered(at=5.0, call="c1", leg="l1"),
        CallEndedEvent(at=65.9, call="c1", cause="normal", sip_status=200, ended_by="caller"),
    ]
    (record,) = [record for event in events if (record := fold.apply(event, WALL + event.at)) is not None]
    assert master_line(record, zone=UTC) == (
        '"","+86""1","4008123456","carrier","""+86""1"" <+86""1>","SIP/carrier-c1","SIP/alice-l1","Queue",'
        '"sales","2023-11-15 00:00:00","2023-11-15 00:00:01","2023-11-15 00:01:05",65,64,"ANSWERED",'
        '"DOCUMENTATION","c1",""\n'
    )


def test_a_call_that_nobody_answered_has_no_answer_time() -> None:
    fold = CdrFold()
    started = CallStarted(at=0.0, call="c1", caller="1", called="2", trunk=None, sip_call_id="x", source="x")
    fold.apply(started, WALL)
    end = CallEndedEvent(at=3.0, call="c1", cause="cancelled", sip_status=487, ended_by="caller")
    record = fold.apply(end, WALL + 3.0)
    assert record is not None
    cells = master_line(record, zone=UTC).split(",")
    assert (cells[6:9], cells[10], cells[12:15]) == (['""', '""', '""'], "", ["3", "0", '"NO ANSWER"'])
