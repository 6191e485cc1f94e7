"""Webhooks of a whole switch: alerts and call records reach a program, and what it refused is mended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from click.testing import CliRunner
from tests.flow.centre import Centre
from tests.flow.test_api import TOKENS, Client, until
from tests.flow.test_api_metrics import value
from tests.unit.records.test_webhooks import SECRET, URL, Receiver

from sipcc.api.app import make_api
from sipcc.cli.main import main

EXTRA = f"""
[[webhooks]]
name = "crm"
url = "{URL}"
secret = "{SECRET}"
events = ["AlertRaised", "AlertCleared", "CallRecord"]
[[alerts]]
name = "line"
queue = "sales"
metric = "waiting"
threshold = 0
"""


@asynccontextmanager
async def client(folder: Path, receiver: Receiver) -> AsyncIterator[Client]:
    async with Centre(folder, extra=EXTRA) as centre:
        hook = centre.switch.keeper.webhooks
        hook.transport = receiver.transport()
        hook.load([])
        hook.load(centre.switch.config.webhooks)
        await asyncio.sleep(1.0)
        app = make_api(centre.switch, list(TOKENS.values()))
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://api.example.com") as http:
            yield Client(centre, http)


async def test_an_alert_its_end_and_the_record_are_told_once(tmp_path: Path) -> None:
    receiver = Receiver()
    async with client(tmp_path, receiver) as api:
        caller = await api.centre.carrier.call("4008000006")
        await until(lambda: len(receiver.taken) == 1)
        await caller.hangup()
        await until(lambda: len(receiver.taken) == 3)
        await asyncio.sleep(30.0)
    assert [body["type"] for body in receiver.taken] == ["AlertRaised", "AlertCleared", "CallRecord"]
    assert receiver.taken[0]["data"]["alert"] == "line"
    assert receiver.taken[2]["data"]["called"] == "4008000006"


async def test_what_was_given_up_is_seen_and_sent_again(tmp_path: Path) -> None:
    receiver = Receiver(lambda body: 422)
    async with client(tmp_path, receiver) as api:
        caller = await api.centre.carrier.call("4008000006")
        await until(lambda: bool(api.centre.told("AlertRaised")))
        await caller.hangup()
        await asyncio.sleep(60.0)
        (state,) = (await api.get("/webhooks", role="supervisor")).json()
        assert (state["name"], state["waiting"], state["dead"]) == ("crm", 0, 3)
        assert value((await api.get("/metrics")).text, 'sipcc_webhook_failures_total{webhook="crm"}') == 9
        assert value((await api.get("/metrics")).text, 'sipcc_webhook_failures_total{webhook="crm"}') == 9
        dead = (await api.get("/webhooks/crm/dead")).json()
        assert [row["kind"] for row in dead] == ["AlertRaised", "AlertCleared", "CallRecord"]
        listed = await asyncio.to_thread(run, tmp_path, "dead", "crm")
        assert [line.split()[3] for line in listed.splitlines()] == [row["key"] for row in dead]
        receiver.behave = lambda body: 200
        body = {"request_id": "r1", "keys": [dead[1]["key"]]}
        for _ in range(2):
            said = await api.post("/webhooks/crm/replay", body)
            assert said.json() == {"count": 1}
        await until(lambda: len(receiver.taken) == 1)
        assert await asyncio.to_thread(run, tmp_path, "replay", "crm") == "2 will be sent again\n"
        await until(lambda: len(receiver.taken) == 3)
        assert {body["id"] for body in receiver.taken} == {row["key"] for row in dead}
        assert await asyncio.to_thread(run, tmp_path, "list") == ""


def run(folder: Path, *arguments: str) -> str:
    command = ["webhooks", "-c", str(folder / "sipcc.toml"), *arguments]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    return result.stdout


async def test_who_may_and_what_is_not_there(tmp_path: Path) -> None:
    async with client(tmp_path, Receiver()) as api:
        for role, status in (("agent", 403), ("auditor", 403), ("supervisor", 200)):
            assert (await api.get("/webhooks", role=role)).status_code == status
        assert (await api.get("/webhooks/erp/dead")).status_code == 404
        assert (await api.post("/webhooks/erp/replay", {"request_id": "r"})).status_code == 404
        wrong = await api.post("/webhooks/crm/replay", {"request_id": "r", "keys": "x"})
        assert (wrong.status_code, wrong.json()["path"]) == (400, "$.keys")
