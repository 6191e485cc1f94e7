"""Routing by a user's function: what it may answer, and that its faults cost no call."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from sipcc import Switch
from sipcc.acd.events import RoutingFailed
from sipcc.acd.settings import QueueSettings
from sipcc.bus import Bus
from sipcc.call import Destination
from sipcc.config import Config
from sipcc.errors import ConfigError
from sipcc.ivr.settings import MenuSettings
from sipcc.switch.answers import Directory
from sipcc.switch.routers import LATE_ALLOWED, THREADS, TIME_BOX, CallRouter

QUEUES = ("retention", "vip", "general")
CONFIG = Config(
    queues=tuple(QueueSettings(name=name) for name in QUEUES),
    menus=(MenuSettings(name="main", prompt="welcome", options={"1": "hangup"}, then="hangup"),),
)


class FakeCall:
    def __init__(self, **variables: Any) -> None:
        self.id, self.caller, self.caller_name, self.called = "c1", "13800138000", "Chen", "4008123456"
        self.trunk, self.language = None, "en"
        self.variables, self.context = variables, SimpleNamespace(decided=lambda *told: None)


class Desk:
    """A router and what it told."""

    def __init__(self, function: Any, **more: Any) -> None:
        self.events: list[RoutingFailed] = []
        bus = Bus()
        bus.on(RoutingFailed, self.events.append)
        self.went: list[str] = []
        self.config, self.bus, self.acd, self.queueing = CONFIG, bus, None, None
        self.router = CallRouter(function, self, **{"name": "smart", "default": "general", **more})

    def handler_of(self, destination: Destination) -> Any:
        async def handler(_: Any) -> None:
            self.went.append(str(destination))

        return handler

    async def route(self, **variables: Any) -> str:
        await self.router(FakeCall(**variables))  # type: ignore[arg-type]  # all that the router reads
        return self.went[-1]


def route_call(user_data: dict[str, Any]) -> str:
    """The shape that call centres bring along: plain Python over a dict."""
    if user_data["days_since_last_order"] > 30:
        return "retention"
    if user_data["spent"] > 5000:
        return "vip"
    return "general"


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("days", "spent", "queue"), [(31, 9000, "retention"), (1, 5001, "vip"), (1, 5000, "general")]
)
async def test_a_plain_function_routes(days: int, spent: int, queue: str) -> None:
    it = Desk(route_call, data=lambda _: {"days_since_last_order": days, "spent": spent})
    assert await it.route() == f"queue:{queue}"
    assert it.events == []


async def test_a_coroutine_function_gets_what_is_known() -> None:
    seen: dict[str, Any] = {}

    async def function(user_data: dict[str, Any]) -> str:
        seen.update(user_data)
        return "menu:main"

    async def look_up(call: Any) -> dict[str, Any]:
        return {"level": "gold", "id": call.id}

    assert await Desk(function, data=look_up).route(language_key="2") == "menu:main"
    assert seen == {
        "language_key": "2",
        "call": "c1",
        "caller": "13800138000",
        "caller_name": "Chen",
        "called": "4008123456",
        "trunk": "",
        "language": "en",
        "level": "gold",
        "id": "c1",
    }


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (KeyError("spent"), "raised KeyError: 'spent'"),
        ("nowhere", "'nowhere' is no queue and no destination"),
        (None, "None is no queue and no destination"),
        (5, "5 is no queue and no destination"),
        ("queue:sales", "'queue:sales' leads nowhere"),
        ("menu:other", "'menu:other' leads nowhere"),
        ("app:smart", "'app:smart' leads nowhere"),
    ],
)
async def test_faults_lead_to_the_default(answer: object, reason: str) -> None:
    async def function(_: dict[str, Any]) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    it = Desk(function)
    assert await it.route() == "queue:general"
    (event,) = it.events
    assert (event.router, event.reason, event.to, event.off) == ("smart", reason, "queue:general", False)


@pytest.mark.realtime
@pytest.mark.parametrize("fault", [SystemExit(1), StopIteration(), ValueError("bad")])
async def test_a_thread_that_raises(fault: BaseException) -> None:
    def function(_: dict[str, Any]) -> str:
        raise fault

    it = Desk(function)
    assert await it.route() == "queue:general"
    assert type(fault).__name__ in it.events[0].reason


async def test_a_late_one_is_cut_and_at_last_switched_off() -> None:
    asked = 0

    async def function(_: dict[str, Any]) -> str:
        nonlocal asked
        asked += 1
        while True:  # does not even listen to being cancelled
            try:
                await asyncio.sleep(3600.0)
            except asyncio.CancelledError:
                await asyncio.sleep(5.0)
                return "vip"

    it = Desk(function)
    began = asyncio.get_running_loop().time()
    for _ in range(LATE_ALLOWED + 2):
        assert await it.route() == "queue:general"
    assert asyncio.get_running_loop().time() - began == pytest.approx(LATE_ALLOWED * TIME_BOX)
    assert asked == LATE_ALLOWED
    assert [event.off for event in it.events] == [False, False, True]
    assert "no answer within 0.1 s" in it.events[0].reason
    await asyncio.sleep(10.0)  # the virtual clock: the stubborn ones end


async def test_an_answer_in_time_forgives_late_ones() -> None:
    waits = iter([1.0, 1.0, 0.0, 1.0, 1.0, 0.0])

    async def function(_: dict[str, Any]) -> str:
        await asyncio.sleep(next(waits))
        return "vip"

    it = Desk(function)
    assert [await it.route() for _ in range(6)].count("queue:vip") == 2
    assert not it.router.off


@pytest.mark.realtime
async def test_a_thread_that_hangs_holds_nobody_up() -> None:
    let_go = threading.Event()

    def function(_: dict[str, Any]) -> str:
        let_go.wait(10.0)
        return "vip"

    it = Desk(function)
    try:
        assert await it.route() == "queue:general"
        gathered = await asyncio.gather(*(it.router.decide(FakeCall()) for _ in range(THREADS)))  # type: ignore[arg-type]
        assert {str(destination) for destination in gathered} == {"queue:general"}
        assert any("being routed already" in event.reason for event in it.events)
        assert it.router.off
    finally:
        let_go.set()


def test_the_decorator_routes_a_name() -> None:
    app = Switch(CONFIG)
    assert app.router("smart", default="general")(route_call) is route_call
    made = app.handler_of(Destination("app", "smart"))
    assert isinstance(made, CallRouter)
    assert str(made.default) == "queue:general"


def test_a_default_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"router 'smart'.*'sales' is no queue"):
        Desk(route_call, default="sales")


def test_names_of_queues_go_before_kinds() -> None:
    config = Config(queues=(QueueSettings(name="busy"),))
    assert Directory(config).destination("busy") == Destination("queue", "busy")
    assert Directory(Config()).destination("busy") == Destination("busy")
