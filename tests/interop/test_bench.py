"""A program on the library against SIPp: its verbs as the far side sees them, and glare from both ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.interop.field import Field
from tests.interop.scenario import Script, callee, caller, sdp

BENCH = "4009009999"


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    field = Field(
        tmp_path_factory.mktemp("bench"),
        callers={"outside": {"reliable": "supported"}},
        callees={"far": {}},
        program=Path(__file__).with_name("bench_program.py"),
    )
    yield field
    field.close()


def asks(name: str, steps: str, *headers: str, body: str | None = None) -> Script:
    """A caller that tells the bench what to do."""
    return caller(name).invite(body, headers=[f"X-Do: {steps}", *headers]).recv(100, optional=True)


def accepts(script: Script, keep: str, direction: str = "") -> Script:
    """Our re-INVITE is answered."""
    script.recv("INVITE", keep=keep).answer(200, to=keep, body=sdp(direction or "sendrecv"), wait=True)
    return script.recv("ACK")


@pytest.mark.parametrize("how", ["sendonly", "inactive", "null"])
def test_holds(field: Field, how: str) -> None:
    script = asks(f"is held {how}", f"answer;wait 0.1;hold {how};resume;hangup").recv(200, dialog=True).ack()
    answer = {"sendonly": "recvonly"}.get(how, "inactive")
    run = field.call(
        accepts(accepts(script, "invite1", answer), "invite2").hung_up(), by="outside", number=BENCH
    )
    run.succeed()
    held, resumed = run.all("INVITE", "received")
    assert {"sendonly": "a=sendonly", "inactive": "a=inactive", "null": "c=IN IP4 0.0.0.0"}[how] in held.text
    assert "0.0.0.0" not in resumed.text
    assert "a=sendonly" not in resumed.text
    assert "X-Bench" in run.first("SIP/2.0 200", "received").text


def test_glare_at_the_called_side(field: Field) -> None:
    """Both re-INVITEs are refused with 491; who was called tries again within 2 s (RFC 3261 §14.1)."""
    script = asks("glare at the caller", "answer;wait 0.1;hold sendonly;hangup").recv(200, dialog=True).ack()
    script.recv("INVITE", keep="invite1").request("INVITE", cseq=2, body=sdp(version=2)).recv(491).ack(cseq=2)
    script.answer(491, "Request Pending", to="invite1", wait=True).recv("ACK")
    run = field.call(accepts(script, "invite2", "recvonly").hung_up(), by="outside", number=BENCH)
    run.succeed()
    refused, again = run.first("SIP/2.0 491", "sent"), run.all("INVITE", "received")[-1]
    assert 0.0 <= again.at - refused.at <= 2.2


def test_glare_at_the_calling_side(field: Field) -> None:
    """Who called tries again after 2.1 to 4 s."""
    far = callee("glare at the callee").recv("INVITE").answer(200, body=sdp(), wait=True).recv("ACK")
    far.recv("INVITE", keep="invite1").request("INVITE", cseq=1, body=sdp(version=2)).recv(491).ack(cseq=1)
    far.answer(491, "Request Pending", to="invite1", wait=True).recv("ACK")
    agent = field.take(accepts(far, "invite2", "recvonly").hung_up(), at="far")
    script = asks("dials into glare", "answer;dial far/13800138000;wait 0.1;hold sendonly;hangup")
    field.call(script.recv(200, dialog=True).ack().hung_up(), by="outside", number=BENCH).succeed()
    agent.succeed()
    refused, again = agent.first("SIP/2.0 491", "sent"), agent.all("INVITE", "received")[-1]
    assert 2.0 <= again.at - refused.at <= 4.2


def test_rings_as_it_is_told(field: Field) -> None:
    script = asks(
        "rings", "ring 183 early reliable;wait 0.1;ring 180;wait 0.1;answer;hangup", "Supported: 100rel"
    )
    script.recv_rseq(183).prack(cseq=2).recv(200).recv_rseq(180).prack(cseq=3).recv(200)
    run = field.call(script.recv(200, dialog=True).ack().hung_up(), by="outside", number=BENCH)
    run.succeed()
    assert "m=audio" in run.first("SIP/2.0 183").text
    first, second = int(run.first("SIP/2.0 183").header("RSeq")), int(run.first("SIP/2.0 180").header("RSeq"))
    assert second == first + 1


def test_requests_in_the_dialog(field: Field) -> None:
    script = asks("takes requests", "answer;wait 0.1;info;text hello;ping;keys 5;wait 0.2;hangup")
    script.recv(200, dialog=True).ack().recv("INFO", keep="info1").answer(200, to="info1")
    script.recv("MESSAGE").answer(202, "Accepted", to="message").recv("OPTIONS").answer(200, to="options")
    script.recv("INFO", keep="info2").answer(200, to="info2")
    run = field.call(script.hung_up(), by="outside", number=BENCH)
    run.succeed()
    first, second = run.all("INFO", "received")
    assert (first.header("Content-Type"), first.text.rstrip()[-4:]) == ("application/x-bench", "beep")
    assert "Signal=5" in second.text
    assert run.first("MESSAGE").text.rstrip().endswith("hello")


def test_refers_the_caller_away(field: Field) -> None:
    """SIPp takes the REFER, and says by NOTIFY that it has called."""
    script = asks(
        "is referred", "answer;wait 0.1;refer sip:1003@example.com", "Allow: INVITE, ACK, BYE, REFER"
    )
    script.recv(200, dialog=True).ack().recv("REFER").answer(202, "Accepted", to="refer")
    for cseq, (state, line) in enumerate(
        [("active;expires=60", "SIP/2.0 100 Trying"), ("terminated;reason=noresource", "SIP/2.0 200 OK")], 2
    ):
        script.request(
            "NOTIFY",
            cseq=cseq,
            headers=["Event: refer", f"Subscription-State: {state}"],
            body=line + "\n",
            content_type="message/sipfrag",
        ).recv(200)
    run = field.call(script.hung_up(), by="outside", number=BENCH)
    run.succeed()
    assert run.first("REFER").header("Refer-To") == "<sip:1003@example.com>"


@pytest.mark.parametrize(("step", "status"), [("reject 480", 480), ("redirect sip:1003@example.com", 302)])
def test_refuses_as_it_is_told(field: Field, step: str, status: int) -> None:
    run = field.call(asks(step, step).recv(status).ack_refusal(), by="outside", number=BENCH)
    run.succeed()
    response = run.first(f"SIP/2.0 {status}")
    if status == 302:
        assert response.header("Contact") == "<sip:1003@example.com>"
    else:
        assert response.header("X-Bench") == "rejected"
        assert response.start.endswith("Not Now")
