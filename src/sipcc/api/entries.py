"""What can be done with callers who wait: another queue, another priority, a certain agent.

Each takes effect at the next offer. 404 for an entry that is not there (any more), 409 with the reason for
what is not possible now.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import Request, Response, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody

from sipcc.acd import Acd
from sipcc.api.access import Permit
from sipcc.api.office import bearer_of, needs, office_of
from sipcc.api.once import once
from sipcc.api.schema import Assignment, Move, Priority, Steered


@post("/entries/{entry:str}/move", guards=[needs(Permit.COMMAND_ALL)], status_code=200)
async def move(
    request: Request[Any, Any, Any], entry: FromPath[str], data: JSONBody[Move]
) -> Response[Steered]:
    """Send a waiting caller to another queue; it has a new entry there."""

    def act(acd: Acd, by: str) -> Steered:
        new = acd.move(entry, data.queue, keep_place=data.keep_place, by=by)
        return Steered(entry=new, queue=data.queue)

    return await _steer(request, entry, data, act)


@post("/entries/{entry:str}/prioritise", guards=[needs(Permit.COMMAND_ALL)], status_code=200)
async def prioritise(
    request: Request[Any, Any, Any], entry: FromPath[str], data: JSONBody[Priority]
) -> Response[Steered]:
    """Give a waiting caller another priority, beside that of its queue."""

    def act(acd: Acd, by: str) -> Steered:
        acd.prioritise(entry, data.priority, by=by)
        return Steered(entry=entry, queue=acd.floor.entries[entry].queue)

    return await _steer(request, entry, data, act)


@post("/entries/{entry:str}/assign", guards=[needs(Permit.COMMAND_ALL)], status_code=200)
async def assign(
    request: Request[Any, Any, Any], entry: FromPath[str], data: JSONBody[Assignment]
) -> Response[Steered]:
    """Reserve a waiting caller for one agent of its queue."""

    def act(acd: Acd, by: str) -> Steered:
        queue = acd.floor.in_line(entry).queue
        acd.assign(entry, data.agent, by=by)
        return Steered(entry=entry, queue=queue)

    return await _steer(request, entry, data, act)


async def _steer(
    request: Request[Any, Any, Any],
    entry: str,
    data: Move | Priority | Assignment,
    act: Callable[[Acd, str], Steered],
) -> Response[Any]:
    acd = office_of(request).centre.acd

    def steered() -> Steered:
        if entry not in acd.floor.entries:
            raise NotFoundException(f"there is no entry {entry!r}")
        return act(acd, bearer_of(request).name)

    return await once(request, data.request_id, data, steered)


ENTRIES = [move, prioritise, assign]
