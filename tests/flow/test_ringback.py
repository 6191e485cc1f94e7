"""Ringback by number: early audio that is heard by a carrier's caller, changed for the next call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import ceil
from pathlib import Path

import httpx
import pytest
from tests.flow.centre import AGENT_HZ, MUSIC_HZ, WELCOME_HZ, Centre
from tests.flow.test_api import TOKENS, Client
from tests.flow.tone_voice import ToneVoice

from sipcc.api.app import make_api
from sipcc.errors import LocalProtocolError
from sipcc.ivr.events import RingbackChanged
from sipcc.ivr.ringback import UnknownNumber
from sipcc.rtp.flow import PlayFile
from sipcc.testing.audio import tone, write_wav
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.phone import Answer, Deaf

RINGS = """
[[numbers]]
number = "400-810-0001"
to = "dial:1001"
ringback = "welcome"
[[numbers]]
number = "4008100002"
to = "queue:help"
ringback = "text:thank you for calling"
ringback_for = 3
[[numbers]]
number = "4008100003"
to = "dial:1001"
"""

SPOKEN_HZ = {"thank you for calling": 800.0, "新年快乐": 950.0}


@asynccontextmanager
async def rings(folder: Path, extra: str = RINGS) -> AsyncIterator[Centre]:
    """A centre whose voice says tones."""
    async with Centre(folder, extra=extra, voice=ToneVoice(SPOKEN_HZ)) as centre:
        yield centre


@asynccontextmanager
async def client(folder: Path) -> AsyncIterator[Client]:
    """The same, and its interface."""
    async with rings(folder) as centre:
        app = make_api(centre.switch, list(TOKENS.values()))
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://api.example.com") as http:
            yield Client(centre, http)


@asynccontextmanager
async def ringing(centre: Centre, number: str, hz: float) -> AsyncIterator[FakeCall]:
    """A call that hears a tone by 183 while nobody has answered it."""
    caller = await centre.carrier.call(number)
    await caller.ringing()
    await caller.hears(hz)
    assert [response.status for response in caller.provisionals if response.body] == [183]
    yield caller
    await caller.hangup()


async def test_a_number_has_a_ringback_of_its_own(tmp_path: Path) -> None:
    async with rings(tmp_path) as centre:
        alice = await centre.phone("1001", Deaf())
        async with ringing(centre, "4008100001", WELCOME_HZ) as caller:
            far = await alice.next_call()
            far.ring(180)
            await caller.hears(WELCOME_HZ)  # and no ringing tone over it
            far.ring(183, early=True)
            await caller.hears(WELCOME_HZ)  # nor what the far side has to say
            far.answer()
            await caller.answered()
            await caller.hears(AGENT_HZ["1001"])
            assert caller.media.breaks() == []


async def test_it_ends_when_a_queue_answers_after_its_time(tmp_path: Path) -> None:
    hz = SPOKEN_HZ["thank you for calling"]
    async with rings(tmp_path) as centre, ringing(centre, "4008100002", hz) as caller:
        assert caller.status == 0
        await caller.answered()
        await caller.hears(MUSIC_HZ)


async def test_a_call_that_nobody_takes_ends_as_always(tmp_path: Path) -> None:
    async with rings(tmp_path) as centre:
        caller = await centre.carrier.call("4008100001")
        assert await caller.ended() == "rejected"
        assert caller.status == 480  # nobody is registered there
        await asyncio.sleep(3)
        assert (len(centre.switch.calls), centre.switch.engine.open_ports) == (0, 0)


async def test_the_next_call_hears_what_was_set_meanwhile_without_a_restart(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        centre = api.centre
        await centre.phone("1001", Deaf())
        async with ringing(centre, "4008100001", WELCOME_HZ) as first:
            row = await change(api, "4008100001", text="新年快乐")
            assert (row["ringback"], row["configured"]) == ("text:新年快乐", "welcome")
            await first.hears(WELCOME_HZ)  # a call that is up keeps what it has
            async with ringing(centre, "4008100001", SPOKEN_HZ["新年快乐"]):
                pass
        await change(api, "4008100003", prompt="hold")
        async with ringing(centre, "4008100003", MUSIC_HZ):
            pass
        answer = await api.post("/ringbacks/4008100001/clear", {"request_id": "c1"})
        assert answer.json()["ringback"] == "welcome"
        async with ringing(centre, "4008100001", WELCOME_HZ):
            pass
        told = [event for event in centre.events if isinstance(event, RingbackChanged)]
        assert [(event.number, event.ringback) for event in told] == [
            ("400-810-0001", "text:新年快乐"),
            ("4008100003", "hold"),
            ("400-810-0001", "welcome"),
        ]
        assert all(event.by for event in told)


_ids = iter(range(1000))


async def change(api: Client, number: str, *, status: int = 200, **what: str) -> dict[str, object]:
    answer = await api.post(f"/ringbacks/{number}", {"request_id": f"r{next(_ids)}", **what})
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def test_what_cannot_be_heard_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        assert "no number" in str(await change(api, "999", text="新年快乐", status=404))
        assert "not there" in str(await change(api, "4008100001", prompt="no_such_prompt", status=409))
        assert "cannot be spoken" in str(await change(api, "4008100001", text="???", status=409))
        await change(api, "4008100001", prompt="/etc/passwd.wav", status=400)
        await change(api, "4008100001", prompt="../x.wav", status=409)
        await change(api, "4008100001", status=400)
        await change(api, "4008100001", text="x", prompt="y", status=400)
        assert (await api.post("/ringbacks/999/clear", {"request_id": "c"})).status_code == 404
        rows = (await api.get("/ringbacks")).json()
        assert [row["ringback"] for row in rows if row["number"] == "400-810-0001"] == ["welcome"]
        assert not [event for event in api.centre.events if isinstance(event, RingbackChanged)]


async def test_ringing_as_usual_can_be_set_too(tmp_path: Path) -> None:
    async with rings(tmp_path) as centre:
        await centre.phone("1001", Answer(after=5.0))
        await centre.switch.ringbacks.set("4008100001", "")
        caller = await centre.carrier.call("4008100001")
        await caller.ringing()
        await caller.hears_silence()
        assert not any(response.body for response in caller.provisionals)
        await caller.hangup()


async def test_it_outlives_the_process_and_a_reload_but_not_its_number(tmp_path: Path) -> None:
    async with rings(tmp_path) as centre:
        await centre.switch.ringbacks.set("4008100001", "text:新年快乐", by="head")
        await centre.switch.reload()
        assert centre.switch.ringbacks.views()[-3].ringback == "text:新年快乐"
        with pytest.raises(UnknownNumber, match="known: 4008123456"):
            await centre.switch.ringbacks.set("1", "hold")
        with pytest.raises(LocalProtocolError, match="not there"):
            await centre.switch.ringbacks.set("4008100001", "nothing")
    (tmp_path / "prompts").rename(tmp_path / "old")
    (tmp_path / "recordings").rename(tmp_path / "older")
    async with rings(tmp_path) as centre:
        view = centre.switch.ringbacks.views()[-3]
        assert (view.ringback, view.set and view.set.by) == ("text:新年快乐", "head")
        await centre.phone("1001", Deaf())
        async with ringing(centre, "4008100001", SPOKEN_HZ["新年快乐"]):
            pass
        path = tmp_path / "sipcc.toml"
        path.write_text(path.read_text().replace("400-810-0001", "4008100009"))
        await centre.switch.reload()
        assert centre.switch.ringbacks.views()[-3].ringback == "welcome"


async def test_menus_and_queues_tell_how_long_the_line_is(tmp_path: Path) -> None:
    extra = """
[[menus]]
name = "before"
prompt = ["queue:help:length", "silence:500"]
options = { "1" = "queue:help" }
then = "queue:help"
[[numbers]]
number = "4008100004"
to = "menu:before"
"""
    async with rings(tmp_path, extra) as centre:
        said = {0: 500.0, 1: 620.0}
        for number, hz in said.items():
            (tmp_path / "prompts" / "say").mkdir(exist_ok=True)
            write_wav(tmp_path / "prompts" / "say" / f"{number}.wav", tone(hz, 1.0))
        first = await centre.carrier.call("4008100004")
        await first.answered()
        await first.hears(said[0])
        await first.press("1")
        await first.hears(MUSIC_HZ)
        second = await centre.carrier.call("4008100004")
        await second.answered()
        await second.hears(said[1])
        assert centre.switch.queue("help").length == 1
        items = centre.switch.prompts.resolve(["queue:help:wait"], "en")
        minutes = ceil(centre.switch.queue("help").expected_wait / 60)
        assert [Path(item.path).stem for item in items if isinstance(item, PlayFile)] == [
            str(minutes),
            "minutes",
        ]
        await first.hangup()
        await second.hangup()
