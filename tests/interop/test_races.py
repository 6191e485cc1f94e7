"""Messages that cross, 200 times each, with random pauses: every call comes to its right end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.interop.field import Field
from tests.interop.programs import wait_until
from tests.interop.scenario import Script, callee, caller, sdp
from tests.interop.sipp import Sipp

RING, ECHO = "4008123451", "4008123453"
MANY = {"calls": 200, "at_once": 60, "rate": 150, "limit_s": 25, "patient": True}


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    field = Field(
        tmp_path_factory.mktemp("races"),
        callers={"outside": {}},
        callees={"far": {}},
        ports=1000,
    )
    yield field
    field.close()


@pytest.fixture(autouse=True)
def _nothing_is_left(field: Field) -> Iterator[None]:
    yield
    wait_until(lambda: figures(field)["calls"] == "0", 8, lambda: str(figures(field)))


def figures(field: Field) -> dict[str, str]:
    """What `sipccd status` prints."""
    lines = [line.split(maxsplit=1) for line in field.centre.ask("status").splitlines()]
    return {line[0]: line[1] if len(line) > 1 else "" for line in lines if line}


def within(milliseconds: int) -> str:
    return f'distribution="uniform" min="0" max="{milliseconds}"'


def counts(run: Sipp, start: str, method: str) -> int:
    """In how many calls such a message was received."""
    return len({message.header("Call-ID") for message in run.all(start, "received", method=method)})


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_cancel_right_behind_the_invite(field: Field, transport: str) -> None:
    script = caller(f"cancels {transport}").invite(wait=False).pause(within(8)).cancel()
    script.recv(100, optional=True).recv(180, optional=True).recv(200).recv(487).ack_refusal()
    run = field.call(script, by="outside", number=RING, transport=transport, **MANY)
    run.succeed()
    assert counts(run, "SIP/2.0 487", "INVITE") == MANY["calls"]


def test_two_cancels(field: Field) -> None:
    script = (
        caller("cancels twice")
        .invite()
        .recv(100, optional=True)
        .recv(180)
        .cancel(wait=False)
        .cancel(wait=False)
    )
    run = field.call(script.recv(200).recv(487).ack_refusal(), by="outside", number=RING, **MANY)
    run.succeed()


def test_cancel_that_crosses_the_answer(field: Field) -> None:
    """Either the call was refused with 487, or it was answered; then the ACK and a BYE end it."""
    script = caller("crosses").invite(wait=False).pause(within(3)).cancel(wait=False).recv(100, optional=True)
    script.recv(180, optional=True)
    first = '<ereg regexp="INVITE" search_in="hdr" header="CSeq:" assign_to="answered"/>'
    script.raw(
        f'<recv response="200" next="1" test="answered" rrs="true"><action>{first}'
        '<ereg regexp=".*" search_in="hdr" header="To:" assign_to="to"/></action></recv>'
    )
    script.recv(487, optional=True, more='next="2"').recv(200, dialog=True).raw(
        '<nop next="3"/><label id="1"/>'
    )
    script.recv(481, optional=True, more='next="3"').recv(200)
    script.raw('<label id="3"/>').ack().bye().raw('<nop next="9"/><label id="2"/>').ack_refusal()
    run = field.call(script.raw('<label id="9"/>'), by="outside", number=ECHO, **MANY)
    run.succeed()
    refused, answered = counts(run, "SIP/2.0 487", "INVITE"), counts(run, "SIP/2.0 200", "INVITE")
    assert refused + answered == MANY["calls"]


def test_bye_that_crosses_a_re_invite(field: Field) -> None:
    script = caller("re-invites and hangs up").invite().recv(100, optional=True).recv(200, dialog=True).ack()
    script.request("INVITE", cseq=2, body=sdp(version=2), wait=False).pause(within(3))
    script.request("BYE", cseq=3).recv(100, optional=True).recv(487, optional=True).recv(200)
    run = field.call(script, by="outside", number=ECHO, **MANY)
    run.succeed()
    assert counts(run, "SIP/2.0 200", "BYE") == MANY["calls"]


def answers_and_hangs_up() -> Script:
    script = callee("answers and hangs up").recv("INVITE").pause(within(5))
    script.answer(200, body=sdp()).request("BYE", cseq=1, wait=False)
    return script.recv("ACK", optional=True).recv(200)


def test_a_bye_that_overtakes_the_ack(field: Field) -> None:
    """The callee hangs up at once: its 2xx is owed an ACK all the same, and the caller is hung up."""
    far = field.take(answers_and_hangs_up(), at="far", **MANY)
    script = caller("is hung up").invite().recv(100, optional=True).recv(180, optional=True)
    script.recv(200, dialog=True).ack().hung_up()
    run = field.call(script, by="outside", number=field.number("far"), **MANY)
    run.succeed()
    far.succeed()
    assert counts(far, "ACK", "ACK") == MANY["calls"]
