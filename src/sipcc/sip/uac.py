"""The calling side of an INVITE session: provisionals, forks, CANCEL, and the ACK to each 2xx."""

from __future__ import annotations

from typing import Literal

from sipcc.errors import TransactionTimeout
from sipcc.sip.dialog import Dialog
from sipcc.sip.message import Request, Response
from sipcc.sip.session import InviteSession
from sipcc.sip.session_api import Exchange, SessionHost, SessionPolicy, SessionState
from sipcc.sip.transaction.machine import ServerTransaction
from sipcc.sip.transport.base import Flow

MAX_FORKS = 16
"""Early dialogs of one INVITE; more To tags than this come from a broken or hostile peer."""


class ClientSession(InviteSession):
    """A session that our INVITE begins."""

    role: Literal["uas", "uac"] = "uac"

    def __init__(
        self, host: SessionHost, request: Request, flow: Flow, policy: SessionPolicy | None = None
    ) -> None:
        super().__init__(host, request, flow, request.from_.tag, policy)
        self.local_body = request.body
        self._exchange: Exchange | None = None
        self._forks: dict[str, Dialog] = {}
        self._cancelling = False
        self._cancel_sent = False
        self._cancel_reason: str | None = None
        self._finished = False

    def start(self) -> None:
        """Send the INVITE."""
        for name, value in self.timer.request_headers():
            self.request.headers.add(name, value)
        self._exchange = self.host.send(self, self.request, self._answered, self._failed, dialog=None)

    def cancel(self, *, reason: str | None = None) -> None:
        """Give up; `on_rejected` follows later, with the 487 or with None.

        CANCEL waits for a provisional (RFC 3261 §9.1). A 2xx that crosses it is acknowledged and hung
        up. After the answer this is a `bye`.
        """
        if self.state in (SessionState.ACCEPTED, SessionState.CONFIRMED):
            self.bye(headers=(("Reason", reason),) if reason else ())
            return
        if self.state is SessionState.TERMINATED or self._cancelling:
            return
        self._cancelling = True
        self._cancel_reason = reason
        exchange = self._exchange
        if exchange is None or exchange.transaction is None:
            self.set_due("withdrawn", self.host.now())
        elif exchange.transaction.provisionals:
            self._send_cancel()

    def _fire(self, name: str, now: float) -> None:
        if name in ("withdrawn", "uncancelled"):
            if self._exchange is not None:
                if name == "withdrawn" and self._exchange.transaction is not None:
                    # it left in the meantime: now it takes a CANCEL after all
                    if self._exchange.transaction.provisionals and not self._cancel_sent:
                        self._send_cancel()
                    return
                self.host.abandon(self._exchange)
            self._reject(None)
        else:
            super()._fire(name, now)

    def _send_cancel(self) -> None:
        if self._exchange is not None:
            self._cancel_sent = True
            self.host.send_cancel(self._exchange, self._cancel_reason)
            # RFC 3261 §9.1: a peer that never sends 487 must not keep us waiting
            self.set_due("uncancelled", self.host.now() + 64 * self.host.timers.t1)

    def _answered(self, response: Response) -> None:
        status = response.status
        if self._exchange is not None:
            self.request = self._exchange.request
            if self._exchange.transaction is not None:
                self.flow = self._exchange.transaction.flow
        if status < 200:
            self._provisional(response)
        elif status < 300:
            self._accepted(response)
        elif not self._finished and self.state in (SessionState.CALLING, SessionState.EARLY):
            self._reject(response)

    def _provisional(self, response: Response) -> None:
        if self.state not in (SessionState.CALLING, SessionState.EARLY):
            return
        if self._cancelling:
            if not self._cancel_sent:
                self._send_cancel()
            return
        if response.status == 100:
            return
        tag = response.to.tag
        if tag:
            self.state = SessionState.EARLY
            known = self._forks.get(tag)
            if known is not None:
                known.refresh(response)
            elif len(self._forks) < MAX_FORKS:
                self._forks[tag] = Dialog.of_response(self.request, response)
                self.dialog = self._forks[tag]
        if self.listener is not None:
            self.listener.on_provisional(self, response)

    def _accepted(self, response: Response) -> None:
        if self.acks.repeat(response):
            return
        exchange = self._exchange
        if exchange is None:
            return
        tag = response.to.tag
        early = self._forks.get(tag)
        if self._finished or self.state not in (SessionState.CALLING, SessionState.EARLY):
            if self.dialog is None or self.dialog.remote_tag != tag or self._finished:
                self._hang_up_fork(exchange, Dialog.of_response(self.request, response))
            return  # else: a copy of the 2xx whose late answer is not there yet
        # RFC 3261 §13.2.2.4: route set and target come from the 2xx, whatever the 18x said
        dialog = Dialog.of_response(self.request, response)
        if early is not None:
            dialog.local_cseq = max(dialog.local_cseq, early.local_cseq)
            dialog.remote_cseq = early.remote_cseq
        self.dialog = dialog
        self._forks = {}
        self._due.clear()
        if self._cancelling:
            self._hang_up_fork(exchange, dialog)
            self._reject(None, sent_bye=True)
            return
        self._modification.take_timer(response)
        if self.request.body:
            self.acks.send(exchange, dialog)
            self.state = SessionState.CONFIRMED
        else:
            self.acks.owed = exchange
            self.state = SessionState.ACCEPTED
        if self.listener is not None:
            self.listener.on_accepted(self, response)

    def _hang_up_fork(self, exchange: Exchange, dialog: Dialog) -> None:
        """Acknowledge and end a 2xx that nobody wants (RFC 3261 §13.2.2.4)."""
        self.acks.send(exchange, dialog)
        self.ending.send_bye(dialog=dialog)

    def _failed(self, error: Exception) -> None:
        if self.state in (SessionState.CALLING, SessionState.EARLY):
            if not (self._cancelling and isinstance(error, TransactionTimeout)):
                self.failure = error
            self._reject(None)

    def _reject(self, response: Response | None, *, sent_bye: bool = False) -> None:
        self._finished = True
        self.state = SessionState.TERMINATED
        self._due.clear()
        self._forks = {}
        if not sent_bye:
            self.host.finished(self)
        if self.listener is not None:
            self.listener.on_rejected(self, response)

    def _receive_bye(self, transaction: ServerTransaction) -> None:
        if self.state in (SessionState.CALLING, SessionState.EARLY):
            # RFC 3261 §15: the called side must not send BYE in an early dialog; its INVITE answer decides
            self.respond(transaction, 481)
        else:
            super()._receive_bye(transaction)

    def _dialog_of(self, request: Request) -> Dialog | None:
        tag = request.from_.tag
        if self.dialog is not None and self.dialog.remote_tag == tag:
            return self.dialog
        return self._forks.get(tag)
