"""Offers of a leg after the call was set up: ours and the far side's, holds, and a move to another port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from sipcc.call.legowner import LegState
from sipcc.call.tapping import tap_port
from sipcc.errors import CallError, LocalProtocolError, ParseError
from sipcc.log import get_logger
from sipcc.rtp.flow import MediaEngine, MediaPort
from sipcc.sip.multipart import body_of

if TYPE_CHECKING:
    from sipcc.call.leg import Leg
    from sipcc.call.negotiate import Hold, MediaNegotiation
    from sipcc.sip import InviteSession, Request, Response
    from sipcc.sip.session_api import HeaderList

BUSY_TRIES = 4
BUSY_PAUSE = 0.5
"""How often, and after how many seconds, a hold is tried again that met an offer of the peer."""

SDP = "application/sdp"

_log = get_logger("sipcc.call")


class LegOffers:
    """The part of a `sipcc.call.leg.Leg` that offers and answers; the leg inherits it."""

    state: LegState
    early: bool
    media: MediaPort
    negotiation: MediaNegotiation
    response: Response | None
    _change: asyncio.Future[Response | None] | None
    _asks_offer: bool
    _asked: asyncio.Future[int] | None

    async def reinvite(self, body: bytes | None = None, *, headers: HeaderList = ()) -> Response | None:
        """Send a re-INVITE and return its final answer, or None when none came.

        None as `body` offers our audio as it stands now; ``b""`` asks the far side for an offer. A 491 is
        tried again by itself.

        Raises:
            LocalProtocolError: the leg is not answered, or another offer is under way.
        """
        return await self._modify(lambda offer: self._leg.session.reinvite(offer, headers=headers), body)

    async def update(self, body: bytes | None = None, *, headers: HeaderList = ()) -> Response | None:
        """Send an UPDATE (RFC 3311), also before the answer; as `reinvite`, but ``b""`` only refreshes."""
        return await self._modify(
            lambda offer: self._leg.session.update(offer, headers=headers), body, ask=False
        )

    async def _modify(
        self, send: Callable[[bytes], None], body: bytes | None, *, ask: bool = True
    ) -> Response | None:
        if self._change is not None:
            raise LocalProtocolError("an offer of ours is under way")
        offer = self.negotiation.make_offer() if body is None else body
        self._change = asyncio.get_running_loop().create_future()
        self._asks_offer = ask and not offer
        try:
            send(offer)
            return await self._change
        except LocalProtocolError:
            self.negotiation.withdraw()
            raise
        finally:
            self._change = None

    def match(self, other: LegOffers) -> None:
        """Take the codec of `other`, while no description of ours has left: then their audio is relayed."""
        params = other.negotiation.params
        waits = self._leg.role == "caller" and self.state in (LegState.TRYING, LegState.RINGING)
        if params is not None and waits and not self.early:
            self.negotiation.reconsider(params.codec)

    async def hold(self, how: Hold = "sendonly") -> bool:
        """Put the far side on hold; True when it agreed. One that refuses or is silent stays as it was.

        ``sendonly`` lets it hear music, ``inactive`` nothing; ``null`` is for old peers that know the
        null address only.
        """
        return await self._set_hold(how)

    async def resume(self) -> bool:
        """Take the far side back from our hold; True when it agreed."""
        return await self._set_hold("")

    async def _set_hold(self, how: Hold) -> bool:
        before = self.negotiation.local_hold
        response: Response | None = None
        self.negotiation.local_hold = how
        for _ in range(BUSY_TRIES):
            if self._leg.ended:
                break
            try:
                response = await self.reinvite()
                break
            except LocalProtocolError:
                await asyncio.sleep(BUSY_PAUSE)
        agreed = response is not None and response.status < 300
        if not agreed:
            self.negotiation.local_hold = before
        elif not self._leg.ended:
            self._leg.owner.leg_held(self._leg, held=bool(how), by_us=True)
        return agreed

    @property
    def on_hold(self) -> bool:
        """True while we keep the far side on hold."""
        return bool(self.negotiation.local_hold)

    @property
    def _leg(self) -> Leg:
        return cast("Leg", self)

    async def refresh(self) -> int:
        """Send a re-INVITE that changes nothing and return the final status, 0 when none came.

        The peer proves that it is still there (RFC 4028 §7.4 lets a B2BUA relay refreshes).
        """
        if self._change is not None or self.state is not LegState.ANSWERED:
            return 0
        try:
            response = await self.reinvite(self.negotiation.local_body)
        except LocalProtocolError:
            return 0  # one is on its way already: that is a sign of life as well
        return 0 if response is None else response.status

    async def move(self, engine: MediaEngine, *, near: MediaPort) -> bool:
        """Take a new port beside `near` and tell the far side by re-INVITE; False when it refuses.

        Ports of two worker processes cannot be bridged.
        """
        port = await engine.open(near=near)
        old, self.media = self.media, port
        self.negotiation.move(port.host, port.port)
        port.on_event, old.on_event = self._leg.on_media, None
        response = None if self._leg.ended else await self.reinvite()
        if self._leg.ended or response is None or response.status >= 300:
            self.media = old
            self.negotiation.move(old.host, old.port)
            old.on_event, port.on_event = self._leg.on_media, None
            await port.close()
            if self._leg.ended:
                await old.close()  # the end of the leg has closed the port that it had then
            return False
        if self._leg.taps:
            tap_port(port, self._leg.taps)
        await old.close()
        return True

    async def come_near(self, engine: MediaEngine, other: MediaPort) -> bool:
        """Be where `other` can be heard, by a re-INVITE if it must be; False when the far side refuses."""
        return self._leg.media.is_near(other) or await self.move(engine, near=other)

    def answer_refresh(self, status: int) -> None:
        """Answer the refresh that `leg_refreshed` took charge of."""
        if self._leg.ended:
            return
        if status < 300:
            self._leg.session.answer_offer(self.negotiation.local_body)
        else:
            self._leg.session.refuse_offer(status)

    # -- SessionListener ------------------------------------------------------------------------

    def on_offer(self, session: InviteSession, request: Request) -> None:
        """A re-INVITE or UPDATE: hold, resume, another codec or address, or a refresh."""
        later = self._leg.owner.leg_offered(self._leg, request)
        if later is None:
            self._take_offer(session, request)
            return
        self._asked = asyncio.ensure_future(later)
        self._asked.add_done_callback(lambda asked: self._offer_decided(session, request, asked))

    def _offer_decided(self, session: InviteSession, request: Request, asked: asyncio.Future[int]) -> None:
        if asked.cancelled() or self._leg.ended:
            return
        error = asked.exception()
        if error is not None:
            _log.error("leg.offer_hook_crashed", leg=self._leg.id, exc_info=error)
        status = 500 if error is not None else asked.result()
        if status < 300:
            self._take_offer(session, request)
        else:
            session.refuse_offer(status)

    def _take_offer(self, session: InviteSession, request: Request) -> None:
        self.negotiation.set_aside()
        if not request.body:
            if request.method == "INVITE":
                session.answer_offer(self.negotiation.make_offer())
            else:
                session.answer_offer(b"")
            return
        offer = body_of(request, SDP) or request.body
        if self.negotiation.is_refresh(offer) and self._leg.owner.leg_refreshed(self._leg):
            return
        try:
            body = self.negotiation.make_answer(offer)
        except CallError:
            session.refuse_offer(488)
            return
        except ParseError as error:
            session.refuse_offer(error.status_hint)
            return
        self._leg.apply_media()
        session.answer_offer(body)

    def on_reinvite_answered(self, session: InviteSession, response: Response | None) -> None:
        """What the far side said to our re-INVITE or UPDATE."""
        self.negotiation.take_up()
        if response is None or response.status >= 300:
            self.negotiation.withdraw()
        else:
            self.response = response
            try:
                self._take_answer(session, response)
            except (CallError, ParseError) as error:
                _log.warning("leg.answer_refused", leg=self._leg.id, error=str(error))
                self.negotiation.withdraw()
                self._leg.hangup("incompatible")  # what was agreed before is gone on the far side
        if self._change is not None and not self._change.done():
            self._change.set_result(response)

    def _take_answer(self, session: InviteSession, response: Response) -> None:
        body = body_of(response, SDP) or b""
        if self._asks_offer:
            self._asks_offer = False
            session.acknowledge(self.negotiation.make_answer(body))
        elif self.negotiation.awaiting_answer:
            self.negotiation.take_answer(body)
        else:
            return  # a refresh: the audio travels as before
        self._leg.apply_media()
