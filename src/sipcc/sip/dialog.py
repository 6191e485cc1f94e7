"""Dialogs (RFC 3261 §12): tags, sequence numbers, route set and remote target of one peer-to-peer line.

A core without time. The session above decides what requests mean; this decides how they are numbered,
addressed and matched.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sipcc.errors import ParseError, RemoteProtocolError
from sipcc.sip.message import Request, Response
from sipcc.sip.uri import NameAddr, SipUri

MAX_CSEQ = 2**31 - 1
"""Sequence numbers are below 2**31 (RFC 3261 §8.1.1.5)."""


class Dialog:
    """One dialog, early or confirmed, seen from our side."""

    __slots__ = (
        "call_id",
        "local",
        "local_cseq",
        "local_tag",
        "remote",
        "remote_cseq",
        "remote_tag",
        "remote_target",
        "route_set",
    )

    def __init__(
        self,
        *,
        call_id: str,
        local: NameAddr,
        remote: NameAddr,
        remote_target: SipUri,
        route_set: Sequence[NameAddr] = (),
        local_cseq: int = 0,
        remote_cseq: int | None = None,
    ) -> None:
        self.call_id = call_id
        self.local_tag = local.tag
        self.remote_tag = remote.tag
        self.local = _written(local)
        """Value of the From header of our requests, tag included."""
        self.remote = _written(remote)
        """Value of the To header of our requests; a peer of RFC 2543 may have no tag."""
        self.remote_target = remote_target
        self.route_set = tuple(route_set)
        self.local_cseq = local_cseq
        self.remote_cseq = remote_cseq

    @classmethod
    def of_request(cls, request: Request, local_tag: str) -> Dialog:
        """The dialog that a UAS makes by answering `request` with `local_tag` (RFC 3261 §12.1.1)."""
        return cls(
            call_id=request.call_id,
            local=request.to.with_tag(local_tag),
            remote=request.from_,
            remote_target=_contact_of(request) or request.from_.uri,
            route_set=request.record_routes,
            remote_cseq=request.cseq.number,
        )

    @classmethod
    def of_response(cls, request: Request, response: Response) -> Dialog:
        """The dialog that a UAC gets by a response with a To tag (RFC 3261 §12.1.2)."""
        return cls(
            call_id=request.call_id,
            local=request.from_,
            remote=response.to,
            # RFC 3261 demands a Contact here; peers that forget it are still reached where the INVITE went
            remote_target=_contact_of(response) or request.uri,
            route_set=response.record_routes[::-1],
            local_cseq=request.cseq.number,
        )

    def confirm(self, other: Dialog) -> None:
        """Take route set and target of the dialog that the 2xx makes (RFC 3261 §13.2.2.4)."""
        self.route_set = other.route_set
        self.remote_target = other.remote_target

    @property
    def next_hop(self) -> SipUri:
        """Where requests go first: the first route, else the remote target (RFC 3261 §8.1.2)."""
        return self.route_set[0].uri if self.route_set else self.remote_target

    def next_cseq(self) -> int:
        """Take the next sequence number of ours."""
        self.local_cseq = self.local_cseq + 1 if self.local_cseq < MAX_CSEQ else 1
        return self.local_cseq

    def request(
        self,
        method: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        cseq: int | None = None,
    ) -> Request:
        """A request in this dialog, without Via (RFC 3261 §12.2.1.1).

        `cseq` is for ACK alone, which takes the number of its INVITE; others get the next one.
        """
        uri, routes = self._routing()
        number = self.next_cseq() if cseq is None else cseq
        return Request.build(
            method,
            uri,
            headers=[
                ("Max-Forwards", "70"),
                *(("Route", route) for route in routes),
                ("From", self.local),
                ("To", self.remote),
                ("Call-ID", self.call_id),
                ("CSeq", f"{number} {method}"),
                *headers,
            ],
            body=body,
        )

    def receive(self, request: Request) -> None:
        """Check the order of an in-dialog request, ACK and CANCEL excepted.

        Raises:
            RemoteProtocolError: its CSeq is not above the last one; `status_hint` is 500
                (RFC 3261 §12.2.2).
        """
        number = request.cseq.number
        if self.remote_cseq is not None and number <= self.remote_cseq:
            raise RemoteProtocolError(
                f"CSeq {number} of a {request.method} after {self.remote_cseq}", status_hint=500
            )
        self.remote_cseq = number

    def refresh(self, message: Request | Response) -> None:
        """Take the Contact of a target refresh: re-INVITE, UPDATE, or a 2xx to one."""
        contact = _contact_of(message)
        if contact is not None:
            self.remote_target = contact

    def _routing(self) -> tuple[SipUri, list[str]]:
        """Request-URI and Route values; a first route without ``lr`` is a strict router (§12.2.1.1)."""
        routes = self.route_set
        if not routes:
            return self.remote_target, []
        first = routes[0].uri
        if first.param("lr") is not None:
            return self.remote_target, [str(route) for route in routes]
        rest = [str(route) for route in routes[1:]]
        return first, [*rest, f"<{self.remote_target}>"]


def _written(value: NameAddr) -> str:
    """A From or To value as we may send it: a display name with control characters is left out."""
    if any(character < " " or character == "\x7f" for character in value.display):
        value = NameAddr(value.uri, "", value.params)
    return str(value)


def _contact_of(message: Request | Response) -> SipUri | None:
    """The URI of the first Contact that is one we can send to, or None."""
    try:
        contacts = message.contacts
    except ParseError:
        return None
    for contact in contacts:
        if contact.uri.scheme in {"sip", "sips", "tel"}:
            return contact.uri.as_target()
    return None
