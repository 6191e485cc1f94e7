"""Ringing other parties: one or several places at once, the first that answers wins."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from sipcc.call import events
from sipcc.call.leg import Leg
from sipcc.call.negotiate import MediaNegotiation
from sipcc.call.outward import ask_toll, shown_to
from sipcc.errors import CallBlocked, CallRejected, SipccError, TransactionTimeout
from sipcc.numbers import Number
from sipcc.rtp.flow import CodecName, MediaEvent
from sipcc.sip.settings import TrunkSettings
from sipcc.sip.transport.base import Address, Flow, TransportName
from sipcc.sip.uri import SipUri

if TYPE_CHECKING:
    from sipcc.call.call import Call
    from sipcc.sip import Credentials, Response


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A place to ring."""

    uri: SipUri
    flow: Flow | None = None
    """The flow that the party registered over; it is used in preference to the URI's address."""
    destination: Address | None = None
    transport: TransportName = "udp"
    credentials: Credentials | None = None
    trunk: TrunkSettings | None = None
    """The trunk that leads there, if it is one: its codecs, its limit and its count are used."""
    user: str = ""
    """The user of ours who is rung there, if it is one."""
    number: Number | None = None
    """The number behind the trunk; None when what was asked for is no telephone number."""
    caller_id: str = ""
    """The number to show instead of the caller's; a trunk with numbers of its own takes only one of them."""
    by: str = ""
    """The user on whose account it is rung, such as the one who transfers; empty takes the call's own."""
    chosen_by_peer: bool = False
    """True when a phone or carrier named the place, by REFER or 3xx: then the toll guard looks closer."""
    headers: tuple[tuple[str, str], ...] = ()


async def ring_targets(
    call: Call, targets: Sequence[Target | str], *, timeout: float, agent: str | None
) -> Leg:
    """Ring every target at once; see `sipcc.call.call.Call.dial` for what it raises."""
    places: list[Target] = []
    for target in targets:
        places.extend([target] if isinstance(target, Target) else call.context.locator.locate(target))
    if not places:
        raise CallRejected(480, "nobody is registered there")
    race = _Race(call, agent)
    try:
        for place in places:
            await race.ring(place)
        async with asyncio.timeout(timeout):
            winner = await race.first()
        race.delivered = True
        return winner
    except TimeoutError:
        raise TransactionTimeout("ring", provisionals=race.ringing) from None
    finally:
        race.settle()


class _Race:
    """The legs that ring for one `dial`; stands in for the call as their owner until one has won."""

    def __init__(self, call: Call, agent: str | None) -> None:
        self._call = call
        self._agent = agent
        self._legs: list[Leg] = []
        self._winner: Leg | None = None
        self._blocked: CallBlocked | None = None
        self._refusals: list[int] = []
        self._changed = asyncio.Event()
        self.ringing = 0
        self.delivered = False
        """True once the winner has been handed over; until then nobody else would hang it up."""

    async def ring(self, target: Target) -> None:
        """Send an INVITE to `target`; a failure to do so counts as its refusal."""
        call, context = self._call, self._call.context
        trunk, leg_id = target.trunk, context.ids.uid("leg")
        if (blocked := ask_toll(call, target, leg_id, agent=self._agent)) is not None:
            self._blocked = blocked
            self._refused(blocked.status)
            return
        if trunk is not None and not context.trunk_calls.take(trunk.name, trunk.max_calls):
            context.toll.end(leg_id, now=context.clock.now())
            self._refused(503)
            return
        try:
            media = await context.engine.open(near=call.leg.media)
        except SipccError as error:
            self._give_back(trunk, leg_id)
            self._refused(error.disposition.sip_status)
            return
        negotiation = MediaNegotiation(
            host=media.host,
            port=media.port,
            codecs=trunk_codecs(trunk, context.codecs),
            ptime_ms=context.ptime_ms,
            session_id=context.ids.bits(31),
        )
        leg = Leg(
            leg_id,
            role="callee",
            media=media,
            negotiation=negotiation,
            owner=self,
            agent=self._agent,
            user=target.user,
            trunk=trunk.name if trunk is not None else "",
        )
        caller_params = call.leg.negotiation.params
        offer = negotiation.make_offer(prefer=caller_params.codec if caller_params else None)
        started = context.clock.now()
        shown = shown_to(call, target)
        try:
            session = context.endpoint.invite(
                target.uri,
                from_=shown.from_,
                body=offer,
                listener=leg,
                headers=shown.headers,
                route=target.flow,
                destination=target.destination,
                transport=target.transport,
                credentials=target.credentials,
                contact_user=shown.contact_user,
            )
        except SipccError as error:
            await media.close()
            self._give_back(trunk, leg_id)
            self._refused(error.disposition.sip_status)
            return
        leg.attach(session)
        self._legs.append(leg)
        call.adopt(leg)
        context.bus.emit(
            events.LegStarted(
                at=started,
                call=call.id,
                leg=leg.id,
                target=str(target.uri),
                agent=self._agent,
                sip_call_id=session.call_id,
            )
        )

    async def first(self) -> Leg:
        """The first leg that answers; CallRejected when all have refused."""
        while self._winner is None:
            if self._blocked is not None and not self._legs:
                raise self._blocked
            if all(leg.ended for leg in self._legs):
                raise CallRejected(best_refusal(self._refusals), rang=self.ringing > 0)
            self._changed.clear()
            await self._changed.wait()
        return self._winner

    def settle(self) -> None:
        """Hang up every leg but a winner that was handed over."""
        for leg in self._legs:
            if not leg.ended and not (leg is self._winner and self.delivered):
                leg.hangup("answered_elsewhere" if self.delivered else "cancelled")

    # -- LegOwner: the race stands in for the call until a leg has won ----------------------------

    def leg_ringing(self, leg: Leg, response: Response) -> None:
        """`leg` is ringing."""
        self.ringing += 1
        self._call.leg_ringing(leg, response)

    def leg_answered(self, leg: Leg) -> None:
        """`leg` picked up: the first one wins, a later one is hung up."""
        self._call.leg_answered(leg)
        if self._winner is None:
            self._winner = leg
            leg.owner = self._call
            self._changed.set()
        else:
            leg.hangup("answered_elsewhere")

    def leg_ended(self, leg: Leg) -> None:
        """`leg` is over without having won."""
        self._call.leg_ended(leg)
        self._refused(leg.end_status)

    def leg_held(self, leg: Leg, *, held: bool) -> None:
        """Hold means nothing before the conversation."""

    def leg_refreshed(self, leg: Leg) -> bool:
        """Nobody else is there to be refreshed."""
        return False

    def leg_media(self, leg: Leg, event: MediaEvent) -> None:
        """Media of a leg that has not won: only its loss matters."""
        self._call.leg_media(leg, event)

    def _give_back(self, trunk: TrunkSettings | None, leg_id: str) -> None:
        self._call.context.toll.end(leg_id, now=self._call.context.clock.now())
        if trunk is not None:
            self._call.context.trunk_calls.give_back(trunk.name)

    def _refused(self, status: int) -> None:
        self._refusals.append(status)
        self._changed.set()


def trunk_codecs(trunk: TrunkSettings | None, ours: tuple[CodecName, ...]) -> tuple[CodecName, ...]:
    """The codecs for a leg: those of its trunk that are ours, in the trunk's order, or all of ours."""
    if trunk is None or not trunk.codecs:
        return ours
    return tuple(codec for name in trunk.codecs for codec in ours if codec == name)


def best_refusal(statuses: Sequence[int]) -> int:
    """The status to report for several refusals (RFC 3261 §16.7 step 6): 6xx first, then the lowest class.

    Within a class, an answer of the party itself (busy, declined) says more than one about the way to it.
    """
    if not statuses:
        return 480
    return min(statuses, key=lambda status: (status < 600, status // 100, status not in _TELLING, status))


_TELLING = frozenset({486, 480, 404, 603, 600})
