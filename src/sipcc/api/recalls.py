"""The list of those to be called back: numbers that gave up waiting and did not call again."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody

from sipcc.acd import RecallTask
from sipcc.api.access import Permit
from sipcc.api.office import needs, office_of
from sipcc.api.once import once
from sipcc.api.schema import Done


@get("/recalls", guards=[needs(Permit.FLOOR)])
async def recalls(request: Request[Any, Any, Any]) -> list[RecallTask]:
    """The open tasks, longest ago first: one for each number in the window of its queue."""
    return office_of(request).centre.acd.recalls()


@post("/recalls/{recall:str}/done", guards=[needs(Permit.COMMAND_ALL)], status_code=200)
async def done(
    request: Request[Any, Any, Any], recall: FromPath[str], data: JSONBody[Done]
) -> Response[RecallTask]:
    """Somebody has called that number: its task is closed. 404 for an unknown one, 409 for a closed one."""
    acd = office_of(request).centre.acd

    def act() -> RecallTask:
        if acd.floor.recalls.known(recall) is None:
            raise NotFoundException(f"there is no recall {recall!r}")
        return acd.close_recall(recall)

    return await once(request, data.request_id, data, act)


RECALLS = [recalls, done]
