"""The HTTP interface over a whole centre in memory, and once over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.flow.centre import Centre

from sipcc import Switch
from sipcc.api import Role, TokenSettings, digest_of
from sipcc.api.app import make_api
from sipcc.config import load
from sipcc.ivr.speech.voice import Voice

TOKENS = {
    role: TokenSettings(
        name=role, role=role, agent="alice" if role == "agent" else "", digest=digest_of(role)
    )
    for role in ("agent", "supervisor", "admin", "auditor")
}


class Client:
    """Speaks with the application of a centre, without a socket."""

    def __init__(self, centre: Centre, http: httpx.AsyncClient) -> None:
        self.centre = centre
        self._http = http

    async def get(self, path: str, *, role: str = "admin", **query: Any) -> httpx.Response:
        return await self._http.get(path, params=query, headers={"Authorization": f"Bearer {role}"})

    async def post(self, path: str, body: Any, *, role: str = "admin") -> httpx.Response:
        return await self._http.post(path, json=body, headers={"Authorization": f"Bearer {role}"})

    async def post_raw(self, path: str, body: str) -> httpx.Response:
        return await self._http.post(path, content=body, headers={"Authorization": "Bearer admin"})

    async def state_of(self, agent: str) -> str:
        rows = (await self.get("/agents")).json()
        return str(next(row["state"] for row in rows if row["name"] == agent))


@asynccontextmanager
async def client(folder: Path, *, extra: str = "", voice: Voice | None = None) -> AsyncIterator[Client]:
    async with Centre(folder, extra=extra, voice=voice) as centre:
        app = make_api(centre.switch, list(TOKENS.values()))
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://api.example.com") as http:
            yield Client(centre, http)


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110
        await asyncio.sleep(0.1)


async def test_the_floor_can_be_read(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        await api.centre.phone("1001")
        state = (await api.get("/state", role="agent")).json()
        assert [agent["name"] for agent in state["agents"]] == ["alice", "bob", "carol"]
        assert [queue["name"] for queue in state["queues"]] == ["sales", "help"]
        assert state["wall"] > 1e9
        assert [queue["name"] for queue in (await api.get("/queues")).json()] == ["sales", "help"]
        assert (await api.get("/calls")).json() == []


async def test_a_call_is_seen_from_the_queue_to_its_record(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        await api.centre.phone("1001")
        caller = await api.centre.carrier.call("4008000006")
        await until(lambda: bool(api.centre.told("OfferMade")))
        offer: Any = api.centre.told("OfferMade")[0]
        traced = (await api.get(f"/offers/{offer.offer}/trace")).json()
        assert [row["agent"] for row in traced["verdicts"] if row["chosen"]] == ["alice"]
        assert all(row["reason"] for row in traced["verdicts"] if not row["chosen"])
        await until(lambda: api.centre.switch.acd.floor.staff.agents["alice"].state == "talking")
        (live,) = (await api.get("/calls")).json()
        assert live["called"] == "4008000006"
        assert live["trunk"] == "carrier"
        refused = await api.post(f"/entries/{offer.entry}/withdraw", {"request_id": "w1"})
        assert refused.status_code == 409
        await caller.hangup()
        await until(lambda: bool(api.centre.told("CallEndedEvent")))
        await api.centre.switch.keeper.flush()
        page = (await api.get("/records/calls", role="auditor")).json()
        assert [record["id"] for record in page["records"]] == [live["call"]]
        assert page["next"] is None


async def test_the_figures_for_prometheus(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        caller = await api.centre.carrier.call("4008000006")
        await until(lambda: bool(api.centre.told("QueueJoined")))
        await asyncio.sleep(7.0)
        lines = (await api.get("/metrics")).text.splitlines()
        assert 'sipcc_calls_active{direction="in",trunk="carrier"} 1.0' in lines
        assert 'sipcc_queue_waiting{queue="sales"} 1.0' in lines
        assert 'sipcc_queue_waiting{queue="help"} 0.0' in lines
        assert 'sipcc_agents{queue="sales",state="offline"} 3.0' in lines
        await caller.hangup()
        await until(lambda: bool(api.centre.told("CallEndedEvent")))
        said = await api.get("/metrics")
        assert said.headers["content-type"].startswith("text/plain")
        lines = said.text.splitlines()
        assert 'sipcc_queue_waiting{queue="sales"} 0.0' in lines
        assert 'sipcc_queue_wait_seconds_bucket{le="5.0",queue="sales"} 0.0' in lines
        assert 'sipcc_queue_wait_seconds_bucket{le="10.0",queue="sales"} 1.0' in lines
        assert 'sipcc_queue_abandoned_total{queue="sales"} 1.0' in lines
        assert 'sipcc_calls_total{direction="in",disposition="normal",trunk="carrier"} 1.0' in lines
        assert not any(line.startswith("sipcc_calls_active{") for line in lines)


async def test_records_come_in_pages(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        for _ in range(5):
            caller = await api.centre.carrier.call("4008000003")
            del caller
        await until(lambda: len(api.centre.told("CallEndedEvent")) == 5)
        await api.centre.switch.keeper.flush()
        whole = (await api.get("/records/calls")).json()
        ids, after = [], ""
        while after is not None:
            page = (await api.get("/records/calls", limit=2, after=after)).json()
            ids += [record["id"] for record in page["records"]]
            after = page["next"]
        assert ids == [record["id"] for record in whole["records"]]
        assert len(set(ids)) == 5


async def test_a_waiting_caller_is_withdrawn(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        await api.centre.carrier.call("4008000006")
        await until(lambda: bool(api.centre.told("QueueJoined")))
        (waiting,) = (await api.get("/queues")).json()[0]["waiting"]
        path, body = f"/entries/{waiting['entry']}/withdraw", {"request_id": "w1"}
        assert (await api.post(path, body, role="supervisor")).json() == {"entry": waiting["entry"]}
        again = await api.post(path, body, role="supervisor")
        assert (again.status_code, again.json()) == (200, {"entry": waiting["entry"]})
        other = await api.post(path, {"request_id": "w2"}, role="supervisor")
        assert (other.status_code, other.json()["error"]) == (404, "unknown")


async def test_agents_are_commanded(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        await api.centre.phone("1001")
        before = await api.state_of("alice")
        assert before == "ready"
        for number, (verb, state) in enumerate(
            [("pause", "not_ready"), ("ready", "ready"), ("logout", "offline"), ("login", "ready")]
        ):
            body = {"request_id": f"r{number}", "reason": "lunch"}
            said = await api.post(f"/agents/alice/{verb}", body, role="agent")
            assert (said.status_code, said.json()["state"]) == (200, state)
        assert await api.state_of("alice") == "ready"


async def test_a_command_is_done_once(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        await api.centre.phone("1001")
        body = {"request_id": "r1", "reason": "lunch"}
        first = await api.post("/agents/alice/pause", body)
        await api.post("/agents/alice/ready", {"request_id": "r2"})
        again = await api.post("/agents/alice/pause", body)
        assert again.content == first.content
        assert await api.state_of("alice") == "ready"
        reused = await api.post("/agents/alice/pause", body | {"reason": "tea"})
        assert (reused.status_code, reused.json()["error"]) == (409, "request_id_reused")


async def test_what_is_not_possible_now_is_a_conflict(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        await api.centre.phone("1001")
        refused = await api.post("/agents/alice/end-wrap-up", {"request_id": "r1"})
        assert (refused.status_code, refused.json()["error"]) == (409, "conflict")
        assert "ready" in refused.json()["message"]
        extended = await api.post("/agents/alice/extend-wrap-up", {"request_id": "r2", "seconds": 5})
        assert extended.status_code == 409


@pytest.mark.parametrize(
    ("path", "body", "status", "where"),
    [
        ("/agents/alice/pause", {}, 400, "$.request_id"),
        ("/agents/alice/pause", {"request_id": ""}, 400, "$.request_id"),
        ("/agents/alice/pause", {"request_id": 7}, 400, "$.request_id"),
        ("/agents/alice/pause", {"request_id": "r", "seconds": -1}, 400, "$.seconds"),
        ("/agents/alice/pause", {"request_id": "r", "resaon": "x"}, 400, "$.resaon"),
        ("/agents/alice/dance", {"request_id": "r"}, 400, "$.verb"),
        ("/agents/nobody/pause", {"request_id": "r"}, 404, ""),
        ("/entries/none/withdraw", {"request_id": "r"}, 404, ""),
        ("/nothing", {}, 404, ""),
    ],
)
async def test_wrong_requests(tmp_path: Path, path: str, body: Any, status: int, where: str) -> None:
    async with client(tmp_path) as api:
        said = await api.post(path, body)
        assert said.status_code == status
        assert said.json()["path"] == where
        assert said.json()["message"]


@pytest.mark.parametrize("path", ["/agents/alice/pause", "/config/reload"])
async def test_bodies_that_are_no_object_are_refused_in_words(tmp_path: Path, path: str) -> None:
    async with client(tmp_path) as api:
        for body, words in (("", "body is empty"), ("[1]", "`object`"), ("null", "`object`"), ("{", "trunc")):
            said = await api.post_raw(path, body)
            assert said.status_code == 400
            assert words in said.json()["message"]
            assert said.json()["path"] in ("$", "")


async def test_wrong_queries(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        for query, where in (({"limit": 0}, "$.limit"), ({"after": "x"}, "$.after")):
            said = await api.get("/records/calls", **query)
            assert (said.status_code, said.json()["path"]) == (400, where)
        assert (await api.get("/offers/none/trace")).status_code == 404


@pytest.mark.parametrize(
    ("path", "roles"),
    [
        ("/state", ["agent", "supervisor", "admin"]),
        ("/agents", ["agent", "supervisor", "admin"]),
        ("/queues", ["agent", "supervisor", "admin"]),
        ("/calls", ["agent", "supervisor", "admin"]),
        ("/records/calls", ["supervisor", "admin", "auditor"]),
        ("/health/invariants", ["supervisor", "admin", "auditor"]),
        ("/metrics", ["supervisor", "admin", "auditor"]),
    ],
)
async def test_who_may_read(tmp_path: Path, path: str, roles: list[Role]) -> None:
    async with client(tmp_path) as api:
        for role in TOKENS:
            assert (await api.get(path, role=role)).status_code == (200 if role in roles else 403)
        unknown = await api.get(path, role="stranger")
        assert (unknown.status_code, unknown.headers["www-authenticate"]) == (401, "Bearer")


async def test_an_agent_commands_only_itself(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        for role, agent, status in (
            ("agent", "bob", 403), ("auditor", "bob", 403), ("supervisor", "bob", 200), ("admin", "bob", 200),
            ("agent", "alice", 200),
        ):  # fmt: skip
            said = await api.post(f"/agents/{agent}/logout", {"request_id": f"{role}"}, role=role)
            assert said.status_code == status
        assert (await api.post("/entries/e/withdraw", {"request_id": "r"}, role="agent")).status_code == 403


async def test_health_needs_no_token_and_tells_what_is_stuck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client(tmp_path) as api:
        assert (await api.get("/health", role="stranger")).json() == {"status": "ok"}
        assert (await api.get("/health/invariants")).json() == {"ok": True, "violations": []}
        monkeypatch.setattr(api.centre.switch.acd, "invariants", lambda: ["entry e1: stuck"])
        broken = await api.get("/health/invariants")
        assert (broken.status_code, broken.json()["violations"]) == (503, ["entry e1: stuck"])


async def test_a_fault_of_ours_is_500_without_details(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> list[str]:
        raise RuntimeError("secret")

    async with client(tmp_path) as api:
        monkeypatch.setattr(api.centre.switch.acd, "invariants", fail)
        said = await api.get("/health/invariants")
        assert (said.status_code, said.json()["error"]) == (500, "failed")
        assert "secret" not in said.text


async def test_the_schema_is_made_from_the_structs(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        schema = (await api.get("/schema/openapi.json")).json()
        assert {"/state", "/agents/{agent}/{verb}", "/records/calls"} <= schema["paths"].keys()
        assert any(name.endswith("AgentSnapshot") for name in schema["components"]["schemas"])


@pytest.mark.realtime
async def test_the_switch_serves_it_over_http(tmp_path: Path) -> None:
    file = tmp_path / "sipcc.toml"
    digest = digest_of("secret-token")
    file.write_text(
        f"""
        [sip]
        listen = ["udp:127.0.0.1:0"]
        [media]
        workers = 0
        [api]
        listen = "127.0.0.1:0"
        [[tokens]]
        name = "board"
        role = "supervisor"
        digest = "{digest}"
        """
    )
    switch = Switch(load(file))
    await switch.start()
    try:
        assert switch.door.address is not None
        host, port = switch.door.address
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}", trust_env=False) as http:
            assert (await http.get("/health")).json() == {"status": "ok"}
            headers = {"Authorization": "Bearer secret-token"}
            assert (await http.get("/state", headers=headers)).json()["agents"] == []
    finally:
        await switch.stop()
    assert switch.door.address is None
