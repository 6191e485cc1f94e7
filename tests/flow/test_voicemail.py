"""Mailboxes: messages are left, told, seen on lamps, heard at phones and over HTTP, and deleted."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec
import numpy as np
import pytest
import soundfile
from tests.flow.centre import Centre
from tests.flow.test_api import TOKENS, Client, until
from tests.flow.test_subscriptions import watch

from sipcc.api.app import make_api
from sipcc.errors import ConfigError
from sipcc.ivr.services import Understood
from sipcc.ivr.steps import Heard, Listen
from sipcc.rtp.codec import g711
from sipcc.sip.packages.mwi import parse_summary
from sipcc.switch.voicemail import delete_before
from sipcc.testing import audio
from sipcc.testing.audio import Samples, tone, write_wav
from sipcc.testing.fakecall import FakeCall

BOX = "4008000200"
GREETING_HZ = 520.0
BEEP_HZ = 1000.0

EXTRA = """
[[mailboxes]]
name = "night"
users = ["1001"]
min_length = 1.0
max_length = 20
{more}
[[numbers]]
number = "4008000200"
to = "voicemail:night"
"""


class Api(Client):
    async def ranged(self, path: str, span: str, role: str) -> httpx.Response:
        return await self._http.get(path, headers={"Authorization": f"Bearer {role}", "Range": span})


@asynccontextmanager
async def centre_with(folder: Path, more: str = "", extra: str = "") -> AsyncIterator[Api]:
    async with Centre(folder, extra=EXTRA.format(more=more) + extra) as centre:
        for name, hz in (("voicemail_greeting", GREETING_HZ), ("voicemail_menu", 480.0)):
            write_wav(folder / "prompts" / f"{name}.wav", tone(hz, 0.5))
        app = make_api(centre.switch, list(TOKENS.values()))
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://api.example.com") as http:
            yield Api(centre, http)


async def leaves(centre: Centre, said: Samples, *, caller: str = "13800138000") -> FakeCall:
    """Somebody who leaves a message, and hangs up."""
    call = await centre.carrier.call(BOX, caller=caller)
    call.media.be_silent()
    await call.hears(GREETING_HZ)
    await call.hears(BEEP_HZ)
    await call.hears_silence()
    call.media.say(np.concatenate([said, audio.silence(30)]))
    await asyncio.sleep(len(said) / 8000 + 0.3)
    await call.hangup()
    await until(lambda: bool(centre.told("CallEndedEvent")))
    return call


def decoded(data: bytes) -> Samples:
    samples, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    assert rate == 8000
    return np.asarray(samples, dtype=np.int16)


async def test_a_message_over_http_is_what_was_sent(tmp_path: Path) -> None:
    async with centre_with(tmp_path) as api:
        said = np.concatenate([tone(hz, 0.5) for hz in (500, 700, 1100, 1500, 1900, 2300)])
        await leaves(api.centre, said)
        await until(lambda: bool(api.centre.told("VoicemailLeft")))
        assert (await api.get("/voicemail", role="supervisor")).json() == [
            {"box": "night", "new": 1, "old": 0}
        ]
        [message] = (await api.get("/voicemail/night", role="supervisor")).json()
        assert message["caller"] == "13800138000"
        path = f"/voicemail/messages/{message['id']}/audio"
        whole = await api.get(path, role="supervisor")
        assert whole.headers["content-type"] == "audio/wav"
        assert len(whole.content) == message["size_bytes"]
        heard = decoded(whole.content)
        assert abs(len(heard) / 8000 - message["seconds"]) < 0.02
        begin = int(np.flatnonzero(np.abs(heard) > 1000)[0])
        for index, hz in enumerate((500, 700, 1100, 1500, 1900, 2300)):
            at = begin + index * 4000
            assert round(audio.find_tones(heard[at + 400 : at + 3600])[0]) == hz
        sent = audio.ulaw(said)  # sample for sample, as G.711 carried it
        carried = g711.decode(sent, "PCMU")
        assert np.array_equal(heard[begin - 2 : begin + 20000], shifted(carried, heard, begin)[:20002])
        part = await api.ranged(path, "bytes=100-299", "supervisor")
        assert part.status_code == 206
        assert part.content == whole.content[100:300]


def shifted(carried: Samples, heard: Samples, begin: int) -> Samples:
    """What was sent, from the place in it that stands at `begin` - 2 in what was heard."""
    place = int(np.flatnonzero(np.abs(carried) > 1000)[0])
    return np.concatenate([np.zeros(4, dtype=np.int16), carried])[place + 2 :]


async def test_lamps_follow_messages_that_are_left_heard_and_deleted(tmp_path: Path) -> None:
    async with centre_with(tmp_path) as api:
        watching = watch(await api.centre.phone("1001"), "1001", "message-summary")
        first = parse_summary((await anext(watching)).body)
        assert (first.new, first.account) == (0, "sip:4008000200@pbx.example.com")
        await leaves(api.centre, tone(700, 2.0))
        assert parse_summary((await anext(watching)).body).new == 1
        [message] = (await api.get("/voicemail/night", role="agent")).json()
        path = f"/voicemail/messages/{message['id']}"
        marked = await api.post(f"{path}/mark", {"request_id": "m1"}, role="agent")
        assert marked.json()["heard"] is True
        summary = parse_summary((await anext(watching)).body)
        assert (summary.new, summary.old) == (0, 1)
        assert (await api.post(f"{path}/delete", {"request_id": "d1"}, role="auditor")).status_code == 403
        assert (await api.post(f"{path}/delete", {"request_id": "d1"}, role="agent")).status_code == 200
        assert parse_summary((await anext(watching)).body).old == 0
        assert (await api.get(f"{path}/audio")).status_code == 404
        assert [
            type(event).__name__ for event in api.centre.events if "Voicemail" in type(event).__name__
        ] == [
            "VoicemailLeft",
            "VoicemailHeard",
            "VoicemailDeleted",
        ]
        assert sounds_in(tmp_path) == []


def sounds_in(folder: Path) -> list[Path]:
    return [path for path in (folder / "recordings").rglob("*") if path.is_file()]


async def test_messages_are_there_after_a_restart_and_go_when_they_are_old(tmp_path: Path) -> None:
    async with centre_with(tmp_path) as api:
        await leaves(api.centre, tone(700, 2.0))
        await until(lambda: bool(api.centre.told("VoicemailLeft")))
        desk = api.centre.switch.voicemail
        [before] = desk.messages("night")
        again = type(desk)(api.centre.switch)
        await again._store.open()
        assert again.messages("night") == [before]
        aged = msgspec.structs.replace(before, left=before.left - 31 * 86400)
        await desk._store.put(aged)
        assert await desk.expire() == 1
        assert desk.messages("night") == []
        assert sounds_in(tmp_path) == []


@pytest.mark.parametrize("said", [audio.silence(12.0), audio.silence(4.0), tone(700, 0.4)])
async def test_silence_and_a_hasty_hang_up_are_no_message(tmp_path: Path, said: Samples) -> None:
    async with centre_with(tmp_path) as api:
        call = await api.centre.carrier.call(BOX)
        call.media.be_silent()
        await call.hears(BEEP_HZ)
        call.media.say(np.concatenate([said, audio.silence(1)]))
        await asyncio.sleep(len(said) / 8000)
        await call.hangup()
        await until(lambda: bool(api.centre.told("CallEndedEvent")))
        assert api.centre.told("VoicemailLeft") == []


async def test_silence_that_a_key_ends_is_no_message_and_the_caller_is_told(tmp_path: Path) -> None:
    async with centre_with(tmp_path) as api:
        write_wav(tmp_path / "prompts" / "voicemail_not_saved.wav", tone(610.0, 0.5))
        call = await api.centre.carrier.call(BOX)
        call.media.be_silent()
        await call.hears(BEEP_HZ)
        await asyncio.sleep(4.0)
        await call.press("#")
        await call.hears(610.0)
        await call.ended()
        assert api.centre.told("VoicemailLeft") == []
        assert sounds_in(tmp_path) == []


async def test_an_owner_hears_its_messages_at_its_phone_by_keys_and_with_a_pin(tmp_path: Path) -> None:
    async with centre_with(tmp_path, 'pin = "4711"') as api:
        centre = api.centre
        await leaves(centre, tone(700, 2.0))
        await leaves(centre, tone(1100, 2.0), caller="13800138001")
        await until(lambda: len(centre.told("VoicemailLeft")) == 2)
        phone = await centre.phone("1001")
        call = await phone.call(BOX)
        await call.answered()
        await call.press("1234#")
        await asyncio.sleep(1)
        await call.press("4711#")
        await call.hears(700.0, timeout=30)
        await call.press("1")
        await asyncio.sleep(0.5)
        await call.hears(700.0, timeout=30)
        await call.press("2")
        await call.hears(1100.0, timeout=30)
        await call.press("*")
        assert await call.ended(timeout=30) == "peer"
        [left] = centre.switch.voicemail.messages("night")
        assert (left.caller, left.heard) == ("13800138001", True)
        shown = [event.digits for event in centre.told("DigitsCollected") if event.prompt == "voicemail pin"]  # type: ignore[attr-defined]
        assert shown == ["****", "****"]


async def test_who_has_no_pin_hears_nothing(tmp_path: Path) -> None:
    async with centre_with(tmp_path, 'pin = "4711"') as api:
        await leaves(api.centre, tone(700, 2.0))
        call = await (await api.centre.phone("1001")).call(BOX)
        await call.answered()
        for _ in range(3):
            await call.press("9#")
            await asyncio.sleep(3)
        assert await call.ended(timeout=30) == "peer"
        [left] = api.centre.switch.voicemail.messages("night")
        assert not left.heard


async def test_a_full_mailbox_takes_no_more(tmp_path: Path) -> None:
    async with centre_with(tmp_path, "messages = 1") as api:
        write_wav(tmp_path / "prompts" / "voicemail_full.wav", tone(1900, 1.0))
        await leaves(api.centre, tone(700, 2.0))
        call = await api.centre.carrier.call(BOX)
        await call.hears(1900.0)
        await call.ended()
        assert len(api.centre.told("VoicemailLeft")) == 1


async def test_whoever_leaves_a_message_is_called_back(tmp_path: Path) -> None:
    rules = '\n[callbacks]\nroute = "carrier"\n[toll]\nallow = ["*"]\n'
    async with centre_with(tmp_path, 'callback = "sales"', rules) as api:
        await leaves(api.centre, tone(700, 2.0))
        await until(lambda: bool(api.centre.switch.acd.callbacks()))
        [booked] = api.centre.switch.acd.callbacks()
        [message] = api.centre.switch.voicemail.messages("night")
        assert (booked.number, message.callback) == ("13800138000", booked.id)
        path = f"/voicemail/messages/{message.id}/callback"
        again = await api.post(path, {"request_id": "c1", "queue": "sales"}, role="admin")
        assert again.status_code == 409


async def test_messages_of_a_subject_are_erased_with_its_recordings(tmp_path: Path) -> None:
    async with centre_with(tmp_path, "", '[dialling]\ncountry = "86"\n') as api:
        await leaves(api.centre, tone(700, 2.0))
        await until(lambda: bool(api.centre.told("VoicemailLeft")))
        [message] = api.centre.switch.voicemail.messages("night")
        body = {"request_id": "e1", "number": "+86 138 0013 8000"}
        erased = (await api.post("/recordings/erase", body, role="admin")).json()
        assert erased["deleted"] == [message.id]
        assert sounds_in(tmp_path) == []


def test_what_was_said_in_flows_goes_when_it_is_old(tmp_path: Path) -> None:
    old, fresh = tmp_path / "old.wav", tmp_path / "fresh.wav"
    for path, wall in ((old, 1000.0), (fresh, 3000.0)):
        path.write_bytes(b"sound")
        os.utime(path, (wall, wall))
    assert delete_before(tmp_path, 2000.0) == 1
    assert not old.exists()
    assert fresh.exists()
    assert delete_before(tmp_path / "nowhere", 2000.0) == 0


class Words:
    """Understands two seconds at a time."""

    async def recognise(
        self, frames: AsyncIterator[bytes], step: Listen, *, language: str, on_speech: Callable[[], None]
    ) -> Understood:
        count = 0
        async for _ in frames:
            count += 1
            if count == 100:
                break
        return Understood(outcome="match", heard=(Heard(f"{language}:{count}"),))


async def test_what_was_said_is_written_down_by_the_recogniser_or_over_http(tmp_path: Path) -> None:
    async with centre_with(tmp_path, 'transcribe = true\nlanguage = "en"') as api:
        api.centre.switch.treatments.services.recogniser = Words()
        await leaves(api.centre, tone(700, 3.0))
        await until(lambda: bool(api.centre.told("VoicemailTranscribed")))
        [message] = (await api.get("/voicemail/night")).json()
        assert message["transcript"].startswith("en:100 en:")
        path = f"/voicemail/messages/{message['id']}/transcript"
        body = {"request_id": "t1", "text": "please call"}
        assert (await api.post(path, body, role="admin")).json()["transcript"] == "please call"


async def test_agents_reach_the_mailboxes_of_their_users_alone(tmp_path: Path) -> None:
    extra = '\n[[mailboxes]]\nname = "other"\nusers = ["1002"]\n'
    async with centre_with(tmp_path, "", extra) as api:
        assert [box["box"] for box in (await api.get("/voicemail", role="agent")).json()] == ["night"]
        assert (await api.get("/voicemail/other", role="agent")).status_code == 404
        assert (await api.get("/voicemail/other", role="auditor")).status_code == 200
        assert (await api.get("/voicemail/nowhere")).status_code == 404
        assert (await api.get("/voicemail/messages/m/audio")).status_code == 404


async def test_a_reload_brings_mailboxes_with_their_owners_and_takes_them_away(tmp_path: Path) -> None:
    async with centre_with(tmp_path) as api:
        switch, path = api.centre.switch, tmp_path / "sipcc.toml"
        await leaves(api.centre, tone(700, 2.0))
        await until(lambda: bool(api.centre.told("VoicemailLeft")))
        assert switch.mailboxes.get("1001").new == 1
        rewritten(path, 'users = ["1001"]', 'users = ["1002"]')
        await switch.reload()
        assert (switch.mailboxes.get("1001").new, switch.mailboxes.get("1002").new) == (0, 1)
        rewritten(path, 'to = "voicemail:night"', 'to = "voicemail:day"')
        with pytest.raises(ConfigError, match="no mailbox 'day'"):
            await switch.reload()
        rewritten(path, 'name = "night"', 'name = "day"')
        await switch.reload()
        await leaves(api.centre, tone(700, 2.0), caller="13800138001")
        await until(lambda: len(api.centre.told("VoicemailLeft")) == 2)
        assert [message.caller for message in switch.voicemail.messages("day")] == ["13800138001"]
        assert len(switch.voicemail.messages("night")) == 1  # it waits for its mailbox to come back


def rewritten(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
