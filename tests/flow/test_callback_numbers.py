"""A customer is one customer, however its number is written, and nobody is booked whom nobody may call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.flow.centre import CONFIG, Centre
from tests.flow.test_api import TOKENS, Client

from sipcc.acd import QueueLeft
from sipcc.acd.events import CallbackBooked, CallbackEnded, PlaceRegained
from sipcc.api.app import make_api

SALES = 'strategy = "linear"\nresume_within = 60\nrecall_window = 3600\nkeys = {{ "1" = "callback" }}'

RULES = """
[dialling]
country = "86"
[toll]
allow = ["national"]
[callbacks]
deny = ["0086 138-0013-8009"]
caller_id = "4008123456"
"""

WRITTEN = ["13800138000", "138-0013-8000", "+86 138 0013 8000", "008613800138000", "013800138000"]


@asynccontextmanager
async def centre(folder: Path) -> AsyncIterator[Client]:
    """A centre in China whose carrier writes numbers as it likes."""
    text = CONFIG.replace('strategy = "linear"', SALES)
    text = text.replace('name = "carrier"', 'name = "carrier"\nnumber_format_in = "as_is"')
    async with Centre(folder, config=text, extra=RULES) as it:
        app = make_api(it.switch, list(TOKENS.values()))
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://api.example.com") as http:
            yield Client(it, http)


async def order(api: Client, number: str, **body: Any) -> httpx.Response:
    asked = {"request_id": f"b{number}", "queue": "sales", "number": number} | body
    return await api.post("/callbacks", asked, role="supervisor")


async def calls(api: Client, number: str, *, key: str = "") -> None:
    """A caller waits a little; it presses a key, or hangs up."""
    caller = await api.centre.carrier.call("4008000006", caller=number)
    await caller.answered()
    await asyncio.sleep(10.0)
    if key:
        await caller.press(key)
        await asyncio.sleep(5.0)
    await caller.hangup()
    await asyncio.sleep(0.5)


async def test_one_number_is_booked_once_however_it_is_written(tmp_path: Path) -> None:
    async with centre(tmp_path) as api:
        await calls(api, "+8613800138000", key="1")
        (booked,) = (await api.get("/callbacks")).json()
        assert booked["number"] == "+8613800138000"
        for number in WRITTEN:
            said = await order(api, number)
            assert (said.status_code, said.json()["id"]) == (200, booked["id"])
        assert len(api.centre.told("CallbackBooked")) == 1


@pytest.mark.parametrize("number", WRITTEN)
async def test_a_caller_has_the_place_of_the_booking_that_was_made_for_it(
    tmp_path: Path, number: str
) -> None:
    async with centre(tmp_path) as api:
        booked = (await order(api, number, priority=3)).json()
        assert booked["number"] == "+8613800138000"
        other = await api.centre.carrier.call("4008000006", caller="13800138001")
        await other.answered()
        await asyncio.sleep(10.0)
        caller = await api.centre.carrier.call("4008000006", caller="13800138000")
        await caller.answered()
        await asyncio.sleep(0.5)
        waiting = (await api.get("/queues")).json()[0]["waiting"]
        assert [row["caller"] for row in waiting] == ["13800138000", "13800138001"]
        assert (await api.get("/callbacks")).json() == []
        (ended,) = api.centre.told("CallbackEnded")
        assert isinstance(ended, CallbackEnded)
        assert (ended.callback, ended.outcome) == (booked["id"], "called_again")
        await caller.press("1")
        await asyncio.sleep(5.0)
        (again,) = (await api.get("/callbacks")).json()
        assert (again["number"], again["priority"]) == ("+8613800138000", 3)
        for call in (caller, other):
            await call.hangup()
        await asyncio.sleep(0.5)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("0014155551234", "'+14155551234' must not be called: it is not on the list of [toll] allow"),
        ("16812345", "must not be called: it is on the list of [toll] deny"),
        ("13800138009", "'+8613800138009' must not be called: it is on the list of [callbacks] deny"),
        ("alice", "'alice' is no number that can be called"),
    ],
)
async def test_who_must_not_be_called_is_not_booked(tmp_path: Path, number: str, reason: str) -> None:
    async with centre(tmp_path) as api:
        said = await order(api, number)
        assert (said.status_code, said.json()["error"]) == (409, "conflict")
        assert reason in said.json()["message"]
        assert (await api.get("/callbacks")).json() == []


async def test_a_caller_whom_nobody_may_call_waits_on(tmp_path: Path) -> None:
    async with centre(tmp_path) as api:
        await calls(api, "+14155551234", key="1")
        assert [event for event in api.centre.events if isinstance(event, CallbackBooked)] == []
        left = [event.exit for event in api.centre.events if isinstance(event, QueueLeft)]
        assert left == ["abandoned"]


async def test_an_unknown_queue_is_not_found(tmp_path: Path) -> None:
    async with centre(tmp_path) as api:
        said = await order(api, "13800138000", queue="none")
        assert said.status_code == 404
        assert said.json()["message"] == "there is no queue 'none'; known: help, sales"


async def test_who_gives_up_is_one_task_and_has_one_place(tmp_path: Path) -> None:
    async with centre(tmp_path) as api:
        await calls(api, "+8613800138000")
        await calls(api, "13800138000")
        (task,) = (await api.get("/recalls")).json()
        assert (task["number"], task["calls"]) == ("+8613800138000", 2)
        assert len([event for event in api.centre.events if isinstance(event, PlaceRegained)]) == 1
