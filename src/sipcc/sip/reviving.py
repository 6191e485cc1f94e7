"""Sessions that outlive their process: written down while they are up, and taken up again by another one.

What is kept is the dialog (RFC 3261 §12), the flow, the session timer and our description in force: enough to
go on with a confirmed session. Whatever was under way in the moment of the crash is not: a transaction of
ours has no answer, and one of the peer's is repeated by it. Sequence numbers of ours leap ahead, since
requests may have left after the last note; those of the peer are taken as noted, for any higher one is in
order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from sipcc.errors import ParseError, TransportError
from sipcc.sip.dialog import MAX_CSEQ, Dialog
from sipcc.sip.message import Request
from sipcc.sip.offer import Turn
from sipcc.sip.parser import parse_datagram
from sipcc.sip.session import InviteSession
from sipcc.sip.session_api import SessionHost, SessionPolicy, SessionState
from sipcc.sip.transport.base import Address, Flow, TransportName
from sipcc.sip.uri import NameAddr, SipUri

if TYPE_CHECKING:
    from sipcc.sip.endpoint import Endpoint

CSEQ_LEAP = 1000
"""More requests than a session sends between two notes."""


class SavedSession(msgspec.Struct, frozen=True, kw_only=True):
    """A confirmed session as it is written down."""

    role: Literal["uas", "uac"]
    invite: bytes
    """The INVITE that began it."""
    local_tag: str
    local: str
    remote: str
    target: str
    routes: tuple[str, ...] = ()
    local_cseq: int
    remote_cseq: int | None = None
    transport: TransportName
    here: tuple[str, int]
    """Our end of its flow."""
    there: tuple[str, int]
    contact_user: str = ""
    local_body: bytes = b""
    interval: int = 0
    """Seconds of the session timer in force; 0 for none."""
    refresher: Literal["us", "peer"] = "us"
    peer_updates: bool = False


def save(session: InviteSession) -> SavedSession | None:
    """What is to be kept of a session; None unless it is confirmed."""
    dialog, flow, timer = session.dialog, session.flow, session.timer
    if session.state is not SessionState.CONFIRMED or dialog is None:
        return None
    return SavedSession(
        role=session.role,
        invite=bytes(session.request),
        local_tag=session.local_tag,
        local=dialog.local,
        remote=dialog.remote,
        target=str(dialog.remote_target),
        routes=tuple(str(route) for route in dialog.route_set),
        local_cseq=dialog.local_cseq,
        remote_cseq=dialog.remote_cseq,
        transport=flow.transport,
        here=flow.local,
        there=flow.remote,
        contact_user=session.contact_user,
        local_body=session.local_body,
        interval=timer.interval,
        refresher=timer.refresher,
        peer_updates=timer.peer_updates,
    )


class RevivedSession(InviteSession):
    """A confirmed session whose beginning another process has seen."""

    def __init__(
        self, host: SessionHost, saved: SavedSession, flow: Flow, policy: SessionPolicy | None
    ) -> None:
        invite = parse_datagram(saved.invite, tolerant=True)
        if not isinstance(invite, Request):
            raise ParseError("what began the session is no request", layer="start-line")
        super().__init__(host, invite, flow, saved.local_tag, policy)
        self.role: Literal["uas", "uac"] = saved.role
        self.state = SessionState.CONFIRMED
        self.dialog = Dialog(
            call_id=self.call_id,
            local=NameAddr.parse(saved.local),
            remote=NameAddr.parse(saved.remote),
            remote_target=SipUri.parse(saved.target),
            route_set=[NameAddr.parse(route) for route in saved.routes],
            local_cseq=min(saved.local_cseq + CSEQ_LEAP, MAX_CSEQ),
            remote_cseq=saved.remote_cseq,
        )
        self.contact_user = saved.contact_user
        self.local_body = saved.local_body
        self.turn = Turn()
        self.turn.initial = False


def revive(
    endpoint: Endpoint,
    saved: SavedSession,
    *,
    policy: SessionPolicy | None = None,
    credentials: object = None,
) -> InviteSession:
    """Take a session up again: its peer's requests find it, and its verbs work.

    `credentials` are for a peer that challenges us.

    Raises:
        ParseError: what was written down is damaged.
    """
    outbound = endpoint.outbound
    session = RevivedSession(outbound, saved, _flow_of(endpoint, saved), policy)
    session.credentials = credentials
    outbound.open_usage(session)
    if saved.interval:
        session.timer.resume(
            saved.interval, saved.refresher, peer_updates=saved.peer_updates, now=outbound.now()
        )
        deadline = session.timer.deadline
        if deadline is not None:
            session.set_due("timer", deadline)
    return session


class _LostFlow:
    """A stream that ended with the process that had it; requests find another way to its peer."""

    reliable = True
    closed = True
    peer_names: frozenset[str] = frozenset()

    def __init__(self, saved: SavedSession) -> None:
        self.transport: TransportName = saved.transport
        self.local = Address(*saved.here)
        self.remote = Address(*saved.there)

    def send(self, data: bytes) -> None:
        """Raise TransportError, as any closed flow does."""
        raise TransportError(f"the connection to {self.remote} is gone")

    def close(self) -> None:
        """It is closed."""


def _flow_of(endpoint: Endpoint, saved: SavedSession) -> Flow:
    if saved.transport == "udp":
        for listener in endpoint.listeners:
            if listener.transport == "udp" and listener.local == saved.here:
                return listener.flow_to(Address(*saved.there))
        for listener in endpoint.listeners:
            if listener.transport == "udp":
                return listener.flow_to(Address(*saved.there))
    return _LostFlow(saved)
