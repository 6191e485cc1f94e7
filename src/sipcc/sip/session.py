"""One INVITE usage of a dialog, either role: the part that both roles share.

Cores: all time comes from the host, and everything that leaves goes through it
(`sipcc.sip.session_api.SessionHost`). `sipcc.sip.uas` and `sipcc.sip.uac` add how a session begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from sipcc.errors import LocalProtocolError, RemoteProtocolError
from sipcc.sip.acks import Acks
from sipcc.sip.build import response as build_response
from sipcc.sip.dialog import Dialog
from sipcc.sip.ending import Ending
from sipcc.sip.message import Request, Response
from sipcc.sip.modify import Change, Modification
from sipcc.sip.offer import Turn
from sipcc.sip.pracks import Pracks
from sipcc.sip.refreshing import Refreshing
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
_IN_DIALOG = (SessionState.EARLY, SessionState.ACCEPTED, SessionState.CONFIRMED)


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
        self.option_tags = self.policy.option_tags(host.supported)
        self.request = request
        """The initial INVITE, as it was last sent."""
        self.flow = flow
        """The flow of the last message of the dialog's peer, or the one that the INVITE left on."""
        self.call_id = request.call_id
        self.local_tag = local_tag
        self.listener: SessionListener | None = None
        self.finished = False
        """True once requests of the peer do not find the session any more."""
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
        self.turn = Turn()
        """Whose turn it is to offer or to answer in the dialog."""
        self.modification = Modification(self)
        self.timer = SessionTimer(self.policy.timer)
        self.refreshing = Refreshing(self)
        self.pracks = Pracks(self)
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

    @property
    def told(self) -> SessionListener:
        """The listener, or one that does nothing."""
        return self.listener or _NOBODY

    @property
    def owes_ack(self) -> bool:
        """True while a 2xx with an offer waits for `acknowledge`."""
        return self.acks.owed is not None

    @property
    def dialogs(self) -> Mapping[str, Dialog]:
        """UAC: the early dialogs by To tag, the oldest first; empty after the final answer."""
        return {}

    def fork_of(self, message: Request | Response) -> Dialog | None:
        """The dialog, early or not, that a message of the peer belongs to."""
        return self._dialog_by((message.to if isinstance(message, Response) else message.from_).tag)

    def dialog_with(self, remote_tag: str) -> Dialog | None:
        """The dialog, early or not, with the peer of that tag."""
        return self._dialog_by(remote_tag)

    # -- verbs of one role, refused by the other ------------------------------------------------------

    def ring(
        self, status: int = 180, *, body: bytes = b"", headers: HeaderList = (), reliable: bool | None = None
    ) -> None:
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

    def acknowledge_provisional(self, response: Response, body: bytes = b"") -> None:
        """UAC: send the PRACK that is owed to a reliable 1xx with an offer; `body` is our answer."""
        raise LocalProtocolError("only the calling side sends PRACK")

    def owes_prack(self, response: Response) -> bool:
        """UAC: True for a reliable 1xx whose offer waits for `acknowledge_provisional`."""
        return False

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
        self.turn.settle()
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
        if self.acks.owed is not None or self.dialog is None:
            raise LocalProtocolError("an ACK is owed first")
        self.modification.start(Change("INVITE", self.dialog, body=body, headers=headers))

    def update(self, body: bytes = b"", *, headers: HeaderList = (), dialog: Dialog | None = None) -> None:
        """Send an UPDATE, also in an early dialog; with a `body` it offers (RFC 3311).

        The outcome comes by `on_reinvite_answered`. A 491, and a 500 with Retry-After, are retried by
        itself. `dialog` chooses among the forks of an INVITE of ours, the last one that rang by default.

        Raises:
            LocalProtocolError: there is no dialog yet, or an offer is under way in either direction.
        """
        dialog = dialog or self.dialog
        if dialog is None or self.state not in _IN_DIALOG:
            raise LocalProtocolError(f"UPDATE in state {self.state}")
        self.modification.start(Change("UPDATE", dialog, body=body, headers=headers))

    def answer_offer(self, body: bytes, *, headers: HeaderList = ()) -> None:
        """Accept the pending re-INVITE, UPDATE or PRACK with 200.

        Raises:
            LocalProtocolError: none is pending. One that the peer withdrew is passed over in silence.
        """
        self.modification.answer(body, headers)

    def refuse_offer(self, status: int = 488, *, headers: HeaderList = ()) -> None:
        """Refuse the pending re-INVITE, UPDATE or PRACK; the session stays as it was.

        Raises:
            LocalProtocolError: none is pending. One that the peer withdrew is passed over in silence.
        """
        self.modification.refuse(status, headers)

    def send_request(
        self,
        method: str,
        *,
        body: bytes = b"",
        content_type: str = "",
        headers: HeaderList = (),
        on_response: Callable[[Response | None], None] | None = None,
        dialog: Dialog | None = None,
    ) -> None:
        """Send an INFO, MESSAGE, REFER ... in the dialog; `on_response` gets the final answer or None.

        An early dialog does as well, and so does one that `hold_dialog` keeps after the end. `dialog`
        chooses among the forks of an INVITE of ours.

        Raises:
            LocalProtocolError: there is no dialog, or it is over.
        """
        dialog = dialog or self.dialog
        over = self.state is SessionState.TERMINATED and not self.ending.held
        if dialog is None or over or self.state is SessionState.TRYING:
            raise LocalProtocolError(f"{method} in state {self.state}")

        def answered(response: Response) -> None:
            if response.status < 200:
                return
            if on_response is not None:
                on_response(response)
            if response.status == 481:
                self.ending.lost()

        def failed(_error: Exception) -> None:
            if on_response is not None:
                on_response(None)

        if body and content_type:
            headers = [*headers, ("Content-Type", content_type)]
        if method in ("SUBSCRIBE", "REFER", "NOTIFY"):
            headers = [("Contact", self.host.contact(self)), *headers]
        self.send_in_dialog(method, answered, failed, headers=headers, body=body, dialog=dialog)

    def hold_dialog(self) -> None:
        """Keep the dialog reachable for another usage of it, such as a subscription (RFC 5057).

        After the BYE its requests still come to `on_request`, and `send_request` still works.
        """
        self.ending.hold()

    def release_dialog(self) -> None:
        """That other usage is over; LocalProtocolError when the dialog is not held."""
        self.ending.release()

    # -- what the endpoint calls ----------------------------------------------------------------------

    def receive(self, transaction: ServerTransaction) -> None:
        """Take an in-dialog request other than ACK and CANCEL."""
        transaction.user = self
        request = transaction.request
        method = request.method
        dialog = self._dialog_by(request.from_.tag)
        over = self.state is SessionState.TERMINATED
        if dialog is None or (over and not self._takes_after_end(method)):
            self.respond(transaction, 481)
            return
        try:
            dialog.receive(request)
        except RemoteProtocolError as error:
            if method != "PRACK":  # its RAck says what it means, also when UDP let another overtake it
                self.respond(transaction, error.status_hint)
                return
        self.flow = transaction.flow
        if method == "BYE":
            self._receive_bye(transaction)
        elif method in ("INVITE", "UPDATE"):
            self.modification.receive(transaction, dialog)
        elif method == "PRACK":
            self._receive_prack(transaction, dialog)
        elif method == "OPTIONS":
            self.respond(transaction, 200, headers=self.own_headers())
        else:
            self.told.on_request(self, self.host.incoming(transaction, session=self))

    def receive_ack(self, request: Request) -> None:
        """Take an ACK; a second one, or one for nothing, is dropped."""
        if not self.acks.receive(request):
            return
        if self.state is SessionState.ACCEPTED:
            self.state = SessionState.CONFIRMED
        elif self.ending.bye_waits:
            self.ending.release_bye()
            return
        if self.state is SessionState.TERMINATED:
            self.ending.go_on()
        else:
            self.told.on_acknowledged(self, request.body)

    def receive_cancel(self, transaction: ServerTransaction) -> None:
        """Take the CANCEL of one of the peer's INVITEs; 200 was sent to it."""
        self.modification.withdraw(transaction)

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
            self.acks.due(now)
        elif name == "glare":
            self.modification.retry(now)
        elif name == "timer":
            self.refreshing.due(now)
        elif name in ("answer", "reinvite"):
            self.modification.overdue(name)

    def set_due(self, name: str, at: float) -> None:
        """Let the timer `name` fire at `at`."""
        self._due[name] = at
        self.host.changed(self)

    def own_headers(self, method: str = "INVITE", *, asks: bool = False) -> list[tuple[str, str]]:
        """The headers that say who we are, for a request (`asks`) or a response that refreshes the target."""
        if method == "PRACK":
            return []
        found = [("Contact", self.host.contact(self)), ("Allow", self.host.allow)]
        # how a re-INVITE of ours comes on interests nobody
        tags = [tag for tag in self.option_tags if tag != "100rel" or not asks]
        if tags:
            found.append(("Supported", ", ".join(tags)))
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

    def turn_in(self, dialog: Dialog) -> Turn:
        """Whose turn it is in one of the dialogs."""
        return self.turn

    def offers_settled(self) -> None:
        """A change of either side is over; who waits for that may go on."""

    def _takes_after_end(self, method: str) -> bool:
        """True for a BYE that crossed ours, and for what may belong to another usage of the dialog."""
        return method == "BYE" or (
            self.ending.held and method not in ("INVITE", "UPDATE", "PRACK", "INFO", "OPTIONS")
        )

    def _dialog_by(self, remote_tag: str) -> Dialog | None:
        dialog = self.dialog
        return dialog if dialog is not None and dialog.remote_tag == remote_tag else None

    def _receive_prack(self, transaction: ServerTransaction, dialog: Dialog) -> None:
        self.respond(transaction, 481)  # only the called side has anything to acknowledge

    def _receive_bye(self, transaction: ServerTransaction) -> None:
        self.respond(transaction, 200)
        if self.state is not SessionState.TERMINATED:
            self.ending.by_peer(transaction.request)

    def terminate(self) -> None:
        """Go to TERMINATED: what belongs to a live session stops, a 2xx is still repeated."""
        self.state = SessionState.TERMINATED
        for name in ("glare", "timer", "answer"):
            self.clear_due(name)
        self.timer.stop()
        self.modification.withdraw()

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
