"""Transfers to an agent at a mobile number that must press a key: a voicemail gets no caller by them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, MUSIC_HZ, WELCOME_HZ, Centre
from tests.flow.test_agents_contacts import CELLS, MOBILE_HZ
from tests.flow.test_api import TOKENS
from tests.flow.test_transfer import hear_each_other, nothing_left, talk_to_alice
from tests.flow.test_transfer_accounts import QUIET, SALES, chain, records_of, states

from sipcc.api.app import make_api
from sipcc.call import Call
from sipcc.errors import LocalProtocolError
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.phone import Answer, FakePhone, Ignore

DORA = """
[toll]
allow = ["mobile"]
[dialling]
country = "86"
[[trunks]]
name = "cells"
addresses = ["127.0.0.9"]
[[queues]]
name = "far"
[[agents]]
name = "dora"
uri = "cells/13900139000"
queues = ["far"]
accept_key = "1"
accept_prompt = "welcome"
accept_timeout = 6
"""

ERIN = """
[[agents]]
name = "erin"
user = "1002"
queues = ["far"]
contacts = [{ to = "cells/13900139001", accept_key = "1" }]
"""

Way = Callable[[Centre, FakeCall], Awaitable[int]]


async def by_refer(centre: Centre, talk: FakeCall) -> int:
    assert await talk.refer("sip:dora@pbx.example.com") == 202
    try:
        await talk.told(200, timeout=15)
    except AssertionError:
        await talk.told(480)
        return 480
    return 200


async def by_verb(centre: Centre, talk: FakeCall) -> int:
    return await live(centre).transfer("agent:dora")


async def by_http(centre: Centre, talk: FakeCall) -> int:
    app = make_api(centre.switch, list(TOKENS.values()))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example.com") as http:
        answer = await http.post(
            f"/calls/{live(centre).id}/transfer",
            json={"request_id": "r1", "target": "agent:dora"},
            headers={"Authorization": "Bearer agent"},
        )
    if answer.status_code == 200:
        return 200
    assert (answer.status_code, "480" in answer.text) == (409, True)
    return 480


def live(centre: Centre) -> Call:
    [call] = centre.switch.calls.live()
    return call


@asynccontextmanager
async def far(tmp_path: Path, *, extra: str = "") -> AsyncIterator[tuple[Centre, FakePhone]]:
    """A centre, and the mobile number of its agent dora; it must be empty in the end."""
    async with Centre(tmp_path, config=QUIET, extra=DORA + extra) as centre:
        mobile = await centre.outside("mobile", CELLS, tone_hz=MOBILE_HZ, behaviour=Answer(after=1.0))
        try:
            yield centre, mobile
            await asyncio.sleep(15)
            assert nothing_left(centre) == {}
        finally:
            await mobile.stop()


@pytest.mark.parametrize("way", [by_refer, by_verb, by_http])
async def test_the_transfer_is_done_after_the_key(tmp_path: Path, way: Way) -> None:
    async with far(tmp_path) as (centre, mobile):
        alice = await centre.phone("1001")
        caller, talk = await talk_to_alice(centre, alice, SALES)
        done = asyncio.ensure_future(way(centre, talk))
        asked = await mobile.next_call()
        await asked.answered()
        await asked.hears(WELCOME_HZ)
        await asyncio.sleep(3)
        assert not done.done()
        assert states(centre)["alice"] == "talking"
        await asked.press("21")
        assert await done == 200
        await hear_each_other(caller, CALLER_HZ, asked, MOBILE_HZ)
        await talk.ended()
        assert states(centre)["dora"] == "external"
        await asked.hangup()
        await caller.ended()
        await asyncio.sleep(8)
        how = "blind" if way is by_refer else "application"
        assert chain(records_of(centre)[0]) == [("alice", "sales", how), ("dora", "", "agent")]


@pytest.mark.parametrize("way", [by_refer, by_verb, by_http])
async def test_a_voicemail_gets_no_caller_and_the_transferor_has_it_back(tmp_path: Path, way: Way) -> None:
    async with far(tmp_path) as (centre, mobile):
        alice = await centre.phone("1001")
        caller, talk = await talk_to_alice(centre, alice, SALES)
        done = asyncio.ensure_future(way(centre, talk))
        voicemail = await mobile.next_call()
        await voicemail.answered()
        assert await voicemail.ended(timeout=8.0) == "peer"
        assert await done == 480
        await hear_each_other(caller, CALLER_HZ, talk, AGENT_HZ["1001"])
        assert states(centre) == {"alice": "talking", "bob": "offline", "carol": "offline", "dora": "ready"}
        await talk.hangup()
        await caller.ended()
        await asyncio.sleep(8)
        assert chain(records_of(centre)[0]) == [("alice", "sales", "agent")]


async def test_a_transferor_who_has_left_is_rung_again(tmp_path: Path) -> None:
    async with far(tmp_path) as (centre, mobile):
        alice = await centre.phone("1001")
        caller, talk = await talk_to_alice(centre, alice, SALES)
        assert await talk.refer("sip:dora@pbx.example.com") == 202
        voicemail = await mobile.next_call()
        await voicemail.answered()
        await talk.hangup()
        await voicemail.ended(timeout=8.0)
        back = await alice.next_call()
        await hear_each_other(caller, CALLER_HZ, back, AGENT_HZ["1001"])
        await caller.hangup()
        await back.ended()


async def test_the_caller_leaves_while_the_key_is_asked_for(tmp_path: Path) -> None:
    async with far(tmp_path) as (centre, mobile):
        alice = await centre.phone("1001")
        caller, talk = await talk_to_alice(centre, alice, SALES)
        assert await talk.refer("sip:dora@pbx.example.com") == 202
        asked = await mobile.next_call()
        await asked.hears(WELCOME_HZ)
        await caller.hangup()
        await asked.ended()
        await talk.ended()


async def test_a_consultation_talks_after_the_key(tmp_path: Path) -> None:
    async with far(tmp_path) as (centre, mobile):
        alice = await centre.phone("1001")
        caller, talk = await talk_to_alice(centre, alice, SALES)
        asking = asyncio.ensure_future(live(centre).consult("agent:dora"))
        asked = await mobile.next_call()
        await asked.answered()
        await asked.hears(WELCOME_HZ)
        assert not asking.done()
        await caller.hears(MUSIC_HZ)
        await asked.press("1")
        consultation = await asking
        await hear_each_other(talk, AGENT_HZ["1001"], asked, MOBILE_HZ)
        consultation.complete()
        await hear_each_other(caller, CALLER_HZ, asked, MOBILE_HZ)
        await caller.hangup()
        await asked.ended()


@pytest.mark.parametrize("agent_waits", [True, False])
async def test_a_consultation_with_a_voicemail_goes_back(tmp_path: Path, agent_waits: bool) -> None:
    """An agent who hung up meanwhile is rung again: it has given its caller to nobody."""
    async with far(tmp_path) as (centre, mobile):
        alice = await centre.phone("1001")
        caller, talk = await talk_to_alice(centre, alice, SALES)
        asking = asyncio.ensure_future(live(centre).consult("agent:dora"))
        voicemail = await mobile.next_call()
        await voicemail.hears(WELCOME_HZ)
        if not agent_waits:
            await talk.hangup()
        assert await voicemail.ended(timeout=8.0) == "peer"
        with pytest.raises(LocalProtocolError, match="480"):
            await asking
        back = talk if agent_waits else await alice.next_call()
        await hear_each_other(caller, CALLER_HZ, back, AGENT_HZ["1001"])
        await caller.hangup()
        await back.ended()


async def test_a_voicemail_does_not_take_the_call_from_the_phone_on_the_desk(tmp_path: Path) -> None:
    """Both ring; what answers first without the key has not won."""
    async with far(tmp_path, extra=ERIN) as (centre, mobile):
        alice, desk = await centre.phone("1001"), await centre.phone("1002", Answer(after=3.0))
        caller, talk = await talk_to_alice(centre, alice, SALES)
        assert await talk.refer("sip:erin@pbx.example.com") == 202
        voicemail = await mobile.next_call()
        await voicemail.answered()
        other = await desk.next_call()
        await other.answered()
        assert await voicemail.ended() == "peer"
        await hear_each_other(caller, CALLER_HZ, other, AGENT_HZ["1002"])
        await caller.hangup()
        await other.ended()


async def test_the_time_to_ring_ends_while_the_key_is_asked_for(tmp_path: Path) -> None:
    """The desk rings no more; who is asked may still press the key."""
    async with far(tmp_path, extra=ERIN) as (centre, mobile):
        alice, desk = await centre.phone("1001"), await centre.phone("1002", Ignore())
        caller, _ = await talk_to_alice(centre, alice, SALES)
        done = asyncio.ensure_future(live(centre).transfer("agent:erin", timeout=3.0))
        ringing = await desk.next_call()
        asked = await mobile.next_call()
        await asked.answered()
        assert await ringing.ended(timeout=8.0) == "cancelled"
        assert not done.done()
        await asked.press("1")
        assert await done == 200
        await hear_each_other(caller, CALLER_HZ, asked, MOBILE_HZ)
        await caller.hangup()
        await asked.ended()
