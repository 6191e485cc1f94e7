"""Commands that are sent twice with the same request id are done once; see `sipcc.api.requests`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import Request, Response

from sipcc.api.office import bearer_of, encoded, office_of
from sipcc.api.requests import Answer, RequestIdReused
from sipcc.api.schema import Problem
from sipcc.errors import CallEnded, CallRejected, SipccError
from sipcc.log import get_logger

_log = get_logger("sipcc.api")

Act = Callable[[], msgspec.Struct | Awaitable[msgspec.Struct]]
"""Does what was asked, at once or in a while; what comes of it is the answer."""


async def once(
    request: Request[Any, Any, Any],
    request_id: str,
    data: msgspec.Struct,
    act: Act,
) -> Response[Any]:
    """Do `act` unless this request was answered before or is under way, and give its answer.

    It goes on when the client leaves, who may ask again for what came of it. A refusal of ours is an answer
    too, 409; what it raises otherwise is not kept, and may be tried again.
    """
    office, bearer = office_of(request), bearer_of(request)
    asked = request.url.path.encode() + b" " + encoded(data)
    answer = office.requests.known(bearer.name, request_id, asked)
    if answer is None:
        key = (bearer.name, request_id)
        if key not in office.underway:
            task = asyncio.ensure_future(_answer(act))
            office.underway[key] = asked, task

            def kept(done: asyncio.Future[Answer]) -> None:
                office.underway.pop(key, None)
                if not done.cancelled() and done.exception() is None:
                    office.requests.keep(bearer.name, request_id, asked, done.result())

            task.add_done_callback(kept)
        elif office.underway[key][0] != asked:
            raise RequestIdReused(request_id)
        answer = await asyncio.shield(office.underway[key][1])
        _log.info("api.commanded", by=bearer.name, path=request.url.path, status=answer.status)
    return Response(answer.body, status_code=answer.status, media_type="application/json")


async def _answer(act: Act) -> Answer:
    try:
        done = act()
        return Answer(200, encoded(await done if isinstance(done, Awaitable) else done))
    except CallEnded:
        why = "the call is over"
    except CallRejected as error:
        why = f"nobody took it: {error.status}"
    except SipccError as error:
        why = str(error)
    return Answer(409, encoded(Problem(error="conflict", message=why)))
