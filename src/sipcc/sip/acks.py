"""The ACKs of one session to 2xx responses: ours, sent or owed (RFC 3261 §13.2.2.4), and the peer's.

A core that belongs to one `InviteSession` and works through it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcc.sip.dialog import Dialog
from sipcc.sip.message import Request, Response
from sipcc.sip.part import SessionPart
from sipcc.sip.session_api import AckSent, Exchange
from sipcc.sip.transaction.machine import ServerTransaction

if TYPE_CHECKING:
    from sipcc.sip.session import InviteSession

MAX_ACKS = 16
"""ACKs kept for copies of 2xx responses: one per fork and re-INVITE, the oldest falls out."""


class Acks(SessionPart):
    """The ACKs of one session."""

    def __init__(self, session: InviteSession) -> None:
        super().__init__(session)
        self.owed: Exchange | None = None
        """The INVITE of ours whose 2xx made an offer that has no answer yet."""
        self._sent: dict[tuple[str, int], AckSent] = {}

    def send(self, exchange: Exchange, dialog: Dialog, body: bytes = b"") -> None:
        """Acknowledge the 2xx of `exchange`, with its credentials."""
        invite = exchange.request
        headers: list[tuple[str, str]] = [
            (name, value)
            for name in ("Authorization", "Proxy-Authorization")
            for value in invite.headers.get_all(name)
        ]
        if body:
            headers.append(("Content-Type", "application/sdp"))
        ack = dialog.request("ACK", headers=headers, body=body, cseq=invite.cseq.number)
        while len(self._sent) >= MAX_ACKS:
            del self._sent[next(iter(self._sent))]
        session = self._session
        self._sent[dialog.remote_tag, invite.cseq.number] = session.host.send_ack(session, ack, dialog)

    def repeat(self, response: Response) -> bool:
        """True for another copy of a 2xx that was acknowledged; its ACK is sent again."""
        sent = self._sent.get((response.to.tag, response.cseq.number))
        if sent is None:
            return False
        self._session.host.repeat_ack(sent)
        return True

    # -- the peer's -----------------------------------------------------------------------------------

    def wait_for(self, transaction: ServerTransaction, *, late_offer: bool) -> None:
        """A 2xx of ours went out: repeat it until its ACK comes."""
        session = self._session
        if late_offer:
            session.turn.offer(ours=True)
        session.unacked.add(transaction, late_offer=late_offer, now=session.host.now())
        self._rearm()

    def receive(self, request: Request) -> bool:
        """Take an ACK; False for a second one, or one for nothing."""
        session = self._session
        late_offer = session.unacked.late_offer
        if not session.unacked.acknowledge(request.cseq.number):
            return False
        if late_offer and not session.unacked.late_offer:
            session.turn.settle()
        self._rearm()
        return True

    def due(self, now: float) -> None:
        """Send what has no ACK yet again, or give up."""
        session = self._session
        again, given_up = session.unacked.expire(now=now)
        for transaction in again:
            session.host.repeat(transaction)
        if given_up:
            session.ending.unacknowledged()
        else:
            self._rearm()

    def _rearm(self) -> None:
        deadline = self._session.unacked.deadline
        if deadline is not None:
            self._session.set_due("ack", deadline)
        else:
            self._session.clear_due("ack")
