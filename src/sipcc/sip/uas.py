"""The called side of an INVITE session: ring, accept or reject, and the caller's CANCEL and PRACK."""

from __future__ import annotations

from typing import Literal

from sipcc.errors import LocalProtocolError
from sipcc.sip.dialog import Dialog
from sipcc.sip.offer import OfferState, Turn
from sipcc.sip.reliable import (
    Provisional,
    ReliableSender,
    demands_reliable,
    rack_of,
    supports_reliable,
)
from sipcc.sip.session import InviteSession
from sipcc.sip.session_api import HeaderList, SessionHost, SessionPolicy, SessionState
from sipcc.sip.transaction.machine import ServerTransaction

KEEP_RINGING = 60.0
"""Seconds after which a provisional is sent again, so that no proxy gives up (RFC 3261 §13.3.1.1)."""

_UNDECIDED = (SessionState.TRYING, SessionState.EARLY)


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
        request = transaction.request
        super().__init__(host, request, transaction.flow, local_tag, policy)
        self.state = SessionState.TRYING
        self.dialog = Dialog.of_request(request, local_tag)
        self.contact_user = request.uri.user if request.uri.host else ""
        self.turn = Turn(OfferState.REMOTE_OFFER if request.body else OfferState.STABLE)
        self._transaction = transaction
        self._reliably = ReliableSender(
            host.timers, request.cseq.number, first=1 + host.ids.bits(31) % (2**31 - 1)
        )
        self._accepting: tuple[bytes, HeaderList] | None = None
        transaction.user = self

    def judge(self) -> tuple[int, HeaderList] | None:
        """Refuse an INVITE that does not fit the policy: 420, 421 or 422; None when it does."""
        request, reliable = self.request, self.policy.reliable
        if reliable == "off" and demands_reliable(request):
            return 420, [("Unsupported", "100rel")]
        if reliable == "required" and not supports_reliable(request):
            return 421, [("Require", "100rel")]
        return self.timer.judge(request, initial=True)

    # -- verbs ----------------------------------------------------------------------------------------

    def ring(
        self, status: int = 180, *, body: bytes = b"", headers: HeaderList = (), reliable: bool | None = None
    ) -> None:
        """Send a provisional answer, 101 to 199; it is sent again each minute until the final one.

        `reliable` None means by the policy, where the caller knows reliable provisionals. A reliable one is
        repeated until its PRACK comes, and those that follow it wait for that; without a PRACK in 64*T1
        the call is refused with 504. Its `body` is the answer, or the offer when the INVITE had none; once
        that is done, the bodies of later ones are left out (RFC 6337 §3.1.1).

        Raises:
            LocalProtocolError: the INVITE has its final answer; `reliable` is against what the caller can
                do or demands; an offer would go into an unreliable one.
        """
        if self.state is SessionState.TERMINATED:
            return  # a CANCEL that crossed the ringing is no mistake of the caller of this
        if self.state not in _UNDECIDED or self._accepting is not None or not 100 < status < 200:
            raise LocalProtocolError(f"{status} in state {self.state}")
        provisional = Provisional(status, body, tuple(headers), self._is_reliable(reliable))
        if body and not self.request.body and not provisional.reliable:
            raise LocalProtocolError("an offer cannot go into an unreliable provisional response")
        if self._reliably.outstanding is not None:
            self._reliably.wait(provisional)
        else:
            self._send(provisional)

    def accept(self, body: bytes, *, headers: HeaderList = ()) -> None:
        """Send 200; `body` is the answer, or the offer when the INVITE had none.

        It is left out when a reliable provisional has settled that already. While the PRACK to a
        description in a reliable provisional is missing, or an offer in the early dialog has no answer,
        the 200 waits (RFC 3262 §3). Without an ACK in 64*T1 the session ends with a BYE. After a CANCEL
        this does nothing.

        Raises:
            LocalProtocolError: the INVITE was accepted before.
        """
        if self.state is SessionState.TERMINATED:
            return
        if self.state not in _UNDECIDED or self._accepting is not None:
            raise LocalProtocolError(f"200 in state {self.state}")
        self._accepting = (body, headers)
        self._go_on()

    def reject(self, status: int, reason: str | None = None, *, headers: HeaderList = ()) -> None:
        """Refuse the INVITE; after a refusal or a CANCEL this does nothing.

        Raises:
            LocalProtocolError: it was accepted, or `status` is no refusal.
        """
        if self.state is SessionState.TERMINATED:
            return
        if self.state not in _UNDECIDED or self._accepting is not None or not 300 <= status < 700:
            raise LocalProtocolError(f"{status} in state {self.state}")
        self._refuse(status, reason, headers)

    def bye(self, *, headers: HeaderList = ()) -> None:
        """End the session; a 200 that still waits for a PRACK becomes a 480."""
        if self._accepting is None:
            super().bye(headers=headers)
            return
        try:
            self.ending.end("us", None)
        finally:
            self._refuse(480, None, headers)

    # -- what comes -----------------------------------------------------------------------------------

    def receive_cancel(self, transaction: ServerTransaction) -> None:
        """Take a CANCEL: 487 to the INVITE while it has no final answer (RFC 3261 §9.2)."""
        if transaction is not self._transaction:
            super().receive_cancel(transaction)
        elif self.state in _UNDECIDED:
            self._cancelled()

    def offers_settled(self) -> None:
        """A 200 may have waited for an offer in the early dialog."""
        if self._accepting is not None:
            self._go_on()

    def _receive_bye(self, transaction: ServerTransaction) -> None:
        if self.state in _UNDECIDED:
            # RFC 3261 §15.1.2: a BYE in an early dialog ends the INVITE with 487
            self.respond(transaction, 200)
            self._cancelled()
        else:
            super()._receive_bye(transaction)

    def _receive_prack(self, transaction: ServerTransaction, dialog: Dialog) -> None:
        request = transaction.request
        rack = rack_of(request)
        if rack is None:
            self.respond(transaction, 400, "Bad RAck")
            return
        provisional = self._reliably.acknowledge(rack)
        if provisional is None:
            self.respond(transaction, 481)
            return
        self._rearm_reliable()
        if self.state is SessionState.TERMINATED:
            self.respond(transaction, 200)
            self.ending.finish()
            return
        if provisional.body and self.turn.ours:
            self.turn.settle()
            self.respond(transaction, 200)
            self.told.on_acknowledged(self, request.body)
        else:
            if provisional.body:
                self.turn.settle()
            self._take_prack_offer(transaction, dialog)
        self._go_on()

    def _take_prack_offer(self, transaction: ServerTransaction, dialog: Dialog) -> None:
        if transaction.request.body:
            self.modification.receive(transaction, dialog)
        else:
            self.respond(transaction, 200)

    def _takes_after_end(self, method: str) -> bool:
        late = method == "PRACK" and self._reliably.outstanding is not None
        return late or super()._takes_after_end(method)

    def _fire(self, name: str, now: float) -> None:
        if name == "ringing":
            if self.state is SessionState.EARLY:
                self.host.repeat(self._transaction)
                self.set_due("ringing", now + KEEP_RINGING)
        elif name == "prack":
            self._prack_due(now)
        else:
            super()._fire(name, now)

    # -- inside ---------------------------------------------------------------------------------------

    def _is_reliable(self, wanted: bool | None) -> bool:
        demanded = demands_reliable(self.request)
        supported = demanded or supports_reliable(self.request)
        if wanted is None:
            return demanded or (supported and self.policy.reliable != "off")
        if wanted and not supported:
            raise LocalProtocolError("the caller knows no reliable provisional responses")
        if not wanted and demanded:
            raise LocalProtocolError("the caller demands reliable provisional responses")
        return wanted

    def _send(self, provisional: Provisional) -> None:
        """Send a provisional response whose turn it is."""
        body = provisional.body if self.turn.initial else b""
        headers = [*self.own_headers(), *provisional.headers]
        self.state = SessionState.EARLY
        if provisional.reliable:
            sent = Provisional(provisional.status, body, provisional.headers, reliable=True)
            rseq = self._reliably.send(sent, now=self.host.now())
            headers = [("Require", "100rel"), ("RSeq", str(rseq)), *headers]
            if body:
                self.local_body = body
                if not self.turn.begun:
                    self.turn.offer(ours=True)
        self.respond(self._transaction, provisional.status, headers=headers, body=body)
        self.set_due("ringing", self.host.now() + KEEP_RINGING)
        self._rearm_reliable()

    def _go_on(self) -> None:
        """Do what waited for a PRACK, or for the answer to an offer in the early dialog."""
        if self.state not in _UNDECIDED:
            return
        unsure = self._reliably.outstanding is not None and self._reliably.outstanding.body
        if self._accepting is not None:
            if not unsure and (self.turn.initial or not self.turn.open):
                self._answer(*self._accepting)
            return
        while (provisional := self._reliably.next()) is not None:
            self._send(provisional)

    def _answer(self, body: bytes, headers: HeaderList) -> None:
        """Send the 200."""
        self._accepting = None
        self.state = SessionState.ACCEPTED
        self._stop_ringing()
        if not self.turn.initial:
            body = b""
        self.local_body = body or self.local_body
        late_offer = bool(body) and not self.turn.begun
        self.turn.settle()
        timed = self.refreshing.promise(self.request)
        self.respond(self._transaction, 200, headers=[*self.own_headers(), *timed, *headers], body=body)
        self.acks.wait_for(self._transaction, late_offer=late_offer)

    def _refuse(self, status: int, reason: str | None, headers: HeaderList) -> None:
        self._accepting = None
        self.terminate()
        self._stop_ringing()
        self.respond(self._transaction, status, reason, headers=headers)
        if self._reliably.outstanding is None:
            self.ending.finish()

    def _stop_ringing(self) -> None:
        self.clear_due("ringing")
        self._reliably.stop(now=self.host.now())
        self._rearm_reliable()

    def _cancelled(self) -> None:
        self._refuse(487, None, ())
        self.told.on_cancelled(self)

    def _rearm_reliable(self) -> None:
        deadline = self._reliably.deadline
        if deadline is not None:
            self.set_due("prack", deadline)
        else:
            self.clear_due("prack")

    def _prack_due(self, now: float) -> None:
        step = self._reliably.expire(now=now)
        if step == "repeat":
            self.host.repeat(self._transaction)
        elif step == "given up":
            self._reliably.forget()
            if self.state in _UNDECIDED:
                self._refuse(504, None, ())
                self.ending.end("network", None)
            elif self.state is SessionState.TERMINATED:
                self.ending.finish()
        self._rearm_reliable()
