"""A routing service over HTTP: what it is told, and that its faults lead to the default at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from sipcc.acd.events import RoutingFailed
from sipcc.acd.settings import AgentSettings, QueueSettings, RouterSettings
from sipcc.bus import Bus
from sipcc.call import Destination
from sipcc.config import Config
from sipcc.switch.httprouter import MAX_ANSWER, HttpPost, HttpPosts, HttpService
from sipcc.switch.routers import LATE_ALLOWED, CallRouter

CONFIG = Config(
    queues=(QueueSettings(name="sales"), QueueSettings(name="help")),
    agents=(AgentSettings(name="alice", user="1001", queues=("sales",)),),
)


class FakeCall:
    def __init__(self, decided: Callable[[str, str, str], None]) -> None:
        self.context = SimpleNamespace(decided=decided)
        self.id, self.caller, self.caller_name, self.called = "c1", "13800138000", "Chen", "4008123456"
        self.trunk, self.language = "carrier", "zh"
        self.variables: dict[str, Any] = {"region": "北京", "odd": object()}


class Desk:
    """A router over a service, and what it told."""

    def __init__(self, service: HttpService, **more: Any) -> None:
        self.config, self.bus, self.acd, self.queueing = CONFIG, Bus(), None, None
        self.failed: list[RoutingFailed] = []
        self.decided: list[tuple[str, str]] = []
        self.bus.on(RoutingFailed, self.failed.append)
        options = {"time_box": 0.5, "pause": 10.0, **more}
        self.router = CallRouter(service.ask, self, name="crm", default="help", **options)  # type: ignore[arg-type]

    def handler_of(self, destination: Destination) -> Any:
        raise AssertionError(destination)

    async def where(self) -> str:
        call = FakeCall(lambda call, what, why: self.decided.append((what, why)))
        return str(await self.router.decide(call))  # type: ignore[arg-type]  # all that the router reads


class FakePost:
    """Answers without a network."""

    def __init__(self, answer: bytes = b'"sales"', status: int = 200, takes: float = 0.0) -> None:
        self.answer, self.status, self.takes = answer, status, takes
        self.bodies: list[Any] = []

    async def __call__(self, body: bytes) -> tuple[int, bytes]:
        self.bodies.append(json.loads(body))
        await asyncio.sleep(self.takes)
        return self.status, self.answer


async def test_the_service_is_told_what_is_known_and_its_answer_counts() -> None:
    post = FakePost(b'{"queue": "sales", "agent": "alice", "priority": 4}')
    it = Desk(HttpService(post))
    assert await it.where() == "queue:sales, agent alice, priority 4"
    (body,) = post.bodies
    assert body.pop("odd")  # whatever JSON has not is told as text
    assert body == {
        "region": "北京",
        "call": "c1",
        "caller": "13800138000",
        "caller_name": "Chen",
        "called": "4008123456",
        "trunk": "carrier",
        "language": "zh",
    }
    assert it.decided == [("router crm: queue:sales, agent alice, priority 4", "it answered in 0 ms")]
    assert it.failed == []


@pytest.mark.parametrize(
    ("status", "answer", "reason"),
    [
        (500, b'"sales"', "the answer has the status 500"),
        (204, b"", "the answer has the status 204"),
        (302, b"", "the answer has the status 302"),
        (200, b"", "the answer is no JSON"),
        (200, b"<html>", "the answer is no JSON"),
        (200, b'"sales', "the answer is no JSON"),
        (200, b'"\xff"', "the answer is no JSON"),
        (200, b"[" * 5000, "the answer is no JSON"),
        (200, b"5", "5 is no queue and no destination"),
        (200, b"null", "None is no queue and no destination"),
        (200, b'{"queue": ["sales"]}', "Expected `str`, got `array` - at `$.queue`"),
        (200, b'{"queue": "sales", "agent": "bob"}', "'bob' is no agent of queue 'sales'"),
    ],
)
async def test_junk_leads_to_the_default(status: int, answer: bytes, reason: str) -> None:
    it = Desk(HttpService(FakePost(answer, status)))
    assert await it.where() == "queue:help"
    (event,) = it.failed
    assert reason in event.reason
    assert (event.router, event.to, event.off) == ("crm", "queue:help", False)
    assert it.decided[0][0] == "router crm: queue:help"


async def test_a_slow_service_is_left_alone_for_a_while_and_asked_again() -> None:
    post = FakePost(takes=60.0)
    it = Desk(HttpService(post))
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(LATE_ALLOWED + 4):
        assert await it.where() == "queue:help"
    assert loop.time() - began == pytest.approx(LATE_ALLOWED * 0.5)
    assert len(post.bodies) == LATE_ALLOWED
    assert [event.off for event in it.failed] == [False, False, True]
    assert it.decided[-1][1] == "it is not asked, for it was late too often"
    await asyncio.sleep(10.0)
    assert await it.where() == "queue:help"  # it gets one chance
    assert len(post.bodies) == LATE_ALLOWED + 1
    assert it.router.off
    await asyncio.sleep(10.0)
    post.takes = 0.1
    assert await it.where() == "queue:sales"
    post.takes = 60.0
    assert await it.where() == "queue:help"
    assert not it.router.off


Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def served(behave: Behave) -> AsyncIterator[RouterSettings]:
    """A service on loopback."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await behave(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield RouterSettings(
            name="crm",
            url=f"http://127.0.0.1:{port}/route?x=1",
            default="queue:help",
            authorization="Bearer 138-0013",
        )
    finally:
        server.close()


async def request(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], Any]:
    """The request line, the headers and the body of one request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    return head[0], headers, json.loads(await reader.readexactly(int(headers["content-length"])))


def response(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.realtime
async def test_real_http_over_one_connection() -> None:
    seen: list[Any] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append("connection")
        while True:
            seen.append(await request(reader))
            writer.write(response(b'{"queue": "sales", "priority": 2}'))
            await writer.drain()

    async with served(behave) as settings:
        posts = HttpPosts()
        assert posts.of(settings) is posts.of(settings)
        it = Desk(HttpService(posts.of(settings)), time_box=5.0)
        assert [await it.where() for _ in range(2)] == ["queue:sales, priority 2"] * 2
        await posts.close()
    assert [entry == "connection" for entry in seen] == [True, False, False]
    line, headers, body = seen[1]
    assert line == "POST /route?x=1 HTTP/1.1"
    assert (headers["authorization"], headers["content-type"]) == ("Bearer 138-0013", "application/json")
    assert body["caller"] == "13800138000"


async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def drops(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request(reader)


async def babbles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request(reader)
    writer.write(response(b"[" + b" " * MAX_ANSWER + b"]"))
    await writer.drain()


async def speaks_no_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 smtp.example.com ESMTP\r\n\r\n")
    await reader.read()


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("behave", "box", "reason"),
    [
        (hangs, 0.1, "no answer within 0.1 s"),
        (drops, 5.0, "raised FetchError"),
        (babbles, 5.0, "longer than 65536 bytes"),
        (speaks_no_http, 5.0, "raised FetchError"),
    ],
)
async def test_real_faults(behave: Behave, box: float, reason: str) -> None:
    async with served(behave) as settings:
        post = HttpPost(settings)
        it = Desk(HttpService(post), time_box=box)
        assert await it.where() == "queue:help"
        assert reason in it.failed[0].reason
        await post.close()


@pytest.mark.realtime
async def test_nobody_listens() -> None:
    async with served(hangs) as settings:
        pass
    post = HttpPost(settings)
    it = Desk(HttpService(post), time_box=5.0)
    assert await it.where() == "queue:help"
    assert "raised FetchError" in it.failed[0].reason
    await post.close()
