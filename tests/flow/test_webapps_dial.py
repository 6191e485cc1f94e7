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
