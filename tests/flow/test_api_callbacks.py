"""Callbacks over HTTP: listed, booked, cancelled, and made of the list of those who gave up."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.flow.test_api import client
from tests.flow.test_recall import centre, gives_up

MAY_CALL = '[toll]\nallow = ["1380*"]\n'
ORDER: dict[str, Any] = {"request_id": "b1", "queue": "sales", "number": "13800138007"}


async def test_a_callback_is_booked_listed_and_cancelled(tmp_path: Path) -> None:
    async with client(tmp_path, extra=MAY_CALL) as api:
        said = await api.post("/callbacks", ORDER, role="supervisor")
        assert said.status_code == 200
        again = await api.post("/callbacks", ORDER, role="supervisor")
        assert again.content == said.content
        (row,) = (await api.get("/callbacks", role="agent")).json()
        assert row == said.json() | {"state": "in_line"}
        assert (row["number"], row["queue"], row["attempts"]) == ("13800138007", "sales", 0)
        (waiting,) = (await api.get("/queues")).json()[0]["waiting"]
        assert (waiting["callback"], waiting["caller"]) == (row["id"], "13800138007")
        path = f"/callbacks/{row['id']}/cancel"
        ended = await api.post(path, {"request_id": "c1"}, role="supervisor")
        assert (ended.json()["state"], ended.json()["outcome"]) == ("ended", "cancelled")
        assert (await api.get("/callbacks")).json() == []
        unknown = await api.post(path, {"request_id": "c2"}, role="supervisor")
        assert unknown.status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"queue": "none"}, 404, "there is no queue 'none'; known: help, sales"),
        ({"number": "alice"}, 409, "'alice' is no number that can be called"),
        ({"number": 5}, 400, "str"),
    ],
)
async def test_what_is_refused_says_why(
    tmp_path: Path, body: dict[str, Any], status: int, message: str
) -> None:
    async with client(tmp_path, extra=MAY_CALL) as api:
        said = await api.post("/callbacks", ORDER | body, role="supervisor")
        assert said.status_code == status
        assert message in said.json()["message"]
        for role in ("agent", "auditor"):
            assert (await api.post("/callbacks", ORDER, role=role)).status_code == 403


async def test_a_recall_becomes_a_callback(tmp_path: Path) -> None:
    async with centre(tmp_path, extra=MAY_CALL) as api:
        await gives_up(api, "13800138000")
        (task,) = (await api.get("/recalls")).json()
        path = f"/recalls/{task['id']}/call-back"
        said = await api.post(path, {"request_id": "r1"}, role="supervisor")
        assert said.json()["number"] == "13800138000"
        assert (await api.get("/recalls")).json() == []
        again = await api.post(path, {"request_id": "r2"}, role="supervisor")
        assert (again.status_code, again.json()["error"]) == (409, "conflict")
        missing = await api.post("/recalls/none/call-back", {"request_id": "r3"}, role="supervisor")
        assert missing.status_code == 404
        await asyncio.sleep(0.0)
        assert len((await api.get("/callbacks")).json()) == 1
