"""What operators see of flows and do with them, over HTTP, on a whole centre in memory."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.flow.centre import WELCOME_HZ
from tests.flow.test_api import Client, client, until
from tests.flow.tone_voice import ToneVoice

from sipcc.errors import LocalProtocolError
from sipcc.ivr.events import FlowOverridden, FlowTrialEnded, NodeEntered
from sipcc.ivr.flows.trial import ENOUGH
from sipcc.switch.console import Console

SHOP = """
[[numbers]]
number = "4008120018"
to = "flow:shop"
[[flows]]
name = "shop"
fallback = "queue:help"
[flows.nodes.what]
type = "menu"
prompt = "hold"
options = { "1" = "queue:sales", "2" = "queue:help" }
"""


async def view(api: Client, role: str = "agent") -> dict[str, Any]:
    """What ``GET /flows`` says of the one flow."""
    (row,) = (await api.get("/flows", role=role)).json()
    return dict(row)


def order(request: str, **what: object) -> dict[str, object]:
    return {"request_id": request, "seconds": 3600, **what}


async def test_flows_are_seen_with_the_calls_in_them(tmp_path: Path) -> None:
    async with client(tmp_path, extra=SHOP) as api:
        caller = await api.centre.carrier.call("4008120018")
        await caller.answered()
        row = await view(api)
        assert (row["name"], row["kind"], row["nodes"], row["override"]) == ("shop", "graph", 1, None)
        assert row["live"] == {row["version"]: 1}
        assert row["here"] == {"what": 1}
        await caller.hangup()
        await until(lambda: bool(api.centre.told("CallEndedEvent")))
        assert (await view(api))["live"] == {}


async def test_an_emergency_is_announced_before_the_flow(tmp_path: Path) -> None:
    async with client(tmp_path, extra=SHOP) as api:
        said = await api.post("/flows/shop/override", order("o1", prompt="welcome"), role="supervisor")
        assert said.json()["override"]["prompt"] == "welcome"
        again = await api.post("/flows/shop/override", order("o1", prompt="welcome"), role="supervisor")
        assert again.content == said.content
        caller = await api.centre.carrier.call("4008120018")
        await caller.answered()
        await caller.hears(WELCOME_HZ)
        await asyncio.sleep(3)
        await caller.press("1")
        await until(lambda: bool(api.centre.told("QueueJoined")))
        await caller.hangup()
        assert [event.node for event in api.centre.events if isinstance(event, NodeEntered)] == ["what"]
        [event] = [event for event in api.centre.events if isinstance(event, FlowOverridden)]
        assert (event.flow, event.prompt, event.to, event.by) == ("shop", "welcome", "", "supervisor")


async def test_callers_go_elsewhere_until_it_is_over(tmp_path: Path) -> None:
    async with client(tmp_path, extra=SHOP, voice=ToneVoice({"We are closed today.": 700.0})) as api:
        await api.post("/flows/shop/override", order("o1", to="queue:sales"))
        caller = await api.centre.carrier.call("4008120018")
        await until(lambda: bool(api.centre.told("QueueJoined")))
        await caller.hangup()
        assert not api.centre.told("NodeEntered")
        await asyncio.sleep(3600)
        assert (await view(api))["override"] is None
        caller = await api.centre.carrier.call("4008120018")
        await until(lambda: bool(api.centre.told("NodeEntered")))
        await caller.hangup()
        await api.post("/flows/shop/override", order("o2", to="hangup"))
        spoken = await api.post("/flows/shop/override", order("o3", prompt="We are closed today."))
        assert spoken.json()["override"]["prompt"] == "We are closed today."
        cleared = await api.post("/flows/shop/clear", {"request_id": "c1"})
        assert cleared.json()["override"] is None


REFUSED: list[tuple[str, dict[str, object], str, int]] = [
    ("/flows/shop/override", order("r", to="queue:sales"), "agent", 403),
    ("/flows/shp/override", order("r", to="queue:sales"), "admin", 404),
    ("/flows/shop/override", order("r"), "admin", 409),
    ("/flows/shop/override", order("r", to="queue:none"), "admin", 409),
    ("/flows/shop/override", order("r", to="nowhere"), "admin", 409),
    ("/flows/shop/override", order("r", to="flow:shop"), "admin", 409),
    ("/flows/shop/override", order("r", prompt="nosuchprompt"), "admin", 409),
    ("/flows/shop/override", order("r", prompt="nosuchprompt", to="hangup"), "admin", 409),
    ("/flows/shop/override", order("r", prompt="cost {caller} {nothere} {"), "admin", 409),
    ("/flows/shop/override", order("r", prompt="  "), "admin", 409),
    ("/flows/shop/override", {**order("r", to="hangup"), "seconds": 4e7}, "admin", 409),
    ("/flows/shop/override", {**order("r", to="hangup"), "seconds": -1}, "admin", 400),
    ("/flows/shp/clear", {"request_id": "r"}, "admin", 404),
]


async def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    async with client(tmp_path, extra=SHOP) as api:
        for number, (path, body, role, status) in enumerate(REFUSED):
            said = await api.post(path, {**body, "request_id": f"r{number}"}, role=role)
            assert said.status_code == status, (path, body)
        assert (await view(api))["override"] is None


async def test_a_text_that_no_voice_reads_is_refused(tmp_path: Path) -> None:
    voice = ToneVoice({"We are closed.": 700.0})
    async with client(tmp_path, extra=SHOP, voice=voice) as api:
        said = await api.post("/flows/shop/override", order("o1", prompt="Nobody can say this."))
        assert said.status_code == 409
        assert "no voice reads it: that word is not known" in said.json()["message"]
        assert (await view(api))["override"] is None
        said = await api.post("/flows/shop/override", order("o2", prompt="We are closed."))
        assert said.json()["override"]["prompt"] == "We are closed."
        assert voice.said == [("We are closed.", "en")]
        switch = api.centre.switch
        console = Console(tmp_path / "socket", switch.tracing.trace, switch.desk())
        answer = await console._answer(
            b'{"command": "override_flow", "name": "shop", "seconds": 60, "prompt": "Nor this."}'
        )
        assert answer.error == "no voice reads it: that word is not known"


async def test_an_override_outlives_the_process_but_not_the_flow(tmp_path: Path) -> None:
    extra = SHOP + f'[daemon]\njournal = "{tmp_path / "one.calls"}"\n'
    for folder in ("first", "second", "third"):
        (tmp_path / folder).mkdir()
    async with client(tmp_path / "first", extra=extra) as api:
        said = await api.post("/flows/shop/override", order("o1", to="hangup"))
    async with client(tmp_path / "second", extra=extra) as api:
        assert (await view(api))["override"] == said.json()["override"]
        path = tmp_path / "second" / "sipcc.toml"
        path.write_text(
            path.read_text().replace('name = "shop"', 'name = "store"').replace("flow:shop", "echo")
        )
        await api.centre.switch.reload()
        assert (await view(api))["name"] == "store"
    async with client(tmp_path / "third", extra=extra) as api:
        assert (await view(api))["override"] is None


async def test_a_program_is_refused_with_a_reason(tmp_path: Path) -> None:
    async with client(tmp_path, extra=SHOP) as api:
        with pytest.raises(LocalProtocolError, match="known: shop"):
            api.centre.switch.flow_desk.override("shp", seconds=60.0, to="hangup")


TRIED = SHOP.replace('fallback = "queue:help"', 'fallback = "queue:help"\ncanary = 99.99')


async def reloaded(api: Client, old: str, new: str) -> None:
    path = api.centre.folder / "sipcc.toml"
    path.write_text(path.read_text().replace(old, new))
    await api.centre.switch.reload()


async def call_through(api: Client, keys: str) -> str:
    """The queue to which `keys` lead."""
    joined = len(api.centre.told("QueueJoined"))
    caller = await api.centre.carrier.call("4008120018")
    await caller.answered()
    await caller.press(keys)
    await until(lambda: len(api.centre.told("QueueJoined")) > joined)
    await caller.hangup()
    return str(api.centre.told("QueueJoined")[-1].queue)


async def test_a_changed_flow_is_tried_and_promoted(tmp_path: Path) -> None:
    async with client(tmp_path, extra=TRIED) as api:
        before = (await view(api))["version"]
        assert await call_through(api, "1") == "sales"
        await reloaded(api, '"1" = "queue:sales"', '"1" = "queue:help"')
        row = await view(api)
        assert (row["version"], row["trial"]["state"], row["trial"]["percent"]) == (before, "trying", 99.99)
        assert await call_through(api, "1") == "help"
        row = await view(api)
        assert row["trial"]["tallies"][row["trial"]["new"]] == {"calls": 1, "fell": 0}
        done = await api.post("/flows/shop/rollback", {"request_id": "r1"})
        assert done.json()["trial"]["state"] == "rolled_back"
        assert await call_through(api, "1") == "sales"
        assert (await api.post("/flows/shop/promote", {"request_id": "p1"})).status_code == 409
        await reloaded(api, '"2" = "queue:help"', '"2" = "queue:sales"')
        assert (await view(api))["version"] == before
        done = await api.post("/flows/shop/promote", {"request_id": "p2"}, role="supervisor")
        assert done.json()["version"] != before
        assert await call_through(api, "1") == "help"
        outcomes = [
            (event.outcome, event.by) for event in api.centre.events if isinstance(event, FlowTrialEnded)
        ]
        assert outcomes == [("rolled_back", "admin"), ("promoted", "supervisor")]


async def test_a_changed_flow_whose_callers_fall_back_is_taken_back_by_itself(tmp_path: Path) -> None:
    async with client(tmp_path, extra=TRIED) as api:
        change = 'type = "switch"\nelse = "gone"\n[flows.nodes.gone]\ntype = "call"\nflow = "shop"\n'
        old = SHOP[SHOP.index('type = "menu"') :]
        flows = api.centre.switch.treatments.flows
        await reloaded(api, old, change.replace('flow = "shop"', 'flow = "other"') + OTHER)
        for number in range(ENOUGH):
            api.centre.switch.treatments.flows.playables.pop("other", None)
            assert flows is not api.centre.switch.treatments.flows
            assert not api.centre.told("FlowTrialEnded"), number
            await call_through(api, "")
        [ended] = [event for event in api.centre.events if isinstance(event, FlowTrialEnded)]
        assert (ended.outcome, ended.why, ended.by) == (
            "rolled_back",
            "10 of 10 calls fell back, and 0 of 0 before",
            "",
        )
        assert await call_through(api, "1") == "sales"


OTHER = """[[flows]]
name = "other"
fallback = "queue:help"
[flows.nodes.a]
type = "queue"
queue = "sales"
"""


async def test_opening_hours_decide_and_follow_what_operators_do(tmp_path: Path) -> None:
    extra = SHOP.replace('to = "flow:shop"', 'to = "flow:hours"') + HOURS
    async with client(tmp_path, extra=extra) as api:
        assert await call_through(api, "") == "sales"
        api.centre.switch.hours.override("office", "closed", seconds=60.0)
        assert await call_through(api, "") == "help"
        api.centre.switch.hours.clear("office")
        assert await call_through(api, "2") == "sales"


HOURS = """
[[hours]]
name = "office"
week = { "mon-sun" = "00:00-24:00" }
[[flows]]
name = "hours"
fallback = "queue:help"
[flows.nodes.now]
type = "hours"
calendar = "office"
open = "queue:sales"
closed = "queue:help"
"""
