"""Keys in whole calls: each party has them in its own way, and secret ones reach the program alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, CONFIG, Centre
from tests.flow.test_media_keys import key_sound, keys_in, leaked_ms

from sipcc import Call
from sipcc.call.events import DigitsCollected, FaxHeard, RecordingFinished
from sipcc.rtp import DigitEnded
from sipcc.rtp.tones import CNG, measure_tone, render
from sipcc.testing import audio

Handler = Callable[[Call], Awaitable[None]]


def bench(
    tmp_path: Path, handler: Handler | None = None, *, trunk: str = "", user: str = "", media: str = ""
) -> Centre:
    """A centre whose carrier and whose user 1001 have more settings; 400 800 0001 is a program's."""
    config = CONFIG.replace('addresses = ["127.0.0.2"]', f'addresses = ["127.0.0.2"]\n{trunk}')
    config = config.replace('password = "secret-one-1"', f'password = "secret-one-1"\n{user}')
    config = config.replace("clock_ms = 20", f"clock_ms = 20\n{media}")
    if handler is None:
        return Centre(tmp_path, config=config)
    config = config.replace('number = "4008000001"\nto = "echo"', 'number = "4008000001"\nto = "app:bench"')
    return Centre(tmp_path, config=config, apps={"bench": handler})


@pytest.mark.parametrize(
    ("trunk", "media", "events"),
    [
        ("", "", True),
        ('dtmf = "events"', 'dtmf = "info"', True),
        ('dtmf = "inband"', "", False),
        ('dtmf = "info"', "", False),
        ("", 'dtmf = "inband"', False),
        ('dtmf = "auto"', 'dtmf = "info"', True),
    ],
)
async def test_key_events_are_agreed_on_as_the_settings_say(
    tmp_path: Path, trunk: str, media: str, events: bool
) -> None:
    async with bench(tmp_path, trunk=trunk, media=media) as centre:
        caller = await centre.carrier.call("4008000001")
        await caller.answered()
        assert caller.theirs is not None
        assert (caller.theirs.event_payload_type is not None) == events
        await caller.hangup()


@pytest.mark.parametrize("way", ["inband", "info", "events"])
async def test_a_menu_takes_keys_in_each_way(tmp_path: Path, way: str) -> None:
    typed: list[str | None] = []

    async def handler(call: Call) -> None:
        await call.answer()
        typed.append(await call.ask("welcome", digits=(1, 9)))

    async with bench(tmp_path, handler, trunk=f'dtmf = "{way}"') as centre:
        caller = await centre.carrier.call("4008000001")
        await caller.answered()
        if way == "inband":
            caller.media.say(key_sound("42#"))
        elif way == "events":
            caller.media.press("42#")
        else:
            for key in "42#":
                body = f"Signal={key}\r\nDuration=160\r\n".encode()
                assert await caller.send("INFO", body=body, content_type="application/dtmf-relay") == 200
        await caller.ended()
        assert typed == ["42"]


@pytest.mark.parametrize("way", ["inband", "events"])
async def test_info_does_not_count_where_another_way_is_set(tmp_path: Path, way: str) -> None:
    typed: list[str | None] = []

    async def handler(call: Call) -> None:
        await call.answer()
        typed.append(await call.ask("welcome", digits=(1, 9), timeout=1))

    async with bench(tmp_path, handler, trunk=f'dtmf = "{way}"') as centre:
        caller = await centre.carrier.call("4008000001")
        await caller.answered()
        assert await caller.send("INFO", body=b"4", content_type="application/dtmf") == 200
        await caller.ended()
        assert typed == [None]


@pytest.mark.parametrize("user", ["inband", "info", "events"])
@pytest.mark.parametrize("trunk", ["inband", "info", "events"])
async def test_keys_cross_a_conversation_in_the_way_of_each_party(
    tmp_path: Path, trunk: str, user: str
) -> None:
    async with bench(tmp_path, trunk=f'dtmf = "{trunk}"', user=f'dtmf = "{user}"') as centre:
        alice = await centre.phone("1001")
        caller = await centre.carrier.call("4008000005")
        talk = await alice.next_call()
        await caller.answered(timeout=30)
        await asyncio.sleep(1)
        for ours, theirs, keys in ((caller, talk, "7#"), (talk, caller, "19")):
            way = trunk if ours is caller else user
            if way == "inband":
                ours.media.say(key_sound(keys))
            elif way == "events":
                await ours.press(keys)
            else:
                for key in keys:
                    body = f"Signal={key}\r\nDuration=100\r\n".encode()
                    await ours.send("INFO", body=body, content_type="application/dtmf-relay")
                    await asyncio.sleep(0.3)
            await asyncio.sleep(2)
            wanted = user if ours is caller else trunk
            by_info = "".join(request.body.decode()[7] for request in theirs.infos)
            assert by_info == (keys if wanted == "info" else "")
            assert theirs.media.digits == (keys if wanted == "events" else "")
            assert keys_in(theirs.media.heard(3)) == (keys if wanted == "inband" else "")
        await caller.hangup()


async def test_keys_of_a_program_go_out_in_the_way_of_the_party(tmp_path: Path) -> None:
    async def handler(call: Call) -> None:
        await call.answer()
        await call.wait(0.5)
        call.send_digits("42")
        await call.wait(1)

    for way in ("inband", "info", "events"):
        folder = tmp_path / way
        folder.mkdir()
        async with bench(folder, handler, trunk=f'dtmf = "{way}"') as centre:
            caller = await centre.carrier.call("4008000001")
            await caller.answered()
            await caller.ended()
            assert [request.body[:8] for request in caller.infos] == (
                [b"Signal=4", b"Signal=2"] if way == "info" else []
            )
            assert caller.media.digits == ("42" if way == "events" else "")
            assert keys_in(caller.media.heard(2)) == ("42" if way == "inband" else "")


# -- secret keys ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["inband", "info", "events"])
async def test_a_secret_question_leaves_no_key_in_recording_event_or_record(tmp_path: Path, way: str) -> None:
    typed: list[str | None] = []

    async def handler(call: Call) -> None:
        await call.answer()
        call.record(str(tmp_path / "call.wav"))
        typed.append(await call.ask("welcome", digits=(1, 20), secret=True))
        await call.wait(0.5)
        await call.stop_recording()

    async with bench(tmp_path, handler, trunk=f'dtmf = "{way}"') as centre:
        caller = await centre.carrier.call("4008000001")
        await caller.answered()
        caller.media.be_silent()
        await asyncio.sleep(0.3)
        if way == "events":
            await caller.press("4111*9#")
        else:
            caller.media.say(key_sound("4111*9#"))
        if way == "info":  # tones besides: phones do that
            await asyncio.sleep(0.3)
            for key in "4111*9#":
                await caller.send("INFO", body=key.encode(), content_type="application/dtmf")
                await asyncio.sleep(0.2)
        await caller.ended()
        assert typed == ["4111*9"]
        [collected] = [event for event in centre.events if isinstance(event, DigitsCollected)]
        assert "4" not in collected.digits
        assert any(isinstance(event, RecordingFinished) for event in centre.events)
    left, _, _ = audio.read_stereo(tmp_path / "call.wav")
    assert keys_in(left) == ""
    assert leaked_ms(left[800:]) <= 10  # the caller said something before


@pytest.mark.parametrize("way", ["inband", "info", "events"])
async def test_an_agent_does_not_hear_a_card_number(tmp_path: Path, way: str) -> None:
    typed: list[str] = []

    async def handler(call: Call) -> None:
        leg = await call.dial("1001")
        call.context.scope.spawn(take_card(call), name="card")
        await call.bridge(leg)

    async def take_card(call: Call) -> None:
        await asyncio.sleep(1)

        def heard(event: object) -> None:
            if isinstance(event, DigitEnded):
                typed.append(event.digit)

        call.listen_keys(heard)
        with call.secure_keys():
            await asyncio.sleep(3)
        call.unlisten_keys(heard)

    async with bench(tmp_path, handler, trunk=f'dtmf = "{way}"') as centre:
        alice = await centre.phone("1001")
        caller = await centre.carrier.call("4008000001")
        talk = await alice.next_call()
        await caller.answered()
        await asyncio.sleep(1.5)
        if way == "inband":
            caller.media.say(key_sound("5500"))
        elif way == "events":
            await caller.press("5500")
        else:
            for key in "5500":
                await caller.send("INFO", body=key.encode(), content_type="application/dtmf")
        await asyncio.sleep(2)
        assert "".join(typed) == "5500"
        assert talk.media.digits == ""
        assert talk.infos == []
        assert keys_in(talk.media.heard(2)) == ""
        await asyncio.sleep(1.5)
        caller.media.say_tone(CALLER_HZ)
        await talk.hears(CALLER_HZ)
        await caller.hears(AGENT_HZ["1001"])
        if way == "events":
            await caller.press("3")
            await talk.gets_digits("3")
        await caller.hangup()


async def test_nested_secrets_end_with_the_last(tmp_path: Path) -> None:
    said: list[bool] = []

    async def handler(call: Call) -> None:
        await call.answer()
        with call.secure_keys():
            with call.secure_keys():
                said.append(call.leg.secret_keys)
            said.append(call.leg.secret_keys)
            await call.ask("welcome", digits=1, timeout=0.1, secret=True)
            said.append(call.leg.secret_keys)
        said.append(call.leg.secret_keys)

    async with bench(tmp_path, handler) as centre:
        caller = await centre.carrier.call("4008000001")
        await caller.answered()
        await caller.ended()
        assert said == [True, True, True, False]


# -- fax --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [True, False])
async def test_a_fax_that_calls_is_told_of(tmp_path: Path, asked: bool) -> None:
    async def handler(call: Call) -> None:
        await call.answer()
        await call.wait_ended()

    async with bench(tmp_path, handler, media=f"fax_tones = {str(asked).lower()}") as centre:
        caller = await centre.carrier.call("4008000001")
        await caller.answered()
        caller.media.say(render(CNG))
        await asyncio.sleep(1)
        assert measure_tone(caller.media.heard(0.2), 1100) < -50
        found = [event for event in centre.events if isinstance(event, FaxHeard)]
        assert [event.role for event in found] == (["calling"] if asked else [])
        await caller.hangup()
