"""Callers who wait are steered over HTTP, on a whole centre in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.flow.centre import AGENT_HZ
from tests.flow.test_api import client, until

from sipcc.acd.events import CallerMoved

FORBIDDEN = ["agent", "auditor"]


async def waiting(api: Any) -> str:
    """The entry of a caller in ``sales``."""
    await api.centre.carrier.call("4008000006")
    await until(lambda: bool(api.centre.told("QueueJoined")))
    entry: str = (await api.get("/queues")).json()[0]["waiting"][0]["entry"]
    return entry


async def test_a_caller_is_moved_and_answered_in_the_other_queue(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        call = await api.centre.carrier.call("4008000006")
        await call.answered()
        entry = (await api.get("/queues")).json()[0]["waiting"][0]["entry"]
        body = {"request_id": "m1", "queue": "help"}
        said = await api.post(f"/entries/{entry}/move", body, role="supervisor")
        assert said.status_code == 200
        new = said.json()["entry"]
        again = await api.post(f"/entries/{entry}/move", body, role="supervisor")
        assert again.json() == {"entry": new, "queue": "help"}
        await until(lambda: len(api.centre.told("QueueJoined")) == 2)
        (moved,) = api.centre.told("CallerMoved")
        assert isinstance(moved, CallerMoved)
        assert (moved.entry, moved.new, moved.to, moved.by) == (entry, new, "help", "supervisor")
        await api.centre.phone("1003")
        await call.hears(AGENT_HZ["1003"], timeout=10.0)
        (left, answered) = api.centre.told("QueueLeft")
        assert [(each.queue, each.exit) for each in (left, answered)] == [
            ("sales", "withdrawn"),
            ("help", "answered"),
        ]
        await call.hangup()


async def test_a_caller_is_prioritised_and_assigned(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        entry = await waiting(api)
        body: dict[str, Any] = {"request_id": "p1", "priority": 7}
        said = await api.post(f"/entries/{entry}/prioritise", body, role="supervisor")
        assert said.json() == {"entry": entry, "queue": "sales"}
        assert (await api.get("/queues")).json()[0]["waiting"][0]["priority"] == 7
        body = {"request_id": "a1", "agent": "alice"}
        absent = await api.post(f"/entries/{entry}/assign", body, role="supervisor")
        assert (absent.status_code, absent.json()["message"]) == (409, "'alice' is offline")
        await api.centre.phone("1001")
        await until(lambda: bool(api.centre.told("OfferMade")))
        said = await api.post(f"/entries/{entry}/assign", body | {"request_id": "a2"}, role="supervisor")
        assert said.json() == {"entry": entry, "queue": "sales"}
        await until(lambda: bool(api.centre.told("QueueLeft")))
        talks = await api.post(f"/entries/{entry}/assign", body | {"request_id": "a3"}, role="supervisor")
        assert (talks.status_code, talks.json()["error"]) == (409, "conflict")


@pytest.mark.parametrize(
    ("verb", "body", "status", "told"),
    [
        ("move", {"queue": "sales"}, 409, "waits in queue 'sales' already"),
        ("move", {"queue": "none"}, 409, "there is no queue 'none'; known: help, sales"),
        ("assign", {"agent": "nobody"}, 409, "there is no agent 'nobody'"),
        ("move", {}, 400, "queue"),
        ("prioritise", {"priority": "high"}, 400, "int"),
        ("prioritise", {"priority": 1, "more": 1}, 400, "more"),
    ],
)
async def test_what_is_refused_says_why(
    tmp_path: Path, verb: str, body: dict[str, Any], status: int, told: str
) -> None:
    async with client(tmp_path) as api:
        entry = await waiting(api)
        said = await api.post(f"/entries/{entry}/{verb}", {"request_id": "r"} | body, role="supervisor")
        assert said.status_code == status
        assert told in said.json()["message"]


async def test_unknown_entries_and_roles_without_the_right(tmp_path: Path) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "move": {"queue": "help"},
        "prioritise": {"priority": 1},
        "assign": {"agent": "alice"},
    }
    async with client(tmp_path) as api:
        for verb, body in bodies.items():
            path, sent = f"/entries/none/{verb}", {"request_id": "r"} | body
            unknown = await api.post(path, sent, role="supervisor")
            assert (unknown.status_code, unknown.json()["error"]) == (404, "unknown")
            for role in FORBIDDEN:
                assert (await api.post(path, sent, role=role)).status_code == 403
