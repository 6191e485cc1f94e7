"""Lamps, message counts, text messages and digests as SIPp and PJSUA2 see them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from tests.interop.centre import PASSWORDS
from tests.interop.field import Field
from tests.interop.programs import free_port, wait_until
from tests.interop.scenario import Script, callee, caller, sdp
from tests.interop.sipp import Sipp

TO_CAROL = "4009001003"
DESK = "127.0.0.8"


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    field = Field(
        tmp_path_factory.mktemp("subscriptions"),
        callers={"outside": {}},
        numbers={TO_CAROL: "dial:1003"},
    )
    yield field
    field.close()


def user(name: str) -> str:
    return f"<sip:{name}@[remote_ip]>"


def login(name: str) -> str:
    return f"[authentication username={name} password={PASSWORDS[name]}]"


def proves(
    script: Script, method: str, number: str, *, by: str, headers: list[str], **options: str
) -> Script:
    """A request out of dialogs, and once more with the digest that it is asked for."""
    uri = f"sip:{number}@[remote_ip]:[remote_port]"
    script.request(method, cseq=1, initial=True, caller=user(by), uri=uri, headers=headers, **options)
    script.raw('<recv response="401" auth="true"/>')
    return script.request(
        method, cseq=2, initial=True, caller=user(by), uri=uri, headers=[*headers, login(by)], **options
    )


def watches(name: str, event: str, target: str, *, by: str, states: int) -> Script:
    """SIPp subscribes, and takes so many NOTIFYs before it unsubscribes."""
    script = proves(caller(name), "SUBSCRIBE", target, by=by, headers=[f"Event: {event}", "Expires: 60"])
    script.recv(200, dialog=True)
    for index in range(states):
        script.recv("NOTIFY", keep=f"notify{index}").answer(200, to=f"notify{index}")
    script.request("SUBSCRIBE", cseq=3, caller=user(by), headers=[f"Event: {event}", "Expires: 0"])
    script.recv(200).recv("NOTIFY", keep="last")
    return script.answer(200, to="last")


def states_of(run: Sipp) -> list[str]:
    """The dialog states that each NOTIFY told; empty texts for none."""
    return [
        message.text.split("<state>")[1].split("</state>")[0].split(">")[-1]
        if "<state" in message.text
        else ""
        for message in run.all("NOTIFY", "received")
    ]


def test_a_lamp_follows_a_phone(field: Field) -> None:
    """RFC 4235: the first NOTIFY at once, then one for each change."""
    lamp = field.call(
        watches("watches a lamp", "dialog", "1003", by="1002", states=4),
        host=DESK,
        number="1003",
        proves_for="1003",
    )
    wait_until(lambda: lamp.has("NOTIFY", "received"), 5, lamp.tail)
    script = callee("rings then talks").recv("INVITE").answer(180, "Ringing").pause(1300)
    script.answer(200, body=sdp(), wait=True).recv("ACK").hung_up()
    carol = field.agent(script, user="1003", host="127.0.0.7")
    talk = caller("for the lamp").invite().recv(100, optional=True).recv(180, optional=True)
    talk.recv(200, dialog=True).ack().pause(1300).bye()
    field.call(talk, by="outside", number=TO_CAROL).succeed()
    carol.succeed()
    lamp.succeed()
    notified = lamp.all("NOTIFY", "received")
    assert all(message.header("Content-Type") == "application/dialog-info+xml" for message in notified[:4])
    assert states_of(lamp)[:4] == ["terminated", "early", "confirmed", "terminated"]
    assert notified[0].header("Subscription-State").startswith("active")
    assert notified[-1].header("Subscription-State").startswith("terminated")
    versions = [message.text.split('version="')[2].split('"')[0] for message in notified[:4]]
    assert versions == ["0", "1", "2", "3"]


def test_message_counts(field: Field) -> None:
    run = field.call(
        watches("watches a mailbox", "message-summary", "1002", by="1002", states=1),
        host=DESK,
        number="1002",
        proves_for="1002",
    )
    run.succeed()
    first = run.first("NOTIFY")
    assert first.header("Content-Type") == "application/simple-message-summary"
    assert "Messages-Waiting: no" in first.text


def test_message_counts_of_a_softphone(field: Field) -> None:
    phone = field.phone("1001", "127.0.0.5", mwi=True, name="mwi")
    told = phone.wait_event("mwi")
    assert "Messages-Waiting: no" in told["text"]
    phone.quit()


@pytest.mark.parametrize(("event", "status"), [("nonsense", 489), ("dialog", 404)])
def test_what_cannot_be_watched(field: Field, event: str, status: int) -> None:
    script = proves(
        caller(f"watches {event}"),
        "SUBSCRIBE",
        "nobody",
        by="1002",
        headers=[f"Event: {event}", "Expires: 60"],
    )
    run = field.call(script.recv(status), host=DESK, number="nobody", proves_for="nobody")
    run.succeed()
    if status == 489:
        assert "dialog" in run.first("SIP/2.0 489").header("Allow-Events")


def test_texts_between_sipp_and_a_softphone(field: Field) -> None:
    phone = field.phone("1001", "127.0.0.5", name="texts")
    script = proves(
        caller("sends a text"),
        "MESSAGE",
        "1001",
        by="1002",
        headers=[],
        body="ni hao",
        content_type="text/plain",
    )
    field.call(script.recv(200), host=DESK, number="1001", proves_for="1001").succeed()
    told = phone.wait_event("message", text="ni hao")
    assert "sip:1002@" in told["sender"]
    port = free_port("127.0.0.7")
    field.register("1003", "127.0.0.7", port)
    takes = callee("takes a text").recv("MESSAGE").answer(200, to="message")
    carol = field.waits(takes, host="127.0.0.7", port=port)
    phone.tell(f"message sip:1003@{field.centre.target} and you?")
    phone.wait_event("message status", status=200)
    carol.succeed()
    received = carol.first("MESSAGE")
    assert received.text.rstrip().endswith("and you?")
    assert "1001@" in received.header("From")
    phone.tell(f"message sip:nobody@{field.centre.target} hello?")
    phone.wait_event("message status", status=404)
    phone.quit()


def test_digests(field: Field) -> None:
    """A phone that knows SHA-256 takes it, and one that knows MD5 alone takes that."""
    phone = field.phone("1002", "127.0.0.6", name="digests")
    phone.quit()
    log = (field.folder / "digests.log").read_text(errors="replace")
    challenges = [line for line in log.splitlines() if line.startswith("WWW-Authenticate")]
    assert [re.findall(" algorithm=([^,]+)", line) for line in challenges[:2]] == [["SHA-256"], ["MD5"]]
    [answer, *_] = [line for line in log.splitlines() if line.startswith("Authorization")]
    assert " algorithm=SHA-256" in answer
    field.register("1002", "127.0.0.6", 45678)  # SIPp knows MD5 alone
