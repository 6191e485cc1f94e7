"""A request of the peer that somebody above the endpoint answers, now or later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcc.sip.build import response as build_response
from sipcc.sip.headers import Headers
from sipcc.sip.message import Response, dialog_key

if TYPE_CHECKING:
    from sipcc.sip.session import InviteSession
    from sipcc.sip.session_api import HeaderList, SessionHost
    from sipcc.sip.transaction.machine import ServerTransaction


class InboundRequest:
    """A request for a handler of `Endpoint.on_request`, or one in a dialog for `SessionListener.on_request`.

    A handler that never answers is answered for: 500 after 64*T1.
    """

    __slots__ = ("_host", "_transaction", "admitted", "deadline", "flow", "heaped", "request", "session")

    def __init__(
        self,
        host: SessionHost,
        transaction: ServerTransaction,
        *,
        admitted: object | None = None,
        session: InviteSession | None = None,
    ) -> None:
        self.request = transaction.request
        self.flow = transaction.source
        """The flow that the request came on; its `remote` is where it came from."""
        self.admitted = admitted
        """What admission said of a request outside of dialogs."""
        self.session = session
        """The session in whose dialog the request came, or None."""
        self.heaped: float | None = None
        self.deadline: float | None = host.now() + host.timers.timeout
        """When 500 is sent for a handler that never answers."""
        self._host = host
        self._transaction = transaction

    @property
    def answered(self) -> bool:
        """True once a final answer was sent."""
        return self.deadline is None

    def respond(self, response: Response) -> None:
        """Send the answer; a To tag is added when it has none. What comes after the final one is dropped."""
        if self.answered:
            self._host.counters["answers_too_late"] += 1
            return
        if response.status >= 200:
            self.deadline = None
        if response.status > 100:
            tag_to(response, self._host.ids.tag())
        self._host.respond(self._transaction, response)

    def reply(
        self,
        status: int,
        reason: str | None = None,
        *,
        headers: HeaderList = (),
        body: bytes = b"",
        content_type: str = "application/sdp",
    ) -> None:
        """Answer with a status, and headers and a body if they are given."""
        headers = [*headers, *self._host.response_headers]
        self.respond(
            build_response(
                self.request, status, reason, headers=headers, body=body, content_type=content_type
            )
        )

    def expire(self, *, now: float) -> None:
        """Nobody has answered in time: 500."""
        self._host.counters["unanswered"] += 1
        self.reply(500)


def tag_to(response: Response, tag: str) -> None:
    """Give To a tag if it has none."""
    raw = response.headers.get_raw("To")
    if raw is None or dialog_key(response)[2]:
        return
    tagged = raw + b";tag=" + tag.encode("ascii")
    # `set` would refuse a To with quoted control characters, which is legal and came from the peer
    items = [("To", tagged) if name == "To" else (name, old) for name, old in response.headers.items]
    response.headers = Headers.trusted(items)
