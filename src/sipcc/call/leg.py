"""A leg: one party of a call, as an INVITE session and a media port that live and die together."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from sipcc.call.cause import CAUSES, cause_of_status, reason_header
from sipcc.call.events import EndedBy
from sipcc.call.negotiate import MediaNegotiation
from sipcc.errors import CallError, LocalProtocolError, ParseError, SipccError
from sipcc.log import get_logger
from sipcc.rtp.flow import DigitBegan, DigitEnded, MediaEvent, MediaPort, RecordingEnded, RtpStats

if TYPE_CHECKING:
    from sipcc.sip import InboundRequest, InviteSession, Request, Response

_log = get_logger("sipcc.call")

_INFO_DIGITS = frozenset("0123456789*#ABCD")


class LegState(enum.Enum):
    """How far a leg has come."""

    TRYING = "trying"
    RINGING = "ringing"
    ANSWERED = "answered"
    ENDED = "ended"


class LegOwner(Protocol):
    """What a leg tells its call. Each is called in the loop and must not block."""

    def leg_ringing(self, leg: Leg, response: Response) -> None:
        """The far side sent 180 or 183."""
        ...

    def leg_answered(self, leg: Leg) -> None:
        """The far side's 200 arrived, or ours was acknowledged with the media agreed."""
        ...

    def leg_ended(self, leg: Leg) -> None:
        """The leg is over; `end_cause`, `end_status` and `ended_by` say how."""
        ...

    def leg_held(self, leg: Leg, *, held: bool) -> None:
        """The far side put us on hold, or took us back."""
        ...

    def leg_refreshed(self, leg: Leg) -> bool:
        """A re-INVITE came that changes nothing: a session refresh.

        True when the owner will have the other leg refreshed first and then call `answer_refresh`.
        """
        ...

    def leg_media(self, leg: Leg, event: MediaEvent) -> None:
        """Something happened on the media port, digits included."""
        ...


class Leg:
    """One party. It is the listener of its session and the sink of its port's events."""

    def __init__(
        self,
        leg_id: str,
        *,
        role: Literal["caller", "callee"],
        media: MediaPort,
        negotiation: MediaNegotiation,
        owner: LegOwner,
        agent: str | None = None,
        user: str = "",
        trunk: str = "",
    ) -> None:
        self.id = leg_id
        self.role = role
        self.agent = agent
        """The agent who is rung by a queue; None for any other party."""
        self.user = user
        """The user of ours at the far end, if it is one."""
        self.trunk = trunk
        """The trunk that the leg counts on, if it is one."""
        self.media = media
        self.negotiation = negotiation
        self.state = LegState.TRYING
        self.end_cause = ""
        self.end_status = 0
        self.ended_by: EndedBy = "us"
        self.held = False
        """True while the far side keeps us on hold."""
        self.owner = owner
        """Whoever is told of this leg; a race hands its winner over to the call."""
        self._session: InviteSession | None = None
        self._late_offer = False
        self._stats: asyncio.Future[RtpStats] | None = None
        self._refresh: asyncio.Future[int] | None = None
        media.on_event = self._on_media

    # -- what a call does with a leg -------------------------------------------------------------

    def attach(self, session: InviteSession) -> None:
        """Tie the leg to its session, of either role."""
        self._session = session
        session.listener = self

    @property
    def session(self) -> InviteSession:
        """The INVITE session; LocalProtocolError before `attach`."""
        if self._session is None:
            raise LocalProtocolError("the leg has no session yet")
        return self._session

    @property
    def ended(self) -> bool:
        """True once the leg is over."""
        return self.state is LegState.ENDED

    def take_offer(self, body: bytes) -> None:
        """UAS: read the caller's offer, before anything is answered.

        An INVITE without SDP is a late offer: ours goes into the 200, and the answer comes in the ACK
        (RFC 3264, RFC 6337 §2.1).

        Raises:
            NoCommonCodec: the offer and our codecs have nothing in common.
            ParseError: the body is not SDP.
        """
        if not body:
            self._late_offer = True
            return
        self.negotiation.make_answer(body)

    def ring(self, *, status: int = 180, headers: Sequence[tuple[str, str]] = ()) -> None:
        """UAS: send a provisional answer."""
        self.session.ring(status, headers=headers)
        if self.state is LegState.TRYING:
            self.state = LegState.RINGING

    def accept(self, *, headers: Sequence[tuple[str, str]] = ()) -> None:
        """UAS: send 200 with our SDP, and let the media flow."""
        if self._late_offer:
            body = self.negotiation.make_offer()
        else:
            body = self.negotiation.local_body
            self._apply_media()
        self.state = LegState.ANSWERED
        self.session.accept(body, headers=headers)

    def hangup(self, cause: str = "normal", *, status: int | None = None, reason: str | None = None) -> None:
        """End the leg from our side by whatever its state asks for: BYE, CANCEL or a refusal."""
        if self.ended or self._session is None:
            self._end(cause, status or CAUSES.get(cause, CAUSES["failed"]).sip_status, "us")
            return
        session, answered = self._session, self.state is LegState.ANSWERED
        if answered:
            final = 200
        elif self.role == "caller":
            final = status or CAUSES.get(cause, CAUSES["failed"]).sip_status
            final = final if final >= 300 else 480
        else:
            final = 487
        # ended before the session says so: its own word for it would be "normal"
        self._end(cause, final, "us")
        headers = (("Reason", reason_header(cause)),)
        if answered:
            session.bye(headers=headers)
        elif self.role == "caller":
            session.reject(final, reason, headers=headers)
        else:
            session.cancel(reason=reason_header(cause))

    async def refresh(self) -> int:
        """Send a re-INVITE that changes nothing and return the final status, 0 when none came.

        The peer proves that it is still there (RFC 4028 §7.4 lets a B2BUA relay refreshes).
        """
        if self._refresh is not None or self.state is not LegState.ANSWERED:
            return 0
        self._refresh = asyncio.get_running_loop().create_future()
        try:
            self.session.reinvite(self.negotiation.local_body)
            return await self._refresh
        except LocalProtocolError:
            return 0  # one is on its way already: that is a sign of life as well
        finally:
            self._refresh = None

    def answer_refresh(self, status: int) -> None:
        """Answer the refresh that `leg_refreshed` took charge of."""
        if self.ended:
            return
        if status < 300:
            self.session.answer_offer(self.negotiation.local_body)
        else:
            self.session.refuse_offer(status)

    async def stats(self) -> RtpStats:
        """The final statistics; waits until the port is closed."""
        if self._stats is None:
            return self.media.read_stats()
        return await asyncio.shield(self._stats)

    # -- SessionListener ------------------------------------------------------------------------

    def on_provisional(self, session: InviteSession, response: Response) -> None:
        """UAC: 1xx; 100 says only that a hop is alive."""
        if response.status <= 100 or self.ended:
            return
        if self.state is LegState.TRYING:
            self.state = LegState.RINGING
            self.owner.leg_ringing(self, response)

    def on_accepted(self, session: InviteSession, response: Response) -> None:
        """UAC: the far side answered."""
        if self.ended:
            session.bye()
            return
        try:
            self.negotiation.take_answer(response.body)
        except (CallError, ParseError) as error:
            _log.warning("leg.answer_refused", leg=self.id, error=str(error))
            session.bye(headers=(("Reason", reason_header("incompatible")),))
            self._end("incompatible", 488, "us")
            return
        self.state = LegState.ANSWERED
        self._apply_media()
        self.owner.leg_answered(self)

    def on_rejected(self, session: InviteSession, response: Response | None) -> None:
        """UAC: a final refusal, or none at all within Timer B."""
        if response is not None:
            cause = cause_of_status(response.status)
            self._end(cause.name, response.status, "callee")
        else:
            failure = session.failure
            disposition = failure.disposition if isinstance(failure, SipccError) else None
            name = disposition.cause if disposition else "no_response"
            self._end(name, disposition.sip_status if disposition else 408, "network")

    def on_cancelled(self, session: InviteSession) -> None:
        """UAS: the caller gave up before the answer."""
        self._end("cancelled", 487, "caller")

    def on_acknowledged(self, session: InviteSession, body: bytes) -> None:
        """UAS: our 200 was acknowledged; with a late offer the ACK brings the answer."""
        if self.ended:
            return
        if self.negotiation.awaiting_answer:
            try:
                self.negotiation.take_answer(body)
            except (CallError, ParseError) as error:
                _log.warning("leg.answer_refused", leg=self.id, error=str(error))
                self.hangup("incompatible")
                return
            self._late_offer = False
            self._apply_media()
        self.owner.leg_answered(self)

    def on_offer(self, session: InviteSession, request: Request) -> None:
        """A re-INVITE or UPDATE: hold, resume, another codec or address, or a refresh."""
        if not request.body:
            if request.method == "UPDATE":
                session.answer_offer(b"")
            else:
                session.answer_offer(self.negotiation.make_offer())
            return
        if self.negotiation.is_refresh(request.body) and self.owner.leg_refreshed(self):
            return
        try:
            body = self.negotiation.make_answer(request.body)
        except CallError:
            session.refuse_offer(488)
            return
        except ParseError as error:
            session.refuse_offer(error.status_hint)
            return
        self._apply_media()
        session.answer_offer(body)

    def on_reinvite_answered(self, session: InviteSession, response: Response | None) -> None:
        """What the far side said to our re-INVITE."""
        status = 0 if response is None else response.status
        if 200 <= status < 300 and response is not None and self.negotiation.awaiting_answer:
            try:
                self.negotiation.take_answer(response.body)
                self._apply_media()
            except (CallError, ParseError):
                status = 488
        if self._refresh is not None and not self._refresh.done():
            self._refresh.set_result(status)

    def on_ended(
        self, session: InviteSession, by: Literal["peer", "us", "network"], request: Request | None
    ) -> None:
        """The dialog is over."""
        who: dict[str, EndedBy] = {"peer": self.role, "us": "us", "network": "network"}
        self._end("normal" if by != "network" else "network_out_of_order", 200, who[by])

    def on_request(self, session: InviteSession, inbound: InboundRequest) -> None:
        """INFO with a key (application/dtmf-relay), for phones that know nothing else; 405 to the rest."""
        if inbound.request.method != "INFO":
            inbound.reply(405, headers=[("Allow", session.host.allow)])
            return
        inbound.reply(200)
        if self.negotiation.params is not None and self.negotiation.params.event_payload_type is not None:
            return  # one active method per leg, or each key would count twice
        digit, duration_ms = _info_digit(inbound.request.body)
        if digit:
            self._on_media(DigitBegan(self.media.id, digit))
            self._on_media(DigitEnded(self.media.id, digit, duration_ms))

    # -- inside ---------------------------------------------------------------------------------

    def _apply_media(self) -> None:
        params = self.negotiation.params
        if params is None:
            return
        self.media.configure(params)
        held = self.negotiation.remote_hold
        if held != self.held:
            self.held = held
            self.owner.leg_held(self, held=held)

    def _on_media(self, event: MediaEvent) -> None:
        if not self.ended or isinstance(event, RecordingEnded):
            self.owner.leg_media(self, event)

    def _end(self, cause: str, status: int, by: EndedBy) -> None:
        if self.ended:
            return
        self.state = LegState.ENDED
        self.end_cause, self.end_status, self.ended_by = cause, status, by
        if self._refresh is not None and not self._refresh.done():
            self._refresh.set_result(0)
        self._stats = asyncio.ensure_future(self.media.close())
        self.owner.leg_ended(self)


def _info_digit(body: bytes) -> tuple[str, int]:
    """The key in an application/dtmf-relay body as (digit, duration in ms); ("", 0) when there is none."""
    digit, duration_ms = "", 100
    for line in body.replace(b"\r\n", b"\n").split(b"\n"):
        name, _, value = line.partition(b"=")
        value = value.strip()
        if name.strip().lower() == b"signal" and len(value) == 1:
            key = value.decode("latin-1").upper()
            digit = key if key in _INFO_DIGITS else ""
        elif name.strip().lower() == b"duration" and value.isdigit() and len(value) <= 5:
            duration_ms = int(value)
    return (digit, duration_ms) if digit else ("", 0)
