"""Transfers by PJSUA2 phones and by SIPp, with proof by what each phone taped; redirections; keys by INFO."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.interop.field import Field
from tests.interop.programs import Softphone, wait_until
from tests.interop.scenario import Script, callee, caller, sdp

from sipcc.testing import audio

CALLER_HZ, ALICE_HZ, BOB_HZ = 400.0, 1300.0, 1900.0
TO_ALICE, TO_BOB, TO_CAROL, MENU = "4008123455", "4009001002", "4009001003", "4008123456"


class Party:
    """A phone, and what it hears call by call."""

    def __init__(self, field: Field, user: str, host: str, tone_hz: float, **settings: object) -> None:
        self.field = field
        self.tapes = field.folder / user
        self.phone: Softphone = field.phone(
            user, host, tone_hz=tone_hz, tapes=str(self.tapes), answer_after=0.1, **settings
        )
        self.calls = 0

    def call(self, number: str) -> int:
        """Call a number; the call's own number on this phone."""
        self.phone.tell(f"call sip:{number}@{self.field.centre.target}")
        return self.next()

    def next(self, seconds: float = 10.0) -> int:
        """Wait for the next call, made or taken, to be answered."""
        self.calls += 1
        self.phone.wait_event("call", seconds, call=self.calls, state="CONFIRMED")
        return self.calls

    def over(self, call: int) -> None:
        """Wait for the end of a call."""
        self.phone.wait_event("call", call=call, state="DISCONNECTED")

    def hears(self, call: int, hz: float, seconds: float = 6.0) -> None:
        """Wait until the end of the tape of a call has a tone for 0.2 s and nothing else."""

        def heard() -> bool:
            end, rate = self.latest(call)
            return not audio.is_silent(end) and audio.tone_share(end, hz, rate) > 0.8

        wait_until(heard, seconds, lambda: f"{hz} Hz on {self.tapes}-{call}:\n{self.phone.tail(500)}")

    def latest(self, call: int) -> tuple[audio.Samples, int]:
        """The last 0.2 s of a tape that still runs, and its rate; its header tells no length yet."""
        data = Path(f"{self.tapes}-{call}.wav").read_bytes()
        rate = int.from_bytes(data[24:28], "little")
        samples = np.frombuffer(data[44 : len(data) // 2 * 2], dtype="<i2").astype(np.int16)
        return samples[-rate // 5 :], rate

    def statuses(self, call: int) -> list[int]:
        """What the NOTIFYs of a transfer told."""
        return [event["status"] for event in self.phone.events("transfer") if event["call"] == call]


class People:
    """Everybody."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self.caller = Party(field, "caller", field.host("outside"), CALLER_HZ, register=False)
        self.alice = Party(field, "1001", "127.0.0.5", ALICE_HZ)
        self.bob = Party(field, "1002", "127.0.0.6", BOB_HZ)

    def talk(self) -> tuple[int, int]:
        """The caller talks to alice: the call at each of them."""
        first = self.caller.call(TO_ALICE)
        second = self.alice.next()
        self.caller.hears(first, ALICE_HZ)
        self.alice.hears(second, CALLER_HZ)
        return first, second

    def rest(self) -> None:
        """Nobody talks any more, however the last test ended."""
        for party in (self.caller, self.alice, self.bob):
            calls = {event["call"] for event in party.phone.events("call")}
            ended = {e["call"] for e in party.phone.events("call") if e["state"] == "DISCONNECTED"}
            for call in calls - ended:
                party.phone.tell(f"{call}:hangup")
            for call in calls:
                party.over(call)
            party.calls = len(calls)


@pytest.fixture(scope="module")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    field = Field(
        tmp_path_factory.mktemp("transfer"),
        callers={"outside": {}, "sipp": {}},
        numbers={TO_BOB: "dial:1002", TO_CAROL: "dial:1003"},
    )
    yield People(field)
    field.close()


@pytest.fixture
def people(everybody: People) -> Iterator[People]:
    yield everybody
    everybody.rest()


def test_blind(people: People) -> None:
    caller_, alice, bob = people.caller, people.alice, people.bob
    first, second = people.talk()
    alice.phone.tell(f"{second}:transfer sip:1002@{people.field.centre.target}")
    third = bob.next()
    alice.over(second)
    caller_.hears(first, BOB_HZ)
    bob.hears(third, CALLER_HZ)
    assert alice.statuses(second)[-1] == 200
    bob.phone.tell(f"{third}:hangup")
    caller_.over(first)


def test_attended(people: People) -> None:
    """The two calls of one phone become one of the two others."""
    caller_, alice, bob = people.caller, people.alice, people.bob
    first, second = people.talk()
    alice.phone.tell(f"{second}:hold")
    consult = alice.call(TO_BOB)
    third = bob.next()
    bob.hears(third, ALICE_HZ)
    alice.phone.tell(f"{consult}:hold")
    alice.phone.tell(f"{second}:replace {consult}")
    alice.over(second)
    alice.over(consult)
    caller_.hears(first, BOB_HZ)
    bob.hears(third, CALLER_HZ)
    assert alice.statuses(second)[-1] == 200
    caller_.phone.tell(f"{first}:hangup")
    bob.over(third)


def declines(status: int, reason: str, *headers: str) -> Script:
    script = callee(f"declines {status}").recv("INVITE").answer(180, "Ringing").pause(300)
    return script.answer(status, reason, headers=headers, wait=True).recv("ACK")


def test_a_target_that_refuses_gives_the_party_back(people: People) -> None:
    caller_, alice = people.caller, people.alice
    carol = people.field.agent(declines(486, "Busy Here"), user="1003", host="127.0.0.7")
    first, second = people.talk()
    alice.phone.tell(f"{second}:transfer sip:1003@{people.field.centre.target}")
    carol.succeed()
    alice.phone.wait_event("transfer", call=second, status=486)
    caller_.hears(first, ALICE_HZ)
    alice.hears(second, CALLER_HZ)
    alice.phone.tell(f"{second}:hangup")
    caller_.over(first)


def refers(name: str, target: str) -> Script:
    """An agent who answers, transfers its caller, and hears how it goes."""
    script = callee(name).recv("INVITE").answer(180, "Ringing").answer(200, body=sdp(), wait=True)
    script.recv("ACK").pause(300)
    script.request("REFER", cseq=1, headers=[f"Refer-To: {target}", "Referred-By: <sip:1003@example.com>"])
    return script.recv(202)


def test_blind_by_sipp(people: People) -> None:
    script = refers("refers", f"<sip:1002@{people.field.centre.target}>")
    script.recv("NOTIFY", keep="one").answer(200, to="one").recv("NOTIFY", keep="two").answer(200, to="two")
    script.recv("NOTIFY", keep="three").answer(200, to="three").hung_up()
    carol = people.field.agent(script, user="1003", host="127.0.0.7")
    first = people.caller.call(TO_CAROL)
    third = people.bob.next()
    carol.succeed()
    people.caller.hears(first, BOB_HZ)
    people.bob.hears(third, CALLER_HZ)
    notified = carol.all("NOTIFY", "received")
    assert [message.text.split("SIP/2.0 ")[-1][:3] for message in notified] == ["100", "180", "200"]
    assert notified[0].header("Event").startswith("refer")
    assert notified[0].header("Subscription-State").startswith("active")
    assert notified[-1].header("Subscription-State").startswith("terminated")
    people.bob.phone.tell(f"{third}:hangup")
    people.caller.over(first)


def test_a_caller_may_not_transfer_who_is_a_carrier(people: People) -> None:
    script = caller("carrier refers").invite().recv(100, optional=True).recv(200, dialog=True).ack()
    script.request("REFER", cseq=2, headers=["Refer-To: <sip:1002@[remote_ip]>"]).recv(403).bye(cseq=3)
    people.field.call(script, by="sipp", number="4008123453").succeed()


def test_a_redirection_is_followed(people: People) -> None:
    target = people.field.centre.target
    script = declines(302, "Moved Temporarily", f"Contact: <sip:1002@{target.split(':')[0]}>")
    carol = people.field.agent(script, user="1003", host="127.0.0.7")
    first = people.caller.call(TO_CAROL)
    third = people.bob.next()
    carol.succeed()
    people.bob.hears(third, CALLER_HZ)
    people.caller.phone.tell(f"{first}:hangup")
    people.bob.over(third)


def test_keys_by_info(people: People) -> None:
    """A menu takes them, though the phone agreed to RFC 4733; the other party gets them by RFC 4733."""
    first = people.caller.call(MENU)
    people.caller.hears(first, 700.0)
    people.caller.phone.tell(f"{first}:info 1")
    second = people.alice.next()
    people.caller.hears(first, ALICE_HZ)
    people.alice.phone.tell(f"{second}:info 7")
    people.caller.phone.wait_event("digit", call=first, digit="7")
    people.caller.phone.tell(f"{first}:hangup")
    people.alice.over(second)


def test_text_in_a_call(people: People) -> None:
    first, second = people.talk()
    people.caller.phone.tell(f"{first}:text hello")
    people.alice.phone.wait_event("text", call=second, text="hello")
    people.caller.phone.wait_event("text status", call=first, status=200)
    people.alice.phone.tell(f"{second}:text and back")
    people.caller.phone.wait_event("text", call=first, text="and back")
    people.alice.phone.tell(f"{second}:hangup")
    people.caller.over(first)


def test_an_update_of_a_phone(people: People) -> None:
    """PJSUA2 offers anew by UPDATE, with all that it has, and both still hear each other."""
    first, second = people.talk()
    before = len(people.caller.phone.events("media"))
    people.caller.phone.tell(f"{first}:update")
    wait_until(lambda: len(people.caller.phone.events("media")) > before, 5, people.caller.phone.tail)
    people.caller.hears(first, ALICE_HZ)
    people.alice.hears(second, CALLER_HZ)
    assert not people.caller.phone.events("error")
    people.caller.phone.tell(f"{first}:hangup")
    people.alice.over(second)


@pytest.mark.parametrize("side", ["caller", "callee"])
def test_holds_of_a_phone(people: People, side: str) -> None:
    """Whoever is put on hold hears music, and the other one again afterwards."""
    first, second = people.talk()
    holder, held = (people.caller, people.alice) if side == "caller" else (people.alice, people.caller)
    mine, other = (first, second) if side == "caller" else (second, first)
    tone = CALLER_HZ if side == "caller" else ALICE_HZ
    holder.phone.tell(f"{mine}:hold")
    wait_until(lambda: silent_of(held, other, tone), 5, "the other tone is gone")
    holder.phone.tell(f"{mine}:unhold")
    held.hears(other, tone)
    holder.phone.tell(f"{mine}:hangup")
    held.over(other)


def silent_of(party: Party, call: int, hz: float) -> bool:
    """True when the last 0.2 s of a tape have nothing of a tone."""
    end, rate = party.latest(call)
    return audio.is_silent(end) or audio.tone_share(end, hz, rate) < 0.02
