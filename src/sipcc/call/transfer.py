"""Transfers (RFC 5589): a party asks by REFER that the other one talks to somebody else, or we decide so.

We are a B2BUA: nobody is sent away. We take the REFER, ring or join whom it names, tell the transferor by
NOTIFY how it goes (RFC 3515), and release it when the two that remain can talk. When it fails, the
transferor has its party back, and is rung again for that if it has gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from sipcc.call import events
from sipcc.call.context import Waypoint
from sipcc.call.leg import Leg
from sipcc.call.referred import find_leg, refusal_of, tell_refused, waypoint_of
from sipcc.call.report import Report
from sipcc.call.ringing import Target, ring_targets
from sipcc.errors import CallEnded, LocalProtocolError, ParseError, SipccError, TransactionTimeout
from sipcc.log import get_logger
from sipcc.sip.refer import Referral

if TYPE_CHECKING:
    from sipcc.call.call import Call
    from sipcc.call.context import CallContext
    from sipcc.call.conversation import Conversation
    from sipcc.call.events import TransferKind
    from sipcc.call.protocols import Handler
    from sipcc.sip import InboundRequest

_log = get_logger("sipcc.call")


class Transfer:
    """One transfer in one call."""

    def __init__(
        self, call: Call, kind: TransferKind, target: str, *, by: Leg | None, report: Report | None = None
    ) -> None:
        self._call = call
        self._kind: TransferKind = kind
        self._target = target
        self._by = by
        self._report = report
        self._talk: Conversation | None = call.conversation
        self.decided: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """200, or the status of the failure, once it is known."""

    # -- a party asks ---------------------------------------------------------------------------

    @classmethod
    def requested(cls, call: Call, leg: Leg, inbound: InboundRequest) -> None:
        """Take a REFER of `leg`: answer it, and begin what it asks for."""
        try:
            referral = Referral.of(inbound.request)
        except ParseError as error:
            inbound.reply(error.status_hint)
            tell_refused(call, leg, error.status_hint, str(error))
            return
        refused = refusal_of(call, leg, referral)
        if refused is not None:
            status, why = refused
            inbound.reply(status, headers=[("Retry-After", "5")] if status == 503 else ())
            tell_refused(call, leg, status, why)
            return
        leg.referrals += 1
        inbound.reply(202, headers=() if referral.subscribes else [("Refer-Sub", "false")])
        number = inbound.request.cseq.number
        report = Report(leg, number, first=leg.referrals == 1) if referral.subscribes else None
        leg.report = report
        kind: TransferKind = "attended" if referral.replaces is not None else "blind"
        transfer = cls(call, kind, str(referral.target), by=leg, report=report)
        transfer.begin()
        if referral.replaces is not None:
            other = find_leg(call.context, referral.replaces)
            work = transfer.join(other) if other is not None else transfer.fail(481)
        else:
            work = transfer.go(waypoint_of(call, leg, referral))
        call.context.scope.spawn(transfer.see_through(work), name=f"{call.id}/transfer")

    def begin(self) -> None:
        """Nobody else transfers in this call until this is decided."""
        call = self._call
        call.transfer_under_way = self
        self.decided.add_done_callback(lambda _: self._no_longer())
        call.context.bus.emit(
            events.TransferStarted(
                at=call.context.clock.now(),
                call=call.id,
                leg=self._by.id if self._by is not None else "",
                kind=self._kind,
                target=self._target,
            )
        )
        self._notify(100)

    async def see_through(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work`; whatever goes wrong in it, the transfer comes to a decision."""
        try:
            await work
        finally:
            if not self.decided.done():
                self._failed(500)

    def _no_longer(self) -> None:
        if self._call.transfer_under_way is self:
            self._call.transfer_under_way = None

    def rings(self, status: int) -> None:
        """The target rings."""
        self._notify(180 if status == 183 else status)

    # -- blind ----------------------------------------------------------------------------------

    async def go(self, waypoint: Waypoint, *, timeout: float | None = None) -> None:
        """Send the caller to where it leads."""
        if waypoint.handler is not None:
            await self.send(waypoint.handler)
        else:
            await self.ring(waypoint.places, timeout=timeout)

    async def ring(self, targets: Sequence[Target | str], *, timeout: float | None = None) -> None:
        """Ring `targets`; whoever answers takes the place of the transferor."""
        call, by = self._call, self._by
        swapped = self._part()
        with call.lent():
            try:
                leg = await self._dial(targets, timeout)
            except CallEnded:
                self._failed(487)
                return
            except SipccError as error:
                status = 480 if isinstance(error, TransactionTimeout) else error.disposition.sip_status
                self._failed(status)
                await self._go_back(swapped=swapped)
                return
            self._done(leg.id)
            self._release(by)
            await call.answer()
            await call.converse(leg)

    async def send(self, handler: Handler) -> None:
        """Let the caller go on at a destination of ours; who asked for it is released at once.

        It gets the caller back when nobody took it there: a queue that was closed, say.
        """
        call, by = self._call, self._by
        self._part()
        with call.lent():
            self._done("")
            self._release(by)
            talks = call.talks
            try:
                await call.answer()
                await handler(call)
            except CallEnded:
                return
            except SipccError as error:
                _log.warning("call.transfer_lost", call_id=call.id, target=self._target, error=str(error))
            if not call.ended and call.talks == talks:
                await self._go_back(swapped=False)

    async def hand_to(self, leg: Leg) -> None:
        """A party that is here already takes the transferor's place."""
        call, by = self._call, self._by
        self._part()
        with call.lent():
            self._done(leg.id)
            self._release(by)
            await call.converse(leg)

    def _part(self) -> bool:
        """End the talk; True when the transferor sat in the caller's seat, which is now the other's."""
        talk = self._talk
        if talk is None:
            return False
        if swapped := self._by is talk.caller:
            self._call.seat(talk.peer)
        talk.part()
        return swapped

    async def _dial(self, targets: Sequence[Target | str], timeout: float | None) -> Leg:
        call = self._call
        return await call.unless_ended(
            ring_targets(
                call,
                targets,
                timeout=timeout or call.context.settings.transfer_timeout,
                agent=None,
                early=True,
                replace=True,
            ),
            undo=lambda leg: leg.hangup("cancelled"),
        )

    def _release(self, by: Leg | None) -> None:
        if self._talk is not None and by is not None:
            self._talk.release(by.role if by.role == "caller" else "callee")
        if by is not None:
            by.hangup("transferred")

    async def _go_back(self, *, swapped: bool) -> None:
        """The transferor gets its party back; one that has gone is rung for it."""
        call, by, talk = self._call, self._by, self._talk
        if call.ended or by is None or talk is None:
            return
        if not by.ended and not talk.over:
            if swapped:
                call.seat(talk.peer)
            talk.rejoin()
            return
        places = [by.target] if by.target is not None else [by.user] if by.user else []
        if not places:
            return
        try:
            leg = await self._dial(places, None)
        except SipccError:
            return  # the handler of the call goes on with a caller that nobody wants
        await call.converse(leg)

    # -- attended -------------------------------------------------------------------------------

    async def join(self, other: Leg) -> None:
        """The two parties that the transferor talks to, or waits for, by two dialogs get each other."""
        call, by, talk = self._call, self._by, self._talk
        second = other.owner.call
        consult = second.conversation
        if by is None or talk is None:
            raise LocalProtocolError("nobody asked for this transfer")
        try:
            if consult is not None and other in (consult.caller, consult.peer):
                await self._join_talks(by, talk, other, second, consult)
            elif other is second.leg:
                await self._join_waiting(by, talk, other, second)
            else:
                await self.fail(481)
        except (SipccError, ValueError) as error:
            _log.warning("call.transfer_failed", call_id=call.id, error=str(error))
            await self.fail(500)

    async def _join_talks(
        self, by: Leg, talk: Conversation, other: Leg, second: Call, consult: Conversation
    ) -> None:
        """Both dialogs have a party: the party of the second comes over into our call."""
        call, party = self._call, consult.other(other)
        if not await _reachable(call.context, talk.other(by), party):
            await self.fail(488)
            return
        if talk.over or consult.over:
            await self.fail(487)
            return
        if by is talk.caller:
            call.seat(talk.peer)
        talk.part()
        consult.part()
        party.media.unbridge()
        call.join_interaction(second)
        with call.lent():
            consult.release(other.role if other.role == "caller" else "callee")
            second.give_up(party)
            call.take_in(party)
            self._done(party.id)
            self._release(by)
            other.hangup("transferred")
            await call.converse(party)

    async def _join_waiting(self, by: Leg, talk: Conversation, other: Leg, second: Call) -> None:
        """The second dialog rings, waits or hears a menu: our party takes the transferor's place there."""
        call, party = self._call, talk.other(by)
        if not await _reachable(call.context, other, party):
            await self.fail(488)
            return
        if talk.over or second.ended:
            await self.fail(487)
            return
        call.join_interaction(second)
        talk.part()
        talk.release(by.role if by.role == "caller" else "callee")
        if party is call.leg:
            second.identity, second.caller, second.caller_name = call.identity, call.caller, call.caller_name
        call.give_up(party)
        second.taping.inherit(call.taping)
        second.replace_caller(party)
        second.transferor = by.target or by.user
        self._done(party.id, into=second.id)
        by.hangup("transferred")
        other.hangup("transferred")

    # -- outcome --------------------------------------------------------------------------------

    async def fail(self, status: int) -> None:
        """It does not come about; the conversation was not touched, or goes on."""
        self._failed(status)
        if self._talk is not None and self._talk.parted and not self._talk.over:
            self._talk.rejoin()

    def _done(self, new: str, *, into: str = "") -> None:
        call = self._call
        self._notify(200)
        call.context.bus.emit(
            events.TransferCompleted(
                at=call.context.clock.now(),
                call=call.id,
                leg=self._by.id if self._by is not None else "",
                kind=self._kind,
                new=new,
                into=into,
            )
        )
        _log.info("call.transferred", call_id=call.id, kind=self._kind)
        self._decide(200)

    def _failed(self, status: int) -> None:
        call = self._call
        self._notify(status)
        call.context.bus.emit(
            events.TransferFailed(
                at=call.context.clock.now(),
                call=call.id,
                leg=self._by.id if self._by is not None else "",
                kind=self._kind,
                sip_status=status,
            )
        )
        self._decide(status)

    def _decide(self, status: int) -> None:
        if not self.decided.done():
            self.decided.set_result(status)
        if self._call.transfer_under_way is self:
            self._call.transfer_under_way = None

    def _notify(self, status: int) -> None:
        if self._report is not None:
            self._report.tell(status)


async def bare_transfer(
    call: Call, target: Target | str, *, timeout: float | None, by: Leg | None = None
) -> int:
    """The program wants `target` in the place of whoever the caller talks to; the outcome as a status."""
    if call.transfer_under_way is not None:
        raise LocalProtocolError("a transfer is under way")
    waypoint = call.context.signpost.find(target) if isinstance(target, str) else None
    talk = call.conversation
    name = str(target.uri) if isinstance(target, Target) else target
    transfer = Transfer(call, "application", name, by=by or (talk.peer if talk is not None else None))
    transfer.begin()
    going = transfer.go(waypoint, timeout=timeout) if waypoint else transfer.ring([target], timeout=timeout)
    work = transfer.see_through(going)
    call.context.scope.spawn(work, name=f"{call.id}/transfer")
    return await asyncio.shield(transfer.decided)


async def _reachable(context: CallContext, one: Leg, other: Leg) -> bool:
    """True when the media of both can be bridged; `other` is moved beside `one` where it must be."""
    return await other.come_near(context.engine, one.media)
