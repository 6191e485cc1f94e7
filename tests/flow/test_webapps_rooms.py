"""Conferences of webhook applications: moderators, what is heard before it begins, limits, who is told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.flow.centre import CALLER_HZ, WELCOME_HZ
from tests.flow.test_webapps import LINE, ONE_HZ, Net, centre_with

from sipcc.testing.audio import tone, write_wav

HOST_HZ = 1500.0
HOST_LINE = "4008000401"

HOST = """
[[webapps]]
name = "host"
url = "http://app.example.com/host"
kind = "{kind}"
fallback = "hangup"
[[numbers]]
number = "4008000401"
to = "webapp:host"
"""


def events(net: Net, name: str = "event") -> list[str]:
    return [sent[name] for path, sent in net.asked if path == "/events"]


async def test_a_jambonz_conference_begins_and_ends_with_its_moderator(tmp_path: Path) -> None:
    told = {"statusHook": "/events", "statusEvents": ["start", "end", "join", "leave"]}
    guest = {"verb": "conference", "name": "team", "startConferenceOnEnter": False, "waitHook": "/wait"}
    host = {"verb": "conference", "name": "team", "endConferenceOnExit": True, "beep": True}
    net = Net(
        {
            "/start": [guest | told | {"actionHook": "/over", "maxParticipants": 2}],
            "/host": [host | told | {"enterHook": "/enter"}],
            "/wait": [{"verb": "play", "url": "prompt:one"}],
            "/enter": [{"verb": "play", "url": "prompt:welcome"}],
            "/over": [{"verb": "play", "url": "prompt:welcome"}],
            "/events": [],
        }
    )
    async with centre_with(tmp_path, net, more=HOST.format(kind="jambonz")) as centre:
        write_wav(tmp_path / "prompts" / "one.wav", tone(ONE_HZ, 1.0))
        caller = await centre.carrier.call(LINE)
        await caller.hears(ONE_HZ)
        other = await centre.carrier.call(HOST_LINE, caller="13900139000", tone_hz=HOST_HZ)
        await other.hears(WELCOME_HZ)
        await caller.hears(HOST_HZ)
        await other.hears(CALLER_HZ)
        late = await centre.carrier.call(LINE, caller="13700137000")
        await late.hears(WELCOME_HZ)  # it is full: its actionHook is asked at once
        await late.ended()
        await other.hangup()
        await caller.hears(WELCOME_HZ)
        await caller.ended()
        await asyncio.sleep(1.0)
        assert not list(centre.switch.live_apps)
    assert events(net) == ["join", "join", "start", "leave", "leave", "end"]
    started = next(sent for path, sent in net.asked if path == "/events" and sent["event"] == "start")
    assert (started["conference_sid"], started["friendly_name"]) == ("conf:sipcc:team", "team")
    assert (started["members"], started["duration"]) == (2, 0)


async def test_a_twiml_conference_needs_two_while_there_is_something_to_hear(tmp_path: Path) -> None:
    room = (
        "<Response><Dial action='/over'><Conference waitUrl='/wait' statusCallback='/events'"
        " statusCallbackEvent='start end join leave' {more}>team</Conference></Dial></Response>"
    )
    net = Net(
        {
            "/start": room.format(more="endConferenceOnExit='true'"),
            "/host": room.format(more="maxParticipants='5'"),
            "/wait": "<Response><Play>prompt:one</Play></Response>",
            "/over": "<Response><Play>prompt:welcome</Play></Response>",
            "/events": "",
        }
    )
    async with centre_with(tmp_path, net, kind="twiml", more=HOST.format(kind="twiml")) as centre:
        write_wav(tmp_path / "prompts" / "one.wav", tone(ONE_HZ, 1.0))
        caller = await centre.carrier.call(LINE)
        await caller.hears(ONE_HZ)
        other = await centre.carrier.call(HOST_LINE, caller="13900139000", tone_hz=HOST_HZ)
        await caller.hears(HOST_HZ)
        await other.hears(CALLER_HZ)
        await asyncio.sleep(2.0)
        await caller.hangup()
        await other.hears(WELCOME_HZ)
        await other.ended()
    assert events(net, "StatusCallbackEvent") == [
        "participant-join",
        "participant-join",
        "conference-start",
        "participant-leave",
        "participant-leave",
        "conference-end",
    ]
    over = net.told("/over")
    assert over["DialCallStatus"] == "answered"
    assert 2 <= int(over["DialCallDuration"]) <= 5
    first: Any = next(sent for path, sent in net.asked if path == "/events")
    assert (first["EndConferenceOnExit"], first["FriendlyName"], first["SequenceNumber"]) == (
        "true",
        "team",
        "1",
    )


async def test_a_caller_leaves_while_it_waits_and_one_whose_wait_hook_fails_waits_in_silence(
    tmp_path: Path,
) -> None:
    guest = {"verb": "conference", "name": "team", "startConferenceOnEnter": False, "waitHook": "/wait"}
    net = Net(
        {
            "/start": [guest | {"actionHook": "/over"}],
            "/host": [{"verb": "conference", "name": "team", "endConferenceOnExit": True}],
            "/wait": ([{"verb": "gather", "numDigits": 1, "actionHook": "/key"}], [{"verb": "dial"}]),
            "/key": [{"verb": "leave"}],
            "/over": [{"verb": "play", "url": "prompt:welcome"}],
        }
    )
    async with centre_with(tmp_path, net, more=HOST.format(kind="jambonz")) as centre:
        caller = await centre.carrier.call(LINE)
        await caller.answered()
        await asyncio.sleep(1.0)
        await caller.press("9")
        await caller.hears(WELCOME_HZ)
        await caller.ended()
        second = await centre.carrier.call(LINE)
        await second.answered()
        await asyncio.sleep(3.0)
        other = await centre.carrier.call(HOST_LINE, caller="13900139000", tone_hz=HOST_HZ)
        await second.hears(HOST_HZ)
        await second.hangup()
        third = await centre.carrier.call(LINE, caller="13700137000")  # it has begun: no wait
        await third.hears(HOST_HZ)
        await third.hangup()
        await asyncio.sleep(1.0)
        await other.hangup()
        await asyncio.sleep(1.0)
        assert not list(centre.switch.live_apps)
