"""Changing a session while it lasts: re-INVITE and UPDATE, in both directions (RFC 3261 §14, RFC 3311).

A core that belongs to one `InviteSession` and works through it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcc.errors import LocalProtocolError, TransactionTimeout
from sipcc.sip.dialog import Dialog
from sipcc.sip.message import Request, Response
from sipcc.sip.session_api import Exchange, HeaderList, SessionState
from sipcc.sip.transaction.machine import ServerTransaction

if TYPE_CHECKING:
    from sipcc.sip.session import InviteSession

MAX_GLARE_RETRIES = 4
"""How often a re-INVITE that met a 491 is sent again before the listener is told."""


class Modification:
    """The offers under way after the call was accepted: at most one of each side."""

    def __init__(self, session: InviteSession) -> None:
        self._session = session
        self._incoming: ServerTransaction | None = None
        self._withdrawn = False
        self._outgoing: Exchange | None = None
        self._body = b""
        self._headers: HeaderList = ()
        self._retries = 0
        self._refreshing = False
        self._update: Exchange | None = None

    # -- ours -----------------------------------------------------------------------------------------

    def start(self, body: bytes, headers: HeaderList) -> None:
        """Send a re-INVITE.

        Raises:
            LocalProtocolError: an offer is under way in either direction.
        """
        if self._outgoing is not None or self._session.is_due("glare"):
            raise LocalProtocolError("a re-INVITE of ours is pending")
        if self._incoming is not None or len(self._session.unacked):
            raise LocalProtocolError("an offer of the peer is pending")
        self._body, self._headers = body, headers
        self._retries = 0
        self._refreshing = False
        self._send()

    def refresh(self) -> bool:
        """Refresh the session (RFC 4028 §10); False when an offer is under way and it has to wait.

        UPDATE where the peer takes it, which carries no description; else a re-INVITE that repeats ours.
        """
        session = self._session
        busy = self._outgoing or self._incoming or self._update or session.is_due("glare")
        if busy or len(session.unacked) or session.state is not SessionState.CONFIRMED:
            return False
        if session.timer.peer_updates:
            self._update = session.send_in_dialog(
                "UPDATE", self._updated, self._update_failed, headers=session.own_headers()
            )
            return True
        self._body, self._headers = session.local_body, ()
        self._retries = 0
        self._refreshing = True
        self._send()
        return True

    def _updated(self, response: Response) -> None:
        if response.status < 200:
            return
        self._update = None
        if response.status in (405, 501):
            self._session.timer.peer_updates = False
            if self.refresh():
                return
        if response.status < 300 and self._session.dialog is not None:
            self._session.dialog.refresh(response)
        self._refreshed(response)

    def _update_failed(self, _error: Exception) -> None:
        self._update = None
        self._session.ending.unanswered()

    def _refreshed(self, response: Response) -> None:
        """The final answer to a refresh: only 408 and 481 end the call, whatever else keeps it."""
        session = self._session
        if response.status in (408, 481):
            session.ending.unanswered()
        elif response.status < 300:
            self.take_timer(response)
        else:
            session.timer.postpone(now=session.host.now())
            self._rearm()

    # -- session timer --------------------------------------------------------------------------------

    def promise(self, request: Request) -> HeaderList:
        """Start the timer that our 2xx to `request` promises; returns the headers that say so."""
        session = self._session
        headers = session.timer.accept(request, now=session.host.now(), jitter=self._jitter())
        self._rearm()
        return headers

    def take_timer(self, response: Response) -> None:
        """Start the timer that the peer's 2xx promises."""
        session = self._session
        session.timer.take_answer(response, now=session.host.now(), jitter=self._jitter())
        self._rearm()

    def timer_due(self, now: float) -> None:
        """The session timer fired: refresh, or end a session that nobody refreshed."""
        session = self._session
        step = session.timer.expire(now=now)
        if step == "expired":
            session.ending.unanswered()
            return
        if step == "refresh" and not self.refresh():
            session.timer.postpone(now=now)
        self._rearm()

    def _rearm(self) -> None:
        session, deadline = self._session, self._session.timer.deadline
        if deadline is not None and session.state is not SessionState.TERMINATED:
            session.set_due("timer", deadline)
        else:
            session.clear_due("timer")

    def _jitter(self) -> float:
        """A random number from 0 to 1."""
        session = self._session
        return session.host.ids.bits(8) / 255 if session.timer.enabled else 0.0

    def retry(self, now: float) -> None:
        """The pause after a 491 is over."""
        session = self._session
        if session.state is not SessionState.CONFIRMED:
            return
        if self._incoming is not None or len(session.unacked):
            session.set_due("glare", now + self._glare_pause())
        else:
            self._send()

    def _send(self) -> None:
        headers = [*self._session.own_headers(), *self._headers]
        if self._body:
            headers.append(("Content-Type", "application/sdp"))
        self._outgoing = self._session.send_in_dialog(
            "INVITE", self._answered, self._failed, headers=headers, body=self._body
        )

    def _answered(self, response: Response) -> None:
        session, exchange, dialog = self._session, self._outgoing, self._session.dialog
        status = response.status
        if dialog is None or status < 200:
            return
        if exchange is None:
            if status < 300:
                session.acks.repeat(response)
            return
        self._outgoing = None
        if status < 300:
            dialog.refresh(response)
            session.local_body = self._body or session.local_body
            if self._body or self._refreshing or session.state is SessionState.TERMINATED:
                session.acks.send(exchange, dialog)  # also after a BYE: an ACK is owed to each 2xx
            else:
                session.acks.owed = exchange
        elif status == 491 and self._retries < MAX_GLARE_RETRIES:
            if session.state is SessionState.CONFIRMED:
                self._retries += 1
                session.set_due("glare", session.host.now() + self._glare_pause())
            return
        if session.state is SessionState.CONFIRMED and (self._refreshing or status < 300):
            self._refreshed(response)
        if self._refreshing:
            return
        self._tell(response)
        if status == 481:
            session.ending.lost()
        elif status == 408:
            session.ending.unanswered()

    def _failed(self, error: Exception) -> None:
        self._outgoing = None
        if not self._refreshing:
            self._tell(None)
        if self._refreshing or isinstance(error, TransactionTimeout):
            self._session.ending.unanswered()

    def _tell(self, response: Response | None) -> None:
        session = self._session
        if session.state is not SessionState.TERMINATED and session.listener is not None:
            session.listener.on_reinvite_answered(session, response)

    def _glare_pause(self) -> float:
        """Seconds to wait after a 491, in steps of 10 ms (RFC 3261 §14.1)."""
        bits = self._session.host.ids.bits(16)
        if self._session.role == "uac":  # we made the Call-ID
            return 2.1 + (bits % 191) / 100
        return (bits % 201) / 100

    # -- the peer's -----------------------------------------------------------------------------------

    def receive(self, transaction: ServerTransaction, dialog: Dialog) -> None:
        """Take a re-INVITE or UPDATE: tell the listener, or refuse it when it collides."""
        session, request = self._session, transaction.request
        if self._incoming is not None:
            # RFC 3261 §14.2: try again within 10 s, at random
            pause = str(session.host.ids.bits(16) % 11)
            session.respond(transaction, 500, headers=[("Retry-After", pause)])
            return
        early = session.state not in (SessionState.ACCEPTED, SessionState.CONFIRMED)
        if (
            self._outgoing is not None
            or session.unacked.late_offer
            or (early and (request.body or request.method == "INVITE"))
        ):
            session.respond(transaction, 491)
            return
        if request.body and request.content_type != "application/sdp":
            session.respond(transaction, 415, headers=[("Accept", "application/sdp")])
            return
        refused = session.timer.judge(request, initial=False)
        if refused is not None:
            session.respond(transaction, refused[0], headers=refused[1])
            return
        dialog.refresh(request)
        if early:
            session.respond(transaction, 200, headers=session.own_headers())
            return
        self._incoming = transaction
        self._withdrawn = False
        transaction.user = session
        if session.listener is None:
            self.refuse(488, ())
            return
        session.listener.on_offer(session, request)
        if self._incoming is transaction and request.method == "INVITE":
            session.respond(transaction, 100)

    def answer(self, body: bytes, headers: HeaderList) -> None:
        """Accept what the peer asked for."""
        transaction = self._take()
        if transaction is None:
            return
        session = self._session
        session.local_body = body or session.local_body
        timed = self.promise(transaction.request)
        session.respond(transaction, 200, headers=[*session.own_headers(), *timed, *headers], body=body)
        if transaction.request.method == "INVITE":
            session.await_ack(transaction, late_offer=bool(body) and not transaction.request.body)

    def refuse(self, status: int, headers: HeaderList) -> None:
        """Refuse what the peer asked for."""
        transaction = self._take()
        if transaction is not None:
            self._session.respond(transaction, status, headers=headers)

    def withdraw(self, transaction: ServerTransaction | None = None) -> None:
        """The peer cancelled its re-INVITE, or (None) the session is over: 487."""
        pending = self._incoming
        if pending is not None and (transaction is None or transaction is pending):
            self._incoming = None
            self._withdrawn = True
            self._session.respond(pending, 487)

    def _take(self) -> ServerTransaction | None:
        transaction = self._incoming
        if transaction is None and not self._withdrawn:
            raise LocalProtocolError("no offer of the peer is pending")
        self._incoming = None
        self._withdrawn = False
        return transaction
