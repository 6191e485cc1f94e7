"""A call that a user's function routes, on the whole switch: to the queue it names, or to the default."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.flow.centre import AGENT_HZ, Centre

from sipcc.acd import OfferMade, QueueJoined
from sipcc.acd.events import RoutingFailed
from sipcc.call import Call
from sipcc.call.events import Decision
from sipcc.switch import httprouter, routerlist
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
        router = CallRouter(function, centre.switch, name="smart", default="sales")
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


SERVICE = """
[[routers]]
name = "crm"
url = "http://127.0.0.1:9000/route"
default = "queue:help"
[[numbers]]
number = "4008200001"
to = "router:crm"
[[menus]]
name = "round"
prompt = "welcome"
timeout = 0.1
noinput = 0
options = { "1" = "hangup" }
then = "router:crm"
"""


class Service:
    """A service that gives one answer; None is none at all."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []
        self.closed = False

    async def __call__(self, body: bytes) -> tuple[int, bytes]:
        self.asked.append(json.loads(body))
        if self.answer is None:
            await asyncio.sleep(3600.0)
        return 200, json.dumps(self.answer).encode()

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    made = Service("sales")
    monkeypatch.setattr(httprouter, "HttpPost", lambda settings: made)
    return made


def queues(centre: Centre) -> list[tuple[str, int]]:
    return [(event.queue, event.priority) for event in centre.events if isinstance(event, QueueJoined)]


def decisions(centre: Centre) -> list[tuple[str, str]]:
    found = [event for event in centre.events if isinstance(event, Decision)]
    return [(event.what, event.why) for event in found if event.what.startswith("router ")]


async def test_a_service_gives_a_call_to_an_agent(tmp_path: Path, service: Service) -> None:
    service.answer = {"queue": "sales", "agent": "bob", "priority": 7}
    async with Centre(tmp_path, extra=SERVICE) as centre:
        await centre.phone("1001")
        await centre.phone("1002")
        caller = await centre.carrier.call("4008200001")
        await caller.answered()
        await caller.hears(AGENT_HZ["1002"])
        await caller.hangup()
        assert service.asked[0]["caller"] == "13800138000"
        assert service.asked[0]["region"] == ""
        assert queues(centre) == [("sales", 7)]
        assert decisions(centre) == [
            ("router crm: queue:sales, agent bob, priority 7", "it answered in 0 ms")
        ]
        (offer,) = [event for event in centre.events if isinstance(event, OfferMade)]
        reasons = {verdict.agent: verdict.reason for verdict in centre.switch.acd.trace(offer.offer)}
        assert reasons["alice"] == "router crm: the caller is for bob"
    assert service.closed


async def test_an_agent_who_is_not_there_is_not_waited_for(tmp_path: Path, service: Service) -> None:
    service.answer = {"queue": "sales", "agent": "bob"}
    async with Centre(tmp_path, extra=SERVICE) as centre:
        await centre.phone("1001")
        caller = await centre.carrier.call("4008200001")
        await caller.answered()
        await caller.hears(AGENT_HZ["1001"])
        await caller.hangup()


async def test_a_service_refuses_a_call(tmp_path: Path, service: Service) -> None:
    service.answer = {"reject": 603}
    async with Centre(tmp_path, extra=SERVICE) as centre:
        caller = await centre.carrier.call("4008200001")
        await caller.ended()
        assert caller.status == 603


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(None, "no answer within 0.5 s"), ({"queue": "vip"}, "'queue:vip' leads nowhere")],
)
async def test_a_dead_or_wrong_service_costs_no_call(
    tmp_path: Path, service: Service, answer: object, reason: str
) -> None:
    service.answer = answer
    async with Centre(tmp_path, extra=SERVICE) as centre:
        await centre.phone("1003")
        caller = await centre.carrier.call("4008200001")
        await caller.answered()
        await caller.hears(AGENT_HZ["1003"])
        await caller.hangup()
        (failed,) = [event for event in centre.events if isinstance(event, RoutingFailed)]
        assert (failed.router, failed.reason, failed.to) == ("crm", reason, "queue:help")
        assert decisions(centre) == [("router crm: queue:help", reason)]


async def test_a_call_that_goes_round_in_a_circle_ends(tmp_path: Path, service: Service) -> None:
    service.answer = "menu:round"
    async with Centre(tmp_path, extra=SERVICE) as centre:
        caller = await centre.carrier.call("4008200001")
        await caller.answered()
        await asyncio.sleep(30.0)
        await caller.ended()
        assert len(service.asked) == routerlist.MAX_ASKED
