"""A supervisor forces an agent's state over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.flow.test_api import client, until


async def test_a_state_is_forced_at_once_and_the_reason_is_told(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        await api.centre.phone("1001")
        for number, state in enumerate(("not_ready", "ready", "offline")):
            body = {"request_id": f"r{number}", "state": state, "reason": "meeting"}
            said = await api.post("/agents/alice/force", body, role="supervisor")
            assert (said.status_code, said.json()["state"]) == (200, state)
        last: Any = api.centre.told("AgentStateChanged")[-1]
        assert (last.agent, last.after, last.reason) == ("alice", "offline", "meeting")
        body = {"request_id": "r1", "state": "ready", "reason": "meeting"}
        again = await api.post("/agents/alice/force", body, role="supervisor")
        assert (again.status_code, again.json()["state"]) == (200, "ready")
        assert await api.state_of("alice") == "offline"


async def test_a_talk_goes_on_and_the_state_comes_after_it(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        await api.centre.phone("1001")
        caller = await api.centre.carrier.call("4008000006")
        agents = api.centre.switch.acd.floor.staff.agents
        await until(lambda: agents["alice"].state == "talking")
        said = await api.post("/agents/alice/force", {"request_id": "r", "state": "offline"})
        assert said.json()["state"] == "talking"
        assert not api.centre.told("CallEndedEvent")
        await caller.hangup()
        await until(lambda: agents["alice"].state == "offline")


@pytest.mark.parametrize(
    ("agent", "body", "role", "status", "path"),
    [
        ("alice", {"request_id": "r", "state": "ready"}, "agent", 403, ""),
        ("alice", {"request_id": "r", "state": "ready"}, "auditor", 403, ""),
        ("nobody", {"request_id": "r", "state": "ready"}, "admin", 404, ""),
        ("alice", {"request_id": "r", "state": "talking"}, "admin", 400, "$.state"),
        ("alice", {"state": "ready"}, "admin", 400, "$.request_id"),
    ],
)
async def test_who_may_and_what_is_refused(
    tmp_path: Path, agent: str, body: Any, role: str, status: int, path: str
) -> None:
    async with client(tmp_path) as api:
        said = await api.post(f"/agents/{agent}/force", body, role=role)
        assert (said.status_code, said.json()["path"]) == (status, path)
