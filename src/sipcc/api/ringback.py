"""Ringback: what the callers of each number hear before somebody answers, changed without a restart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody

from sipcc.api.access import Permit
from sipcc.api.office import bearer_of, needs, office_of
from sipcc.api.once import once
from sipcc.api.schema import Done, RequestId
from sipcc.ivr.ringback import RingbackView, UnknownNumber


class RingbackOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a change: a `text` for the voice, or a `prompt` or file by its name; just one of them."""

    request_id: RequestId
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)] | None = None
    """What the voice says, in the language of the number."""
    prompt: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    """A prompt of the catalogue, or a file in the folder of prompts; empty for the ordinary ringing."""

    def __post_init__(self) -> None:
        """One of the two, and no file of elsewhere."""
        if (self.text is None) == (self.prompt is None):
            raise ValueError("send `text` or `prompt`, just one of them")
        if (self.prompt or "").startswith(("/", "~")):
            raise ValueError("a file is named from the folder of prompts on")


@get("/ringbacks", guards=[needs(Permit.FLOOR)])
async def ringbacks(request: Request[Any, Any, Any]) -> Sequence[RingbackView]:
    """What callers of each number hear before somebody answers."""
    return office_of(request).centre.ringbacks.views()


@post("/ringbacks/{number:str}", guards=[needs(Permit.COMMAND_ALL)], status_code=200)
async def set_ringback(
    request: Request[Any, Any, Any], number: FromPath[str], data: JSONBody[RingbackOrder]
) -> Response[RingbackView]:
    """Let the next callers hear something else; 409 when it is not there or the voice cannot say it."""
    desk, by = office_of(request).centre.ringbacks, bearer_of(request).name
    prompt = f"text:{data.text}" if data.text is not None else data.prompt or ""

    async def acted() -> RingbackView:
        try:
            return await desk.set(number, prompt, by=by)
        except UnknownNumber as error:
            raise NotFoundException(str(error)) from error

    return await once(request, data.request_id, data, acted)


@post("/ringbacks/{number:str}/clear", guards=[needs(Permit.COMMAND_ALL)], status_code=200)
async def clear_ringback(
    request: Request[Any, Any, Any], number: FromPath[str], data: JSONBody[Done]
) -> Response[RingbackView]:
    """Go by the configuration again; where nothing was set nothing changes."""
    desk, by = office_of(request).centre.ringbacks, bearer_of(request).name

    def acted() -> RingbackView:
        try:
            return desk.clear(number, by=by)
        except UnknownNumber as error:
            raise NotFoundException(str(error)) from error

    return await once(request, data.request_id, data, acted)


RINGBACKS = [ringbacks, set_ringback, clear_ringback]
