"""Conferences and supervision: the examples as programs, with PJSUA2 phones on real sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.interop.field import Field
from tests.interop.phones import TONES, Phones, last_call, more_users
from tests.interop.programs import ROOT, Softphone

USERS = ("1003", "1004", "1005")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Callable[[str], Phones]]:
    """Start an example; its phones."""
    fields = []

    def begin(example: str) -> Phones:
        program = ROOT / "examples" / f"{example}.py"
        fields.append(Field(tmp_path, callers={}, extra=more_users(), workers=1, program=program))
        return Phones(fields[-1])

    yield begin
    for field in fields:
        field.close()


def dial(phones: Phones, phone: Softphone, number: str) -> int:
    """Call a number, and wait for the audio; the number of the call."""
    call = last_call(phone) + 1
    phone.tell(f"call sip:{number}@{phones.field.centre.target}")
    phone.wait_event("media", call=call, status=[1])
    phone.wait_event("call", call=call, state="CONFIRMED")
    return call


def test_three_phones_meet(stage: Callable[[str], Phones]) -> None:
    """Each hears the other two and not itself; who is muted is not heard, and who leaves is gone."""
    phones = stage("15_conference")
    members = {user: phones(user) for user in USERS}
    calls = {user: dial(phones, phone, "615") for user, phone in members.items()}
    for phone in members.values():
        phone.tell("keys 42#")

    def expect(**heard: tuple[str, ...]) -> None:
        for user, others in heard.items():
            tones = (TONES[f"100{other}"] for other in others)
            phones.hears(members[user.replace("u", "100")], calls[user.replace("u", "100")], *tones)

    expect(u3=("4", "5"), u4=("3", "5"), u5=("3", "4"))
    members["1003"].tell("keys 6")
    expect(u4=("5",), u5=("4",), u3=("4", "5"))
    members["1003"].tell("keys 6")
    expect(u4=("3", "5"))
    members["1005"].tell("hangup")
    expect(u3=("4",), u4=("3",))
    members["1003"].tell("keys #")
    members["1003"].wait_event("call", call=calls["1003"], state="DISCONNECTED")
    expect(u4=())
    members["1004"].tell("hangup")
    members["1004"].wait_event("call", call=calls["1004"], state="DISCONNECTED")


def test_a_phone_supervises_two_others(stage: Callable[[str], Phones]) -> None:
    phones = stage("16_supervisor")
    agent, customer, boss = phones("1001"), phones("1003"), phones("1004")
    theirs = phones.call(customer, agent, "4008001234")
    phones.hears(agent, theirs[1], TONES["1003"])
    mine = dial(phones, boss, "616")
    phones.hears(boss, mine, TONES["1001"], TONES["1003"])
    for key, at_the_customer, at_the_agent in (
        ("2", (), (TONES["1004"],)),
        ("3", (TONES["1004"],), (TONES["1004"],)),
        ("1", (), ()),
    ):
        boss.tell(f"keys {key}")
        phones.hears(agent, theirs[1], TONES["1003"], *at_the_agent)
        phones.hears(customer, theirs[0], TONES["1001"], *at_the_customer)
    boss.tell("keys 4")
    agent.wait_event("call", call=theirs[1], state="DISCONNECTED")
    phones.hears(customer, theirs[0], TONES["1004"])
    phones.hears(boss, mine, TONES["1003"])
    customer.tell("hangup")
    boss.wait_event("call", call=mine, state="DISCONNECTED")
