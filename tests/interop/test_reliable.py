"""Reliable provisional responses, UPDATE, late offers, holds and glare, told by SIPp as the carrier."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.interop.field import Field
from tests.interop.scenario import callee, caller, sdp

RELIABLE = ["Supported: 100rel"]
DEMANDS = ["Require: 100rel"]
ALLOW = "Allow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, OPTIONS"


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    options = ("off", "supported", "required")
    field = Field(
        tmp_path_factory.mktemp("reliable"),
        callers={name: {"reliable": name} for name in options},
        callees={f"to-{name}": {"reliable": name} for name in options},
        sip='reliable = "supported"',
    )
    yield field
    field.close()


RING, ECHO = "4008123451", "4008123453"


def test_a_caller_that_demands_100rel_where_it_is_off(field: Field) -> None:
    script = caller("demands what is off").invite(headers=DEMANDS).recv(100, optional=True).recv(420)
    run = field.call(script.ack_refusal(), by="off", number=RING)
    run.succeed()
    assert run.first("SIP/2.0 420", "received").header("Unsupported") == "100rel"


def test_a_caller_without_100rel_where_it_is_required(field: Field) -> None:
    script = caller("knows no 100rel").invite().recv(100, optional=True).recv(421)
    run = field.call(script.ack_refusal(), by="required", number=RING)
    run.succeed()
    assert run.first("SIP/2.0 421", "received").header("Require") == "100rel"


@pytest.mark.parametrize(
    ("by", "headers"),
    [("supported", RELIABLE), ("supported", DEMANDS), ("required", RELIABLE), ("required", DEMANDS)],
)
def test_ringing_is_reliable_and_pracked(field: Field, by: str, headers: list[str]) -> None:
    script = caller(f"pracks {by} {headers[0]}").invite(headers=headers).recv(100, optional=True)
    script.recv_rseq(180).prack(cseq=2).recv(200).cancel().recv(200).recv(487).ack_refusal()
    run = field.call(script, by=by, number=RING)
    run.succeed()
    ringing = run.first("SIP/2.0 180")
    assert ringing.header("Require") == "100rel"
    assert len(run.all("SIP/2.0 180")) == 1


@pytest.mark.parametrize("by", ["off", "supported"])
def test_a_caller_that_knows_no_100rel_gets_plain_ringing(field: Field, by: str) -> None:
    script = caller(f"plain {by}").invite().recv(100, optional=True).recv(180)
    run = field.call(script.cancel().recv(200).recv(487).ack_refusal(), by=by, number=RING)
    run.succeed()
    assert not run.first("SIP/2.0 180").header("RSeq")


def test_a_prack_of_nothing_is_refused(field: Field) -> None:
    script = caller("wrong pracks").invite(headers=RELIABLE).recv(100, optional=True).recv_rseq(180)
    script.prack(cseq=2, rack="7 1 INVITE").recv(481).prack(cseq=3, rack="[$rseq] 9 INVITE").recv(481)
    script.prack(cseq=4).recv(200).prack(cseq=5).recv(481)  # the last one is for what has been had
    run = field.call(script.cancel().recv(200).recv(487).ack_refusal(), by="supported", number=RING)
    run.succeed()


def test_ringing_is_repeated_until_its_prack(field: Field) -> None:
    script = caller("late prack").invite(headers=RELIABLE).recv(100, optional=True).recv_rseq(180)
    script.pause(700).prack(cseq=2).recv(200).pause(1200)
    run = field.call(script.cancel().recv(200).recv(487).ack_refusal(), by="supported", number=RING)
    run.succeed()
    first, second = run.all("SIP/2.0 180")
    assert first.text == second.text
    assert second.at - first.at == pytest.approx(0.5, abs=0.1)


def test_a_callee_rings_reliably_with_and_without_a_description(field: Field) -> None:
    """A plain caller on the other side: each leg has its own rules."""
    second = callee("reliable 183 and 180").recv("INVITE").answer(100, "Trying")
    second.answer(183, "Session Progress", headers=[*DEMANDS, "RSeq: 5"], body=sdp(), wait=True)
    second.recv("PRACK").answer(200, to="prack")
    second.answer(180, "Ringing", headers=[*DEMANDS, "RSeq: 6"], wait=True)
    second.recv("PRACK", keep="prack2").answer(200, to="prack2")
    second.answer(200, body=sdp(), wait=True).recv("ACK").hung_up()
    first = caller("plain caller").invite().recv(100, optional=True).recv(183, optional=True)
    first.recv(180, optional=True).recv(183, optional=True).recv(180, optional=True)
    first.recv(200, dialog=True).ack().pause(200).bye()
    carrier, agent = field.talk(first, second, by="off", at="to-supported")
    carrier.succeed()
    agent.succeed()
    assert "100rel" in agent.first("INVITE").header("Supported")
    cseq = agent.first("INVITE").header("CSeq")
    assert [prack.header("RAck") for prack in agent.all("PRACK", "received")] == [f"5 {cseq}", f"6 {cseq}"]
    assert not any(message.header("RSeq") for message in carrier.messages())


def test_required_is_demanded_of_the_callee(field: Field) -> None:
    second = (
        callee("refuses 100rel").recv("INVITE").answer(420, "Bad Extension", headers=["Unsupported: 100rel"])
    )
    second.recv("ACK")
    first = caller("of one who refuses").invite().recv(100, optional=True).recv(180, optional=True)
    first.raw(
        '<recv response="420" optional="true" next="1"/><recv response="503" optional="true" next="1"/>'
    )
    first.raw('<recv response="500" next="1"/><label id="1"/>').ack_refusal()
    carrier, agent = field.talk(first, second, by="off", at="to-required")
    agent.succeed()
    carrier.succeed()
    assert "100rel" in agent.first("INVITE").header("Require")


def test_a_callee_that_was_told_of_100rel_off_gets_no_prack(field: Field) -> None:
    second = callee("unasked reliable 180").recv("INVITE")
    second.answer(180, "Ringing").answer(200, body=sdp(), wait=True).recv("ACK").hung_up()
    first = caller("off at both").invite().recv(100, optional=True).recv(180, optional=True)
    first.recv(200, dialog=True).ack().bye()
    carrier, agent = field.talk(first, second, by="off", at="to-off")
    carrier.succeed()
    agent.succeed()
    assert "100rel" not in agent.first("INVITE").header("Supported")


def test_updates_in_an_early_dialog(field: Field) -> None:
    """RFC 3311 §5.2: 500 with Retry-After while the INVITE's offer has no answer, then 200."""
    second = callee("early audio").recv("INVITE")
    second.answer(183, "Session Progress", headers=[*DEMANDS, "RSeq: 1", ALLOW], body=sdp(), wait=True)
    second.recv("PRACK").answer(200, to="prack").play().pause(700)
    second.answer(200, body=sdp(), wait=True).recv("ACK").hung_up()
    first = caller("updates early").invite(headers=[*RELIABLE, ALLOW]).recv(100, optional=True)
    first.recv_rseq(183).prack(cseq=2).recv(200)
    first.request("UPDATE", cseq=3, body=sdp(version=2)).recv(500)  # our first offer has no answer yet
    first.recv_rseq(183).prack(cseq=4).recv(200)
    first.request("UPDATE", cseq=5, body=sdp(version=2)).recv(200).request("UPDATE", cseq=6).recv(200)
    first.recv(200, dialog=True).ack().request("UPDATE", cseq=7, body=sdp("sendonly", version=3)).recv(200)
    first.request("UPDATE", cseq=8, body=sdp(version=4)).recv(200).bye(cseq=9)
    carrier, agent = field.talk(first, second, by="supported", at="to-supported")
    carrier.succeed()
    agent.succeed()
    assert carrier.first("SIP/2.0 500", "received").header("Retry-After")
    answers = carrier.all("SIP/2.0 200", "received", method="UPDATE")
    assert ["m=audio" in answer.text for answer in answers] == [True, False, True, True]
    assert "a=recvonly" in answers[2].text
