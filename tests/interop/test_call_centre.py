"""The centre under many at once, with SIPp on both sides: fifty numbers for one caller, and the reverse."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.interop.field import Field
from tests.interop.programs import wait_until
from tests.interop.scenario import Script, callee, caller, sdp
from tests.interop.sipp import Message, Sipp

NUMBERS = 50
CALLERS = 200
TALK_MS = 30
FIELD, DESK = "4008222222", "4008333333"


def _queues() -> str:
    bound = ", ".join(f'"cells/138001380{index:02}"' for index in range(NUMBERS))
    return f"""
[[queues]]
name = "field"
strategy = "ring-all"
music = ""
max_misses = 0
bound = [{bound}]
[[queues]]
name = "desk"
music = ""
max_misses = 0
max_wait = 0
bound = ["desk/13900139000"]
"""


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Field]:
    field = Field(
        tmp_path,
        callers={"outside": {}},
        callees={"cells": {}, "desk": {}},
        numbers={FIELD: "queue:field", DESK: "queue:desk"},
        extra=_queues(),
        ports=1000,
    )
    yield field
    wait_until(lambda: "calls 0" in _figures(field), 8, lambda: _figures(field))
    field.close()


def _figures(field: Field) -> str:
    return "\n".join(" ".join(line.split()) for line in field.centre.ask("status").splitlines())


def _rings(then_ms: int) -> Script:
    """Ring, answer after `then_ms` unless it is called off before, and be hung up in any case."""
    script = callee("one of many").recv("INVITE").answer(180, "Ringing")
    script.recv("CANCEL", more=f'timeout="{then_ms}" ontimeout="1"').answer(200, to="cancel")
    script.answer(487, "Request Terminated", wait=True).recv("ACK").raw('<nop next="9"/><label id="1"/>')
    script.answer(200, body=sdp(), wait=True)
    script.recv("CANCEL", optional=True, keep="late", more='next="2"').recv("ACK")
    script.raw('<nop next="3"/><label id="2"/>').answer(200, to="late").recv("ACK")
    return script.raw('<label id="3"/>').hung_up().raw('<label id="9"/>')


def _ends(messages: list[Message], call: str) -> list[Message]:
    """What came to end a call of the callees: CANCEL, or BYE, or both where they crossed the answer."""
    return [
        message
        for message in messages
        if message.header("Call-ID") == call
        and message.direction == "received"
        and message.start.startswith(("BYE ", "CANCEL "))
    ]


def test_fifty_numbers_that_answer_at_once_and_one_is_bridged(field: Field) -> None:
    cells = field.take(_rings(1500), at="cells", calls=NUMBERS, at_once=NUMBERS, limit_s=25, patient=True)
    script = caller("waits for one").invite().recv(100, optional=True).recv(200, dialog=True).ack()
    caller_run = field.call(script.pause(5000).bye(), by="outside", number=FIELD)
    caller_run.succeed()
    cells.succeed()

    messages = cells.messages()
    rung = {each.header("Call-ID"): each.start for each in messages if each.start.startswith("INVITE ")}
    assert len(rung) == len(set(rung.values())) == NUMBERS
    bye = caller_run.first("BYE", "sent").at
    bridged = [call for call in rung if _ends(messages, call)[0].at >= bye - 0.05]
    assert len(bridged) == 1
    answered = next(
        each.at
        for each in messages
        if each.header("Call-ID") == bridged[0] and each.start == "SIP/2.0 200 OK"
    )
    late = [_ends(messages, call)[0].at - answered for call in rung if call != bridged[0]]
    assert len(late) == NUMBERS - 1
    sys.stdout.write(f"49 others were called off up to {1000 * max(late):.0f} ms after the answer\n")
    assert [outcome for _, outcome in field.centre.offers()].count("answered") == 1
    assert len(field.centre.cdrs(1)) == 1


def _answers() -> Script:
    script = callee("the only agent").recv("INVITE").answer(180, "Ringing").answer(200, body=sdp(), wait=True)
    return script.recv("ACK").pause(TALK_MS).request("BYE", cseq=1).recv(200)


def _overlaps(run: Sipp) -> int:
    """How often a second call was sent to the agent before its last one had ended."""
    open_: set[str] = set()
    found = 0
    for message in run.messages():
        call = message.header("Call-ID")
        if message.direction == "received" and message.start.startswith("INVITE ") and call not in open_:
            found += bool(open_)
            open_.add(call)
        elif message.start.startswith("SIP/2.0 200") and "BYE" in message.header("CSeq"):
            open_.discard(call)
    return found


def test_two_hundred_callers_and_one_agent(field: Field) -> None:
    """All come within five seconds; each is served once, in the order of coming, and never two at a time."""
    agent = field.take(_answers(), at="desk", calls=CALLERS, at_once=2, limit_s=60, patient=True)
    script = caller("waits for the agent").invite().recv(100, optional=True).recv(200, dialog=True).ack()
    callers = field.call(
        script.hung_up(), by="outside", number=DESK, calls=CALLERS, at_once=CALLERS, rate=40, limit_s=60
    )
    callers.succeed(70)
    agent.succeed(70)
    assert _overlaps(agent) == 0
    assert len(field.centre.cdrs(CALLERS)) == CALLERS
    assert field.centre.exits() == ["answered"] * CALLERS
