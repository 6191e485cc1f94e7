"""The settings of a switch that runs: its file is read anew on request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, Response, post
from litestar.params import JSONBody

from sipcc.api.access import Permit
from sipcc.api.office import bearer_of, encoded, needs, office_of
from sipcc.api.requests import Answer
from sipcc.api.schema import Done, Problem, ReloadAnswer, ReloadDone
from sipcc.errors import ConfigError, LocalProtocolError
from sipcc.log import get_logger

_log = get_logger("sipcc.api")


@post("/config/reload", guards=[needs(Permit.CONFIG)], status_code=200)
async def reload(request: Request[Any, Any, Any], data: JSONBody[Done]) -> Response[ReloadAnswer]:
    """Read the configuration anew and go over to it while calls go on; what has changed.

    422 says what is wrong with the file and where; then nothing has changed. 409 is for a switch that was not
    made from a file.
    """
    office, bearer = office_of(request), bearer_of(request)
    asked = request.url.path.encode() + b" " + encoded(data)
    answer = office.requests.known(bearer.name, data.request_id, asked)
    if answer is None:
        answer = await _reloaded(office.centre.reload)
        office.requests.keep(bearer.name, data.request_id, asked, answer)
        _log.info("api.commanded", by=bearer.name, path=request.url.path, status=answer.status)
    return Response(answer.body, status_code=answer.status, media_type="application/json")  # type: ignore[arg-type]


async def _reloaded(reload_: Callable[[], Awaitable[ReloadDone]]) -> Answer:
    try:
        done = await reload_()
    except ConfigError as error:
        message = f"{error.message} ({error.hint})" if error.hint else error.message
        return Answer(422, encoded(Problem(error="invalid", message=message, path=error.path)))
    except LocalProtocolError as error:
        return Answer(409, encoded(Problem(error="conflict", message=str(error))))
    return Answer(200, encoded(ReloadAnswer(digest=done.digest, changes=done.changes, kept=done.kept)))


CONFIG = [reload]
