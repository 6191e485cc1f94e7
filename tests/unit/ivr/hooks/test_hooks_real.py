"""Applications behind real sockets that are slow, dead, huge, or lead inside: each failure has its word."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sipcc.call.destination import Destination
from sipcc.ivr.fetchhttp import HttpFetcher
from sipcc.ivr.hooks.http import HttpDoor
from sipcc.ivr.hooks.run import Runner
from sipcc.ivr.hooks.settings import WebAppSettings
from sipcc.ivr.hooks.ws import WsDoor
from sipcc.ivr.sim import SimSession

pytestmark = pytest.mark.realtime

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def http(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


def answering(data: bytes) -> Serve:
    """Sends the same to everybody."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)

    return serve


async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def dribbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A byte now and then: no single wait is long."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await asyncio.sleep(0.02)


async def failures_of(serve: Serve | None, *, scheme: str = "http", **settings: Any) -> list[str]:
    """How a call failed whose application serves so; None is a port at which nobody listens."""
    connections: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            if serve is not None:
                await serve(reader, writer)
        except (OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    if serve is None:
        server.close()
    url = f"{scheme}://127.0.0.1:{port}/call"
    app = WebAppSettings(name="bank", url=url, fallback="queue:sales", **{"timeout": 0.3, **settings})
    fetcher, session, failures = HttpFetcher(), SimSession(""), []
    fetcher.allow(f"http://127.0.0.1:{port}/")
    web = HttpDoor(app, fetcher.session(), wall=session.wall, choose=lambda count: 0)
    door = WsDoor(app, choose=lambda count: 0, web=web) if scheme == "ws" else web
    await Runner(
        session,
        door,
        fallback=Destination.parse(app.fallback),
        account="sipcc",
        application="bank",
        on_failed=lambda kind, why: failures.append(kind),
    ).run()
    assert ("enqueue" in [line.what for line in session.lines]) == bool(failures)
    await fetcher.close()
    server.close()
    for task in connections:
        task.cancel()
    await asyncio.gather(*connections, return_exceptions=True)
    return failures


INSIDE = json.dumps([{"verb": "redirect", "actionHook": "http://169.254.169.254/latest"}]).encode()
TO_FILE = json.dumps([{"verb": "play", "url": "file:///etc/passwd"}]).encode()


@pytest.mark.parametrize(
    ("serve", "failures"),
    [
        (answering(http(b'[{"verb": "hangup"}]')), []),
        (answering(http(b"")), []),
        (None, ["unreachable"]),
        (never, ["slow"]),
        (dribbling, ["slow"]),
        (answering(b""), ["unreachable"]),
        (answering(b"\x00\xff garbage\r\n\r\n"), ["unreadable"]),
        (answering(http(b" " * 300_000)), ["unreadable"]),
        (answering(http(b"<html>")), ["unreadable"]),
        (answering(http(b"", "500 Internal Server Error")), ["status"]),
        (answering(http(b"", "302 Found", "Location: http://10.1.2.3/\r\n")), ["refused"]),
        (answering(http(b"", "301 Moved Permanently", "Location: /call\r\n")), ["status"]),
        (
            answering(http(gzip.compress(b" " * 50_000_000), more="Content-Encoding: gzip\r\n")),
            ["unreadable"],
        ),
        (answering(http(b"{}", more="Content-Encoding: gzip\r\n")), ["unreadable"]),
        (answering(http(b"RIFF....WAVE", more="Content-Type: audio/wav\r\n")), ["unreadable"]),
        (answering(http(INSIDE)), ["refused"]),
        (answering(http(TO_FILE)), ["unreadable"]),
    ],
)
async def test_over_http(serve: Serve | None, failures: list[str]) -> None:
    assert await failures_of(serve) == failures


@pytest.mark.parametrize(
    ("serve", "failures"),
    [(None, ["unreachable"]), (never, ["unreachable"]), (answering(http(b"no")), ["unreachable"])],
)
async def test_over_a_websocket(serve: Serve | None, failures: list[str]) -> None:
    assert await failures_of(serve, scheme="ws") == failures
