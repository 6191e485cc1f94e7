"""Calls through a workflow, on the whole switch: where they wait and for whom, and what is told of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.flow.centre import AGENT_HZ, CONFIG, Centre

from sipcc.acd import OfferMade, QueueJoined, QueueLeft
from sipcc.call import Call, Destination
from sipcc.call.events import Decision
from sipcc.config import load
from sipcc.errors import ConfigError
from sipcc.testing.phone import Answer

WORKFLOW = """
[[workflows]]
name = "calls"
file = "calls.json"
[[numbers]]
number = "4008200001"
to = "workflow:calls"
"""


def written(folder: Path, *targets: Any, expression: str = "1 == 1", default: str = "") -> str:
    routing: dict[str, Any] = {
        "filters": [{"filter_friendly_name": "all", "expression": expression, "targets": targets}]
    }
    if default:
        routing["default_filter"] = {"queue": default}
    (folder / "calls.json").write_text(json.dumps({"task_routing": routing}))
    return WORKFLOW


def joined(centre: Centre) -> list[tuple[str, int]]:
    return [(event.queue, event.priority) for event in centre.events if isinstance(event, QueueJoined)]


def left(centre: Centre) -> list[tuple[str, str, float, str]]:
    return [
        (event.queue, event.exit, round(event.waited, 1), event.to)
        for event in centre.events
        if isinstance(event, QueueLeft)
    ]


def decided(centre: Centre) -> list[str]:
    return [
        event.what
        for event in centre.events
        if isinstance(event, Decision) and event.what.startswith("workflow ")
    ]


async def test_a_call_moves_from_queue_to_queue(tmp_path: Path) -> None:
    extra = written(
        tmp_path,
        {"queue": "sales", "expression": "worker.name == 'alice'", "timeout": 10},
        {"queue": "help", "timeout": 20, "priority": 7},
    )
    async with Centre(tmp_path, extra=extra) as centre:
        await centre.phone("1003")  # carol: in both queues, but the first target is not for her
        caller = await centre.carrier.call("4008200001")
        await caller.answered()
        await asyncio.sleep(9.0)
        assert joined(centre) == [("sales", 0)]
        await caller.hears(AGENT_HZ["1003"])
        await caller.hangup()
        assert joined(centre) == [("sales", 0), ("help", 7)]
        assert left(centre)[0] == ("sales", "overflowed", 10.0, "workflow:calls")
        assert left(centre)[1][:2] == ("help", "answered")
        assert decided(centre) == [
            "workflow calls: filter all",
            "workflow calls, filter all, target 1: queue:sales",
            "workflow calls, filter all, target 2: queue:help",
        ]


async def test_targets_of_one_queue_are_one_stay_and_the_trace_names_them(tmp_path: Path) -> None:
    extra = written(
        tmp_path,
        {"queue": "sales", "expression": "worker.name == 'bob'", "timeout": 5},
        {"queue": "sales"},
    )
    async with Centre(tmp_path, extra=extra) as centre:
        await centre.phone("1001")
        caller = await centre.carrier.call("4008200001")
        await caller.answered()
        await asyncio.sleep(5.0)
        await caller.hears(AGENT_HZ["1001"])
        await caller.hangup()
        assert joined(centre) == [("sales", 0)]
        (event,) = [event for event in centre.events if isinstance(event, OfferMade)]
        assert event.agent == "alice"
        assert left(centre)[0][1] == "answered"
        assert left(centre)[0][2] > 5.0


async def test_the_trace_of_an_offer_names_the_target(tmp_path: Path) -> None:
    extra = written(tmp_path, {"queue": "sales", "expression": "worker.name == 'bob'"})
    async with Centre(tmp_path, extra=extra) as centre:
        await centre.phone("1001")
        await centre.phone("1002")
        caller = await centre.carrier.call("4008200001")
        await caller.answered()
        await caller.hears(AGENT_HZ["1002"])
        (event,) = [event for event in centre.events if isinstance(event, OfferMade)]
        reasons = {verdict.agent: verdict.reason for verdict in centre.switch.acd.trace(event.offer)}
        assert reasons["alice"] == (
            "workflow calls, filter all, target 1: worker.name == 'bob' fails: worker.name is alice"
        )
        await caller.hangup()


async def test_who_is_rung_for_is_not_moved(tmp_path: Path) -> None:
    extra = written(tmp_path, {"queue": "sales", "timeout": 5}, {"queue": "help"})
    async with Centre(tmp_path, extra=extra) as centre:
        await centre.phone("1001", Answer(after=8.0))
        caller = await centre.carrier.call("4008200001")
        await caller.answered()
        await asyncio.sleep(7.0)
        await caller.hears(AGENT_HZ["1001"])
        await caller.hangup()
        assert [queue for queue, _ in joined(centre)] == ["sales"]


async def test_skip_if_leads_on_at_once_and_the_end_is_where_then_leads(tmp_path: Path) -> None:
    extra = written(
        tmp_path,
        {"queue": "help", "timeout": 20, "skip_if": "workers.available == 0"},
        {"queue": "sales", "timeout": 30},
    )
    async with Centre(tmp_path, extra=extra) as centre:
        caller = await centre.carrier.call("4008200001")
        await caller.answered()
        await asyncio.sleep(49.0)
        assert left(centre) == []
        await caller.ended()
        # the timeouts add up, also that of the target that was passed over
        assert left(centre) == [("sales", "timed_out", 50.0, "")]
        assert decided(centre)[1] == "workflow calls, filter all, target 1: passed over"


async def test_attributes_of_a_program_choose_and_age_is_kept(tmp_path: Path) -> None:
    extra = written(tmp_path, {"queue": "sales", "timeout": 5}, expression="level == 'gold'", default="help")

    async def app(call: Call) -> None:
        call.variables["level"] = "gold" if call.caller.endswith("1") else "plain"
        await centre.switch.handler_of(Destination.parse("workflow:calls"))(call)

    centre = Centre(tmp_path, extra=extra, apps={"4008200002": app})
    async with centre:
        first = await centre.carrier.call("4008200002", caller="13800138001")
        await first.answered()
        await asyncio.sleep(2.0)
        second = await centre.carrier.call("4008200002", caller="13800138002")
        await second.answered()
        await asyncio.sleep(10.0)
        assert [queue for queue, _ in joined(centre)] == ["sales", "help", "help"]
        line = next(queue for queue in centre.switch.acd.snapshot().queues if queue.name == "help")
        # the one that came by way of sales is older, and stands first
        assert [entry.caller for entry in line.waiting] == ["13800138001", "13800138002"]
        await first.hangup()
        await second.hangup()


async def test_who_is_moved_by_hand_is_not_moved_on(tmp_path: Path) -> None:
    extra = written(tmp_path, {"queue": "sales", "timeout": 10}, {"queue": "sales", "priority": 3})
    async with Centre(tmp_path, extra=extra) as centre:
        caller = await centre.carrier.call("4008200001")
        await caller.answered()
        await asyncio.sleep(2.0)
        (entry,) = [event.entry for event in centre.events if isinstance(event, QueueJoined)]
        centre.switch.acd.move(entry, "help")
        await asyncio.sleep(20.0)
        assert joined(centre) == [("sales", 0), ("help", 0)]
        await caller.hangup()


async def test_a_reload_takes_new_rules_for_new_calls(tmp_path: Path) -> None:
    extra = written(tmp_path, {"queue": "sales"})
    async with Centre(tmp_path, extra=extra) as centre:
        first = await centre.carrier.call("4008200001")
        await first.answered()
        written(tmp_path, {"queue": "help", "priority": 2})
        await centre.switch.reload(load(tmp_path / "sipcc.toml"))
        second = await centre.carrier.call("4008200001")
        await second.answered()
        await asyncio.sleep(1.0)
        assert joined(centre) == [("sales", 0), ("help", 2)]
        written(tmp_path, {"queue": "nowhere"})
        with pytest.raises(ConfigError, match="there is no queue 'nowhere'"):
            load(tmp_path / "sipcc.toml")
        await first.hangup()
        await second.hangup()


async def test_order_by_goes_before_the_strategy_and_the_trace_says_so(tmp_path: Path) -> None:
    extra = written(tmp_path, {"queue": "sales", "order_by": "worker.levels.billing DESC"})
    skilled = CONFIG.replace('user = "1002"\n', 'user = "1002"\nskills = {{ billing = 5 }}\n')
    async with Centre(tmp_path, config=skilled, extra=extra) as centre:
        await centre.phone("1001")
        await centre.phone("1002")
        caller = await centre.carrier.call("4008200001")
        await caller.answered()
        await caller.hears(AGENT_HZ["1002"])  # the strategy is linear: alice stands before bob
        await caller.hangup()
        (event,) = [event for event in centre.events if isinstance(event, OfferMade)]
        reasons = {verdict.agent: verdict.reason for verdict in centre.switch.acd.trace(event.offer)}
        assert reasons["alice"] == "workflow calls, filter all, target 1: bob goes first by its order"
