"""Events as they happen: over SSE and over WebSocket, from now on or from a cursor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from litestar import Request, WebSocket, get, websocket
from litestar.exceptions import WebSocketDisconnect
from litestar.params import FromQuery
from litestar.response import Stream

from sipcc.api.access import Permit
from sipcc.api.feed import Feed
from sipcc.api.office import needs, office_of
from sipcc.api.ring import Gone

EVENTS = [needs(Permit.EVENTS)]

CLOSED_GONE = 4410
"""Close code for a reader whose cursor is not kept, or who was too slow; 4000 + the status of HTTP."""

CLOSED_LEAVING = 1001
"""Close code when the switch stops (RFC 6455 section 7.4.1)."""


@get("/events", guards=EVENTS)
async def events(request: Request[Any, Any, Any], after: FromQuery[str] = "") -> Stream:
    """Follow all events as Server-Sent Events, from behind ``Last-Event-ID`` or ``after``; else from now on.

    A cursor that is not kept any more is answered with 410, which names the oldest. A reader that is too
    slow is cut off.
    """
    feed = office_of(request).feed
    place = feed.ring.place_of(request.headers.get("last-event-id", "") or after)
    return Stream(_as_sse(feed, place), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def _as_sse(feed: Feed, place: int) -> AsyncIterator[bytes]:
    yield f"id: {feed.ring.cursor_of(place)}\n\n".encode()  # moves the reader's Last-Event-ID, tells nothing
    try:
        async for batch in feed.follow(place):
            parts = [b"id: %s\ndata: %s\n\n" % (told.cursor.encode(), told.json) for told in batch]
            yield b"".join(parts) or b": nothing new\n\n"
    except Gone:
        return  # it comes back with its cursor, and is told then


@websocket("/events/ws", guards=EVENTS)
async def events_ws(socket: WebSocket[Any, Any, Any], after: FromQuery[str] = "") -> None:
    """Follow all events, one in each text message, from behind the cursor `after`; else from now on."""
    feed = office_of(socket).feed
    await socket.accept()
    try:
        place = feed.ring.place_of(after)
    except Gone as gone:
        await socket.close(CLOSED_GONE, str(gone))
        return
    sending = asyncio.create_task(_send(socket, feed, place), name="api events")
    leaving = asyncio.create_task(_until_left(socket), name="api reader")
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, leaving):
            task.cancel()
        await asyncio.gather(sending, leaving, return_exceptions=True)


async def _send(socket: WebSocket[Any, Any, Any], feed: Feed, place: int) -> None:
    try:
        async for batch in feed.follow(place):
            for told in batch:
                await socket.send_text(told.json.decode())
    except Gone as gone:
        await socket.close(CLOSED_GONE, str(gone))
        return
    await socket.close(CLOSED_LEAVING, "the switch stops")


async def _until_left(socket: WebSocket[Any, Any, Any]) -> None:
    """Read and forget what the reader says, until it leaves."""
    try:
        while True:
            await socket.receive_data(mode="text")
    except WebSocketDisconnect:
        return


FOLLOWING = [events, events_ws]
