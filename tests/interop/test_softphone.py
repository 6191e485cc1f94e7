"""PJSUA2, a real softphone, as agent and as caller of `sipccd`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.interop.centre import AGENT_HZ, CALLER_HZ, PASSWORDS, Centre
from tests.interop.conftest import Cast
from tests.interop.programs import Softphone, wait_until
from tests.interop.test_main_job import check_recording, check_times

from sipcc.testing import audio

Start = Callable[..., Centre]


def make_phone(
    centre: Centre, cast: Cast, *, user: str, host: str, tone_hz: int, **settings: object
) -> Softphone:
    """A registered softphone that says a tone and records what it hears."""
    sound = centre.folder / f"{user}-says.wav"
    audio.write_wav(sound, audio.tone(tone_hz, 4.0))
    phone = Softphone(
        centre.folder,
        user=user,
        host=host,
        server=centre.target,
        password=PASSWORDS[user],
        play=str(sound),
        **settings,
    )
    cast.add(phone)
    phone.wait_event("registration", status=200)
    return phone


def heard(phone: Softphone) -> tuple[audio.Samples, int]:
    """What the phone recorded, after its end."""
    phone.quit()
    (samples,), rate = audio.read_wav(phone.record_path)
    return samples, rate


@pytest.mark.parametrize(("transport", "codec"), [("udp", "PCMU"), ("tcp", "PCMA")])
def test_the_agent_is_a_softphone(start: Start, cast: Cast, transport: str, codec: str) -> None:
    centre = start()
    phone = make_phone(
        centre, cast, user="1001", host="127.0.0.5", tone_hz=AGENT_HZ, transport=transport, codec=codec
    )
    carrier = cast.carrier(centre, "carrier_hangs_up_pcmu", pause_ms=4500)
    carrier.succeed()
    phone.wait_event("call", state="DISCONNECTED")
    (record,) = centre.cdrs(1)
    assert record["legs"][0]["agent"] == "alice"
    assert centre.exits() == ["answered"]
    check_times(record, carrier)
    check_recording(record, centre.folder)
    samples, rate = heard(phone)
    audio.assert_tone(samples[len(samples) // 3 : len(samples) * 2 // 3], CALLER_HZ, rate, what="softphone")
    centre.stop()


def test_a_softphone_refuses_and_the_next_agent_gets_the_call(start: Start, cast: Cast) -> None:
    centre = start()
    make_phone(centre, cast, user="1001", host="127.0.0.5", tone_hz=AGENT_HZ, answer=486)
    agent = cast.agent(centre, "agent_answers_pcmu", user="1002", host="127.0.0.4")
    carrier = cast.carrier(centre, "carrier_hangs_up_pcmu", number="4008123450", key_at=None, pause_ms=4000)
    carrier.succeed()
    agent.succeed()
    centre.cdrs(1)
    assert centre.offers() == [("alice", "busy"), ("bob", "answered")]
    centre.stop()


def test_the_caller_is_a_softphone_that_presses_a_key_and_holds(start: Start, cast: Cast) -> None:
    centre = start()
    agent = cast.agent(centre, "agent_answers_pcma", user="1001")
    phone = make_phone(centre, cast, user="1002", host="127.0.0.5", tone_hz=CALLER_HZ)
    # bob is an agent too; his own call makes him busy only as far as his phone says so
    phone.tell(f"call sip:4008123456@{centre.target}")
    phone.wait_event("call", state="CONFIRMED")
    phone.tell("keys 1")
    wait_until(lambda: agent.has("ACK", "received"), 10, "the agent's ACK")
    phone.tell("hold")
    phone.wait_event("media", status=[2])
    phone.tell("unhold")
    wait_until(lambda: phone.events("media")[-1]["status"] == [1], 5, phone.tail)
    phone.tell("hangup")
    phone.wait_event("call", state="DISCONNECTED")
    agent.succeed()
    (record,) = centre.cdrs(1)
    assert record["digits"][0]["digits"] == "1"
    assert (record["ended_by"], record["caller"]) == ("caller", "1002")
    centre.stop()


def test_a_softphone_without_the_password_is_refused(start: Start, cast: Cast, tmp_path: Path) -> None:
    centre = start()
    phone = Softphone(tmp_path, user="1001", host="127.0.0.5", server=centre.target, password="wrong")
    cast.add(phone)
    event = phone.wait_event("registration")
    assert event["status"] in (401, 403)
    centre.stop()
