"""Offers and answers with SIPp: late offers, re-INVITEs without one, holds, glare, multipart bodies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.interop.field import Field
from tests.interop.scenario import Script, callee, caller, sdp

ECHO = "4008123453"


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    field = Field(tmp_path_factory.mktemp("offers"), callers={"outside": {}}, callees={"far": {}})
    yield field
    field.close()


def plain_callee(name: str) -> Script:
    """Rings, answers; what follows is the test's."""
    return callee(name).recv("INVITE").answer(180, "Ringing").answer(200, body=sdp(), wait=True).recv("ACK")


def test_a_call_without_an_offer_is_offered_one(field: Field) -> None:
    script = caller("late offer").invite("").recv(100, optional=True).recv(200, dialog=True)
    run = field.call(script.ack(sdp()).pause(300).bye(), by="outside", number=ECHO)
    run.succeed()
    accepted = run.first("SIP/2.0 200", method="INVITE")
    assert "m=audio" in accepted.text
    assert "RTP/AVP 0 8 101" in accepted.text


def test_a_late_offer_is_carried_to_the_callee(field: Field) -> None:
    first = caller("late offer through").invite("").recv(100, optional=True).recv(180, optional=True)
    first.recv(183, optional=True).recv(200, dialog=True).ack(sdp(codec=8)).pause(300).bye()
    carrier, agent = field.talk(first, plain_callee("of a late offer").hung_up(), by="outside", at="far")
    carrier.succeed()
    agent.succeed()
    assert "m=audio" in agent.first("INVITE").text
    assert "m=audio" in carrier.first("SIP/2.0 200", method="INVITE").text


def test_a_re_invite_without_an_offer_gets_all_that_we_can(field: Field) -> None:
    script = caller("asks again").invite().recv(100, optional=True).recv(200, dialog=True).ack()
    script.request("INVITE", cseq=2).recv(100, optional=True).recv(200).ack(sdp(version=2), cseq=2)
    run = field.call(script.pause(200).bye(cseq=3), by="outside", number=ECHO)
    run.succeed()
    first, second = run.all("SIP/2.0 200", "received", method="INVITE")
    assert "m=audio" in second.text
    assert "a=sendonly" not in second.text

    def version(text: str) -> tuple[str, ...]:
        return tuple(text.split("\no=")[1].split()[1:3])

    assert version(first.text)[0] == version(second.text)[0]


HOLDS = {"sendonly": "recvonly", "inactive": "inactive", "0.0.0.0": ""}


@pytest.mark.parametrize("how", HOLDS)
@pytest.mark.parametrize("side", ["caller", "callee"])
def test_each_spelling_of_hold(field: Field, how: str, side: str) -> None:
    offer = sdp(version=2, address=how) if how == "0.0.0.0" else sdp(how, version=2)

    def holds(script: Script, first: int) -> Script:
        script.request("INVITE", cseq=first, body=offer).recv(100, optional=True).recv(200).ack(cseq=first)
        script.pause(200).request("INVITE", cseq=first + 1, body=sdp(version=3)).recv(100, optional=True)
        return script.recv(200).ack(cseq=first + 1).pause(100).bye(cseq=first + 2)

    first = caller(f"{side} holds {how}").invite().recv(100, optional=True).recv(180, optional=True)
    first.recv(200, dialog=True).ack()
    second = plain_callee(f"{side} holds {how} far")
    if side == "caller":
        carrier, agent = field.talk(holds(first, 2), second.hung_up(), by="outside", at="far")
    else:
        carrier, agent = field.talk(first.hung_up(), holds(second, 1), by="outside", at="far")
    carrier.succeed()
    agent.succeed()
    holder = carrier if side == "caller" else agent
    held, resumed = holder.all("SIP/2.0 200", "received", method="INVITE")[-2:]
    if HOLDS[how]:
        assert f"a={HOLDS[how]}" in held.text
    else:
        assert "a=sendonly" not in held.text
    assert not any(f"a={word}" in resumed.text for word in ("sendonly", "recvonly", "inactive"))


def test_both_sides_hold_at_once(field: Field) -> None:
    """Each hold ends at us, so two at the same moment, from both sides, never meet."""
    first = caller("both hold").invite().recv(100, optional=True).recv(180, optional=True)
    first.recv(200, dialog=True).ack().request("INVITE", cseq=2, body=sdp("sendonly", version=2))
    first.recv(100, optional=True).recv(200).ack(cseq=2).pause(400).bye(cseq=3)
    second = plain_callee("both hold far").request("INVITE", cseq=1, body=sdp("sendonly", version=2))
    second.recv(100, optional=True).recv(200).ack(cseq=1).hung_up()
    carrier, agent = field.talk(first, second, by="outside", at="far")
    carrier.succeed()
    agent.succeed()


def test_a_second_re_invite_before_the_first_is_answered(field: Field) -> None:
    """The same side twice: each is answered in its turn, or refused with 500 and Retry-After (§14.2)."""
    script = caller("twice").invite().recv(100, optional=True).recv(200, dialog=True).ack()
    script.request("INVITE", cseq=2, body=sdp(version=2), wait=False).recv(100, optional=True).recv(200)
    script.ack(cseq=2).request("INVITE", cseq=3, body=sdp("inactive", version=3)).recv(100, optional=True)
    run = field.call(script.recv(200).ack(cseq=3).bye(cseq=4), by="outside", number=ECHO)
    run.succeed()


def multipart(first: str, second: str) -> str:
    return f"--cut\n{first}\n--cut\n{second}\n--cut--"


def test_the_description_is_found_among_other_parts(field: Field) -> None:
    body = multipart(
        "Content-Type: application/isup\nContent-Disposition: signal;handling=optional\n\n01 02",
        f"Content-Type: application/sdp\n\n{sdp(codec=8)}\n",
    )
    script = caller("multipart").request(
        "INVITE",
        cseq=1,
        initial=True,
        label="invite",
        body=body,
        content_type="multipart/mixed;boundary=cut",
    )
    script.recv(100, optional=True).recv(200, dialog=True).ack().bye()
    run = field.call(script, by="outside", number=ECHO)
    run.succeed()
    assert "RTP/AVP 8 101" in run.first("SIP/2.0 200", method="INVITE").text


def test_a_body_that_nobody_knows_is_refused(field: Field) -> None:
    script = caller("odd body").request(
        "INVITE", cseq=1, initial=True, label="invite", body="beep", content_type="application/x-morse"
    )
    script.recv(100, optional=True).recv(415).ack_refusal()
    run = field.call(script, by="outside", number=ECHO)
    run.succeed()
    assert "application/sdp" in run.first("SIP/2.0 415").header("Accept")
