"""Flows are reloaded a hundred times while calls are in them: none is dropped, each ends as it began."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from tests.flow.centre import Centre

from sipcc.ivr.events import NodeEntered, NodeLeft

CALLS = int(os.environ.get("SIPCC_FLOW_CALLS", "6"))
RELOADS = int(os.environ.get("SIPCC_FLOW_RELOADS", "8"))

FLOW = """
[[numbers]]
number = "4008120018"
to = "flow:shop"
[[flows]]
name = "shop"
fallback = "queue:help"
version = "VERSION"
[flows.nodes.first]
type = "menu"
prompt = "silence:100"
timeout = 3600
options = { "1" = "second" }
[flows.nodes.second]
type = "menu"
prompt = "silence:100"
timeout = 3600
options = { "1" = "end" }
[flows.nodes.end]
type = "switch"
when = [["dialled == 'nobody'", "queue:sales"]]
else = "play:hold"
"""


async def test_calls_stay_and_finish_on_their_version(tmp_path: Path) -> None:
    async with Centre(tmp_path, extra=FLOW) as centre:
        path = tmp_path / "sipcc.toml"
        text = path.read_text()
        callers = []
        versions = {}
        for number in range(RELOADS):
            path.write_text(text.replace("VERSION", f"v{number}"))
            await centre.switch.reload()
            due = CALLS * (number + 1) // RELOADS
            while len(callers) < due:
                caller = await centre.carrier.call("4008120018")
                await caller.answered()
                await asyncio.sleep(0.05)
                entered = [event for event in centre.events if isinstance(event, NodeEntered)]
                versions[entered[-1].call] = f"v{number}"
                callers.append(caller)
                if len(callers) % 3 == 0:  # some are further than others when the next version comes
                    await caller.press("1")
        desk = centre.switch.flow_desk
        assert sum(desk.views()[0].live.values()) == CALLS
        assert sum(desk.views()[0].here.values()) == CALLS
        assert not centre.told("CallEndedEvent")
        for number, caller in enumerate(callers, start=1):
            await caller.press("1" if number % 3 == 0 else "11")
        await asyncio.sleep(1)
        left = [event for event in centre.events if isinstance(event, NodeLeft)]
        ended = {event.call: event.version for event in left if event.node == "end" and event.edge == "else"}
        assert ended == versions
        assert all(event.version == versions[event.call] for event in left)
        assert desk.views()[0].live == {}
        assert not centre.told("CallEndedEvent")
        for caller in callers:
            await caller.hangup()
