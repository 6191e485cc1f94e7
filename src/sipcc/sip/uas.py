"""The called side of an INVITE session: ring, accept or reject, and the caller's CANCEL."""

from __future__ import annotations

from typing import Literal

from sipcc.errors import LocalProtocolError
from sipcc.sip.dialog import Dialog
from sipcc.sip.session import InviteSession
from sipcc.sip.session_api import HeaderList, SessionHost, SessionPolicy, SessionState
from sipcc.sip.transaction.machine import ServerTransaction

KEEP_RINGING = 60.0
"""Seconds after which a provisional is sent again, so that no proxy gives up (RFC 3261 §13.3.1.1)."""


class ServerSession(InviteSession):
    """A session that the peer's INVITE began."""

    role: Literal["uas", "uac"] = "uas"

    def __init__(
        self,
        host: SessionHost,
        transaction: ServerTransaction,
        local_tag: str,
        policy: SessionPolicy | None = None,
    ) -> None:
        super().__init__(host, transaction.request, transaction.flow, local_tag, policy)
        self.state = SessionState.TRYING
        self.dialog = Dialog.of_request(transaction.request, local_tag)
        self.contact_user = transaction.request.uri.user if transaction.request.uri.host else ""
        self._transaction = transaction
        transaction.user = self

    def ring(self, status: int = 180, *, body: bytes = b"", headers: HeaderList = ()) -> None:
        """Send a provisional answer, 101 to 199; it is sent again each minute until the final one.

        Raises:
            LocalProtocolError: the INVITE has its final answer.
        """
        if self.state is SessionState.TERMINATED:
            return  # a CANCEL that crossed the ringing is no mistake of the caller of this
        if self.state not in (SessionState.TRYING, SessionState.EARLY) or not 100 < status < 200:
            raise LocalProtocolError(f"{status} in state {self.state}")
        self.state = SessionState.EARLY
        self.respond(self._transaction, status, headers=[*self.own_headers(), *headers], body=body)
        self.set_due("ringing", self.host.now() + KEEP_RINGING)

    def accept(self, body: bytes, *, headers: HeaderList = ()) -> None:
        """Send 200; `body` is the answer, or the offer when the INVITE had none.

        Without an ACK in 64*T1 the session ends with a BYE. After a CANCEL this does nothing.

        Raises:
            LocalProtocolError: the INVITE was accepted before.
        """
        if self.state is SessionState.TERMINATED:
            return
        if self.state not in (SessionState.TRYING, SessionState.EARLY):
            raise LocalProtocolError(f"200 in state {self.state}")
        self.state = SessionState.ACCEPTED
        self._due.pop("ringing", None)
        self.local_body = body
        timed = self._modification.promise(self.request)
        self.respond(self._transaction, 200, headers=[*self.own_headers(), *timed, *headers], body=body)
        self.await_ack(self._transaction, late_offer=bool(body) and not self.request.body)

    def reject(self, status: int, reason: str | None = None, *, headers: HeaderList = ()) -> None:
        """Refuse the INVITE; after a refusal or a CANCEL this does nothing.

        Raises:
            LocalProtocolError: it was accepted, or `status` is no refusal.
        """
        if self.state is SessionState.TERMINATED:
            return
        if self.state not in (SessionState.TRYING, SessionState.EARLY) or not 300 <= status < 700:
            raise LocalProtocolError(f"{status} in state {self.state}")
        self._refuse(status, reason, headers)

    def receive_cancel(self, transaction: ServerTransaction) -> None:
        """Take a CANCEL: 487 to the INVITE while it has no final answer (RFC 3261 §9.2)."""
        if transaction is not self._transaction:
            super().receive_cancel(transaction)
        elif self.state in (SessionState.TRYING, SessionState.EARLY):
            self._cancelled()

    def _receive_bye(self, transaction: ServerTransaction) -> None:
        if self.state in (SessionState.TRYING, SessionState.EARLY):
            # RFC 3261 §15.1.2: a BYE in an early dialog ends the INVITE with 487
            self.respond(transaction, 200)
            self._cancelled()
        else:
            super()._receive_bye(transaction)

    def _fire(self, name: str, now: float) -> None:
        if name == "ringing":
            if self.state is SessionState.EARLY:
                self.host.repeat(self._transaction)
                self.set_due("ringing", now + KEEP_RINGING)
        else:
            super()._fire(name, now)

    def _refuse(self, status: int, reason: str | None, headers: HeaderList) -> None:
        self.state = SessionState.TERMINATED
        self._due.clear()
        self.respond(self._transaction, status, reason, headers=headers)
        self.host.finished(self)

    def _cancelled(self) -> None:
        self._refuse(487, None, ())
        if self.listener is not None:
            self.listener.on_cancelled(self)
