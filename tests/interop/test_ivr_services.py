"""Mailboxes, surveys and ringback by number with PJSUA2 phones: what they hear, what HTTP tells."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from tests.interop.centre import MUSIC_HZ, WELCOME_HZ
from tests.interop.field import Field
from tests.interop.phones import Phones, last_call, pause
from tests.interop.programs import Softphone, free_port, wait_until

from sipcc.api import digest_of
from sipcc.testing import audio

MAIL, SALES, RINGS = "4008000120", "4008123450", "4008000121"
GREETING_HZ, QUESTION_HZ = 520, 560
CALLER_HZ, AGENT_HZ = 400, 1300

EXTRA = """
[api]
listen = "127.0.0.1:{port}"
[[tokens]]
name = "test"
role = "admin"
digest = "{digest}"
[[mailboxes]]
name = "night"
users = ["1001"]
[[surveys]]
name = "care"
queues = ["sales"]
"""


class Desk:
    """A caller, an agent, and a program that asks."""

    def __init__(self, field: Field, port: int) -> None:
        self.field = field
        self.phones = Phones(field, u1001={"mwi": True})
        self.caller, self.agent = self.phones("1002", CALLER_HZ), self.phones("1001", AGENT_HZ)
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": "Bearer secret"}, timeout=30.0
        )
        self._requests = count()

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.http.post(path, json={"request_id": f"r{next(self._requests)}", **body})

    def calls(self, number: str, *, until: str = "CONFIRMED") -> int:
        """The caller's phone calls `number`; the number of the call there."""
        call = last_call(self.caller) + 1
        self.caller.tell(f"call sip:{number}@{self.field.centre.target}")
        self.caller.wait_event("call", call=call, state=until)
        return call

    def over(self, phone: Softphone, call: int) -> None:
        phone.wait_event("call", 15, call=call, state="DISCONNECTED")

    def talk(self) -> tuple[int, int]:
        """The caller and the agent talk, out of the queue: the call at each of them."""
        second = last_call(self.agent) + 1
        first = self.calls(SALES)
        self.agent.wait_event("call", call=second, state="CONFIRMED")
        self.phones.hears(self.caller, first, AGENT_HZ, seconds=10)
        return first, second

    def surveys(self) -> dict[str, Any]:
        """The sum of all surveys of agents."""
        answer = self.http.get("/reports/surveys", params={"from": time.time() - 3600, "by": "agent"})
        assert answer.status_code == 200, answer.text
        total: dict[str, Any] = answer.json()["total"]
        return total


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    port = free_port("127.0.0.1")
    field = Field(
        tmp_path_factory.mktemp("services"),
        callers={},
        numbers={MAIL: "voicemail:night", RINGS: "dial:1003"},
        extra=EXTRA.format(port=port, digest=digest_of("secret")),
        workers=1,
    )
    prompts = field.folder / "prompts"
    audio.write_wav(prompts / "voicemail_greeting.wav", audio.tone(GREETING_HZ, 0.6))
    for name in ("survey_question", "survey_thanks"):
        audio.write_wav(prompts / f"{name}.wav", audio.tone(QUESTION_HZ, 0.6))
    desk = Desk(field, port)
    yield desk
    desk.http.close()
    field.close()


def test_a_message_is_left_shown_by_the_lamp_and_fetched(desk: Desk) -> None:
    told = desk.agent.wait_event("mwi")
    assert "Messages-Waiting: no" in told["text"]
    call = desk.calls(MAIL)
    desk.phones.hears(desk.caller, call, GREETING_HZ)
    pause(3)
    desk.caller.tell("hangup")
    desk.over(desk.caller, call)
    wait_until(
        lambda: any("Messages-Waiting: yes" in event["text"] for event in desk.agent.events("mwi")),
        5,
        lambda: f"the lamp: {desk.agent.events('mwi')}",
    )
    [message] = desk.http.get("/voicemail/night").json()
    assert message["caller"] == "1002"
    sound = desk.http.get(f"/voicemail/messages/{message['id']}/audio")
    assert sound.headers["content-type"] == "audio/wav"
    samples, rate = soundfile.read(io.BytesIO(sound.content), dtype="int16")
    assert 1.0 < len(samples) / rate < 3.5
    middle = np.asarray(samples, dtype=np.int16)[rate // 2 : rate]
    assert [round(hz, -1) for hz in map(round, audio.find_tones(middle, rate))] == [CALLER_HZ]
    assert desk.post(f"/voicemail/messages/{message['id']}/mark", heard=True).status_code == 200
    wait_until(
        lambda: "Messages-Waiting: no" in desk.agent.events("mwi")[-1]["text"],
        5,
        lambda: f"the lamp is out: {desk.agent.events('mwi')}",
    )


def test_only_who_stays_after_the_agent_is_asked(desk: Desk) -> None:
    first, second = desk.talk()
    desk.caller.tell("hangup")
    desk.over(desk.agent, second)
    assert desk.surveys()["offered"] == 0

    first, second = desk.talk()
    desk.agent.tell("hangup")
    desk.phones.hears(desk.caller, first, QUESTION_HZ)
    desk.caller.tell("keys 4")
    desk.over(desk.caller, first)
    wait_until(lambda: desk.surveys()["answered"] == 1, 5, lambda: f"the answer: {desk.surveys()}")
    total = desk.surveys()
    assert (total["offered"], total["mean"], total["scores"]) == (1, 4.0, {"4": 1})


def test_the_ringback_changes_for_the_next_call_without_a_restart(desk: Desk) -> None:
    deaf = desk.field.phone("1003", "127.0.0.9", answer=180)

    def hears(hz: int) -> None:
        call = desk.calls(RINGS, until="EARLY")
        desk.phones.hears(desk.caller, call, hz)
        desk.caller.tell("hangup")
        desk.over(desk.caller, call)

    for prompt, hz in (("music", MUSIC_HZ), ("hello", WELCOME_HZ)):
        assert desk.post(f"/ringbacks/{RINGS}", prompt=prompt).status_code == 200
        hears(hz)
    assert desk.post(f"/ringbacks/{RINGS}", text="新年快乐,祝您万事如意").status_code == 200
    call = desk.calls(RINGS, until="EARLY")
    pause(1.5)
    desk.caller.tell("hangup")
    desk.over(desk.caller, call)
    samples, _ = desk.phones.tape(desk.caller, call)
    assert np.abs(samples).max() > 1000
    assert WELCOME_HZ not in {round(hz, -1) for hz in map(round, audio.find_tones(samples[4000:8000], 8000))}
    assert not any(
        event["state"] == "CONFIRMED" for event in desk.caller.events("call") if event["call"] == call
    )
    assert deaf.running
