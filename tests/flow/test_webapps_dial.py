"""Dialling by webhook applications: what is said to whoever answers, before the caller is there."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, MUSIC_HZ, WELCOME_HZ
from tests.flow.test_webapps import LINE, ONE_HZ, Net, centre_with

from sipcc.testing.audio import tone, write_wav
from sipcc.testing.fakecall import NotSeenError
from sipcc.testing.phone import Answer, Decline

CONFIRM = [
    {"verb": "gather", "numDigits": 1, "timeout": 3, "actionHook": "/key", "play": {"url": "prompt:one"}}
]


def jambonz(key: Any) -> Net:
    target = {"type": "user", "name": "1002", "confirmHook": "/confirm"}
    dial = [{"verb": "dial", "target": [target], "actionHook": "/over"}]
    return Net(
        {
            "/start": dial,
            "/confirm": CONFIRM,
            "/key": key,
            "/over": [{"verb": "play", "url": "prompt:welcome"}],
        }
    )


async def test_who_was_called_presses_a_key_and_has_the_caller(tmp_path: Path) -> None:
    net = jambonz([])
    async with centre_with(tmp_path, net) as centre:
        write_wav(tmp_path / "prompts" / "one.wav", tone(ONE_HZ, 1.0))
        phone = await centre.phone("1002")
        caller = await centre.carrier.call(LINE)
        rung = await phone.next_call()
        await rung.hears(ONE_HZ)
        await rung.press("5")
        await rung.hears(CALLER_HZ)
        await caller.hears(AGENT_HZ["1002"])
        await rung.hangup()
        await caller.hears(WELCOME_HZ)
        await caller.ended()
    key, confirm, over = net.told("/key"), net.told("/confirm"), net.told("/over")
    assert (key["digits"], key["reason"]) == ("5", "dtmfDetected")
    assert (confirm["parent_call_sid"], confirm["direction"], confirm["to"]) == (
        over["call_sid"],
        "outbound",
        "1002",
    )
    assert over["dial_call_status"] == "completed"


@pytest.mark.parametrize(
    "key",
    [
        [{"verb": "hangup"}],
        [{"verb": "enqueue", "name": "sales"}],
        [{"verb": "nosuch"}],
        [{"verb": "redirect", "actionHook": "/confirm"}],
    ],
)
async def test_who_was_called_refuses_or_its_application_fails(tmp_path: Path, key: Any) -> None:
    net = jambonz(key)
    async with centre_with(tmp_path, net) as centre:
        write_wav(tmp_path / "prompts" / "one.wav", tone(ONE_HZ, 0.5))
        phone = await centre.phone("1002")
        caller = await centre.carrier.call(LINE)
        rung = await phone.next_call()
        await rung.answered()
        if key[0]["verb"] != "redirect":
            await rung.hears(ONE_HZ)
            with suppress(NotSeenError):  # it may be over before the key is
                await rung.press("5")
        await rung.ended(70.0)  # who never presses a key is asked no longer than a minute
        await caller.hears(WELCOME_HZ)
        await caller.ended()
    assert net.told("/over")["dial_call_status"] == "no-answer"


async def test_who_hangs_up_while_it_is_asked_costs_nobody_anything(tmp_path: Path) -> None:
    net = jambonz([])
    async with centre_with(tmp_path, net) as centre:
        write_wav(tmp_path / "prompts" / "one.wav", tone(ONE_HZ, 5.0))
        phone = await centre.phone("1002")
        caller = await centre.carrier.call(LINE)
        rung = await phone.next_call()
        await rung.hears(ONE_HZ)
        await rung.hangup()
        await caller.hears(WELCOME_HZ)
        await caller.ended()
        second = await centre.carrier.call(LINE)
        rung = await phone.next_call()
        await rung.hears(ONE_HZ)
        await second.hangup()
        await rung.ended()
        await asyncio.sleep(1.0)
        assert not list(centre.switch.live_apps)


async def test_twiml_whispers_to_one_number_and_the_other_answers_as_it_is(tmp_path: Path) -> None:
    net = Net(
        {
            "/start": "<Response><Dial><Client url='/whisper/one' method='GET'>1002</Client></Dial>"
            "<Gather timeout='1'/><Redirect/></Response>",
            "/whisper/one": "<Response><Play>prompt:one</Play><Redirect>two</Redirect></Response>",
            "/whisper/two": "<Response><Play>prompt:two</Play></Response>",
        }
    )
    net.answers["/start"].append("<Response><Enqueue>sales</Enqueue></Response>")
    async with centre_with(tmp_path, net, kind="twiml") as centre:
        write_wav(tmp_path / "prompts" / "one.wav", tone(ONE_HZ, 1.0))
        write_wav(tmp_path / "prompts" / "two.wav", tone(900.0, 1.0))
        phone = await centre.phone("1002")
        caller = await centre.carrier.call(LINE)
        rung = await phone.next_call()
        await rung.hears(ONE_HZ)
        await rung.hears(900.0)
        await rung.hears(CALLER_HZ)
        await rung.hangup()
        await caller.hears(MUSIC_HZ)  # <Redirect/> asks the first document, not that of the whisper
        await caller.hangup()
    whispered = net.told("/whisper/one")
    assert (whispered["Direction"], whispered["ParentCallSid"]) == ("outbound-dial", whispered["CallSid"])


async def test_how_the_calls_go_on_is_told(tmp_path: Path) -> None:
    number = (
        "<Client statusCallback='/progress' statusCallbackEvent='initiated ringing answered completed'>1002"
        "</Client>"
    )
    net = Net(
        {
            "/start": f"<Response><Dial timeout='8' action='/over'>{number}"
            "<Client statusCallback='/other'>1003</Client></Dial></Response>",
            "/progress": "<Response><Play>prompt:nothing</Play></Response>",  # of which nobody hears
            "/other": "",
            "/over": "<Response><Play>prompt:welcome</Play></Response>",
        }
    )
    async with centre_with(tmp_path, net, kind="twiml") as centre:
        phone = await centre.phone("1002", Answer(after=2.0))
        await centre.phone("1003", Answer(after=20.0))
        caller = await centre.carrier.call(LINE)
        await caller.hears(AGENT_HZ["1002"], 8.0)
        await asyncio.sleep(3.0)
        await (await phone.next_call()).hangup()
        await caller.hears(WELCOME_HZ)
        await caller.ended()
    told = [sent for path, sent in net.asked if path == "/progress"]
    assert [sent["CallStatus"] for sent in told] == ["initiated", "ringing", "in-progress", "completed"]
    (other,) = [sent for path, sent in net.asked if path == "/other"]
    assert (other["CallStatus"], other["To"]) == ("canceled", "1003")
    over = net.told("/over")
    first, last = told[0], told[-1]
    assert (first["ParentCallSid"], first["Direction"], first["To"]) == (
        over["CallSid"],
        "outbound-dial",
        "1002",
    )
    assert len({sent["CallSid"] for sent in told}) == 1
    assert first["CallSid"] != over["CallSid"]
    assert 3 <= int(last["CallDuration"]) <= 6
    assert "CallDuration" not in first


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [(Decline(486), "busy"), (Decline(503), "failed"), (Answer(after=30.0), "no-answer")],
)
async def test_calls_of_which_nothing_comes_are_told(tmp_path: Path, behaviour: Any, status: str) -> None:
    net = Net(
        {
            "/start": "<Response><Dial timeout='3'><Client statusCallback='/progress'>1002</Client></Dial>"
            "</Response>",
            "/progress": "",
        }
    )
    async with centre_with(tmp_path, net, kind="twiml") as centre:
        await centre.phone("1002", behaviour)
        caller = await centre.carrier.call(LINE)
        await caller.answered()
        await caller.ended()
        await asyncio.sleep(1.0)
        assert not list(centre.switch.live_apps)
    (told,) = [sent for path, sent in net.asked if path == "/progress"]
    assert (told["CallStatus"], told["CallDuration"]) == (status, "0")


@pytest.mark.parametrize(("after", "status", "shortest"), [(1.0, "completed", 2), (30.0, "no-answer", 0)])
async def test_a_caller_who_hangs_up_in_a_dial_is_told_of(
    tmp_path: Path, after: float, status: str, shortest: int
) -> None:
    dial = {"verb": "dial", "target": [{"type": "user", "name": "1002"}], "actionHook": "/over"}
    net = Net({"/start": [dial], "/over": [{"verb": "play", "url": "prompt:welcome"}]})
    async with centre_with(tmp_path, net) as centre:
        await centre.phone("1002", Answer(after=after))
        caller = await centre.carrier.call(LINE)
        await caller.answered()
        await asyncio.sleep(4.0)
        await caller.hangup()
        await asyncio.sleep(1.0)
        assert not list(centre.switch.live_apps)
    over = net.told("/over")
    assert over["dial_call_status"] == status
    assert shortest <= over["duration"] <= shortest + 2


@pytest.mark.parametrize("both", [True, False])
async def test_keys_in_the_conversation_are_told(tmp_path: Path, both: bool) -> None:
    capture: Any = ["*1", "*2"] if both else {"parentCall": ["*1"], "childCall": ["*2"]}
    dial = {"verb": "dial", "target": [{"type": "user", "name": "1002"}], "dtmfHook": "/keys"}
    net = Net({"/start": [dial | {"dtmfCapture": capture}], "/keys": []})
    async with centre_with(tmp_path, net) as centre:
        phone = await centre.phone("1002")
        caller = await centre.carrier.call(LINE)
        await caller.hears(AGENT_HZ["1002"])
        rung = await phone.next_call()
        await caller.press("5*1")
        await rung.press("*2")
        await caller.press("*2")
        await rung.hears(CALLER_HZ)  # nothing is cut by them
        await rung.hangup()
        await caller.ended()
    told = [sent["dtmf"] for path, sent in net.asked if path == "/keys"]
    assert told == (["*1", "*2", "*2"] if both else ["*1", "*2"])
