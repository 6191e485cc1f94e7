"""Calls that we make to customers: somebody of ours is rung first, and hears how the customer is rung.

From the customer's answer on such a call is like any other: the customer sits in the caller's place.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from sipcc.call import events
from sipcc.call.call import Call
from sipcc.call.caller import CallIdentity
from sipcc.call.cause import CAUSES, Outcome, cause_of_status
from sipcc.call.describing import describe_leg
from sipcc.call.leg import Leg
from sipcc.call.legowner import LegState
from sipcc.errors import CallEnded, CallRejected, SipccError, TransactionTimeout
from sipcc.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sipcc.call.context import CallContext
    from sipcc.call.ringing import Target

_log = get_logger("sipcc.call")

LINE_WAIT_S = 10.0
"""So long a customer who is on the line with us is waited for, before it is rung."""


class Placing(msgspec.Struct, frozen=True, kw_only=True):
    """What a call to a customer is told as."""

    id: str
    number: str
    """The customer's, who counts as the caller."""
    called: str
    """What stands for the number that was dialled, such as ``callback:sales``."""
    language: str
    source: str
    """Why we call, in place of the address that a call came from."""
    target: str
    """Where the customer is rung, as `sipcc.call.context.Locator` takes it: ``tel:13800138000``."""
    caller_id: str = ""
    """The number that the customer is shown; empty for what the trunk shows."""


class PlacedCall(Call):
    """A call to a customer: `dial` rings our side, then `reach` the customer.

    Until the customer answers, the caller's seat is taken by whoever hears the ringing; if that one hangs up,
    the call is over.
    """

    def __init__(self, context: CallContext, placing: Placing, *, others: Sequence[Call] = ()) -> None:
        """Begin the call; nobody is rung yet. In `others` the customer may be on the line still."""
        self._placing, self._of_customer = placing, others
        number = context.numbering.dialled(placing.number)
        identity = CallIdentity(
            caller=placing.number, caller_name=placing.number, called=placing.called, number=number
        )
        super().__init__(
            context,
            call_id=placing.id,
            caller=placing.number,
            called=placing.called,
            trunk=None,
            language=placing.language,
            identity=identity,
        )
        self._emit(
            events.CallStarted(
                at=self._now(),
                call=self.id,
                caller=placing.number,
                called=placing.called,
                trunk=None,
                sip_call_id="",
                source=placing.source,
            )
        )
        _log.info("call.placed", call_id=self.id, number=placing.number, source=placing.source)

    async def dial(
        self,
        *targets: Target | str,
        timeout: float = 20.0,
        agent: str | None = None,
        early: bool | None = None,
    ) -> Leg:
        """Ring one party, as in any call; the first one before anybody sits in the caller's place."""
        await self._take_seat()
        return await super().dial(*targets, timeout=timeout, agent=agent, early=early)

    async def reach(self, leg: Leg, *, timeout: float) -> Outcome:
        """Ring the customer, while `leg`, who has answered before, hears it.

        Args:
            leg: Who talks to the customer then; `bridge` with it is next.
            timeout: Seconds to ring.

        Returns:
            ``answered``, or why nobody did; the call is to be released then.

        Raises:
            CallEnded: `leg` has hung up.
        """
        await self._line_is_free()
        if leg.ended:
            raise CallEnded(leg.end_cause)
        self._seat_instead(leg)
        outcome: Outcome = "failed"
        try:
            customer = await self.dial(*self._places(), timeout=timeout, early=True)
        except CallEnded:
            raise
        except CallRejected as error:
            outcome = cause_of_status(error.status).outcome
            return "no_answer" if outcome == "cancelled" else outcome
        except TransactionTimeout as error:
            return "no_answer" if error.provisionals else "unreachable"
        except SipccError as error:
            _log.warning("call.not_placed", call_id=self.id, error=str(error))
            return outcome
        self.stop_playing()
        self.replace_caller(customer)
        self._emit(events.CallAnswered(at=self._now(), call=self.id))
        return "answered"

    async def _line_is_free(self) -> None:
        """Wait until the customer has hung up, who has just booked: its line would be busy."""
        ends = [asyncio.ensure_future(other.wait_ended()) for other in self._of_customer if not other.ended]
        if ends:
            await asyncio.wait(ends, timeout=LINE_WAIT_S)
        for end in ends:
            end.cancel()

    def _places(self) -> list[Target]:
        def shown(place: Target) -> Target:
            instead = tuple(shown(other) for other in place.instead)
            return replace(place, caller_id=self._placing.caller_id, instead=instead)

        return [shown(place) for place in self.context.locator.locate(self._placing.target)]

    async def hangup(self, cause: str = "normal", **_: object) -> None:
        """End the call, whoever is in it."""
        self.release(cause)

    def release(self, cause: str = "normal") -> None:
        """End the call and hang up whoever is in it; does nothing when it is over."""
        if self.ended:
            return
        if self._leg is not None:
            self._leg.hangup(cause)
            return
        self._leave(cause)
        status = CAUSES.get(cause, CAUSES["failed"]).sip_status
        self._emit(
            events.CallEndedEvent(at=self._now(), call=self.id, cause=cause, sip_status=status, ended_by="us")
        )

    async def _take_seat(self) -> None:
        """Keep the caller's seat by a leg of our own, without anybody behind it: rings go out from there."""
        if self._leg is not None:
            return
        context = self.context
        media = await self.unless_ended(context.engine.open())
        if self._leg is not None:
            await media.close()
            return
        seat = Leg(
            context.ids.uid("leg"),
            role="caller",
            media=media,
            negotiation=describe_leg(context, media, trunk=None, user=""),
            owner=self,
        )
        seat.state = LegState.ANSWERED
        self.attach(seat)

    def _seat_instead(self, leg: Leg) -> None:
        """Let `leg` sit where nobody sat."""
        seat = self.replace_caller(leg)
        self._others.discard(seat)
        self.context.scope.spawn(_close(seat), name=f"{self.id}/seat")


async def _close(seat: Leg) -> None:
    await seat.media.close()
