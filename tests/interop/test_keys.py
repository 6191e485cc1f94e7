"""Keys of other people's phones, in each way that there is: each counts once, and secret ones go nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.interop import pcap
from tests.interop.centre import CALLER_HZ
from tests.interop.field import Field
from tests.interop.phones import TONES, Phones, more_users, pause, said
from tests.interop.programs import Capture, ended, wait_until
from tests.interop.scenario import caller
from tests.interop.test_codecs import media_port

from sipcc.rtp.codec import g711
from sipcc.testing import audio

LOW, HIGH = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
LAYOUT = ("123A", "456B", "789C", "*0#D")

MENU = """
[[menus]]
name = "code"
prompt = "hello"
options = { "1129#" = "play:music" }
then = "busy"
noinput = 0
nomatch = 0
"""


def keys_heard(samples: audio.Samples, rate: int = 8000) -> str:
    """The keys whose two tones are nearly all that is heard for 40 ms or more."""
    window = rate // 40
    turn = np.exp(-2j * np.pi * np.outer(np.arange(window) / rate, (*LOW, *HIGH)))
    found, last, run = "", "", 0
    for start in range(0, len(samples) - window, window // 2):
        block = samples[start : start + window].astype(np.float64)
        energy = float(np.sum(block**2))
        powers = np.abs(block @ turn) ** 2 * 2 / window
        low, high = int(np.argmax(powers[:4])), int(np.argmax(powers[4:]))
        both = powers[low] + powers[4 + high]
        plain = energy > window * 50**2 and both > 0.7 * energy
        one = plain and min(powers[low], powers[4 + high]) > 0.1 * both
        key = LAYOUT[low][high] if one else ""
        run = run + 1 if key == last else 1
        last = key
        if key and run == 3:
            found += key
    return found


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    field = Field(
        tmp_path_factory.mktemp("keys"),
        callers={"outside": {}},
        numbers={"4008000100": "menu:code", "1004": "dial:1004"},
        extra=MENU + more_users(u1004='dtmf = "inband"', u1005='dtmf = "info"'),
        workers=1,
    )
    yield field
    field.close()


@pytest.fixture(scope="module")
def phones(field: Field) -> Phones:
    return Phones(field)


WAYS = {"1003": "keys", "1004": "tones", "1005": "info"}
"""How each phone presses keys: by RFC 4733, in the audio, by INFO."""


def test_a_menu_gets_each_key_once(field: Field, phones: Phones) -> None:
    """Four at a time: SIPp and three phones, each in its own way. A key too many would be another option."""
    sound = field.folder / "code.pcap"
    pressed = tuple((0.5 + 0.25 * index, key) for index, key in enumerate("1129#"))
    pcap.write(sound, tone_hz=CALLER_HZ, seconds=4, keys=pressed)
    callers = {phones(user): way for user, way in WAYS.items()}
    sipp = caller("presses by events").invite().recv(100, optional=True).recv(200, dialog=True).ack()
    run = field.call(sipp.play().pause(4000).bye(), by="outside", number="4008000100", audio=sound)
    for phone in callers:
        phone.tell(f"call sip:4008000100@{field.centre.target}")
    for phone in callers:
        phone.wait_event("media", status=[1])
    pause(0.4)
    for phone, way in callers.items():
        phone.tell(f"{way} 1129#")
    run.succeed()
    for phone in callers:
        phone.tell("hangup")
        phone.wait_event("call", state="DISCONNECTED")
    records = field.centre.cdrs(4)
    assert [record["digits"][0]["digits"] for record in records] == ["1129#"] * 4
    assert [record["ended_by"] for record in records] == ["caller"] * 4  # in the music, which nobody ends


def test_key_events_become_tones_and_tones_become_key_events(field: Field, phones: Phones) -> None:
    """A carrier with RFC 4733 and an agent without."""
    sound = field.folder / "events.pcap"
    pcap.write(sound, tone_hz=CALLER_HZ, seconds=8, keys=((1.0, "3"), (1.3, "8"), (1.6, "8")), press_ms=120)
    agent = phones("1004")
    near = caller("has key events").invite().recv(100, optional=True).recv(180, optional=True)
    near.recv(200, dialog=True).ack().play().pause(4600).bye()
    capture = Capture(field.folder, f"udp and host {field.host('outside')}")
    with ended(capture):
        before = len(agent.events("incoming"))
        run = field.call(near, by="outside", number="1004", audio=sound)
        wait_until(lambda: len(agent.events("incoming")) > before, 5, agent.tail)
        call = agent.events("incoming")[-1]["call"]
        agent.wait_event("media", call=call)
        pause(2.2)
        agent.tell("tones 2709")
        run.succeed()
        agent.wait_event("call", call=call, state="DISCONNECTED")
    samples, rate = phones.tape(agent, call)
    assert keys_heard(samples, rate) == "388"
    audio.assert_tone(said(samples, rate), CALLER_HZ, rate, what="after the keys")
    port = media_port(run, "INVITE", "sent")
    ours = f"udp.dstport == {port}"
    fields = ("rtpevent.event_id", "rtpevent.end_of_event", "rtp.timestamp", "rtpevent.duration")
    events = capture.rows(f"{ours} && rtpevent", *fields, rtp=[port])
    ends = [row for row in events if row[1] in ("1", "True")]
    assert [row[0] for row in ends] == ["2"] * 3 + ["7"] * 3 + ["0"] * 3 + ["9"] * 3
    assert len({row[2] for row in events}) == 4
    assert all(640 <= int(row[3]) <= 1440 for row in ends)  # pressed for 120 ms
    payloads = capture.rows(f"{ours} && rtp.p_type == 0", "rtp.payload", rtp=[port])
    heard = g711.decode(b"".join(bytes.fromhex(row[0]) for row in payloads), "PCMU")
    assert keys_heard(heard) == ""
    audio.assert_tone(heard[-6400:-800], TONES["1004"], what="after the keys")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Field]:
    program = Path(__file__).with_name("keys_program.py")
    extra = more_users(u1004='dtmf = "inband"')
    field = Field(tmp_path, callers={"outside": {}}, extra=extra, workers=1, program=program)
    yield field
    field.close()


def test_secret_keys_are_heard_by_the_program_alone(desk: Field) -> None:
    """First of a carrier that has key events, then of a phone that has not."""
    phones = Phones(desk)
    agent, inband = phones("1003"), phones("1004")
    sound = desk.folder / "card.pcap"
    pressed = tuple((0.8 + 0.25 * index, key) for index, key in enumerate("4556"))
    pcap.write(sound, tone_hz=CALLER_HZ, seconds=8, keys=pressed)
    near = caller("types a card").invite().recv(100, optional=True).recv(180, optional=True)
    near.recv(200, dialog=True).ack().play().pause(3200).bye()
    desk.call(near, by="outside", number="4009001000", audio=sound).succeed()
    agent.wait_event("call", call=1, state="DISCONNECTED")
    calls = phones.call(inband, agent, "4009001000")
    pause(0.8)
    inband.tell("tones 9876")
    inband.wait_event("tones over")
    pause(1.2)
    phones.hang_up(calls, inband, agent)
    first, second = desk.centre.cdrs(2)
    typed = re.findall(r"(?m)^key (.)$", desk.centre.program.output)
    assert "".join(typed) == "45569876"
    assert agent.events("digit") == []
    for call, record, tone in ((1, first, CALLER_HZ), (2, second, TONES["1004"])):
        samples, rate = phones.tape(agent, call)
        assert keys_heard(samples, rate) == ""
        audio.assert_tone(said(samples, rate, last_s=0.8, before_s=0.1), tone, rate, what="the agent hears")
        [recording] = record["recordings"]
        left, right, _ = audio.read_stereo(desk.folder / recording["path"])
        assert keys_heard(left) == keys_heard(right) == ""
        assert len(left) > 8000 * 2.5
        audio.assert_tone(left[-7200:-1600], tone, what="the recording after the keys")
    assert "4556" not in desk.centre.program.output
