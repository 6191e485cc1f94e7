"""What an INVITE session shows upwards (state, listener) and asks for downwards (host)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import msgspec

from sipcc.ids import Ids
from sipcc.sip.message import Request, Response
from sipcc.sip.session_timer import SessionTimer, TimerPolicy
from sipcc.sip.settings import Option
from sipcc.sip.timers import Timers
from sipcc.sip.transport.base import Flow

if TYPE_CHECKING:
    from sipcc.sip.auth import Credentials
    from sipcc.sip.dialog import Dialog
    from sipcc.sip.incoming import InboundRequest
    from sipcc.sip.launching import Way
    from sipcc.sip.session import InviteSession
    from sipcc.sip.transaction.machine import ClientTransaction, ServerTransaction

HeaderList: TypeAlias = Sequence[tuple[str, str]]
EndedBy: TypeAlias = Literal["peer", "us", "network"]


class SessionState(StrEnum):
    """Where an INVITE session stands."""

    CALLING = "calling"
    """UAC: the INVITE is out, nothing but perhaps a 100 came."""
    TRYING = "trying"
    """UAS: 100 was sent."""
    EARLY = "early"
    """18x with a To tag went over the wire."""
    ACCEPTED = "accepted"
    """2xx sent or received, ACK owed."""
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"
    """Refused, cancelled, or ended; a BYE may still be on its way."""


class SessionPolicy(msgspec.Struct, frozen=True):
    """What a session may and must use of the extensions that both sides have to know."""

    reliable: Option = "off"
    """Reliable provisional responses (RFC 3262)."""
    timer: TimerPolicy = TimerPolicy()
    """Session timers (RFC 4028)."""

    def option_tags(self, supported: str) -> list[str]:
        """The values of Supported, where `supported` are those of the endpoint."""
        known = [tag for tag in supported.replace(" ", "").split(",") if tag]
        tags = [tag for tag in known if tag not in ("timer", "100rel")]
        if self.reliable != "off":
            tags.append("100rel")
        if self.timer.mode != "off":
            tags.append("timer")
        return tags


class SessionListener(Protocol):
    """Told of what happens to a session. Callbacks run in the loop and must not block.

    Verbs of the session may be called from within each of them.
    """

    def on_provisional(self, session: InviteSession, response: Response) -> None:
        """UAC: a 1xx above 100; `session.fork_of` tells its early dialog.

        A reliable one comes once and in order. Its PRACK has been sent, unless `session.owes_prack` says
        that it carries an offer: then `session.acknowledge_provisional` must answer it.
        """
        ...

    def on_accepted(self, session: InviteSession, response: Response) -> None:
        """UAC: the first 2xx. Its ACK has been sent, unless our INVITE had no offer."""
        ...

    def on_rejected(self, session: InviteSession, response: Response | None) -> None:
        """UAC: a final refusal.

        None when no refusal came: Timer B or a transport failure (`session.failure` holds the error), or
        our CANCEL crossed a 2xx, which was acknowledged and hung up.
        """
        ...

    def on_cancelled(self, session: InviteSession) -> None:
        """UAS: the caller gave up before the answer; 487 was sent."""
        ...

    def on_acknowledged(self, session: InviteSession, body: bytes) -> None:
        """The ACK to our 2xx came, to the INVITE or to a re-INVITE; `body` is the answer to a late offer.

        Also the PRACK to a reliable provisional of ours that carried an offer; `body` is its answer.
        """
        ...

    def on_offer(self, session: InviteSession, request: Request) -> None:
        """A re-INVITE or UPDATE, with or without SDP, or a PRACK with an offer.

        Call `answer_offer` or `refuse_offer`, now or later.
        """
        ...

    def on_reinvite_answered(self, session: InviteSession, response: Response | None) -> None:
        """The final answer to our re-INVITE or UPDATE, or None when none came."""
        ...

    def on_ended(self, session: InviteSession, by: EndedBy, request: Request | None) -> None:
        """The session is over, told exactly once after it was accepted. `request` is the peer's BYE.

        Told of a session that still rang only when the peer acknowledged no reliable provisional of ours
        for 64*T1; the INVITE was refused with 504 then.
        """
        ...

    def on_request(self, session: InviteSession, inbound: InboundRequest) -> None:
        """An INFO, MESSAGE, REFER, NOTIFY, SUBSCRIBE ...: answer it by `inbound.reply`, now or later."""
        ...


class SessionEvents:
    """A `SessionListener` that does nothing, and answers what must be answered; to inherit from."""

    def on_provisional(self, session: InviteSession, response: Response) -> None:
        """UAC: a 1xx above 100. Nothing."""

    def on_accepted(self, session: InviteSession, response: Response) -> None:
        """UAC: the first 2xx. Nothing."""

    def on_rejected(self, session: InviteSession, response: Response | None) -> None:
        """UAC: a final refusal, or none. Nothing."""

    def on_cancelled(self, session: InviteSession) -> None:
        """UAS: the caller gave up. Nothing."""

    def on_acknowledged(self, session: InviteSession, body: bytes) -> None:
        """Our 2xx, or our offer in a reliable 1xx, was acknowledged. Nothing."""

    def on_offer(self, session: InviteSession, request: Request) -> None:
        """A refresh is accepted, and a request for an offer gets our description in force; else 488."""
        if request.body:
            session.refuse_offer(488)
        else:
            session.answer_offer(b"" if request.method == "UPDATE" else session.local_body)

    def on_reinvite_answered(self, session: InviteSession, response: Response | None) -> None:
        """The final answer to our re-INVITE or UPDATE. Nothing."""

    def on_ended(self, session: InviteSession, by: EndedBy, request: Request | None) -> None:
        """The session is over. Nothing."""

    def on_request(self, session: InviteSession, inbound: InboundRequest) -> None:
        """200 to an INFO, 405 to anything else."""
        if inbound.request.method == "INFO":
            inbound.reply(200)
        else:
            inbound.reply(405, headers=[("Allow", session.host.allow)])


class Timed(Protocol):
    """What the endpoint wakes at its deadline; `heaped` belongs to the heap."""

    heaped: float | None

    @property
    def deadline(self) -> float | None:
        """When `expire` wants to be called, or None."""
        ...

    def expire(self, *, now: float) -> None:
        """Do what is due."""
        ...


class Usage(Protocol):
    """A usage of a dialog (RFC 5057): an INVITE session, a subscription."""

    call_id: str
    local_tag: str
    flow: Flow
    """The flow of the last message of the peer, or the one that our request left on."""
    contact_user: str
    """The user part of our Contact."""
    credentials: Any
    """The `Credentials` for the peer's challenges, or None."""

    def receive(self, transaction: ServerTransaction) -> None:
        """Take a request of the dialog, other than ACK and CANCEL."""
        ...


def _unheard(_news: object) -> None:
    """Takes what comes for an exchange that is over."""


class Exchange:
    """One request of ours on its way to its final response, over as many transactions as it takes.

    A challenge makes a new transaction with the next CSeq; `request` is always the latest.
    """

    __slots__ = (
        "cancelled",
        "challenges",
        "credentials",
        "final",
        "next_cseq",
        "nonces",
        "on_failure",
        "on_response",
        "request",
        "timer",
        "transaction",
        "usage",
        "way",
    )

    def __init__(
        self,
        request: Request,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Exception], None],
        *,
        credentials: Credentials | None = None,
        next_cseq: Callable[[], int] | None = None,
        usage: Usage | None = None,
    ) -> None:
        self.usage = usage
        """The usage that sends it, kept for as long as an answer may come."""
        self.final = False
        """True once its outcome was told."""
        self.credentials = credentials
        self.next_cseq = next_cseq
        """Takes the next number of the dialog; None means one more than the last request had."""
        self.request = request
        self.on_response = on_response
        self.on_failure = on_failure
        self.transaction: ClientTransaction | None = None
        """None until the request has left."""
        self.cancelled = False
        """True when it must neither leave nor be tried again."""
        self.timer: SessionTimer | None = None
        """The session timer to ask for a longer interval after a 422; None after it was asked once."""
        self.challenges = 0
        self.nonces: set[str] = set()
        self.way: Way | None = None
        """The hops that it goes to one after another; None for one that keeps to a flow."""

    def let_go(self) -> None:
        """No answer can come any more: keep nothing of whoever waited for one."""
        self.on_response = self.on_failure = _unheard
        self.usage = self.way = None


class AckSent:
    """An ACK to a 2xx as it left, kept to be sent again for each copy of the 2xx."""

    __slots__ = ("data", "flow")

    def __init__(self, flow: Flow | None, data: bytes) -> None:
        self.flow = flow
        self.data = data


class SessionHost(Protocol):
    """What a session needs of the endpoint."""

    ids: Ids
    timers: Timers
    counters: Counter[str]
    session_timer: TimerPolicy
    allow: str
    """Value of the Allow header."""
    supported: str
    """Value of the Supported header, or an empty text."""
    request_headers: HeaderList
    """User-Agent, if any."""
    response_headers: HeaderList
    """Server, if any."""

    def now(self) -> float:
        """The time of the event that is being handled."""
        ...

    def contact(self, usage: Usage) -> str:
        """Our Contact value, as the peer of `usage` can reach it."""
        ...

    def incoming(
        self,
        transaction: ServerTransaction,
        *,
        session: InviteSession | None = None,
        admitted: object | None = None,
    ) -> InboundRequest:
        """The request of `transaction`, for whoever is to answer it."""
        ...

    def send(
        self,
        usage: Usage,
        request: Request,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Exception], None],
        *,
        dialog: Dialog | None,
    ) -> Exchange:
        """Send a request in a transaction; without `dialog` it is the one that shall make the dialog.

        The callbacks never run before this returns.
        """
        ...

    def send_cancel(self, exchange: Exchange, reason: str | None) -> None:
        """Send the CANCEL of an INVITE that left, and see to its answer."""
        ...

    def abandon(self, exchange: Exchange) -> None:
        """Forget a request: it is not sent, tried again or waited for any more."""
        ...

    def send_ack(self, session: InviteSession, request: Request, dialog: Dialog) -> AckSent:
        """Send the ACK to a 2xx, outside of all transactions."""
        ...

    def repeat_ack(self, ack: AckSent) -> None:
        """Send that ACK once more."""
        ...

    def respond(self, transaction: ServerTransaction, response: Response) -> None:
        """Send a response."""
        ...

    def repeat(self, transaction: ServerTransaction) -> None:
        """Send the last 1xx or 2xx of an INVITE transaction once more."""
        ...

    def timer_fired(self, session: InviteSession, name: str, now: float) -> None:
        """A timer of `session` fired, and what it is for follows; for whoever traces calls."""
        ...

    def changed(self, core: Timed) -> None:
        """The deadline of `core` may be earlier now."""
        ...

    def finished(self, session: InviteSession) -> None:
        """`session` takes no more requests."""
        ...
