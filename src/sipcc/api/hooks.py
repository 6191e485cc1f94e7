"""Webhooks over HTTP: how each is doing, what was given up, and sending that once more."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody, QueryParameter

from sipcc.api.access import Permit
from sipcc.api.office import bearer_of, encoded, needs, office_of
from sipcc.api.requests import Answer
from sipcc.api.schema import RequestId
from sipcc.records.hookstore import DeadMessage
from sipcc.records.webhooks import Webhooks, WebhookState

WEBHOOKS = [needs(Permit.WEBHOOKS)]


class Replay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a replay."""

    request_id: RequestId
    keys: Annotated[tuple[str, ...], msgspec.Meta(max_length=500)] = ()
    """Which messages; empty for all that were given up."""


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What is being sent once more."""

    count: int


def _hooks(request: Request[Any, Any, Any], name: str = "") -> Webhooks:
    hooks = office_of(request).centre.keeper.webhooks
    if name and name not in hooks.names:
        raise NotFoundException(f"there is no webhook {name!r}")
    return hooks


@get("/webhooks", guards=WEBHOOKS)
async def webhooks(request: Request[Any, Any, Any]) -> list[WebhookState]:
    """How many messages each webhook has not taken yet, and why."""
    return await _hooks(request).states()


@get("/webhooks/{name:str}/dead", guards=WEBHOOKS)
async def dead(
    request: Request[Any, Any, Any],
    name: FromPath[str],
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
) -> list[DeadMessage]:
    """The oldest messages that were given up."""
    return await _hooks(request, name).dead(name, limit=limit)


@post("/webhooks/{name:str}/replay", guards=WEBHOOKS, status_code=200)
async def replay(
    request: Request[Any, Any, Any], name: FromPath[str], data: JSONBody[Replay]
) -> Response[Replayed]:
    """Send messages that were given up once more, under the keys that they had."""
    hooks = _hooks(request, name)
    requests, by = office_of(request).requests, bearer_of(request).name
    asked = request.url.path.encode() + b" " + encoded(data)
    answer = requests.known(by, data.request_id, asked)
    if answer is None:
        answer = Answer(200, encoded(Replayed(count=await hooks.replay(name, data.keys))))
        requests.keep(by, data.request_id, asked, answer)
    said: Response[Any] = Response(answer.body, status_code=answer.status, media_type="application/json")
    return said


HOOK_PAGES = [webhooks, dead, replay]
