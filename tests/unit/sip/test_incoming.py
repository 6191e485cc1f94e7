from __future__ import annotations

import asyncio
import random

import pytest

from sipcc.clock import LoopClock
from sipcc.ids import Ids
from sipcc.sip import Endpoint, InboundRequest, NameAddr, SipSettings, SipUri
from sipcc.testing.network import MemoryNetwork


@pytest.mark.parametrize("seconds", [1.0, 40.0, 100.0], ids=["in time", "after our 500", "after Timer J"])
async def test_an_answer_after_the_final_one_is_dropped_and_counted(seconds: float) -> None:
    network = MemoryNetwork()
    ends = []
    for host in ("10.0.0.1", "10.0.0.2"):
        ids = Ids(random.Random(host))
        settings = SipSettings(listen=(f"udp:{host}:5060",))
        ends.append(Endpoint(settings, network=network.host(host), clock=LoopClock(wall=0.0), ids=ids))
        await ends[-1].start()
    asked: list[InboundRequest] = []
    ends[1].on_request["MESSAGE"] = asked.append
    party = NameAddr.parse("<sip:bob@example.com>")
    asking = asyncio.ensure_future(
        ends[0].request("MESSAGE", SipUri.parse("sip:bob@10.0.0.2"), from_=party, to=party)
    )
    await asyncio.sleep(seconds)
    asked[0].reply(200)
    asked[0].reply(486)
    assert asked[0].answered
    assert ends[1].counters["answers_too_late"] == (1 if seconds == 1.0 else 2)
    if seconds == 1.0:
        assert (await asking).status == 200
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    for end in ends:
        await end.stop()
