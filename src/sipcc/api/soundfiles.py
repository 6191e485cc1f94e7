"""Sound files over HTTP, whole or in ranges, a piece at a time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

from litestar import Request, Response
from litestar.exceptions import NotFoundException
from litestar.response import Stream

from sipcc.api.ranges import Span, Unsatisfiable, span_of
from sipcc.api.schema import Problem

CHUNK = 64 * 1024
"""Bytes that are in memory at a time."""

KINDS = {".wav": "audio/wav", ".flac": "audio/flac", ".ogg": "audio/ogg"}


async def sound_of(
    request: Request[Any, Any, Any], path: str, what: str, on_sent: Callable[[], None]
) -> Response[Any]:
    """The answer with a sound file, or with the bytes of it that a ``Range`` asks for.

    Args:
        request: Its headers count.
        path: The file.
        what: What is not there, where the file is not.
        on_sent: Called when there is something to be sent.
    """
    try:
        size = (await asyncio.to_thread(os.stat, path)).st_size
    except OSError:
        raise NotFoundException(f"the file of {what!r} is not there") from None
    try:
        span = span_of(request.headers.get("range", ""), size)
    except Unsatisfiable:
        problem = Problem(error="invalid", message=f"the range begins behind the end, which is at {size}")
        return Response(problem, status_code=416, headers={"Content-Range": f"bytes */{size}"})
    on_sent()
    part = span or Span(0, size - 1, size)
    headers = {"Accept-Ranges": "bytes", "Content-Length": str(part.length), "Cache-Control": "no-store"}
    if span is not None:
        headers["Content-Range"] = span.content_range
    return Stream(
        _bytes_of(path, part),
        status_code=200 if span is None else 206,
        headers=headers,
        media_type=KINDS.get(os.path.splitext(path)[1], "application/octet-stream"),
    )


async def _bytes_of(path: str, span: Span) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(open, path, "rb")
    try:
        await asyncio.to_thread(file.seek, span.first)
        left = span.length
        while left > 0 and (block := await asyncio.to_thread(file.read, min(CHUNK, left))):
            left -= len(block)
            yield block
    finally:
        file.close()
