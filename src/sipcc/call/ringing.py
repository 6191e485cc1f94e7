"""Ringing other parties: one or several places at once, the first that answers wins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

import msgspec

from sipcc.call import events
from sipcc.call.accepting import Acceptance, accepts
from sipcc.call.describing import describe_leg
from sipcc.call.hearing import Hearing
from sipcc.call.leg import Leg
from sipcc.call.outward import ask_toll, shown_to
from sipcc.call.redirecting import Redirection
from sipcc.errors import CallBlocked, CallRejected, SipccError, TransactionTimeout
from sipcc.log import get_logger
from sipcc.numbers import Number
from sipcc.rtp.events import MediaEvent
from sipcc.rtp.flow import MediaPort
from sipcc.sip.admission import Admitted
from sipcc.sip.fields import delta_seconds
from sipcc.sip.settings import TrunkSettings
from sipcc.sip.transport.base import Address, Flow, TransportName
from sipcc.sip.uri import SipUri

if TYPE_CHECKING:
    from sipcc.call.call import Call
    from sipcc.sip import Credentials, InboundRequest, InviteSession, Request, Response


_log = get_logger("sipcc.call")


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A place to ring."""

    uri: SipUri
    flow: Flow | None = None
    """The flow that the party registered over; it is used in preference to the URI's address."""
    destination: Address | None = None
    """Where to send to instead of the URI's host; port 0 leaves the port to the DNS."""
    transport: TransportName | None = None
    """None takes that of the URI, or leaves it to the DNS."""
    credentials: Credentials | None = None
    trunk: TrunkSettings | None = None
    """The trunk that leads there, if it is one: its codecs, its limit and its count are used."""
    user: str = ""
    """The user of ours who is rung there, if it is one."""
    browser: bool = False
    """True for a browser, which takes ICE and DTLS-SRTP only."""
    number: Number | None = None
    """The number behind the trunk; None when what was asked for is no telephone number."""
    caller_id: str = ""
    """The number to show instead of the caller's; a trunk with numbers of its own takes only one of them."""
    agent: str = ""
    """The agent who is reached there, if it is rung for one by name; queues say it when they ring."""
    by: str = ""
    """The user on whose account it is rung, such as the one who transfers; empty takes the call's own."""
    chosen_by_peer: bool = False
    """True when a phone or carrier named the place, by REFER or 3xx: then the toll guard looks closer."""
    accept: Acceptance | None = None
    """What whoever answers there is asked for before it has the call; None for nothing."""
    headers: tuple[tuple[str, str], ...] = ()
    offer: bool = True
    """False sends an INVITE without a description, so that the far side makes the offer."""
    instead: tuple[Target, ...] = ()
    """Other ways to the same party, tried one after another while nobody there has rung."""


MAX_LEGS = 10
"""Places that are rung for one `dial`, one after another or at once: a call must not become a storm."""

ANOTHER_WAY = frozenset({408, 502, 503, 504})
"""Answers that say something of the way and nothing of the party: another trunk may lead there."""

PATIENCE_SLACK = 0.5
"""Seconds beyond `hop_timeout` in which all servers of a trunk together must have said something, when there
is another trunk to try: 1.9 s by default."""


async def ring_targets(
    call: Call,
    targets: Sequence[Target | str],
    *,
    timeout: float,
    agent: str | None,
    early: bool = False,
    replace: bool = False,
) -> Leg:
    """Ring every target at once; see `sipcc.call.call.Call.dial` for what it raises.

    With `early` the caller hears what those who ring have to say; `replace` lets ringing cut what plays.
    Who must accept and does not has refused with 480; at the end of `timeout`, who is asked may still do so.
    """
    places: list[Target] = []
    for target in targets:
        places.extend([target] if isinstance(target, Target) else call.context.locator.locate(target))
    if not places:
        raise CallRejected(480, "nobody is registered there")
    hearing = Hearing(call, early=early, replace=replace)
    outer, call.hearing = call.hearing, hearing
    race = _Race(call, agent, hearing)
    try:
        for place in places:
            await race.ring(place)
        winner = await race.within(timeout)
        race.delivered = True
        return winner
    finally:
        race.settle()
        hearing.close()
        if call.hearing is hearing:  # else somebody else is rung for the call since then
            call.hearing = outer


class _Race:
    """The legs that ring for one `dial`; stands in for the call as their owner until one has won."""

    def __init__(self, call: Call, agent: str | None, hearing: Hearing) -> None:
        self._call = call
        self._hearing = hearing
        self._redirection = Redirection()
        self._agent = agent
        self._legs: list[Leg] = []
        self._winner: Leg | None = None
        self._blocked: CallBlocked | None = None
        self._refusals: list[int] = []
        self._rest: dict[str, tuple[Target, ...]] = {}
        self._on_the_way = 0
        self._asked: set[Leg] = set()
        self._told: set[str] = set()
        self._settled = False
        self._changed = asyncio.Event()
        self.ringing = 0
        self.delivered = False
        """True once the winner has been handed over; until then nobody else would hang it up."""

    async def ring(self, target: Target) -> None:
        """Send an INVITE to `target`, or another way there; that none can be sent counts as its refusal."""
        also = (
            msgspec.structs.replace(
                way, by=target.by, chosen_by_peer=target.chosen_by_peer, accept=target.accept
            )
            for way in target.instead
        )
        ways = (target, *also)
        status = 480
        for at, way in enumerate(ways):
            status = await self._invite(way, ways[at + 1 :])
            if status == 0:
                return
            if status not in ANOTHER_WAY:
                break
        self._refused(status)

    async def _invite(self, target: Target, rest: tuple[Target, ...]) -> int:
        """Send an INVITE to `target`; 0 when it has left, else the status that says why it has not."""
        call, context = self._call, self._call.context
        trunk, leg_id = target.trunk, context.ids.uid("leg")
        refused = self._may_leave(target, leg_id)
        if refused:
            return refused
        try:
            media = await context.engine.open(near=call.leg.media)
        except SipccError as error:
            self._give_back(trunk, leg_id)
            return error.disposition.sip_status
        if self._settled:  # the caller left while a port was opened
            await media.close()
            self._give_back(trunk, leg_id)
            return 487
        leg = self._leg(leg_id, media, target)
        leg.target = target
        try:
            session = self._send(leg, target, patient=not rest)
        except SipccError as error:
            await media.close()
            self._give_back(trunk, leg_id)
            return error.disposition.sip_status
        leg.attach(session)
        self._legs.append(leg)
        self._rest[leg.id] = rest
        call.adopt(leg)
        context.bus.emit(
            events.LegStarted(
                at=context.clock.now(),
                call=call.id,
                leg=leg.id,
                target=str(target.uri),
                agent=context.agent_at(leg),
                sip_call_id=session.call_id,
                trunk=leg.trunk,
            )
        )
        return 0

    def _send(self, leg: Leg, target: Target, *, patient: bool) -> InviteSession:
        call, context = self._call, self._call.context
        caller_params = call.leg.negotiation.params
        codec = caller_params.codec if caller_params else None
        shown = shown_to(call, target)
        return context.endpoint.invite(
            target.uri,
            from_=shown.from_,
            body=leg.negotiation.make_offer(prefer=codec) if target.offer else b"",
            listener=leg,
            headers=shown.headers,  # Max-Forwards among them
            route=target.flow,
            destination=target.destination,
            transport=target.transport,
            credentials=target.credentials,
            contact_user=shown.contact_user,
            policy=context.endpoint.policy_of(Admitted(trunk=target.trunk)),
            patience=None if patient else context.endpoint.settings.hop_timeout + PATIENCE_SLACK,
        )

    def _may_leave(self, target: Target, leg_id: str) -> int:
        """0 when an INVITE may be sent to `target`, which then counts on its trunk; else the refusal."""
        call, context, trunk = self._call, self._call.context, target.trunk
        if self._hops() < 1:
            return 483
        if len(self._legs) >= MAX_LEGS:
            _log.warning("dial.too_many_legs", target=str(target.uri))
            return 482
        if (blocked := ask_toll(call, target, leg_id, agent=self._agent)) is not None:
            self._blocked = blocked
            return blocked.status
        if trunk is None:
            return 0
        # whoever calls for help is not refused for the sake of a count or of a bad hour of the carrier
        emergency = target.number is not None and target.number.kind == "emergency"
        why = ""
        if not context.trunk_calls.take(trunk.name, 0 if emergency else trunk.max_calls):
            context.toll.end(leg_id, now=context.clock.now())
            why = f"{trunk.max_calls} calls are up, which is all it takes"
        elif (why := context.trunk_calls.refusal(trunk)) and not emergency:
            self._give_back(trunk, leg_id)
        if why and not emergency:
            self._decided(f"trunk: not {trunk.name}", why)
            return 503
        self._decided(f"trunk: {trunk.name}", "")
        return 0

    def _leg(self, leg_id: str, media: MediaPort, target: Target) -> Leg:
        context, trunk = self._call.context, target.trunk
        return Leg(
            leg_id,
            role="callee",
            media=media,
            negotiation=describe_leg(context, media, trunk=trunk, user=target.user, browser=target.browser),
            owner=self,
            agent=self._agent,
            user=target.user,
            trunk=trunk.name if trunk is not None else "",
        )

    def _hops(self) -> int:
        """Max-Forwards of what we send: one less than the caller's, so that a loop ends (RFC 7332)."""
        request = self._call.request
        return 70 if request is None else request.max_forwards - 1

    async def first(self) -> Leg:
        """The first leg that answers; CallRejected when all have refused."""
        while self._winner is None:
            if self._blocked is not None and not self._legs:
                raise self._blocked
            if not self._on_the_way and all(leg.ended for leg in self._legs):
                raise CallRejected(best_refusal(self._refusals), rang=self.ringing > 0)
            self._changed.clear()
            await self._changed.wait()
        return self._winner

    async def within(self, timeout: float) -> Leg:
        """The first leg that answers within `timeout` seconds; TransactionTimeout when none does."""
        try:
            async with asyncio.timeout(timeout):
                return await self.first()
        except TimeoutError:
            if not self._asked:
                raise TransactionTimeout("ring", provisionals=self.ringing) from None
        self._settled = True
        for leg in self._legs:
            if leg not in self._asked and not leg.ended:
                leg.hangup("cancelled")
        return await self.first()

    def settle(self) -> None:
        """Hang up every leg but a winner that was handed over."""
        self._settled = True
        for leg in self._legs:
            if not leg.ended and not (leg is self._winner and self.delivered):
                leg.hangup("answered_elsewhere" if self.delivered else "cancelled")

    # -- LegOwner: the race stands in for the call until a leg has won ----------------------------

    @property
    def call(self) -> Call:
        """The call that rings."""
        return self._call

    def leg_progress(self, leg: Leg, response: Response) -> None:
        """`leg` sent an 18x: the caller may hear of it."""
        if self._winner is None:
            self._hearing.progress(leg, response)

    def leg_offered(self, leg: Leg, request: Request) -> Awaitable[int] | None:
        """An UPDATE before the answer."""
        return self._call.leg_offered(leg, request)

    def leg_request(self, leg: Leg, inbound: InboundRequest) -> None:
        """A request in an early dialog."""
        self._call.leg_request(leg, inbound)

    def leg_replaced(self, leg: Leg, new: Leg) -> None:
        """`new` picks up for `leg`, which stops to ring."""
        new.agent = leg.agent
        self._legs.append(new)
        self._call.adopt(new)
        self._call.leg_taken(new)
        self.leg_answered(new)

    def leg_ringing(self, leg: Leg, response: Response) -> None:
        """`leg` is ringing."""
        self.ringing += 1
        self._tell_trunk(leg, response.status)
        self._call.leg_ringing(leg, response)

    def leg_answered(self, leg: Leg) -> None:
        """`leg` picked up: the first one wins, a later one is hung up."""
        self._tell_trunk(leg, 200)
        self._call.leg_answered(leg)
        accept = leg.target.accept if leg.target is not None else None
        if self._winner is None and accept is not None:
            self.ringing += 1  # somebody or something was there
            self._asked.add(leg)
            self._on_the_way += 1
            self._hearing.asked(leg)
            self._call.context.scope.spawn(self._ask(leg, accept), name=f"{self._call.id}/accept")
        else:
            self._won(leg)

    def _won(self, leg: Leg) -> None:
        if self._winner is None:
            self._winner = leg
            leg.owner = self._call
            self._changed.set()
        else:
            leg.hangup("answered_elsewhere")

    async def _ask(self, leg: Leg, accept: Acceptance) -> None:
        """Let `leg` win when it accepts."""
        try:
            if await accepts(self._call, leg, accept):
                self._won(leg)
            else:
                self._hearing.gone(leg)
                self._refused(480)
        finally:
            self._asked.discard(leg)
            self._on_the_way -= 1
            self._changed.set()

    def leg_ended(self, leg: Leg) -> None:
        """`leg` is over without having won: there may be another way to its party."""
        self._call.leg_ended(leg)
        self._hearing.gone(leg)
        rang, rest = leg.id in self._told, self._rest.pop(leg.id, ())
        if leg.ended_by != "us":
            self._tell_trunk(leg, leg.end_status)
        elif leg.trunk and not rang:
            self._call.context.trunk_calls.untold(leg.trunk)
        if self._winner is None and not self._settled:
            places = self._redirection.places(self._call, leg)
            if places:
                self._on_the_way += 1
                self._call.context.scope.spawn(self._follow(places), name=f"{self._call.id}/redirect")
                return
        goes_on = rest and not rang and leg.ended_by != "us" and leg.end_status in ANOTHER_WAY
        if goes_on and self._winner is None and not self._settled:
            self._decided(f"trunk: {leg.trunk} failed", f"{leg.end_status} {leg.end_cause}")
            self._on_the_way += 1
            self._call.context.scope.spawn(self._go_on(rest), name=f"{self._call.id}/next")
        else:
            self._refused(leg.end_status)

    async def _follow(self, places: Sequence[Target]) -> None:
        """Ring the places that a 3xx named."""
        try:
            for place in places:
                if self._winner is None and not self._settled:
                    await self.ring(place)
        finally:
            self._on_the_way -= 1
            self._changed.set()

    async def _go_on(self, ways: tuple[Target, ...]) -> None:
        """Ring the first of `ways` that takes an INVITE."""
        try:
            await self.ring(msgspec.structs.replace(ways[0], instead=ways[1:]))
        finally:
            self._on_the_way -= 1
            self._changed.set()

    def _tell_trunk(self, leg: Leg, status: int) -> None:
        """The first answer that tells something counts for the health of the leg's trunk."""
        if leg.trunk and leg.id not in self._told:
            response = leg.response if status == 503 else None
            wait = None if response is None else delta_seconds(response.headers.get_raw("Retry-After"))
            self._call.context.trunk_calls.told(leg.trunk, status, retry_after=wait)
        self._told.add(leg.id)

    def _decided(self, what: str, why: str) -> None:
        self._call.context.decided(self._call.id, what, why)

    def leg_held(self, leg: Leg, *, held: bool, by_us: bool = False) -> None:
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


def best_refusal(statuses: Sequence[int]) -> int:
    """The status to report for several refusals (RFC 3261 §16.7 step 6): 6xx first, then the lowest class.

    Within a class, an answer of the party itself (busy, declined) says more than one about the way to it.
    """
    if not statuses:
        return 480
    return min(statuses, key=lambda status: (status < 600, status // 100, status not in _TELLING, status))


_TELLING = frozenset({486, 480, 404, 603, 600})
