"""Connections to bots on real sockets: what is refused, and how an end is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from websockets.asyncio.server import ServerConnection, serve

from sipcc.ivr.bots import links
from sipcc.ivr.bots.links import LinkEnded, connect
from sipcc.ivr.bots.words import MAX_MESSAGE_BYTES

pytestmark = pytest.mark.realtime

Talk = Callable[[ServerConnection], Awaitable[None]]


async def ended(work: Awaitable[object]) -> bool:
    """Whether a connection was lost, and not closed."""
    with pytest.raises(LinkEnded) as caught:
        await work
    return caught.value.lost


async def test_a_websocket_carries_both_kinds_with_its_headers_and_subprotocol() -> None:
    async def talk(socket: ServerConnection) -> None:
        assert socket.request is not None
        await socket.send(f"{socket.request.headers['Authorization']} {socket.subprotocol}")
        async for message in socket:
            await socket.send(message)

    async with serve(talk, "127.0.0.1", 0, subprotocols=["two"]) as server:  # type: ignore[list-item]
        port = server.sockets[0].getsockname()[1]
        link = await connect(
            f"ws://127.0.0.1:{port}/", protocols=("one", "two"), headers={"Authorization": "abc"}, timeout=5
        )
        assert await link.receive() == "abc two"
        for message in ("text", b"bytes"):
            await link.send(message)
            assert await link.receive() == message
        await link.close()
        assert not await ended(link.receive())


@pytest.mark.parametrize(("code", "lost"), [(1000, False), (1001, False), (1011, True), (4000, True)])
async def test_the_close_code_tells_whether_the_bot_meant_it(code: int, lost: bool) -> None:
    async def talk(socket: ServerConnection) -> None:
        await socket.close(code)

    async with serve(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        link = await connect(f"ws://127.0.0.1:{port}/", protocols=(), headers={}, timeout=5)
        assert await ended(link.receive()) is lost
        assert await ended(link.send("late")) is lost
        await link.close()


async def test_a_bot_that_dies_or_says_too_much_is_lost() -> None:
    async def talk(socket: ServerConnection) -> None:
        if await socket.recv() == "die":
            socket.transport.abort()
        else:
            await socket.send("x" * (MAX_MESSAGE_BYTES + 1))
            await socket.wait_closed()

    async with serve(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for word in ("die", "shout"):
            link = await connect(f"ws://127.0.0.1:{port}/", protocols=(), headers={}, timeout=5)
            await link.send(word)
            assert await ended(link.receive())
            await link.close()


async def test_a_bot_whose_machine_is_gone_is_lost_when_it_does_not_answer_pings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(links, "PING_S", 0.05)
    monkeypatch.setattr(links, "PONG_S", 0.1)

    async def talk(socket: ServerConnection) -> None:
        socket.transport.pause_reading()  # type: ignore[attr-defined]
        await socket.wait_closed()

    async with serve(talk, "127.0.0.1", 0, close_timeout=0.1) as server:
        port = server.sockets[0].getsockname()[1]
        link = await connect(f"ws://127.0.0.1:{port}/", protocols=(), headers={}, timeout=5)
        assert await ended(link.receive())
        await link.close()


async def test_what_cannot_be_reached_or_is_none_is_an_oserror() -> None:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(OSError, match="no WebSocket"):  # it never answers
        await connect(f"ws://127.0.0.1:{port}/", protocols=(), headers={}, timeout=0.1)
    server.close()
    await server.wait_closed()
    for url in (f"ws://127.0.0.1:{port}/", f"tcp://127.0.0.1:{port}", "ws://127.0.0.1:x/"):
        with pytest.raises(OSError):  # noqa: PT011  # whatever it says
            await connect(url, protocols=(), headers={}, timeout=1)


async def test_a_tcp_stream() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(100))
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    link = await connect(f"tcp://127.0.0.1:{port}", protocols=(), headers={}, timeout=5)
    await link.send(b"abc")
    assert await link.receive() == b"abc"
    assert not await ended(link.receive())
    await link.close()
    assert await ended(link.send(b"late"))
    server.close()
