"""Calls of PJSUA2 phones commanded over HTTP: who hears whom by what each phone taped, and who serves."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.interop.field import Field
from tests.interop.programs import free_port, wait_until
from tests.interop.test_transfer import ALICE_HZ, BOB_HZ, CALLER_HZ, Party

from sipcc.api import digest_of
from sipcc.testing import audio

QUEUE, HELP = "4008123450", "4009001000"

EXTRA = """
[api]
listen = "127.0.0.1:{port}"
[[tokens]]
name = "test"
role = "admin"
digest = "{digest}"
[[queues]]
name = "help"
strategy = "linear"
wrap_up = 0
[[agents]]
name = "carol"
user = "1003"
queues = ["help"]
"""


def heard(party: Party, call: int) -> set[int]:
    """The tones at the end of a tape that still runs; its header tells no length yet."""
    data = Path(f"{party.tapes}-{call}.wav").read_bytes()
    rate = int.from_bytes(data[24:28], "little") or 8000
    samples = np.frombuffer(data[44 : len(data) // 2 * 2], dtype="<i2").astype(np.int16)
    return {round(hz, -1) for hz in map(round, audio.find_tones(samples[-rate * 3 // 10 :], rate))}


class Desk:
    """A caller, two agents, a supervisor's phone, and a program that commands."""

    def __init__(self, field: Field, port: int) -> None:
        self.caller = Party(field, "caller", field.host("outside"), CALLER_HZ, register=False)
        self.alice = Party(field, "1001", "127.0.0.5", ALICE_HZ)
        self.carol = Party(field, "1003", "127.0.0.7", BOB_HZ)
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": "Bearer secret"}, timeout=30.0
        )
        self._requests = count()

    def talk(self) -> tuple[int, int, str]:
        """The caller talks to alice, out of the queue: the call at each of them, and its id."""
        first = self.caller.call(QUEUE)
        second = self.alice.next()
        self.hears(self.caller, first, ALICE_HZ)
        self.hears(self.alice, second, CALLER_HZ)
        (live,) = self.http.get("/calls").json()
        return first, second, live["call"]

    def do(self, call: str, verb: str, **body: Any) -> None:
        answer = self.http.post(
            f"/calls/{call}/{verb}", json={"request_id": f"r{next(self._requests)}", **body}
        )
        assert answer.status_code == 200, answer.text

    def hears(self, party: Party, call: int, *tones: float) -> None:
        """Wait until the end of a tape has these tones, and no other."""
        wanted = {round(tone) for tone in tones}
        wait_until(
            lambda: heard(party, call) == wanted,
            6.0,
            lambda: f"{tones} at {party.phone.name}: {heard(party, call)}",
        )

    def served(self, call: str) -> list[tuple[str, str, str]]:
        """Who served the caller of a call that is over."""
        found: list[Any] = []

        def known() -> bool:
            answer = self.http.get(f"/interactions/{call}")
            found[:] = answer.json()["segments"] if answer.status_code == 200 else []
            return bool(found)

        wait_until(known, 10.0, f"the record of {call}")
        return [(part["agent"], part["queue"], part["how"]) for part in found]

    def rest(self) -> None:
        """Nobody talks any more, and all are ready, however the last test ended."""
        for party in (self.caller, self.alice, self.carol):
            calls = {event["call"] for event in party.phone.events("call")}
            ended = {e["call"] for e in party.phone.events("call") if e["state"] == "DISCONNECTED"}
            for call in calls - ended:
                party.phone.tell(f"{call}:hangup")
            for call in calls:
                party.over(call)
            party.calls = len(calls)

        def ready() -> bool:
            return {"ready"} == {
                row["state"] for row in self.http.get("/agents").json() if row["name"] != "bob"
            }

        wait_until(ready, 10.0, lambda: self.http.get("/agents").text)


@pytest.fixture(scope="module")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    port = free_port("127.0.0.1")
    field = Field(
        tmp_path_factory.mktemp("control"),
        callers={"outside": {}},
        numbers={HELP: "queue:help"},
        extra=EXTRA.format(port=port, digest=digest_of("secret")),
        workers=2,
    )
    desk = Desk(field, port)
    yield desk
    desk.http.close()
    field.close()


@pytest.fixture
def desk(everybody: Desk) -> Iterator[Desk]:
    yield everybody
    everybody.rest()


def test_who_hears_whom(desk: Desk) -> None:
    """The four modes of a supervisor, whose phone is rung."""
    first, second, call = desk.talk()
    desk.do(call, "supervise", agent="carol", mode="listen")
    third = desk.carol.next()
    for mode, at_the_caller, at_the_agent in (
        ("listen", (), ()),
        ("whisper", (), (BOB_HZ,)),
        ("barge", (BOB_HZ,), (BOB_HZ,)),
        ("listen", (), ()),
    ):
        desk.do(call, "supervise", agent="carol", mode=mode)
        desk.hears(desk.caller, first, ALICE_HZ, *at_the_caller)
        desk.hears(desk.alice, second, CALLER_HZ, *at_the_agent)
        desk.hears(desk.carol, third, CALLER_HZ, ALICE_HZ)
    desk.do(call, "take-over", agent="carol")
    desk.alice.over(second)
    desk.hears(desk.caller, first, BOB_HZ)
    desk.hears(desk.carol, third, CALLER_HZ)
    desk.carol.phone.tell(f"{third}:hangup")
    desk.caller.over(first)
    assert desk.served(call) == [("alice", "sales", "takeover"), ("carol", "", "agent")]


def test_asking_first_and_then_all_three(desk: Desk) -> None:
    first, second, call = desk.talk()
    desk.do(call, "consult", target="agent:carol")
    third = desk.carol.next()
    desk.hears(desk.alice, second, BOB_HZ)
    desk.hears(desk.carol, third, ALICE_HZ)
    music = heard(desk.caller, first)
    assert music
    assert not music & {round(ALICE_HZ), round(BOB_HZ)}
    desk.do(call, "merge")
    desk.hears(desk.caller, first, ALICE_HZ, BOB_HZ)
    desk.hears(desk.alice, second, CALLER_HZ, BOB_HZ)
    desk.hears(desk.carol, third, CALLER_HZ, ALICE_HZ)
    desk.do(call, "complete")
    desk.alice.over(second)
    desk.hears(desk.caller, first, BOB_HZ)
    desk.hears(desk.carol, third, CALLER_HZ)
    desk.caller.phone.tell(f"{first}:hangup")
    desk.carol.over(third)
    assert desk.served(call) == [
        ("alice", "sales", "consult"),
        ("carol", "", "moved"),
        ("carol", "", "caller"),
    ]


@pytest.mark.parametrize("how", ["refer", "http"])
def test_to_a_queue(desk: Desk, how: str) -> None:
    """A phone dials the queue's number for it; a program says its name."""
    first, second, call = desk.talk()
    if how == "refer":
        desk.alice.phone.tell(f"{second}:transfer sip:{HELP}@{desk.alice.field.centre.target}")
    else:
        desk.do(call, "transfer", target="queue:help")
    third = desk.carol.next()
    desk.alice.over(second)
    desk.hears(desk.caller, first, BOB_HZ)
    desk.hears(desk.carol, third, CALLER_HZ)
    desk.caller.phone.tell(f"{first}:hangup")
    desk.carol.over(third)
    sent = "blind" if how == "refer" else "application"
    assert desk.served(call) == [("alice", "sales", sent), ("carol", "help", "caller")]
