"""A call that a user's function routes, on the whole switch: to the queue it names, or to the default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.flow.centre import AGENT_HZ, Centre

from sipcc.acd import QueueJoined
from sipcc.acd.events import RoutingFailed
from sipcc.call import Call
from sipcc.switch.routers import CallRouter


@pytest.mark.parametrize(
    ("answer", "queue", "user"), [("help", "help", "1003"), ("nowhere", "sales", "1001")]
)
async def test_a_call_goes_where_the_function_says(
    tmp_path: Path, answer: str, queue: str, user: str
) -> None:
    async def function(user_data: dict[str, Any]) -> str:
        assert (user_data["called"], user_data["trunk"]) == ("4008000077", "carrier")
        return answer

    async def app(call: Call) -> None:
        switch = centre.switch
        router = CallRouter(
            function,
            name="smart",
            default="sales",
            data=None,
            config=switch.config,
            bus=switch.bus,
            handler_of=switch.handler_of,
        )
        await router(call)

    centre = Centre(tmp_path, apps={"4008000077": app})
    async with centre:
        await centre.phone(user)
        caller = await centre.carrier.call("4008000077")
        await caller.answered()
        await caller.hears(AGENT_HZ[user])
        await caller.hangup()
        assert [event.queue for event in centre.told("QueueJoined") if isinstance(event, QueueJoined)] == [
            queue
        ]
        failed = [event.to for event in centre.told("RoutingFailed") if isinstance(event, RoutingFailed)]
        assert failed == ([] if queue == "help" else ["queue:sales"])
