"""Opening hours: how each calendar stands, and one that is open or closed for a time whatever it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody

from sipcc.api.access import Permit
from sipcc.api.office import bearer_of, needs, office_of
from sipcc.api.once import once
from sipcc.api.schema import Done, HoursDesk, RequestId
from sipcc.ivr.hours import CalendarView, State, UnknownCalendar


class HoursOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of an override. It has `seconds` or `until`, just one of them."""

    request_id: RequestId
    state: State
    seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None
    """How long from now."""
    until: float | None = None
    """The Unix time at which the calendar counts again."""

    def __post_init__(self) -> None:
        if (self.seconds is None) == (self.until is None):
            raise ValueError("send `seconds` or `until`, just one of them")


@get("/hours", guards=[needs(Permit.FLOOR)])
async def hours(request: Request[Any, Any, Any]) -> Sequence[CalendarView]:
    """How each calendar stands, and why; with its override, if one counts."""
    return office_of(request).centre.hours.views()


@post("/hours/{name:str}/override", guards=[needs(Permit.COMMAND_ALL)], status_code=200)
async def override(
    request: Request[Any, Any, Any], name: FromPath[str], data: JSONBody[HoursOrder]
) -> Response[CalendarView]:
    """Have a calendar open or closed whatever it says; 409 for an end that is past or too far away."""

    def act(desk: HoursDesk, by: str) -> CalendarView:
        return desk.override(name, data.state, until=data.until, seconds=data.seconds, by=by)

    return await _done(request, data, act)


@post("/hours/{name:str}/clear", guards=[needs(Permit.COMMAND_ALL)], status_code=200)
async def clear(
    request: Request[Any, Any, Any], name: FromPath[str], data: JSONBody[Done]
) -> Response[CalendarView]:
    """Have a calendar go by its hours again; one that does already stays as it is."""
    return await _done(request, data, lambda desk, by: desk.clear(name, by=by))


async def _done(
    request: Request[Any, Any, Any], data: HoursOrder | Done, act: Callable[[HoursDesk, str], CalendarView]
) -> Response[Any]:
    desk, by = office_of(request).centre.hours, bearer_of(request).name

    def acted() -> CalendarView:
        try:
            return act(desk, by)
        except UnknownCalendar as error:
            raise NotFoundException(str(error)) from error

    return await once(request, data.request_id, data, acted)


HOURS = [hours, override, clear]
