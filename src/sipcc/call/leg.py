"""A leg: one party of a call, as an INVITE session and a media port that live and die together."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from sipcc.bucket import TokenBucket
from sipcc.call.cause import CAUSES, cause_of_status, reason_header
from sipcc.call.events import EndedBy
from sipcc.call.infokeys import PLAIN, RELAY, read_key
from sipcc.call.legoffers import SDP, LegOffers
from sipcc.call.legowner import NOBODY, LegOwner, LegState
from sipcc.call.legverbs import LegVerbs, Referring
from sipcc.call.negotiate import MediaNegotiation
from sipcc.errors import CallError, LocalProtocolError, ParseError, SipccError
from sipcc.log import get_logger
from sipcc.rtp.events import (
    AudioTapped,
    DigitBegan,
    DigitEnded,
    MediaEvent,
    RecordingEnded,
    VoiceBegan,
)
from sipcc.rtp.flow import MediaPort, RtpStats
from sipcc.sip.multipart import body_of

if TYPE_CHECKING:
    from sipcc.call.report import Report
    from sipcc.call.ringing import Target
    from sipcc.call.tapping import AudioTap
    from sipcc.sip import InboundRequest, InviteSession, Request, Response
    from sipcc.sip.session_api import HeaderList

REFER_RATE, REFER_BURST = 0.2, 5
"""Transfers that one leg may ask for: five at once, and one more every five seconds."""

_log = get_logger("sipcc.call")


class Leg(LegOffers, LegVerbs):
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
        self._owner: LegOwner | None = owner
        self._late_owner: weakref.ref[LegOwner] | None = None
        self._session: InviteSession | None = None
        self.target: Target | None = None
        """Where we rang this party, if we did."""
        self.report: Report | None = None
        """The subscription of the last transfer that the far side has asked for."""
        self.busy_id = leg_id
        """Under which name `CallContext.on_user_busy` counts this leg."""
        self.on_recorded: Callable[[RecordingEnded], None] | None = None
        """Told when a recording of this leg is complete; whoever records sets it."""
        self.taps: list[AudioTap] = []
        """Who is told what this party says and hears."""
        self.on_voice: Callable[[], None] | None = None
        """Told when this party begins to speak; whoever has its port `listen_voice` sets it."""
        self.referrals = 0
        """How many transfers the far side has asked for."""
        self.refer_rate = TokenBucket(REFER_RATE, REFER_BURST)
        self.early = False
        """True when audio may flow before the answer: the far side has a description, or gave us one."""
        self.response: Response | None = None
        """UAC: the last response to our INVITE above 100."""
        self._late_offer = False
        """UAS: the INVITE had no offer, so ours is to be made."""
        self._offered_early = False
        self._answers: bool | None = None
        """UAC: True when our INVITE had no offer, so that the far side makes it; None before it spoke."""
        self._stats: asyncio.Future[RtpStats] | None = None
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._change = None
        self._asks_offer = False
        self._referring: Referring | None = None
        self._keys_by: Literal["", "info", "events"] = ""
        """How the first key came; those that come in the other way are the same keys once more."""
        self.secret_keys = False
        self._asked: asyncio.Future[int] | None = None
        media.on_event = self.on_media

    # -- what a call does with a leg -------------------------------------------------------------

    def attach(self, session: InviteSession) -> None:
        """Tie the leg to its session, of either role."""
        self._session = session
        session.listener = self

    @property
    def owner(self) -> LegOwner:
        """Whoever is told of this leg; a race hands its winner over to the call.

        After `let_go` it is the call for as long as something else keeps that, and then nobody.
        """
        if self._owner is not None:
            return self._owner
        late = self._late_owner() if self._late_owner is not None else None
        return NOBODY if late is None else late

    @owner.setter
    def owner(self, owner: LegOwner) -> None:
        self._owner = owner

    def let_go(self) -> None:
        """The leg is over and its end was reported: do not keep its call alive.

        A call keeps its caller's leg, whose figures may be read for ever. Were the two a ring, each ended
        call would wait for the garbage collector, whose looks take longer the more calls there are.
        """
        if self._owner is not None:
            self._late_owner, self._owner = weakref.ref(self._owner.call), None

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

    async def wait_over(self) -> None:
        """Wait until the leg is over, in whichever call it is by then."""
        await asyncio.shield(self._gone)

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

    def ring(
        self,
        status: int = 180,
        *,
        early: bool = False,
        reliable: bool | None = None,
        headers: HeaderList = (),
    ) -> None:
        """UAS: send a provisional answer.

        Args:
            status: 180, 183 or another from 101 to 199.
            early: True sends our description with it, and what is played or bridged is heard at once.
            reliable: whether it must be acknowledged (RFC 3262); None goes by policy and by the peer.
            headers: more headers of the response.

        Raises:
            LocalProtocolError: the leg has its final answer; or `early`, when the INVITE had no offer and
                the response is not reliable (RFC 3262 §5).
        """
        body = b""
        if early and not self.early and self._late_offer:
            self._ring_with_offer(status, headers)
            return
        elif early:
            body = self.negotiation.local_body
            self.apply_media()
        self.session.ring(status, body=body, headers=headers, reliable=reliable)
        self._rung(early=early)

    def _ring_with_offer(self, status: int, headers: HeaderList) -> None:
        body = self.negotiation.make_offer()
        try:
            self.session.ring(status, body=body, headers=headers, reliable=True)
        except LocalProtocolError:
            self.negotiation.withdraw()
            raise
        self._late_offer = False
        self._offered_early = True
        self._rung(early=True)

    def _rung(self, *, early: bool) -> None:
        self.early = self.early or early
        if self.state is LegState.TRYING:
            self.state = LegState.RINGING

    def accept(self, *, headers: HeaderList = ()) -> None:
        """UAS: send 200 with our SDP, and let the media flow."""
        if self._late_offer:
            body = self.negotiation.make_offer()
        else:
            # an offer that left in a reliable provisional is answered in its PRACK, and not repeated
            body = b"" if self._offered_early else self.negotiation.local_body
            self.apply_media()
        self.state = LegState.ANSWERED
        self.session.accept(body, headers=headers)

    def hangup(
        self,
        cause: str = "normal",
        *,
        status: int | None = None,
        reason: str | None = None,
        headers: HeaderList = (),
    ) -> None:
        """End the leg from our side by whatever its state asks for: BYE, CANCEL or a refusal.

        `headers` go with a BYE or a refusal; a CANCEL has none of its own.
        """
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
        headers = (("Reason", reason_header(cause)), *headers)
        if answered:
            session.bye(headers=headers)
        elif self.role == "caller":
            session.reject(final, reason, headers=headers)
        else:
            session.cancel(reason=reason_header(cause))

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
        self.response = response
        self._take_early(session, response)
        if self.ended:
            return
        if self.state is LegState.TRYING:
            self.state = LegState.RINGING
            self.owner.leg_ringing(self, response)
        self.owner.leg_progress(self, response)

    def _take_early(self, session: InviteSession, response: Response) -> None:
        """A description in an 18x: a preview, or the answer when the 18x is reliable (RFC 6337 §3.1)."""
        body = body_of(response, SDP)
        if not body:
            return
        try:
            if not self._far_side_offers():
                reliable = "RSeq" in response.headers
                self.negotiation.take_answer(body, reliable=reliable, fork=response.to.tag)
            elif session.owes_prack(response):
                session.acknowledge_provisional(response, self.negotiation.make_answer(body))
            else:
                return
        except (CallError, ParseError) as error:
            # the 200 decides; until then its audio is not heard
            _log.info("leg.early_media_refused", leg=self.id, error=str(error))
            return
        self.early = True
        self.apply_media()

    def _far_side_offers(self) -> bool:
        if self._answers is None:
            self._answers = not self.negotiation.local_body
        return self._answers

    def on_accepted(self, session: InviteSession, response: Response) -> None:
        """UAC: the far side answered."""
        if self.ended:
            session.bye()
            return
        self.response = response
        try:
            body = body_of(response, SDP) or b""
            if not self._far_side_offers():
                self.negotiation.take_answer(body, fork=response.to.tag)
            elif session.owes_ack:
                session.acknowledge(self.negotiation.make_answer(body))
        except (CallError, ParseError) as error:
            _log.warning("leg.answer_refused", leg=self.id, error=str(error))
            session.bye(headers=(("Reason", reason_header("incompatible")),))
            self._end("incompatible", 488, "us")
            return
        self.state = LegState.ANSWERED
        self.apply_media()
        self.owner.leg_answered(self)

    def on_rejected(self, session: InviteSession, response: Response | None) -> None:
        """UAC: a final refusal, or none at all within Timer B."""
        self.response = response or self.response
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
        """UAS: our 200 was acknowledged; with a late offer the ACK, or an early PRACK, brings the answer."""
        if self.ended:
            return
        if self.negotiation.awaiting_answer and self._change is None:
            try:
                self.negotiation.take_answer(body)
            except (CallError, ParseError) as error:
                _log.warning("leg.answer_refused", leg=self.id, error=str(error))
                self.hangup("incompatible")
                return
            self._late_offer = False
            self.apply_media()
        if self.state is LegState.ANSWERED:
            self.owner.leg_answered(self)

    def on_ended(
        self, session: InviteSession, by: Literal["peer", "us", "network"], request: Request | None
    ) -> None:
        """The dialog is over."""
        who: dict[str, EndedBy] = {"peer": self.role, "us": "us", "network": "network"}
        self._end("normal" if by != "network" else "network_out_of_order", 200, who[by])

    def on_request(self, session: InviteSession, inbound: InboundRequest) -> None:
        """INFO with a key, NOTIFY of our REFER; all else is the call's."""
        request = inbound.request
        event = (request.headers.get("Event") or "").split(";")[0].strip().lower()
        if request.method == "NOTIFY" and event == "refer":
            if self._referring is None:
                inbound.reply(481)
            else:
                self._referring.notified(inbound)
        elif request.method == "INFO" and request.content_type in (RELAY, PLAIN):
            inbound.reply(200)
            self._take_key(request)
        else:
            self.owner.leg_request(self, inbound)

    def _take_key(self, request: Request) -> None:
        """A key by INFO; phones that are set to it often agree to telephone-event all the same."""
        digit, duration_ms = read_key(request.content_type, request.body)
        params = self.negotiation.params
        other_way = params is not None and params.keys in {"events", "inband"}
        if digit and not self.ended and not other_way and self._keys_by != "events":
            self._keys_by = "info"
            self.owner.leg_media(self, DigitBegan(self.media.id, digit))
            self.owner.leg_media(self, DigitEnded(self.media.id, digit, duration_ms))

    @property
    def keys_by_info(self) -> bool:
        """True when this party's keys come by INFO."""
        return self._keys_by == "info"

    # -- inside ---------------------------------------------------------------------------------

    def apply_media(self) -> None:
        """Let the audio travel as agreed, and tell a hold of the far side."""
        params = self.negotiation.params
        if params is None:
            return
        self.media.configure(params)
        held = self.negotiation.remote_hold
        if held != self.held:
            self.held = held
            self.owner.leg_held(self, held=held)

    def on_media(self, event: MediaEvent) -> None:
        """An event of the port."""
        if isinstance(event, AudioTapped):
            for tap in self.taps:
                tap.put(event)
            return
        if isinstance(event, VoiceBegan):
            if self.on_voice is not None:
                self.on_voice()
        elif isinstance(event, RecordingEnded):
            if self.on_recorded is not None:
                self.on_recorded(event)
        elif isinstance(event, DigitBegan | DigitEnded) and self._keys_by == "info":
            return
        elif not self.ended:
            if isinstance(event, DigitBegan):
                self._keys_by = "events"
            self.owner.leg_media(self, event)

    def _end(self, cause: str, status: int, by: EndedBy) -> None:
        if self.ended:
            return
        self.state = LegState.ENDED
        self.end_cause, self.end_status, self.ended_by = cause, status, by
        if self._change is not None and not self._change.done():
            self._change.set_result(None)
        if self._asked is not None:
            self._asked.cancel()
        for tap in list(self.taps):
            tap.close()
        self._stats = asyncio.ensure_future(self.media.close())
        self._gone.set_result(None)
        self.owner.leg_ended(self)
