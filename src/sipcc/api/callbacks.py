"""Who is to be called back: list, book, cancel."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody

from sipcc.acd.callback import Callback
from sipcc.api.access import Permit
from sipcc.api.office import needs, office_of
from sipcc.api.once import once
from sipcc.api.schema import CallbackOrder, CallbackRow, Done
from sipcc.errors import LocalProtocolError


def _row(callback: Callback) -> CallbackRow:
    return CallbackRow(
        id=callback.id,
        queue=callback.queue,
        number=callback.number,
        priority=callback.priority,
        joined=callback.joined,
        booked=callback.booked,
        expires=callback.expires,
        not_before=callback.not_before,
        attempts=callback.attempts,
        state=callback.state,
        outcome=callback.outcome,
    )


@get("/callbacks", guards=[needs(Permit.FLOOR)])
async def callbacks(request: Request[Any, Any, Any]) -> list[CallbackRow]:
    """Who is to be called back, the oldest place of each queue first."""
    return [_row(one) for one in office_of(request).centre.acd.callbacks()]


@post("/callbacks", guards=[needs(Permit.COMMAND_ALL)], status_code=200)
async def book(request: Request[Any, Any, Any], data: JSONBody[CallbackOrder]) -> Response[CallbackRow]:
    """Have somebody called back who does not wait; a number that is to be called back already keeps that.

    404 for an unknown queue, 409 for a number that must not be called, with the reason.
    """
    acd = office_of(request).centre.acd

    def act() -> CallbackRow:
        try:
            acd.floor.line(data.queue)
        except LocalProtocolError as error:
            raise NotFoundException(str(error)) from None
        return _row(acd.book_callback(data.queue, data.number, priority=data.priority))

    return await once(request, data.request_id, data, act)


@post("/callbacks/{callback:str}/cancel", guards=[needs(Permit.COMMAND_ALL)], status_code=200)
async def cancel(
    request: Request[Any, Any, Any], callback: FromPath[str], data: JSONBody[Done]
) -> Response[CallbackRow]:
    """Call nobody back after all; 409 while the customer is being called, 404 for an unknown one."""
    acd = office_of(request).centre.acd

    def act() -> CallbackRow:
        if callback not in {one.id for one in acd.callbacks()}:
            raise NotFoundException(f"there is no callback {callback!r}")
        return _row(acd.cancel_callback(callback))

    return await once(request, data.request_id, data, act)


@post("/recalls/{recall:str}/call-back", guards=[needs(Permit.COMMAND_ALL)], status_code=200)
async def call_back(
    request: Request[Any, Any, Any], recall: FromPath[str], data: JSONBody[Done]
) -> Response[CallbackRow]:
    """Have somebody called back who gave up waiting; its task is closed."""
    acd = office_of(request).centre.acd

    def act() -> CallbackRow:
        if acd.floor.recalls.known(recall) is None:
            raise NotFoundException(f"there is no recall {recall!r}")
        return _row(acd.call_back(recall))

    return await once(request, data.request_id, data, act)


CALLBACKS = [callbacks, book, cancel, call_back]
