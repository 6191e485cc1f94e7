"""Events over SSE and WebSocket: readers come and go, and each sees every event once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sipcc import Switch
from sipcc.acd import AgentStateChanged
from sipcc.api import digest_of
from sipcc.api.feed import KEEP_ALIVE, Feed
from sipcc.api.ring import EventRing, Gone
from sipcc.bus import Bus
from sipcc.clock import LoopClock
from sipcc.config import load

CONFIG = """
[sip]
listen = ["udp:127.0.0.1:0"]
[media]
workers = 0
[records]
database = "{folder}/sipcc.db"
recordings = "{folder}/recordings"
[api]
listen = "127.0.0.1:0"
events_kept = 100
[[tokens]]
name = "board"
role = "supervisor"
digest = "{board}"
[[tokens]]
name = "auditor"
role = "auditor"
digest = "{auditor}"
"""


def news(number: int) -> AgentStateChanged:
    return AgentStateChanged(at=float(number), agent=f"agent{number}", before="ready", after="not_ready")


class Open:
    """A switch with an open door, and ways to listen at it."""

    def __init__(self, switch: Switch) -> None:
        assert switch.door.address is not None
        self.switch = switch
        self.place = "{}:{}".format(*switch.door.address)
        self.told = 0

    def tell(self, count: int) -> None:
        for _ in range(count):
            self.told += 1
            self.switch.bus.emit(news(self.told))

    @asynccontextmanager
    async def http(self, token: str = "board") -> AsyncIterator[httpx.AsyncClient]:
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(
            base_url=f"http://{self.place}", headers=headers, trust_env=False
        ) as client:
            yield client

    def ws(self, after: str = "", token: str = "board") -> connect:
        headers = {"Authorization": f"Bearer {token}"}
        return connect(f"ws://{self.place}/events/ws?after={after}", additional_headers=headers, proxy=None)


@asynccontextmanager
async def open_door(folder: Path) -> AsyncIterator[Open]:
    file = folder / "sipcc.toml"
    file.write_text(CONFIG.format(folder=folder, board=digest_of("board"), auditor=digest_of("auditor")))
    switch = Switch(load(file))
    await switch.start()
    try:
        yield Open(switch)
    finally:
        await switch.stop()


async def read_sse(response: httpx.Response, count: int) -> list[dict[str, Any]]:
    """The next `count` events; the stream is closed then."""
    found: list[dict[str, Any]] = []
    async for line in response.aiter_lines():
        if line.startswith("data: "):
            found.append(json.loads(line.removeprefix("data: ")))
        if len(found) == count:
            break
    return found


async def read_ws(socket: ClientConnection, count: int) -> list[dict[str, Any]]:
    return [json.loads(await socket.recv()) for _ in range(count)]


def names(events: list[dict[str, Any]]) -> list[str]:
    return [event["agent"] for event in events]


def agents(first: int, last: int) -> list[str]:
    return [f"agent{number}" for number in range(first, last + 1)]


@pytest.mark.realtime
async def test_sse_goes_on_where_it_was(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door, door.http() as http:
        cursor = (await http.get("/state")).json()["cursor"]
        door.tell(3)
        async with http.stream("GET", "/events", params={"after": cursor}) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            first = await read_sse(response, 3)
        assert names(first) == agents(1, 3)
        assert [event["type"] for event in first] == ["AgentStateChanged"] * 3
        door.tell(60)  # while nobody listens
        last = {"Last-Event-ID": first[-1]["cursor"]}
        async with http.stream("GET", "/events", params={"after": cursor}, headers=last) as response:
            second = await read_sse(response, 60)
        assert names(second) == agents(4, 63)
        assert [event["seq"] for event in first + second] == list(
            range(first[0]["seq"], first[0]["seq"] + 63)
        )


@pytest.mark.realtime
async def test_a_websocket_goes_on_where_it_was(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door, door.http() as http:
        cursor = (await http.get("/state")).json()["cursor"]
        door.tell(2)
        async with door.ws(cursor) as socket:
            first = await read_ws(socket, 2)
            door.tell(2)  # while it listens
            first += await read_ws(socket, 2)
        door.tell(70)
        async with door.ws(first[-1]["cursor"]) as socket:
            assert names(first + await read_ws(socket, 70)) == agents(1, 74)


@pytest.mark.realtime
async def test_a_cursor_that_is_not_kept_is_gone(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door, door.http() as http:
        cursor = (await http.get("/state")).json()["cursor"]
        door.tell(101)
        said = await http.get("/events", params={"after": cursor})
        assert (said.status_code, said.json()["error"]) == (410, "gone")
        assert (await http.get("/events", params={"after": "other-1"})).status_code == 410
        async with door.ws(cursor) as socket:
            with pytest.raises(ConnectionClosed) as caught:
                await socket.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 4410
        oldest = said.json()["oldest"]
        async with http.stream("GET", "/events", params={"after": oldest}) as response:
            assert names(await read_sse(response, 100)) == agents(2, 101)


@pytest.mark.realtime
async def test_only_who_may_follow_does(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door:
        for token, status in (("auditor", 403), ("stranger", 401)):
            async with door.http(token) as http:
                assert (await http.get("/events")).status_code == status
            with pytest.raises((InvalidStatus, ConnectionClosed)):
                async with door.ws(token=token) as socket:
                    await socket.recv()


@pytest.mark.realtime
async def test_readers_are_told_when_the_switch_stops(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door, door.http() as http, door.ws() as socket:
        async with http.stream("GET", "/events") as response:
            await door.switch.stop()
            assert await read_sse(response, 1) == []
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1001


def feed_of(size: int) -> tuple[Bus, Feed]:
    bus = Bus()
    return bus, Feed(bus, LoopClock(), EventRing("run", size))


async def test_a_slow_reader_is_cut_and_the_others_are_not() -> None:
    bus, feed = feed_of(5)
    slow, quick = feed.follow(0), feed.follow(0)
    bus.emit(news(0))
    assert len(await anext(slow)) == 1
    for number in range(1, 8):
        assert len(await anext(quick)) == 1
        bus.emit(news(number))
    with pytest.raises(Gone):
        await anext(slow)
    assert [told.seq for told in await anext(quick)] == [8]
    await quick.aclose()


async def test_silence_is_broken_so_that_proxies_keep_the_connection() -> None:
    _, feed = feed_of(5)
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with aclosing(feed.follow(0)) as batches:
        assert await anext(batches) == []
    assert loop.time() - began == pytest.approx(KEEP_ALIVE)


async def test_raw_bytes_of_a_peer_do_not_stop_the_feed() -> None:
    bus, feed = feed_of(5)
    bus.emit(AgentStateChanged(at=0.0, agent="\udcff", before="ready", after="not_ready"))
    (told,) = feed.ring.after(0, 1)
    assert json.loads(told.json)["agent"] == "?"
    assert bus.handler_errors == 0


async def test_a_closed_feed_listens_no_more() -> None:
    bus, feed = feed_of(5)
    feed.close()
    feed.close()
    bus.emit(news(1))
    assert feed.ring.last == 0
    assert [batch async for batch in feed.follow(0)] == []
