"""The calling side of an INVITE session: provisionals, PRACK, forks, CANCEL, and the ACK to each 2xx."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from sipcc.errors import LocalProtocolError, TransactionTimeout
from sipcc.sip.dialog import Dialog
from sipcc.sip.forks import MAX_FORKS, Fork, Forks
from sipcc.sip.message import Request, Response
from sipcc.sip.offer import OfferState, Turn
from sipcc.sip.reliable import has_sdp, rseq_of
from sipcc.sip.session import InviteSession
from sipcc.sip.session_api import Exchange, SessionHost, SessionPolicy, SessionState
from sipcc.sip.transaction.machine import ServerTransaction
from sipcc.sip.transport.base import Flow

_UNDECIDED = (SessionState.CALLING, SessionState.EARLY)


class ClientSession(InviteSession):
    """A session that our INVITE begins."""

    role: Literal["uas", "uac"] = "uac"

    def __init__(
        self, host: SessionHost, request: Request, flow: Flow, policy: SessionPolicy | None = None
    ) -> None:
        super().__init__(host, request, flow, request.from_.tag, policy)
        self.local_body = request.body
        self._exchange: Exchange | None = None
        self.turn = Turn(OfferState.LOCAL_OFFER if request.body else OfferState.STABLE)
        self._forks = Forks()
        self._cancelling = False
        self._cancel_sent = False
        self._cancel_reason: str | None = None
        self._finished = False
        self._hung_up = 0

    @property
    def dialogs(self) -> Mapping[str, Dialog]:
        """The early dialogs by To tag, the oldest first; empty after the final answer."""
        return self._forks.dialogs

    def start(self) -> None:
        """Send the INVITE."""
        headers = self.request.headers
        tags = headers.values("Supported")
        tags += [tag for tag in self.option_tags if tag not in tags]
        if tags:
            headers.set("Supported", ", ".join(tags))
        if self.policy.reliable == "required":
            headers.add("Require", "100rel")
        for name, value in self.timer.request_headers():
            headers.add(name, value)
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

    @property
    def cancelling(self) -> bool:
        """True once we have given up."""
        return self._cancelling

    def refuse_late(self, exchange: Exchange, response: Response, flow: Flow) -> None:
        """Acknowledge and hang up a 2xx from a hop that was given up; each copy is acknowledged again."""
        if self.acks.repeat(response):
            return
        ours, self.flow = self.flow, flow
        self._hang_up_fork(exchange, Dialog.of_response(exchange.request, response))
        self.flow = ours

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
        elif not self._finished and self.state in _UNDECIDED:
            self._reject(response)

    def _provisional(self, response: Response) -> None:
        if self.state not in _UNDECIDED:
            return
        if self._cancelling:
            if not self._cancel_sent:
                self._send_cancel()
            return
        if response.status == 100:
            return
        fork = None
        if response.to.tag:
            self.state = SessionState.EARLY
            fork = self._forks.take(self.request, response)
            if fork is not None:
                self.dialog = fork.dialog
        rseq = rseq_of(response)
        if rseq is not None:
            if fork is None or not fork.order.take(rseq):
                return  # a copy, or one that overtook another and will come again (RFC 3262 §4)
            self._take_reliable(fork, response, rseq)
        self.told.on_provisional(self, response)

    def _take_reliable(self, fork: Fork, response: Response, rseq: int) -> None:
        """Send the PRACK of a reliable provisional, unless it brings an offer that has to be answered."""
        if has_sdp(response) and not fork.turn.begun:
            fork.turn.offer(ours=False)
            fork.owed = rseq
            return
        if has_sdp(response) and fork.turn.initial:
            fork.turn.settle()
        self.pracks.send(fork.dialog, response, rseq)

    def owes_prack(self, response: Response) -> bool:
        """True for a reliable 1xx whose offer waits for `acknowledge_provisional`."""
        fork = self._forks.get(response.to.tag)
        return fork is not None and fork.owed is not None and fork.owed == rseq_of(response)

    def acknowledge_provisional(self, response: Response, body: bytes = b"") -> None:
        """Send the PRACK that is owed to a reliable 1xx with an offer; `body` is our answer.

        After the final answer to the INVITE, or our CANCEL, this does nothing.

        Raises:
            LocalProtocolError: no PRACK is owed to `response`.
        """
        if self.state not in _UNDECIDED or self._cancelling:
            return
        fork = self._forks.get(response.to.tag)
        if fork is None or not self.owes_prack(response):
            raise LocalProtocolError("no PRACK is owed to this response")
        rseq, fork.owed = fork.owed or 0, None
        fork.turn.settle()
        self.local_body = body or self.local_body
        self.pracks.send(fork.dialog, response, rseq, body)

    def turn_in(self, dialog: Dialog) -> Turn:
        """Whose turn it is in one of the dialogs."""
        fork = self._forks.of(dialog)
        return self.turn if fork is None else fork.turn

    def _accepted(self, response: Response) -> None:
        if self.acks.repeat(response):
            return
        exchange = self._exchange
        if exchange is None:
            return
        tag = response.to.tag
        early = self._forks.get(tag)
        if self._finished or self.state not in _UNDECIDED:
            if self.dialog is None or self.dialog.remote_tag != tag or self._finished:
                self._hang_up_fork(exchange, Dialog.of_response(self.request, response))
            return  # else: a copy of the 2xx whose late answer is not there yet
        # RFC 3261 §13.2.2.4: route set and target come from the 2xx, whatever the 18x said
        dialog = Dialog.of_response(self.request, response)
        if early is not None:
            early.dialog.confirm(dialog)
            dialog, self.turn = early.dialog, early.turn
        if self._cancelling:
            self._choose(dialog)
            self._hang_up_fork(exchange, dialog)
            self._reject(None, sent_bye=True)
            return
        self._acknowledge_first(exchange, dialog)
        self._choose(dialog)
        self.refreshing.take(response)
        self.told.on_accepted(self, response)

    def _choose(self, dialog: Dialog) -> None:
        """The dialog of the first 2xx becomes that of the session; the other forks are forgotten."""
        self.dialog = dialog
        self._forks.clear()
        for name in ("withdrawn", "uncancelled"):
            self.clear_due(name)
        self.modification.drop_others(dialog)

    def _acknowledge_first(self, exchange: Exchange, dialog: Dialog) -> None:
        """Send the ACK, unless the 2xx has an offer that must be answered in it."""
        if self.request.body or not self.turn.initial:
            if self.turn.initial:
                self.turn.settle()
            self.acks.send(exchange, dialog)
            self.state = SessionState.CONFIRMED
        else:
            self.turn.offer(ours=False)
            self.acks.owed = exchange
            self.state = SessionState.ACCEPTED

    def _hang_up_fork(self, exchange: Exchange, dialog: Dialog) -> None:
        """Acknowledge and end a 2xx that nobody wants (RFC 3261 §13.2.2.4).

        Not without end: each makes us send to an address that the peer names, again and again.
        """
        if self._hung_up >= MAX_FORKS:
            return
        self._hung_up += 1
        self.acks.send(exchange, dialog)
        self.ending.send_bye(dialog=dialog)

    def _failed(self, error: Exception) -> None:
        if self.state in _UNDECIDED:
            if not (self._cancelling and isinstance(error, TransactionTimeout)):
                self.failure = error
            self._reject(None)

    def _reject(self, response: Response | None, *, sent_bye: bool = False) -> None:
        self._finished = True
        self.terminate()
        self._forks.clear()
        if sent_bye:
            self.stop_timers()
        else:
            self.ending.finish()
        self.told.on_rejected(self, response)

    def _receive_bye(self, transaction: ServerTransaction) -> None:
        if self.state in _UNDECIDED:
            # RFC 3261 §15: the called side must not send BYE in an early dialog; its INVITE answer decides
            self.respond(transaction, 481)
        else:
            super()._receive_bye(transaction)

    def _dialog_by(self, remote_tag: str) -> Dialog | None:
        fork = self._forks.get(remote_tag)
        return super()._dialog_by(remote_tag) if fork is None else fork.dialog
