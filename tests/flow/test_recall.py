"""Callers who hang up while they wait and call again, and the list of those who did not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from tests.flow.centre import CONFIG, Centre
from tests.flow.test_api import TOKENS, Client

from sipcc.acd import QueueLeft
from sipcc.acd.events import PlaceRegained
from sipcc.api.app import make_api
from sipcc.records.eventlog import REGISTRY

SALES = 'strategy = "linear"\nresume_within = 60\nrecall_window = 3600'


@asynccontextmanager
async def centre(folder: Path, *, extra: str = "") -> AsyncIterator[Client]:
    async with Centre(folder, config=CONFIG.replace('strategy = "linear"', SALES), extra=extra) as it:
        app = make_api(it.switch, list(TOKENS.values()))
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://api.example.com") as http:
            yield Client(it, http)


async def gives_up(api: Client, number: str, *, after: float = 10.0) -> None:
    call = await api.centre.carrier.call("4008000006", caller=number)
    await call.answered()
    await asyncio.sleep(after)
    await call.hangup()
    await asyncio.sleep(0.5)


async def test_a_caller_who_calls_again_has_its_place_again(tmp_path: Path) -> None:
    async with centre(tmp_path) as api:
        await gives_up(api, "13800138000")
        other = await api.centre.carrier.call("4008000006", caller="13800138001")
        await other.answered()
        again = await api.centre.carrier.call("4008000006", caller="13800138000")
        await again.answered()
        waiting = (await api.get("/queues")).json()[0]["waiting"]
        assert [row["caller"] for row in waiting] == ["13800138000", "13800138001"]
        (told,) = (event for event in api.centre.events if isinstance(event, PlaceRegained))
        assert 10.0 < told.credit < 12.0
        row = REGISTRY.encode(told, wall=1.0)
        assert REGISTRY.decode(row.type, row.json) == told
        for call in (other, again):
            await call.hangup()


async def test_the_list_over_http(tmp_path: Path) -> None:
    async with centre(tmp_path) as api:
        for number in ("13800138000", "13800138000", "13800138001"):
            await gives_up(api, number)
        left = [event.exit for event in api.centre.events if isinstance(event, QueueLeft)]
        assert left == ["abandoned"] * 3
        first, second = (await api.get("/recalls", role="agent")).json()
        assert (first["number"], first["calls"], second["number"]) == ("13800138000", 2, "13800138001")
        path, body = f"/recalls/{first['id']}/done", {"request_id": "d1"}
        assert (await api.post(path, body, role="agent")).status_code == 403
        assert (await api.post(path, body, role="supervisor")).json()["closed"] == "done"
        assert (await api.post(path, body, role="supervisor")).json()["closed"] == "done"
        again = await api.post(path, {"request_id": "d2"}, role="supervisor")
        assert (again.status_code, again.json()["message"]) == (
            409,
            f"recall '{first['id']}' is closed: done",
        )
        assert (await api.post("/recalls/none/done", {"request_id": "d3"})).status_code == 404
        call = await api.centre.carrier.call("4008000006", caller="13800138001")
        await call.answered()
        assert (await api.get("/recalls")).json() == []
        await call.hangup()


async def test_the_list_and_the_kept_places_outlive_the_process(tmp_path: Path) -> None:
    rules = f'[daemon]\njournal = "{tmp_path}/sipcc.calls"\n'
    for name in ("first", "second", "third"):
        (tmp_path / name).mkdir()
    async with centre(tmp_path / "first", extra=rules) as api:
        for number in ("13800138000", "13800138001", "13800138001", "13800138002"):
            await gives_up(api, number)
        done, before, again = (await api.get("/recalls")).json()
        await api.post(f"/recalls/{done['id']}/done", {"request_id": "d1"}, role="supervisor")
    async with centre(tmp_path / "second", extra=rules) as api:
        first, second = (await api.get("/recalls")).json()
        assert (first["id"], first["number"], first["calls"]) == (before["id"], "13800138001", 2)
        assert first["expires"] - first["first"] == pytest.approx(3600.0, abs=0.01)
        assert second["id"] == again["id"]
        closed = await api.post(f"/recalls/{done['id']}/done", {"request_id": "d2"}, role="supervisor")
        assert closed.json()["message"] == f"recall '{done['id']}' is closed: done"
        await asyncio.sleep(45.0)  # the wall, which is the machine's, has not gone on as the first life did
        other = await api.centre.carrier.call("4008000006", caller="13800138009")
        await other.answered()
        call = await api.centre.carrier.call("4008000006", caller="13800138002")
        await call.answered()
        waiting = (await api.get("/queues")).json()[0]["waiting"]
        assert [row["caller"] for row in waiting] == ["13800138002", "13800138009"]
        assert [row["number"] for row in (await api.get("/recalls")).json()] == ["13800138001"]
        await asyncio.sleep(1.0)
    async with centre(tmp_path / "third", extra=rules) as api:
        assert before["id"] in [row["id"] for row in (await api.get("/recalls")).json()]
