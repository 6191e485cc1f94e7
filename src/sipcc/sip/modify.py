"""Changing a session while it lasts: re-INVITE, UPDATE and offers in PRACK, in both directions.

RFC 3261 §14, RFC 3311 §5, RFC 3262 §5; RFC 6337 says where an offer may be. A core that belongs to one
`InviteSession` and works through it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sipcc.errors import LocalProtocolError, TransactionTimeout
from sipcc.sip.dialog import Dialog
from sipcc.sip.fields import delta_seconds
from sipcc.sip.message import Request, Response
from sipcc.sip.offer import Turn
from sipcc.sip.part import SessionPart
from sipcc.sip.reliable import ReliableReceiver, demands_reliable, rseq_of
from sipcc.sip.session_api import Exchange, HeaderList, SessionState
from sipcc.sip.transaction.machine import ServerTransaction

if TYPE_CHECKING:
    from sipcc.sip.session import InviteSession

MAX_GLARE_RETRIES = 4
"""How often a change that met a 491, or a 500 with Retry-After, is sent again before the listener is told."""
MAX_RETRY_AFTER = 10
"""The longest Retry-After, in seconds, that is waited for (RFC 3261 §14.2 says at most 10)."""
ANSWER_T1S = 32
"""UPDATE and PRACK time out at the peer after 64*T1: one that nobody answers in this many gets 504."""

_PENDING = (SessionState.ACCEPTED, SessionState.CONFIRMED)


class Change:
    """A re-INVITE or UPDATE of ours, over as many attempts as it takes."""

    __slots__ = (
        "body",
        "dialog",
        "exchange",
        "headers",
        "method",
        "order",
        "refresh",
        "retries",
        "settled",
        "turn",
    )

    def __init__(
        self, method: str, dialog: Dialog, *, body: bytes, headers: HeaderList = (), refresh: bool = False
    ) -> None:
        self.method = method
        self.dialog = dialog
        self.body = body
        self.headers = headers
        self.refresh = refresh
        """True for one that only keeps the session alive, and that no listener hears of."""
        self.retries = 0
        self.exchange: Exchange | None = None
        """None before it has left, and while it waits for another attempt."""
        self.order = ReliableReceiver()
        self.turn = Turn()
        """That of its dialog, once it has been started."""
        self.settled = False
        """True after the final answer."""


class Modification(SessionPart):
    """The offers under way beside the initial one: at most one of each side."""

    def __init__(self, session: InviteSession) -> None:
        super().__init__(session)
        self._theirs: ServerTransaction | None = None
        self._their_turn = session.turn
        self._withdrawn = False
        self._ours: Change | None = None

    @property
    def busy(self) -> bool:
        """True while a change of either side is under way."""
        return self._ours is not None or self._theirs is not None

    # -- ours -----------------------------------------------------------------------------------------

    def start(self, change: Change) -> None:
        """Send a re-INVITE or UPDATE.

        Raises:
            LocalProtocolError: an offer is under way in either direction.
        """
        session = self._session
        if self._ours is not None:
            raise LocalProtocolError("a change of ours is pending")
        if self._theirs is not None or (change.method == "INVITE" and len(session.unacked)):
            raise LocalProtocolError("an offer of the peer is pending")
        turn = change.turn = session.turn_in(change.dialog)
        early = session.state not in _PENDING
        if change.body and (turn.open or (early and not turn.begun)):
            raise LocalProtocolError("an offer has no answer yet" if turn.open else "the INVITE had no offer")
        self._ours = change
        if not session.pracks.pending:  # a PRACK must not be overtaken: its CSeq is lower
            self._send(change)

    def refresh(self) -> bool:
        """Refresh the session (RFC 4028 §10); False when an offer is under way and it has to wait.

        UPDATE where the peer takes it, which carries no description; else a re-INVITE that repeats ours.
        """
        session, dialog = self._session, self._session.dialog
        waits = self.busy or len(session.unacked) or session.turn.open or session.acks.owed
        if waits or dialog is None or session.state is not SessionState.CONFIRMED:
            return False
        if session.timer.peer_updates:
            self.start(Change("UPDATE", dialog, body=b"", refresh=True))
        else:
            self.start(Change("INVITE", dialog, body=session.local_body, refresh=True))
        return True

    def lingers(self) -> bool:
        """True while a re-INVITE has no final answer; it gets 64*T1 more to have one."""
        change, session = self._ours, self._session
        if change is None or change.method != "INVITE" or change.exchange is None:
            return False
        session.set_due("reinvite", session.host.now() + session.host.timers.timeout)
        return True

    def resume(self) -> None:
        """No PRACK of ours is under way any more."""
        change = self._ours
        if change is not None and change.exchange is None and not self._session.is_due("glare"):
            self._send(change)

    def retry(self, now: float) -> None:
        """The pause after a 491 is over."""
        change, session = self._ours, self._session
        if change is None or session.state is SessionState.TERMINATED:
            return
        blocked = len(session.unacked) if change.method == "INVITE" else 0
        if self._theirs is not None or blocked or (change.body and change.turn.open):
            session.set_due("glare", now + self._glare_pause())
        else:
            self._send(change)

    def _send(self, change: Change) -> None:
        session = self._session
        headers = [*session.own_headers(change.method, asks=True), *change.headers]
        if change.body:
            headers.append(("Content-Type", "application/sdp"))
            change.turn.offer(ours=True)
        change.order = ReliableReceiver()
        change.exchange = session.send_in_dialog(
            change.method,
            partial(self._answered, change),
            partial(self._failed, change),
            headers=headers,
            body=change.body,
            dialog=change.dialog,
        )

    def _answered(self, change: Change, response: Response) -> None:
        session, status = self._session, response.status
        if status < 200:
            self._provisional(change, response)
            return
        if change.settled:
            if change.method == "INVITE" and status < 300:
                session.acks.repeat(response)
            return
        if change.body:
            change.turn.settle()
        if status < 300:
            self._accepted(change, response)
        elif self._comes_again(change, response):
            return
        self._close(change)
        session.refreshing.answered(change, response)
        if change.refresh:
            return
        self._tell(response)
        if status == 481:
            session.ending.lost()
        elif status == 408:
            session.ending.unanswered()

    def _provisional(self, change: Change, response: Response) -> None:
        """A re-INVITE does not ask for reliable 1xx; a peer that sends one all the same gets its PRACK."""
        rseq = rseq_of(response)
        if rseq is not None and change.method == "INVITE" and change.body and change.order.take(rseq):
            self._session.pracks.send(change.dialog, response, rseq)

    def _accepted(self, change: Change, response: Response) -> None:
        session, dialog, exchange = self._session, change.dialog, change.exchange
        dialog.refresh(response)
        session.local_body = change.body or session.local_body
        if change.method != "INVITE" or exchange is None:
            return
        if change.body or change.refresh or session.state is SessionState.TERMINATED:
            session.acks.send(exchange, dialog)  # also after a BYE: an ACK is owed to each 2xx
        else:
            session.acks.owed = exchange
            session.turn.offer(ours=False)

    def _comes_again(self, change: Change, response: Response) -> bool:
        """True for a refusal that means "not now": the change is sent again after a pause."""
        session = self._session
        pause: float | None = None
        if response.status == 491:
            pause = self._glare_pause()
        elif response.status == 500 and "Retry-After" in response.headers:
            pause = delta_seconds(response.headers.get_raw("Retry-After"))
        if pause is None or pause > MAX_RETRY_AFTER or change.retries >= MAX_GLARE_RETRIES:
            return False
        if session.state is SessionState.TERMINATED:
            self._close(change)
            return True
        change.exchange = None
        change.retries += 1
        session.set_due("glare", session.host.now() + pause)
        session.offers_settled()  # for the moment
        return True

    def _failed(self, change: Change, error: Exception) -> None:
        if change.settled:
            return
        if change.body:
            change.turn.settle()
        self._close(change)
        if not change.refresh:
            self._tell(None)
        if change.refresh or isinstance(error, TransactionTimeout):
            self._session.ending.unanswered()

    def _close(self, change: Change) -> None:
        change.settled = True
        if self._ours is change:
            self._ours = None
            self._session.offers_settled()
            self._session.ending.go_on()

    def _tell(self, response: Response | None) -> None:
        session = self._session
        if session.state is not SessionState.TERMINATED:
            session.told.on_reinvite_answered(session, response)

    def _glare_pause(self) -> float:
        """Seconds to wait after a 491, in steps of 10 ms (RFC 3261 §14.1)."""
        bits = self._session.host.ids.bits(16)
        if self._session.role == "uac":  # we made the Call-ID
            return 2.1 + (bits % 191) / 100
        return (bits % 201) / 100

    # -- the peer's -----------------------------------------------------------------------------------

    def receive(self, transaction: ServerTransaction, dialog: Dialog) -> None:
        """Take a re-INVITE or UPDATE, or a PRACK with an offer: tell the listener, or refuse it."""
        session, request = self._session, transaction.request
        refused = self._collision(request, dialog) or self._fault(request)
        if refused is not None:
            session.respond(transaction, refused[0], headers=refused[1])
            return
        if request.method != "PRACK":
            dialog.refresh(request)
        if request.method == "UPDATE" and not request.body and (self.busy or session.state not in _PENDING):
            timed = session.refreshing.promise(request) if session.state in _PENDING else ()
            session.respond(transaction, 200, headers=[*session.own_headers("UPDATE"), *timed])
            return
        self._theirs = transaction
        self._withdrawn = False
        transaction.user = session
        self._their_turn = session.turn_in(dialog)
        if request.body:
            self._their_turn.offer(ours=False)
        if request.method != "INVITE":
            session.set_due("answer", session.host.now() + ANSWER_T1S * session.host.timers.t1)
        session.told.on_offer(session, request)
        if self._theirs is transaction and request.method == "INVITE":
            session.respond(transaction, 100)

    def _collision(self, request: Request, dialog: Dialog) -> tuple[int, HeaderList] | None:
        """491 for a request that crosses one of ours, 500 for one that overtakes one of the peer's.

        RFC 3261 §14.2 for re-INVITE, RFC 3311 §5.2 for UPDATE, which collides only by its offer.
        """
        session, ours = self._session, self._ours
        invite = request.method == "INVITE"
        if not invite and not request.body:
            return None
        early = session.state not in _PENDING
        turn = session.turn_in(dialog)
        overlapping = self._theirs is not None or (early and invite and session.role == "uas")
        if overlapping or (not invite and turn.open and not turn.ours):
            pause = str(session.host.ids.bits(16) % 11)
            return 500, [("Retry-After", pause)]
        reinviting = ours is not None and ours.method == "INVITE" and ours.exchange is not None
        crossing = reinviting or turn.ours or session.acks.owed is not None
        return (491, ()) if crossing or (early and (invite or not turn.begun)) else None

    def _fault(self, request: Request) -> tuple[int, HeaderList] | None:
        """What is wrong with a request that collides with nothing."""
        session = self._session
        if request.body and request.content_type != "application/sdp":
            return 415, [("Accept", "application/sdp")]
        if request.method == "PRACK":
            return None
        if demands_reliable(request) and session.policy.reliable == "off":
            return 420, [("Unsupported", "100rel")]
        return session.timer.judge(request, initial=False)

    def answer(self, body: bytes, headers: HeaderList) -> None:
        """Accept what the peer asked for."""
        transaction = self._take()
        if transaction is None:
            return
        session, request = self._session, transaction.request
        session.local_body = body or session.local_body
        timed = session.refreshing.promise(request) if self._is_timed(request) else ()
        session.respond(
            transaction, 200, headers=[*session.own_headers(request.method), *timed, *headers], body=body
        )
        if request.method == "INVITE":
            session.acks.wait_for(transaction, late_offer=bool(body) and not request.body)
        session.offers_settled()

    def refuse(self, status: int, headers: HeaderList) -> None:
        """Refuse what the peer asked for."""
        transaction = self._take()
        if transaction is not None:
            self._session.respond(transaction, status, headers=headers)
            self._session.offers_settled()

    def withdraw(self, transaction: ServerTransaction | None = None) -> None:
        """The peer cancelled its re-INVITE, or (None) the session is over: 487."""
        pending = self._theirs
        if pending is not None and (transaction is None or transaction is pending):
            self._take()
            self._withdrawn = True
            self._session.respond(pending, 487)

    def overdue(self, name: str) -> None:
        """Nobody answers: `answer` is a request of the peer, `reinvite` one of ours after the end.

        An UPDATE or PRACK gets 504 (RFC 3311 §5.2), and whoever still means to answer it is too late.
        """
        ours = self._ours
        if name == "answer" and self._theirs is not None:
            self.refuse(504, ())
            self._withdrawn = True
        elif name == "reinvite" and ours is not None and ours.exchange is not None:
            self._session.host.abandon(ours.exchange)
            self._close(ours)

    def drop_others(self, dialog: Dialog) -> None:
        """One fork has answered: what was under way in the early dialogs of the others is void."""
        pending, ours = self._theirs, self._ours
        if pending is not None and pending.request.from_.tag != dialog.remote_tag:
            self._take()
            self._withdrawn = True
            self._session.respond(pending, 481)
        if ours is not None and ours.dialog.remote_tag == dialog.remote_tag:
            ours.dialog = dialog
        elif ours is not None:
            if ours.body:
                ours.turn.settle()
            self._close(ours)
            self._tell(None)

    def _take(self) -> ServerTransaction | None:
        transaction = self._theirs
        if transaction is None and not self._withdrawn:
            raise LocalProtocolError("no offer of the peer is pending")
        self._theirs = None
        self._withdrawn = False
        if transaction is not None:
            self._session.clear_due("answer")
            if transaction.request.body:
                self._their_turn.settle()
        return transaction

    def _is_timed(self, request: Request) -> bool:
        return request.method != "PRACK" and self._session.state in _PENDING
