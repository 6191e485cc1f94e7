"""One INVITE usage of a dialog, either role: the part that both roles share.

Cores: all time comes from the host, and everything that leaves goes through it
(`sipcc.sip.session_api.SessionHost`). `sipcc.sip.uas` and `sipcc.sip.uac` add how a session begins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from sipcc.errors import LocalProtocolError, RemoteProtocolError, TransactionTimeout
from sipcc.sip.build import response as build_response
from sipcc.sip.dialog import Dialog
from sipcc.sip.message import Request, Response
from sipcc.sip.session_api import (
    AckSent,
    EndedBy,
    Exchange,
    HeaderList,
    SessionHost,
    SessionListener,
    SessionState,
)
from sipcc.sip.transaction.machine import ServerTransaction
from sipcc.sip.transport.base import Flow
from sipcc.sip.uri import SipUri

MAX_GLARE_RETRIES = 4
"""How often a re-INVITE that met a 491 is sent again before the listener is told."""

MAX_ACKS = 16
"""ACKs kept for copies of 2xx responses: one per fork and re-INVITE, the oldest falls out."""


class _Unacked:
    """A 2xx of ours that waits for its ACK (RFC 3261 §13.3.1.4)."""

    __slots__ = ("again_at", "give_up_at", "interval", "late_offer", "transaction")

    def __init__(self, transaction: ServerTransaction, *, now: float, t1: float, late_offer: bool) -> None:
        self.transaction = transaction
        self.interval = t1
        self.again_at = now + t1
        self.give_up_at = now + 64 * t1
        self.late_offer = late_offer


class InviteSession:
    """An INVITE session; made by the endpoint only."""

    role: Literal["uas", "uac"]

    def __init__(self, host: SessionHost, request: Request, flow: Flow, local_tag: str) -> None:
        self.host = host
        self.request = request
        """The initial INVITE, as it was last sent."""
        self.flow = flow
        """The flow of the last message of the dialog's peer, or the one that the INVITE left on."""
        self.call_id = request.call_id
        self.local_tag = local_tag
        self.listener: SessionListener | None = None
        self.admitted: object | None = None
        self.failure: Exception | None = None
        """Why a UAC session failed without a response."""
        self.state = SessionState.CALLING
        self.dialog: Dialog | None = None
        self.contact_user = ""
        self.credentials: Any = None
        self.heaped: float | None = None
        self._due: dict[str, float] = {}
        self._unacked: dict[int, _Unacked] = {}
        self._offer_in: ServerTransaction | None = None
        self._offer_withdrawn = False
        self._offer_out: Exchange | None = None
        self._reinvite: tuple[bytes, HeaderList] = (b"", ())
        self._glare_retries = 0
        self._ack_owed: Exchange | None = None
        self._acks: dict[tuple[str, int], AckSent] = {}
        self._ended_told = False
        self._bye_sent = False
        self._held_bye: HeaderList | None = None

    def __repr__(self) -> str:
        return f"<{self.role} session {self.call_id} {self.state}>"

    @property
    def remote_tag(self) -> str:
        """The peer's tag, or an empty text before it is known."""
        return self.dialog.remote_tag if self.dialog else ""

    @property
    def remote_contact(self) -> SipUri | None:
        """Where the peer wants requests to go, or None before it has said so."""
        return self.dialog.remote_target if self.dialog else None

    # -- verbs of one role, refused by the other ------------------------------------------------------

    def ring(self, status: int = 180, *, body: bytes = b"", headers: HeaderList = ()) -> None:
        """UAS: send a provisional answer that makes an early dialog."""
        raise LocalProtocolError("only the called side rings")

    def accept(self, body: bytes, *, headers: HeaderList = ()) -> None:
        """UAS: send 200, again and again until its ACK comes."""
        raise LocalProtocolError("only the called side accepts")

    def reject(self, status: int, reason: str | None = None, *, headers: HeaderList = ()) -> None:
        """UAS: refuse with a final status of 300 or more."""
        raise LocalProtocolError("only the called side rejects")

    def cancel(self, *, reason: str | None = None) -> None:
        """UAC: give up before the answer; `reason` is a Reason header (RFC 3326)."""
        raise LocalProtocolError("only the calling side cancels")

    # -- verbs of both roles --------------------------------------------------------------------------

    def acknowledge(self, body: bytes = b"") -> None:
        """Send the ACK that is owed to a 2xx with a late offer; `body` is our answer.

        Raises:
            LocalProtocolError: no ACK is owed.
        """
        exchange = self._ack_owed
        if exchange is None or self.dialog is None:
            raise LocalProtocolError("no ACK is owed")
        self._ack_owed = None
        self._send_ack(exchange, self.dialog, body)
        if self.state is SessionState.ACCEPTED:
            self.state = SessionState.CONFIRMED

    def bye(self, *, headers: HeaderList = ()) -> None:
        """End the session. The listener's `on_ended` is called before this returns.

        With the ACK to our 200 still missing, the BYE waits for it (RFC 3261 §15). An ACK that we owe
        leaves first. Once the session is over this does nothing.

        Raises:
            LocalProtocolError: the call was not accepted yet.
        """
        if self.state is SessionState.TERMINATED:
            return
        if self.state not in (SessionState.ACCEPTED, SessionState.CONFIRMED):
            raise LocalProtocolError(f"BYE in state {self.state}")
        if self._ack_owed is not None:
            self.acknowledge()
        waits = self.role == "uas" and self.state is SessionState.ACCEPTED
        self._end("us", None)
        if waits:
            self._held_bye = headers
        else:
            self._send_bye(headers)

    def reinvite(self, body: bytes, *, headers: HeaderList = ()) -> None:
        """Send a re-INVITE; with an empty `body` the peer makes the offer, to be answered in the ACK.

        A 491 is retried by itself as RFC 3261 §14.1 says.

        Raises:
            LocalProtocolError: not confirmed, or another offer is under way in either direction.
        """
        if self.state is not SessionState.CONFIRMED:
            raise LocalProtocolError(f"re-INVITE in state {self.state}")
        if self._offer_out is not None or "glare" in self._due or self._ack_owed is not None:
            raise LocalProtocolError("a re-INVITE of ours is pending")
        if self._offer_in is not None or self._unacked:
            raise LocalProtocolError("an offer of the peer is pending")
        self._reinvite = (body, headers)
        self._glare_retries = 0
        self._send_reinvite()

    def answer_offer(self, body: bytes, *, headers: HeaderList = ()) -> None:
        """Accept the pending re-INVITE or UPDATE with 200.

        Raises:
            LocalProtocolError: none is pending. One that the peer withdrew is passed over in silence.
        """
        transaction = self._take_offer_in()
        if transaction is None:
            return
        self._respond(transaction, 200, headers=[*self._ours(), *headers], body=body)
        if transaction.request.method == "INVITE":
            self._await_ack(transaction, late_offer=bool(body) and not transaction.request.body)

    def refuse_offer(self, status: int = 488, *, headers: HeaderList = ()) -> None:
        """Refuse the pending re-INVITE or UPDATE; the session stays as it was.

        Raises:
            LocalProtocolError: none is pending. One that the peer withdrew is passed over in silence.
        """
        transaction = self._take_offer_in()
        if transaction is not None:
            self._respond(transaction, status, headers=headers)

    def send_request(
        self,
        method: str,
        *,
        body: bytes = b"",
        content_type: str = "",
        headers: HeaderList = (),
        on_response: Callable[[Response | None], None] | None = None,
    ) -> None:
        """Send an INFO, MESSAGE, UPDATE ... in the dialog; `on_response` gets the final answer or None.

        Raises:
            LocalProtocolError: there is no dialog, or it is over.
        """
        if self.dialog is None or self.state is SessionState.TERMINATED:
            raise LocalProtocolError(f"{method} in state {self.state}")

        def answered(response: Response) -> None:
            if response.status < 200:
                return
            if on_response is not None:
                on_response(response)
            if response.status == 481:
                self._lost()

        def failed(_error: Exception) -> None:
            if on_response is not None:
                on_response(None)

        if body and content_type:
            headers = [*headers, ("Content-Type", content_type)]
        if method in ("UPDATE", "SUBSCRIBE", "REFER", "NOTIFY"):
            headers = [("Contact", self.host.contact(self)), *headers]
        self._send(method, answered, failed, headers=headers, body=body)

    # -- what the endpoint calls ----------------------------------------------------------------------

    def receive(self, transaction: ServerTransaction) -> None:
        """Take an in-dialog request other than ACK and CANCEL."""
        request = transaction.request
        dialog = self._dialog_of(request)
        over = self.state is SessionState.TERMINATED
        if dialog is None or (over and request.method != "BYE"):
            self._respond(transaction, 481)
            return
        try:
            dialog.receive(request)
        except RemoteProtocolError as error:
            self._respond(transaction, error.status_hint)
            return
        self.flow = transaction.flow
        if request.method == "BYE":
            self._receive_bye(transaction)
        elif request.method in ("INVITE", "UPDATE"):
            self._receive_offer(transaction, dialog)
        elif request.method == "INFO":
            self._respond(transaction, 200)
            if self.listener is not None:
                self.listener.on_info(self, request)
        elif request.method == "OPTIONS":
            self._respond(transaction, 200, headers=self._ours())
        else:
            self._respond(transaction, 405, headers=[("Allow", self.host.allow)])

    def receive_ack(self, request: Request) -> None:
        """Take an ACK; a second one, or one for nothing, is dropped."""
        unacked = self._unacked.pop(request.cseq.number, None)
        if unacked is None:
            return
        self._rearm_unacked()
        if self.state is SessionState.ACCEPTED:
            self.state = SessionState.CONFIRMED
        elif self._held_bye is not None:
            self._release_bye()
            return
        if self.state is not SessionState.TERMINATED and self.listener is not None:
            self.listener.on_acknowledged(self, request.body)

    def receive_cancel(self, transaction: ServerTransaction) -> None:
        """Take the CANCEL of one of the peer's INVITE transactions; 200 was sent to it."""
        if transaction is self._offer_in:
            self._offer_in = None
            self._offer_withdrawn = True
            self._respond(transaction, 487)

    @property
    def deadline(self) -> float | None:
        """When `expire` wants to be called, or None."""
        return min(self._due.values()) if self._due else None

    def expire(self, *, now: float) -> None:
        """Do what is due: repeat a 2xx, give up on an ACK, send a re-INVITE again after a 491."""
        for name in [name for name, at in self._due.items() if at <= now]:
            if self._due.pop(name, None) is not None:
                self._fire(name, now)

    # -- inside ---------------------------------------------------------------------------------------

    def _fire(self, name: str, now: float) -> None:
        if name == "ack":
            self._repeat_unacked(now)
        elif name == "glare" and self.state is SessionState.CONFIRMED:
            if self._offer_in is not None or self._unacked:
                self._set("glare", now + self._glare_pause())
            else:
                self._send_reinvite()

    def _set(self, name: str, at: float) -> None:
        self._due[name] = at
        self.host.changed(self)

    def _ours(self) -> list[tuple[str, str]]:
        """The headers of a dialog-making response."""
        found = [("Contact", self.host.contact(self)), ("Allow", self.host.allow)]
        if self.host.supported:
            found.append(("Supported", self.host.supported))
        return found

    def _respond(
        self,
        transaction: ServerTransaction,
        status: int,
        reason: str | None = None,
        *,
        headers: HeaderList = (),
        body: bytes = b"",
    ) -> None:
        headers = [*headers, *self.host.response_headers]
        answer = build_response(
            transaction.request, status, reason, to_tag=self.local_tag, headers=headers, body=body
        )
        self.host.respond(transaction, answer)

    def _send(
        self,
        method: str,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Exception], None],
        *,
        headers: HeaderList = (),
        body: bytes = b"",
        dialog: Dialog | None = None,
    ) -> Exchange:
        dialog = dialog or self.dialog
        if dialog is None:
            raise LocalProtocolError(f"{method} without a dialog")
        request = dialog.request(method, headers=[*headers, *self.host.request_headers], body=body)
        return self.host.send(self, request, on_response, on_failure, dialog=dialog)

    def _send_ack(self, exchange: Exchange, dialog: Dialog, body: bytes = b"") -> None:
        """Acknowledge the 2xx of `exchange`, with its credentials (RFC 3261 §13.2.2.4)."""
        invite = exchange.request
        headers: list[tuple[str, str]] = [
            (name, value)
            for name in ("Authorization", "Proxy-Authorization")
            for value in invite.headers.get_all(name)
        ]
        if body:
            headers.append(("Content-Type", "application/sdp"))
        ack = dialog.request("ACK", headers=headers, body=body, cseq=invite.cseq.number)
        while len(self._acks) >= MAX_ACKS:
            del self._acks[next(iter(self._acks))]
        self._acks[dialog.remote_tag, invite.cseq.number] = self.host.send_ack(self, ack, dialog)

    def _is_repeated(self, response: Response) -> bool:
        """True for another copy of a 2xx that was acknowledged; its ACK is sent again."""
        sent = self._acks.get((response.to.tag, response.cseq.number))
        if sent is None:
            return False
        self.host.repeat_ack(sent)
        return True

    def _dialog_of(self, request: Request) -> Dialog | None:
        dialog = self.dialog
        if dialog is None or dialog.remote_tag != request.from_.tag:
            return None
        return dialog

    # -- ending ---------------------------------------------------------------------------------------

    def _receive_bye(self, transaction: ServerTransaction) -> None:
        self._respond(transaction, 200)
        if self.state is SessionState.TERMINATED:
            return
        self._held_bye = None
        self._end("peer", transaction.request)
        self._unacked.clear()
        self._due.clear()
        self.host.finished(self)

    def _end(self, by: EndedBy, request: Request | None) -> None:
        """Go to TERMINATED and tell the listener, once."""
        self.state = SessionState.TERMINATED
        self._due.pop("glare", None)
        if self._offer_in is not None:
            transaction, self._offer_in = self._offer_in, None
            self._offer_withdrawn = True
            self._respond(transaction, 487)
        if not self._ended_told:
            self._ended_told = True
            if self.listener is not None:
                self.listener.on_ended(self, by, request)

    def _lost(self) -> None:
        """The peer does not know the dialog any more."""
        if self.state in (SessionState.ACCEPTED, SessionState.CONFIRMED):
            self._end("network", None)
            self._unacked.clear()
            self._due.clear()
            self.host.finished(self)

    def _send_bye(self, headers: HeaderList = (), dialog: Dialog | None = None) -> None:
        main = dialog is None or dialog is self.dialog
        if main and self._bye_sent:
            return
        self._bye_sent = self._bye_sent or main

        def done(response: Response | None) -> None:
            if main and (response is None or response.status >= 200):
                self.host.finished(self)

        self._send("BYE", done, lambda _error: done(None), headers=headers, dialog=dialog)

    def _release_bye(self) -> None:
        headers, self._held_bye = self._held_bye, None
        self._unacked.clear()
        self._due.clear()
        self._send_bye(headers or ())

    # -- 2xx of ours that wait for an ACK -------------------------------------------------------------

    def _await_ack(self, transaction: ServerTransaction, *, late_offer: bool) -> None:
        number = transaction.request.cseq.number
        self._unacked[number] = _Unacked(
            transaction, now=self.host.now(), t1=self.host.timers.t1, late_offer=late_offer
        )
        self._rearm_unacked()

    def _rearm_unacked(self) -> None:
        if self._unacked:
            self._set("ack", min(min(u.again_at, u.give_up_at) for u in self._unacked.values()))
        else:
            self._due.pop("ack", None)

    def _repeat_unacked(self, now: float) -> None:
        for unacked in list(self._unacked.values()):
            if unacked.give_up_at <= now:
                self._give_up()
                return
            if unacked.again_at <= now:
                self.host.repeat(unacked.transaction)
                unacked.interval = min(2 * unacked.interval, self.host.timers.t2)
                unacked.again_at += unacked.interval
        self._rearm_unacked()

    def _give_up(self) -> None:
        """No ACK within 64*T1: the session ends with a BYE (RFC 3261 §13.3.1.4)."""
        held = self._held_bye is not None
        self._unacked.clear()
        self._end("network", None)
        if held:
            self._release_bye()
        else:
            self._due.clear()
            self._send_bye()

    # -- offers of the peer ---------------------------------------------------------------------------

    def _receive_offer(self, transaction: ServerTransaction, dialog: Dialog) -> None:
        request = transaction.request
        if self._offer_in is not None:
            # RFC 3261 §14.2: up to 10 s, at random
            pause = str(self.host.ids.bits(16) % 11)
            self._respond(transaction, 500, headers=[("Retry-After", pause)])
            return
        early = self.state not in (SessionState.ACCEPTED, SessionState.CONFIRMED)
        waiting = any(unacked.late_offer for unacked in self._unacked.values())
        if self._offer_out is not None or waiting or (early and (request.body or request.method == "INVITE")):
            self._respond(transaction, 491)
            return
        if request.body and request.content_type != "application/sdp":
            self._respond(transaction, 415, headers=[("Accept", "application/sdp")])
            return
        dialog.refresh(request)
        if early:
            self._respond(transaction, 200, headers=self._ours())
            return
        self._offer_in = transaction
        transaction.user = self
        self._offer_withdrawn = False
        if self.listener is None:
            self.refuse_offer(488)
            return
        self.listener.on_offer(self, request)
        if self._offer_in is transaction and request.method == "INVITE":
            self._respond(transaction, 100)

    def _take_offer_in(self) -> ServerTransaction | None:
        transaction = self._offer_in
        if transaction is None and not self._offer_withdrawn:
            raise LocalProtocolError("no offer of the peer is pending")
        self._offer_in = None
        self._offer_withdrawn = False
        return transaction

    # -- re-INVITEs of ours ---------------------------------------------------------------------------

    def _send_reinvite(self) -> None:
        body, extra = self._reinvite
        headers = [*self._ours(), *extra]
        if body:
            headers.append(("Content-Type", "application/sdp"))
        self._offer_out = self._send(
            "INVITE", self._reinvite_answered, self._reinvite_failed, headers=headers, body=body
        )

    def _reinvite_answered(self, response: Response) -> None:
        exchange, dialog = self._offer_out, self.dialog
        if dialog is None or response.status < 200:
            return
        if exchange is None:
            if response.status < 300:
                self._is_repeated(response)
            return
        self._offer_out = None
        if response.status < 300:
            dialog.refresh(response)
            if self._reinvite[0] or self.state is SessionState.TERMINATED:
                self._send_ack(exchange, dialog)
            else:
                self._ack_owed = exchange
        elif response.status == 491 and self._glare_retries < MAX_GLARE_RETRIES:
            if self.state is SessionState.CONFIRMED:
                self._glare_retries += 1
                self._set("glare", self.host.now() + self._glare_pause())
            return
        self._tell_reinvite(response)
        if response.status == 481:
            self._lost()
        elif response.status == 408:
            self._hang_up_lost()

    def _reinvite_failed(self, error: Exception) -> None:
        self._offer_out = None
        self._tell_reinvite(None)
        if isinstance(error, TransactionTimeout):
            self._hang_up_lost()

    def _tell_reinvite(self, response: Response | None) -> None:
        if self.state is not SessionState.TERMINATED and self.listener is not None:
            self.listener.on_reinvite_answered(self, response)

    def _hang_up_lost(self) -> None:
        """A re-INVITE without an answer ends the dialog (RFC 3261 §12.2.1.2)."""
        if self.state is SessionState.CONFIRMED:
            self._end("network", None)
            self._send_bye()

    def _glare_pause(self) -> float:
        """Seconds to wait after a 491, in steps of 10 ms (RFC 3261 §14.1)."""
        if self.role == "uac":  # we made the Call-ID
            return 2.1 + (self.host.ids.bits(16) % 191) / 100
        return (self.host.ids.bits(16) % 201) / 100
