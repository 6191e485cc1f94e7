"""One INVITE usage of a dialog, either role: the part that both roles share.

Cores: all time comes from the host, and everything that leaves goes through it
(`sipcc.sip.session_api.SessionHost`). `sipcc.sip.uas` and `sipcc.sip.uac` add how a session begins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from sipcc.errors import LocalProtocolError, RemoteProtocolError
from sipcc.sip.acks import Acks
from sipcc.sip.build import response as build_response
from sipcc.sip.dialog import Dialog
from sipcc.sip.ending import Ending
from sipcc.sip.message import Request, Response
from sipcc.sip.modify import Modification
from sipcc.sip.session_api import (
    Exchange,
    HeaderList,
    SessionEvents,
    SessionHost,
    SessionListener,
    SessionPolicy,
    SessionState,
)
from sipcc.sip.session_timer import SessionTimer
from sipcc.sip.transaction.machine import ServerTransaction
from sipcc.sip.transport.base import Flow
from sipcc.sip.unacked import UnackedAnswers
from sipcc.sip.uri import SipUri

_NOBODY = SessionEvents()


class InviteSession:
    """An INVITE session; made by the endpoint only."""

    role: Literal["uas", "uac"]

    def __init__(
        self,
        host: SessionHost,
        request: Request,
        flow: Flow,
        local_tag: str,
        policy: SessionPolicy | None = None,
    ) -> None:
        self.host = host
        self.policy = policy or SessionPolicy(timer=host.session_timer)
        """The extensions that this session may and must use."""
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
        self.timer = SessionTimer(self.policy.timer)
        self.local_body = b""
        """Our description that is in force, which a refresh repeats."""
        self.acks = Acks(self)
        self.ending = Ending(self)

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
        exchange = self.acks.owed
        if exchange is None or self.dialog is None:
            raise LocalProtocolError("no ACK is owed")
        self.acks.owed = None
        self.local_body = body or self.local_body
        self.acks.send(exchange, self.dialog, body)
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
        if self.acks.owed is not None:
            self.acknowledge()
        self.ending.by_us(headers, after_ack=self.role == "uas" and self.state is SessionState.ACCEPTED)

    def reinvite(self, body: bytes, *, headers: HeaderList = ()) -> None:
        """Send a re-INVITE; with an empty `body` the peer makes the offer, to be answered in the ACK.

        A 491 is retried by itself as RFC 3261 §14.1 says.

        Raises:
            LocalProtocolError: not confirmed, or another offer is under way in either direction.
        """
        if self.state is not SessionState.CONFIRMED:
            raise LocalProtocolError(f"re-INVITE in state {self.state}")
        if self.acks.owed is not None:
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

        An early dialog does as well, and so does one that `hold_dialog` keeps after the end.

        Raises:
            LocalProtocolError: there is no dialog, or it is over.
        """
        over = self.state is SessionState.TERMINATED and not self.ending.held
        if self.dialog is None or over or self.state is SessionState.TRYING:
            raise LocalProtocolError(f"{method} in state {self.state}")

        def answered(response: Response) -> None:
            if response.status < 200:
                return
            if method == "UPDATE" and response.status < 300 and self.state is SessionState.CONFIRMED:
                self._modification.take_timer(response)
            if on_response is not None:
                on_response(response)
            if response.status == 481:
                self.ending.lost()

        def failed(_error: Exception) -> None:
            if on_response is not None:
                on_response(None)

        if body and content_type:
            headers = [*headers, ("Content-Type", content_type)]
        if method in ("UPDATE", "SUBSCRIBE", "REFER", "NOTIFY"):
            headers = [("Contact", self.host.contact(self)), *headers]
        self.send_in_dialog(method, answered, failed, headers=headers, body=body)

    def hold_dialog(self) -> None:
        """Keep the dialog reachable for another usage of it, such as a subscription (RFC 5057).

        After the BYE its requests still come to `on_request`, and `send_request` still works.
        """
        self.ending.hold()

    def release_dialog(self) -> None:
        """That other usage is over.

        Raises:
            LocalProtocolError: the dialog is not held.
        """
        self.ending.release()

    # -- what the endpoint calls ----------------------------------------------------------------------

    def receive(self, transaction: ServerTransaction) -> None:
        """Take an in-dialog request other than ACK and CANCEL."""
        request = transaction.request
        dialog = self._dialog_of(request)
        over = self.state is SessionState.TERMINATED
        if dialog is None or (over and request.method != "BYE" and not self._outlives(request.method)):
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
        elif request.method == "OPTIONS":
            self.respond(transaction, 200, headers=self.own_headers())
        else:
            listener = self.listener or _NOBODY
            listener.on_request(self, self.host.incoming(transaction, session=self))

    def receive_ack(self, request: Request) -> None:
        """Take an ACK; a second one, or one for nothing, is dropped."""
        if not self.unacked.acknowledge(request.cseq.number):
            return
        self._rearm_unacked()
        if self.state is SessionState.ACCEPTED:
            self.state = SessionState.CONFIRMED
        elif self.ending.bye_waits:
            self.ending.release_bye()
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
                self.host.timer_fired(self, name, now)
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

    def _outlives(self, method: str) -> bool:
        """True for a request that may belong to another usage of the dialog than the session."""
        return self.ending.held and method not in ("INVITE", "UPDATE", "PRACK", "INFO")

    def _dialog_of(self, request: Request) -> Dialog | None:
        dialog = self.dialog
        if dialog is None or dialog.remote_tag != request.from_.tag:
            return None
        return dialog

    def _receive_bye(self, transaction: ServerTransaction) -> None:
        self.respond(transaction, 200)
        if self.state is not SessionState.TERMINATED:
            self.ending.by_peer(transaction.request)

    def terminate(self) -> None:
        """Go to TERMINATED: what belongs to a live session stops, a 2xx is still repeated."""
        self.state = SessionState.TERMINATED
        self.clear_due("glare")
        self.clear_due("timer")
        self.timer.stop()
        self._modification.withdraw()

    def stop_timers(self) -> None:
        """Nothing of the session is due any more."""
        self.unacked.clear()
        self._due.clear()

    def clear_due(self, name: str) -> None:
        """Stop the timer `name`."""
        self._due.pop(name, None)

    def is_due(self, name: str) -> bool:
        """True while the timer `name` runs."""
        return name in self._due

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
        self.ending.unacknowledged()
