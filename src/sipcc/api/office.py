"""What the handlers of one application share, who asks, and how a refusal is said."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, NotAuthorizedException, PermissionDeniedException
from litestar.handlers.base import BaseRouteHandler
from litestar.types import Guard

from sipcc.api.access import Bearer, Permit, Tokens, as_bearer, may
from sipcc.api.feed import Feed
from sipcc.api.requests import Answer, RequestIdReused, Requests
from sipcc.api.ring import Gone
from sipcc.api.schema import CentreApi, Problem
from sipcc.errors import LocalProtocolError
from sipcc.log import get_logger

if TYPE_CHECKING:
    from sipcc.api.metrics import Figures

_log = get_logger("sipcc.api")

WORDS = {401: "unauthorised", 403: "forbidden", 404: "unknown", 409: "conflict", 410: "gone"}
"""The word of `Problem.error` for a status; others below 500 are ``invalid``, the rest ``failed``."""

_BODY = "data"
"""What the argument of handlers is called that has the whole body; it is no field of any."""
_EMPTY = 'the body is empty; send a JSON object, such as {"request_id": "r1"}'
_NAMED = re.compile(r"field `([^`]*)`")


class Office:
    """The parts of one application."""

    def __init__(self, centre: CentreApi, tokens: Tokens, feed: Feed, figures: Figures) -> None:
        self.centre = centre
        self.tokens = tokens
        self.feed = feed
        self.figures = figures
        self.requests = Requests()
        self.underway: dict[tuple[str, str], tuple[bytes, asyncio.Future[Answer]]] = {}
        """Commands that wait for somebody, by bearer and request id: what was asked, and its answer."""
        self.supervisors: set[tuple[str, str]] = set()
        """Supervisors who are being rung, as (call, agent)."""
        self.reporting = asyncio.Lock()
        """Held by the report that is being made."""

    def open(self) -> None:
        """The interface is served from now on."""
        self.figures.lag.start()

    def close(self) -> None:
        """Listen to the bus no more; who follows events comes to an end."""
        self.feed.close()
        self.figures.close()
        for _, task in list(self.underway.values()):
            task.cancel()


def office_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Office:
    """The office of the application that `connection` came to."""
    office: Office = connection.app.state.office
    return office


def bearer_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Bearer:
    """Who asks; there when a guard of `needs` has let the request in."""
    bearer: Bearer = connection.state.bearer
    return bearer


def needs(permit: Permit, *, basic: bool = False) -> Guard:
    """A guard that lets in whoever has `permit`; with `basic` the token may be a password."""

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        given = connection.headers.get("authorization", "")
        bearer = office_of(connection).tokens.bearer(as_bearer(given) if basic else given)
        if bearer is None:
            raise NotAuthorizedException("send a known token as Authorization: Bearer TOKEN")
        if not may(bearer.role, permit):
            raise PermissionDeniedException(f"the role {bearer.role} has no {permit.value}")
        connection.state.bearer = bearer

    return guard


def _refusal(status: int, problem: Problem) -> Response[Problem]:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return Response(problem, status_code=status, headers=headers, media_type="application/json")


def _on_http(_: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    status = error.status_code
    message, path = error.detail, ""
    if isinstance(error.extra, list) and error.extra:
        first: dict[str, str] = error.extra[0]
        message = first.get("message", message)
        named = _NAMED.search(message)  # a missing or an unknown field stands only in the text
        key = named[1] if named else first.get("key", "")
        if key == _BODY:
            key, message = "", _EMPTY if message == repr(_BODY) else message
        path = f"$.{key}" if key else "$"
    word = WORDS.get(status, "invalid" if status < 500 else "failed")
    return _refusal(status, Problem(error=word, message=message, path=path))


def _on_conflict(_: Request[Any, Any, Any], error: LocalProtocolError) -> Response[Problem]:
    return _refusal(409, Problem(error="conflict", message=str(error)))


def _on_reused(_: Request[Any, Any, Any], error: RequestIdReused) -> Response[Problem]:
    message = f"request_id {str(error)!r} was used for another request"
    return _refusal(409, Problem(error="request_id_reused", message=message, path="$.request_id"))


def _on_gone(_: Request[Any, Any, Any], error: Gone) -> Response[Problem]:
    return _refusal(410, Problem(error="gone", message=str(error), oldest=error.oldest))


def _on_depth(_: Request[Any, Any, Any], error: RecursionError) -> Response[Problem]:
    return _refusal(400, Problem(error="invalid", message="the body is nested too deep", path="$"))


def _on_fault(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    _log.error("api.failed", path=request.url.path, exc_info=error)
    return _refusal(500, Problem(error="failed", message="a fault on our side; the log tells more"))


REFUSALS: dict[type[Exception] | int, Callable[..., Response[Problem]]] = {
    HTTPException: _on_http,
    LocalProtocolError: _on_conflict,
    RequestIdReused: _on_reused,
    Gone: _on_gone,
    RecursionError: _on_depth,
    Exception: _on_fault,
}
"""How each error is answered."""


def encoded(value: msgspec.Struct) -> bytes:
    """The JSON of `value`."""
    return msgspec.json.encode(value)
