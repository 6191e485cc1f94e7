"""Reports over HTTP, of calls that were made in memory: the same rows as `sipccd report` prints."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.flow.test_api import Client, client, until

from sipcc.cli.main import main
from sipcc.ivr.events import NodeEntered, NodeLeft


@asynccontextmanager
async def after_three_calls(folder: Path) -> AsyncIterator[tuple[Client, dict[str, Any]]]:
    """One caller is answered by alice over the menu, one gives up in the line, one in the menu."""
    async with client(folder) as api:
        carrier, agents = api.centre.carrier, api.centre.switch.acd.floor.staff.agents
        await api.centre.phone("1001")
        first = await carrier.call("4008123456", caller="13800138000")
        await asyncio.sleep(1.0)
        await first.press("1")
        await until(lambda: agents["alice"].state == "talking")
        second = await carrier.call("4008000006", caller="075588001234")
        await asyncio.sleep(10.0)
        third = await carrier.call("4008123456", caller="13800138000")
        await asyncio.sleep(1.0)
        for call in (third, second, first):
            await call.hangup()
        await until(lambda: len(api.centre.told("CallEndedEvent")) == 3)
        await until(lambda: agents["alice"].state == "ready")
        clock = api.centre.switch.clock
        now = clock.wall_of(clock.now())
        yield api, {"from": now - 3600, "to": now + 3600}


async def test_rows_by_everything_as_json_and_csv(tmp_path: Path) -> None:
    async with after_three_calls(tmp_path) as (api, span):
        for by, key, answered, abandoned, attempts in (
            ("queue", "sales", 1, 1, 0),
            ("agent", "alice", 1, 0, 0),
            ("number", "4008123456", 1, 0, 2),
            ("trunk", "carrier", 1, 1, 3),
            ("region", "深圳", 0, 1, 1),
            ("region", "", 1, 0, 2),
        ):
            rows = (await api.get("/reports", by=by, total=True, **span)).json()
            (row,) = [row for row in rows if row["key"] == key]
            counts = (row["answered"], row["abandoned"], row["attempts"])
            assert counts == (answered, abandoned, attempts)
        rows = (await api.get("/reports", interval="15", role="auditor", **span)).json()
        assert sum(each["joined"] for each in rows) == 2
        assert all(each["start"] % 900 == 0 for each in rows)
        said = await api.get("/reports", format="csv", total=True, **span)
        assert said.headers["content-type"].startswith("text/csv")
        (line,) = csv.DictReader(io.StringIO(said.text))
        assert (line["key"], line["answered"], line["abandoned"]) == ("sales", "1", "1")


async def test_the_map_the_histogram_the_funnel_and_first_contacts(tmp_path: Path) -> None:
    async with after_three_calls(tmp_path) as (api, span):
        spots = (await api.get("/reports/heat-map", **span)).json()
        assert (len(spots), sum(spot["joined"] for spot in spots)) == (168, 2)
        (sales,) = (await api.get("/reports/answered-within", n=[0, 3, 60], **span)).json()
        assert (sales["asked"], sales["answered"]) == (2, 1)
        assert sales["within"] == {"0": 0, "3": 1, "60": 1}
        assert sales["rates"]["60"] == 0.5
        funnel = (await api.get("/reports/funnel", **span)).json()
        (menu,) = funnel["menus"]
        assert (menu["menu"], menu["entries"], menu["choices"], menu["hung_up"]) == ("main", 2, {"1": 1}, 1)
        assert (funnel["reached"], funnel["presses_to_agent"]) == (1, {"1": 1})
        told = (await api.get("/reports/fcr", hours=1, **span)).json()
        assert (told["first_calls"], told["repeated"], told["immature"], told["mature"]) == (2, 1, 1, False)


async def test_what_callers_did_in_the_nodes_of_flows(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        switch = api.centre.switch
        common: dict[str, Any] = {"flow": "bank", "version": "1", "node": "main"}
        for call, edge in (("1", "options.1"), ("2", "ended"), ("3", "retry")):
            at = switch.clock.now()
            switch.bus.emit(NodeEntered(at=at, call=call, kind="menu", **common))
            switch.bus.emit(NodeLeft(at=at, call=call, edge=edge, noinput=3 * (edge == "retry"), **common))
        now = switch.clock.wall_of(switch.clock.now())
        (row,) = (await api.get("/reports/flows", **{"from": now - 60, "to": now + 60})).json()
        assert (row["flow"], row["node"], row["entries"], row["ended"], row["timed_out"]) == (
            "bank", "main", 3, 1, 1,
        )  # fmt: skip
        assert row["edges"] == {"options.1": 1, "retry": 1}
        assert (await api.get("/reports/flows", role="agent")).status_code == 403


@pytest.mark.parametrize("by", ["queue", "agent", "number", "trunk", "region"])
async def test_the_command_line_says_the_same(tmp_path: Path, by: str) -> None:
    async with after_three_calls(tmp_path) as (api, span):
        await api.centre.switch.keeper.flush()
        over_http = (await api.get("/reports", by=by, **span)).json()
    moments = [f"--from={_iso(span['from'])}", f"--to={_iso(span['to'])}", f"--by={by}"]
    command = ["report", "-c", str(tmp_path / "sipcc.toml"), *moments, "--json"]
    result = await asyncio.to_thread(CliRunner().invoke, main, command)
    printed = [json.loads(line) for line in result.stdout.splitlines()]
    for row in [*over_http, *printed]:
        row.pop("start")
        row.pop("times")  # what lasts still: the clocks of both differ
        row.pop("occupancy")
    assert printed == over_http
    assert printed


def _iso(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).isoformat()


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ({}, "$.from"),
        ({"from": "yesterday"}, "$.from"),
        ({"from": "2026-11-21T09:00:00"}, "$.from"),
        ({"from": "nan"}, "$.from"),
        ({"from": "5", "to": "4"}, "$.to"),
        ({"from": "0", "to": "90000000"}, "$.to"),
        ({"from": "1d", "by": "caller"}, "$.by"),
        ({"from": "1", "to": "2", "interval": "20"}, "$.interval"),
        ({"from": "1", "to": "2", "format": "xml"}, "$.format"),
    ],
)
async def test_wrong_questions(tmp_path: Path, query: dict[str, str], where: str) -> None:
    async with client(tmp_path) as api:
        said = await api.get("/reports", **query)
        assert (said.status_code, said.json()["path"]) == (400, where)
        assert said.json()["message"]


async def test_who_may_read_reports(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        for page in ("", "/heat-map", "/funnel", "/fcr", "/answered-within"):
            query = {"from": "2026-11-21T09:00:00+08:00", "to": "2026-11-22T09:00:00+08:00", "n": 3}
            for role, status in (("agent", 403), ("stranger", 401), ("auditor", 200)):
                said = await api.get(f"/reports{page}", role=role, **query)
                assert said.status_code == status, (page, role, said.text)
