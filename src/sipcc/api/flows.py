"""Flows: their versions and the calls in them, and a message or another destination for all, for a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody

from sipcc.api.access import Permit
from sipcc.api.office import bearer_of, needs, office_of
from sipcc.api.once import once
from sipcc.api.schema import Done, FlowsDesk, RequestId
from sipcc.ivr.flows.desk import FlowView, UnknownFlow


class FlowOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of an override. It has `prompt`, `to`, or both."""

    request_id: RequestId
    seconds: Annotated[float, msgspec.Meta(gt=0)]
    """How long from now."""
    prompt: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    """A prompt's name or a text, which callers hear before the flow, or before `to`."""
    to: str = ""
    """The destination in place of the flow; empty for the flow."""


@get("/flows", guards=[needs(Permit.FLOOR)])
async def flows(request: Request[Any, Any, Any]) -> Sequence[FlowView]:
    """How each flow stands: its version, the calls in each version and node, and its override."""
    return office_of(request).centre.flow_desk.views()


@post("/flows/{name:str}/override", guards=[needs(Permit.COMMAND_ALL)], status_code=200)
async def override(
    request: Request[Any, Any, Any], name: FromPath[str], data: JSONBody[FlowOrder]
) -> Response[FlowView]:
    """Have callers who come to a flow hear something first, or go elsewhere; 409 for what cannot be."""

    async def act(desk: FlowsDesk, by: str) -> FlowView:
        await desk.try_voice(name, data.prompt)
        return desk.override(name, seconds=data.seconds, prompt=data.prompt, to=data.to, by=by)

    return await _done(request, data, act)


@post("/flows/{name:str}/clear", guards=[needs(Permit.COMMAND_ALL)], status_code=200)
async def clear(
    request: Request[Any, Any, Any], name: FromPath[str], data: JSONBody[Done]
) -> Response[FlowView]:
    """Have a flow go as it is written again; one that does already stays as it is."""
    return await _done(request, data, lambda desk, by: desk.clear(name, by=by))


@post("/flows/{name:str}/promote", guards=[needs(Permit.COMMAND_ALL)], status_code=200)
async def promote(
    request: Request[Any, Any, Any], name: FromPath[str], data: JSONBody[Done]
) -> Response[FlowView]:
    """Give all callers the changed version of a flow; 409 when none is tried."""
    return await _done(request, data, lambda desk, by: desk.end_trial(name, promote=True, by=by))


@post("/flows/{name:str}/rollback", guards=[needs(Permit.COMMAND_ALL)], status_code=200)
async def rollback(
    request: Request[Any, Any, Any], name: FromPath[str], data: JSONBody[Done]
) -> Response[FlowView]:
    """Give no caller the changed version of a flow; 409 when none is tried."""
    return await _done(request, data, lambda desk, by: desk.end_trial(name, promote=False, by=by))


async def _done(
    request: Request[Any, Any, Any],
    data: FlowOrder | Done,
    act: Callable[[FlowsDesk, str], FlowView | Awaitable[FlowView]],
) -> Response[Any]:
    desk, by = office_of(request).centre.flow_desk, bearer_of(request).name

    async def acted() -> FlowView:
        try:
            done = act(desk, by)
            return await done if isinstance(done, Awaitable) else done
        except UnknownFlow as error:
            raise NotFoundException(str(error)) from error

    return await once(request, data.request_id, data, acted)


FLOWS = [flows, override, clear, promote, rollback]
