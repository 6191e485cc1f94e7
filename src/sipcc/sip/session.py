"""One INVITE usage of a dialog, either role: the part that both roles share.

Cores: all time comes from the host, and everything that leaves goes through it
(`sipcc.sip.session_api.SessionHost`). `sipcc.sip.uas` and `sipcc.sip.uac` add how a session begins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from sipcc.errors import LocalProtocolError, RemoteProtocolError
from sipcc.sip.build import response as build_response
from sipcc.sip.dialog import Dialog
from sipcc.sip.message import Request, Response
from sipcc.sip.modify import Modification
from sipcc.sip.session_api import (
    AckSent,
    EndedBy,
    Exchange,
    HeaderList,
    SessionHost,
    SessionListener,
    SessionState,
)
from sipcc.sip.session_timer import SessionTimer
from sipcc.sip.transaction.machine import ServerTransaction
from sipcc.sip.transport.base import Flow
from sipcc.sip.unacked import UnackedAnswers
from sipcc.sip.uri import SipUri

MAX_ACKS = 16
"""ACKs kept for copies of 2xx responses: one per fork and re-INVITE, the oldest falls out."""


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
        self.unacked = UnackedAnswers(host.timers)
        self._modification = Modification(self)
        self.timer = SessionTimer(host.session_timer)
        self.local_body = b""
        """Our description that is in force, which a refresh repeats."""
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
        self.local_body = body or self.local_body
        self.send_ack(exchange, self.dialog, body)
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
        if self._ack_owed is not None:
            raise LocalProtocolError("an ACK is owed first")
        self._modification.start(body, headers)

    def answer_offer(self, body: bytes, *, headers: HeaderList = ()) -> None:
        """Accept the pending re-INVITE or UPDATE with 200.

        Raises:
            LocalProtocolError: none is pending. One that the peer withdrew is passed over in silence.
        """
        self._modification.answer(body, headers)

    def refuse_offer(self, status: int = 488, *, headers: HeaderList = ()) -> None:
        """Refuse the pending re-INVITE or UPDATE; the session stays as it was.

        Raises:
            LocalProtocolError: none is pending. One that the peer withdrew is passed over in silence.
        """
        self._modification.refuse(status, headers)

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
            if method == "UPDATE" and response.status < 300 and self.state is SessionState.CONFIRMED:
                self._modification.take_timer(response)
            if on_response is not None:
                on_response(response)
            if response.status == 481:
                self.lose()

        def failed(_error: Exception) -> None:
            if on_response is not None:
                on_response(None)

        if body and content_type:
            headers = [*headers, ("Content-Type", content_type)]
        if method in ("UPDATE", "SUBSCRIBE", "REFER", "NOTIFY"):
            headers = [("Contact", self.host.contact(self)), *headers]
        self.send_in_dialog(method, answered, failed, headers=headers, body=body)

    # -- what the endpoint calls ----------------------------------------------------------------------

    def receive(self, transaction: ServerTransaction) -> None:
        """Take an in-dialog request other than ACK and CANCEL."""
        request = transaction.request
        dialog = self._dialog_of(request)
        over = self.state is SessionState.TERMINATED
        if dialog is None or (over and request.method != "BYE"):
            self.respond(transaction, 481)
            return
        try:
            dialog.receive(request)
        except RemoteProtocolError as error:
            self.respond(transaction, error.status_hint)
            return
        self.flow = transaction.flow
        if request.method == "BYE":
            self._receive_bye(transaction)
        elif request.method in ("INVITE", "UPDATE"):
            self._modification.receive(transaction, dialog)
        elif request.method == "INFO":
            self.respond(transaction, 200)
            if self.listener is not None:
                self.listener.on_info(self, request)
        elif request.method == "OPTIONS":
            self.respond(transaction, 200, headers=self.own_headers())
        else:
            self.respond(transaction, 405, headers=[("Allow", self.host.allow)])

    def receive_ack(self, request: Request) -> None:
        """Take an ACK; a second one, or one for nothing, is dropped."""
        if not self.unacked.acknowledge(request.cseq.number):
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
        self._modification.withdraw(transaction)

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
        elif name == "glare":
            self._modification.retry(now)
        elif name == "timer":
            self._modification.timer_due(now)

    def set_due(self, name: str, at: float) -> None:
        """Let the timer `name` fire at `at`."""
        self._due[name] = at
        self.host.changed(self)

    def own_headers(self) -> list[tuple[str, str]]:
        """The headers of a dialog-making response."""
        found = [("Contact", self.host.contact(self)), ("Allow", self.host.allow)]
        if self.host.supported:
            found.append(("Supported", self.host.supported))
        return found

    def respond(
        self,
        transaction: ServerTransaction,
        status: int,
        reason: str | None = None,
        *,
        headers: HeaderList = (),
        body: bytes = b"",
    ) -> None:
        """Answer one of the peer's requests."""
        headers = [*headers, *self.host.response_headers]
        answer = build_response(
            transaction.request, status, reason, to_tag=self.local_tag, headers=headers, body=body
        )
        self.host.respond(transaction, answer)

    def send_in_dialog(
        self,
        method: str,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Exception], None],
        *,
        headers: HeaderList = (),
        body: bytes = b"",
        dialog: Dialog | None = None,
    ) -> Exchange:
        """Send a request in `dialog`, by default that of the session."""
        dialog = dialog or self.dialog
        if dialog is None:
            raise LocalProtocolError(f"{method} without a dialog")
        if method in ("INVITE", "UPDATE") and self.state is SessionState.CONFIRMED:
            headers = [*headers, *self.timer.request_headers()]
        request = dialog.request(method, headers=[*headers, *self.host.request_headers], body=body)
        return self.host.send(self, request, on_response, on_failure, dialog=dialog)

    def send_ack(self, exchange: Exchange, dialog: Dialog, body: bytes = b"") -> None:
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

    def repeat_ack(self, response: Response) -> bool:
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
        self.respond(transaction, 200)
        if self.state is SessionState.TERMINATED:
            return
        self._held_bye = None
        self._end("peer", transaction.request)
        self.unacked.clear()
        self._due.clear()
        self.host.finished(self)

    def _end(self, by: EndedBy, request: Request | None) -> None:
        """Go to TERMINATED and tell the listener, once."""
        self.state = SessionState.TERMINATED
        self._due.pop("glare", None)
        self._due.pop("timer", None)
        self.timer.stop()
        self._modification.withdraw()
        if not self._ended_told:
            self._ended_told = True
            if self.listener is not None:
                self.listener.on_ended(self, by, request)

    def owe_ack(self, exchange: Exchange) -> None:
        """A 2xx with a late offer came: `acknowledge` must answer it."""
        self._ack_owed = exchange

    def hang_up_lost(self) -> None:
        """A re-INVITE without an answer ends the dialog (RFC 3261 §12.2.1.2)."""
        if self.state is SessionState.CONFIRMED:
            self._end("network", None)
            self._send_bye()

    def clear_due(self, name: str) -> None:
        """Stop the timer `name`."""
        self._due.pop(name, None)

    def is_due(self, name: str) -> bool:
        """True while the timer `name` runs."""
        return name in self._due

    def lose(self) -> None:
        """The peer does not know the dialog any more."""
        if self.state in (SessionState.ACCEPTED, SessionState.CONFIRMED):
            self._end("network", None)
            self.unacked.clear()
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

        self.send_in_dialog("BYE", done, lambda _error: done(None), headers=headers, dialog=dialog)

    def _release_bye(self) -> None:
        headers, self._held_bye = self._held_bye, None
        self.unacked.clear()
        self._due.clear()
        self._send_bye(headers or ())

    def await_ack(self, transaction: ServerTransaction, *, late_offer: bool) -> None:
        """A 2xx of ours went out: repeat it until its ACK comes."""
        self.unacked.add(transaction, late_offer=late_offer, now=self.host.now())
        self._rearm_unacked()

    def _rearm_unacked(self) -> None:
        deadline = self.unacked.deadline
        if deadline is not None:
            self.set_due("ack", deadline)
        else:
            self._due.pop("ack", None)

    def _repeat_unacked(self, now: float) -> None:
        again, given_up = self.unacked.expire(now=now)
        for transaction in again:
            self.host.repeat(transaction)
        if not given_up:
            self._rearm_unacked()
            return
        # no ACK within 64*T1: the session ends with a BYE (RFC 3261 §13.3.1.4)
        self._end("network", None)
        self._release_bye()
