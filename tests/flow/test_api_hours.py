"""Opening hours over HTTP, on a whole centre in memory: what is told is what calls meet, at the second."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.flow.test_api import Client, client
from tests.flow.test_reception import HOURS, at, decided, status_of, turn_to

from sipcc.errors import LocalProtocolError
from sipcc.ivr.events import HoursOverridden

OPEN, CLOSED = 480, 603
"""How calls for the number end when the calendar is open, and when it is closed."""

DAY = 86400.0

NOON = "2026-11-23 12:00:00"
"""A Monday."""


async def told(api: Client) -> dict[str, Any]:
    """What ``GET /hours`` says of the one calendar."""
    (row,) = (await api.get("/hours", role="agent")).json()
    assert row["name"] == "office"
    return dict(row)


async def meets(api: Client, wall: float) -> tuple[str, str]:
    """What a call meets at the Unix time `wall`: open or closed, and why; as ``GET /hours`` says too."""
    turn_to(api.centre, wall)
    row = await told(api)
    status = await status_of(api.centre, "4008100001")
    assert status == (OPEN if row["open"] else CLOSED)
    assert decided(api.centre, "calendar ")[-1].why == row["detail"]
    return "open" if row["open"] else "closed", row["why"]


def overridden(api: Client) -> list[tuple[str, str, float, str]]:
    events = [event for event in api.centre.events if isinstance(event, HoursOverridden)]
    return [(event.calendar, event.state, event.until_wall, event.by) for event in events]


@pytest.mark.parametrize(
    ("edge", "before", "after"),
    [
        ("2026-11-23 09:00:00", ("closed", "outside"), ("open", "hours")),
        ("2026-11-23 18:00:00", ("open", "hours"), ("closed", "outside")),
        ("2026-10-01 00:00:00", ("closed", "outside"), ("closed", "holiday")),
        ("2026-10-01 09:00:00", ("closed", "holiday"), ("closed", "holiday")),
        ("2026-10-08 00:00:00", ("closed", "holiday"), ("closed", "outside")),
        ("2026-10-10 09:00:00", ("closed", "outside"), ("open", "make_up")),
        ("2026-10-10 18:00:00", ("open", "make_up"), ("closed", "outside")),
    ],
)
async def test_each_edge_of_the_calendar_is_met_at_its_second(
    tmp_path: Path, edge: str, before: tuple[str, str], after: tuple[str, str]
) -> None:
    async with client(tmp_path, extra=HOURS) as api:
        assert await meets(api, at(edge) - 1) == before
        assert await meets(api, at(edge)) == after
        assert await meets(api, at(edge) + 1) == after


@pytest.mark.parametrize(
    ("local", "state", "plain"),
    [
        (NOON, "closed", ("open", "hours")),
        ("2026-11-23 07:00:00", "open", ("closed", "outside")),
        ("2026-10-03 10:00:00", "open", ("closed", "holiday")),
        ("2026-10-10 10:00:00", "closed", ("open", "make_up")),
    ],
)
async def test_an_override_counts_until_its_second(
    tmp_path: Path, local: str, state: str, plain: tuple[str, str]
) -> None:
    async with client(tmp_path, extra=HOURS) as api:
        assert await meets(api, at(local)) == plain
        until = at(local) + 3600.0
        body = {"request_id": "o1", "state": state, "until": until}
        said = await api.post("/hours/office/override", body, role="supervisor")
        assert (said.status_code, said.json()["open"]) == (200, state == "open")
        override = {"state": state, "until": until, "by": "supervisor"}
        assert said.json()["override"] == override
        assert (await told(api))["override"] == override
        for shift in (1.0, 3599.0):
            assert await meets(api, at(local) + shift) == (state, "override")
        for shift in (3600.0, 3601.0):
            assert await meets(api, at(local) + shift) == plain
        assert (await told(api))["override"] is None
        assert overridden(api) == [("office", state, until, "supervisor")]


async def test_an_override_is_replaced_cleared_and_done_once(tmp_path: Path) -> None:
    async with client(tmp_path, extra=HOURS) as api:
        turn_to(api.centre, at(NOON))
        body = {"request_id": "o1", "state": "closed", "seconds": 600}
        first = await api.post("/hours/office/override", body, role="supervisor")
        until = first.json()["override"]["until"]
        assert until == pytest.approx(at(NOON) + 600.0, abs=0.01)
        await asyncio.sleep(5.0)
        again = await api.post("/hours/office/override", body, role="supervisor")
        assert again.content == first.content
        assert len(overridden(api)) == 1
        other = await api.post("/hours/office/override", body | {"seconds": 60}, role="supervisor")
        assert (other.status_code, other.json()["error"]) == (409, "request_id_reused")
        later = {"request_id": "o2", "state": "open", "until": at(NOON) + DAY}
        assert (await api.post("/hours/office/override", later)).json()["override"]["by"] == "admin"
        assert await meets(api, at("2026-11-23 20:00:00")) == ("open", "override")
        for _ in range(2):
            ended = await api.post("/hours/office/clear", {"request_id": "c1"}, role="supervisor")
            assert (ended.status_code, ended.json()["override"]) == (200, None)
        assert await meets(api, at("2026-11-23 20:00:00")) == ("closed", "outside")
        idle = await api.post("/hours/office/clear", {"request_id": "c2"}, role="supervisor")
        assert (idle.status_code, idle.json()["why"]) == (200, "outside")
        assert [(state, by) for _, state, _, by in overridden(api)] == [
            ("closed", "supervisor"),
            ("open", "admin"),
            ("cleared", "supervisor"),
        ]
        await api.centre.switch.keeper.flush()
        log = api.centre.switch.keeper.log
        logged = [event async for _, _, event in log.replay() if isinstance(event, HoursOverridden)]
        assert logged == [event for event in api.centre.events if isinstance(event, HoursOverridden)]


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("home/override", {"state": "open", "seconds": 60}, 404, "no calendar 'home'; known: office"),
        ("home/clear", {}, 404, "no calendar 'home'; known: office"),
        ("office/override", {"state": "open", "until": at(NOON)}, 409, "in the future"),
        ("office/override", {"state": "open", "until": at(NOON) + 367 * DAY}, 409, "at most"),
        ("office/override", {"state": "open", "seconds": 367 * DAY}, 409, "at most"),
        ("office/override", {"state": "open", "seconds": 0}, 400, "> 0"),
        ("office/override", {"state": "open"}, 400, "just one"),
        ("office/override", {"state": "open", "seconds": 60, "until": at(NOON) + 60}, 400, "just one"),
        ("office/override", {"state": "ajar", "seconds": 60}, 400, "ajar"),
        ("office/override", {"state": "open", "hours": 2}, 400, "hours"),
    ],
)
async def test_what_is_refused_says_why(
    tmp_path: Path, path: str, body: dict[str, Any], status: int, message: str
) -> None:
    async with client(tmp_path, extra=HOURS) as api:
        turn_to(api.centre, at(NOON))
        said = await api.post(f"/hours/{path}", {"request_id": "x1"} | body, role="supervisor")
        assert said.status_code == status, said.text
        assert message in said.json()["message"]
        assert await meets(api, at(NOON)) == ("open", "hours")
        assert overridden(api) == []


async def test_agents_and_auditors_change_no_hours(tmp_path: Path) -> None:
    async with client(tmp_path, extra=HOURS) as api:
        for role in ("agent", "auditor"):
            body = {"request_id": "o1", "state": "closed", "seconds": 60}
            assert (await api.post("/hours/office/override", body, role=role)).status_code == 403
            assert (await api.post("/hours/office/clear", {"request_id": "c"}, role=role)).status_code == 403
        assert (await api.get("/hours", role="auditor")).status_code == 403


async def test_a_program_is_refused_with_a_reason_too(tmp_path: Path) -> None:
    async with client(tmp_path, extra=HOURS) as api:
        hours = api.centre.switch.hours
        with pytest.raises(LocalProtocolError, match="known: office"):
            hours.override("home", "closed", seconds=60.0)
        with pytest.raises(LocalProtocolError, match="just one"):
            hours.override("office", "closed", seconds=60.0, until=1e9)
        with pytest.raises(LocalProtocolError, match="'ajar'"):
            hours.override("office", "ajar", seconds=60.0)  # type: ignore[arg-type]


ALWAYS = HOURS.replace('"mon-fri" = "09:00-18:00"', '"mon-sun" = "00:00-24:00"').replace("2026-10", "2020-10")


@pytest.mark.parametrize("killed", [False, True])
async def test_an_override_outlives_the_process(tmp_path: Path, killed: bool) -> None:
    journals = [tmp_path / "one.calls", tmp_path / "two.calls" if killed else tmp_path / "one.calls"]
    lives = [ALWAYS + f'[daemon]\njournal = "{journal}"\n' for journal in journals]
    for folder in ("first", "second", "third"):
        (tmp_path / folder).mkdir()
    async with client(tmp_path / "first", extra=lives[0]) as api:
        body = {"request_id": "o1", "state": "closed", "seconds": 7200}
        said = await api.post("/hours/office/override", body, role="supervisor")
        override = said.json()["override"]
        if killed:  # what the disk has now is all that the next process finds
            shutil.copy(tmp_path / "one.shelves", tmp_path / "two.shelves")
    async with client(tmp_path / "second", extra=lives[1]) as api:
        assert (await told(api))["override"] == override
        assert overridden(api) == []
        for shift, state in ((-1.0, "closed"), (0.0, "open"), (1.0, "open")):
            assert (await meets(api, override["until"] + shift))[0] == state
        turn_to(api.centre, override["until"] - 1.0)
        await api.post("/hours/office/clear", {"request_id": "c1"}, role="supervisor")
    async with client(tmp_path / "third", extra=lives[1]) as api:
        assert (await told(api))["override"] is None
