"""Asking first: an agent talks to somebody else while its caller waits, and then decides.

The agent has one call on its phone; we put the caller on hold, ring who is to be asked, and let the two talk.
Then the agent gives the caller over (`Consultation.complete`), talks with both (`merge`), or goes back to the
caller alone (`back`). An agent who hangs up gives the caller over, also to somebody who only rings yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from sipcc.call import events
from sipcc.call.leg import Leg
from sipcc.call.ringing import Target, ring_targets
from sipcc.call.transfer import Transfer
from sipcc.errors import CallEnded, LocalProtocolError, SipccError, TransactionTimeout
from sipcc.rtp.toneplan import RINGBACK

if TYPE_CHECKING:
    from sipcc.call.call import Call
    from sipcc.call.events import ConsultEnd


class Consultation(Transfer):
    """One consultation in one call; for the records it is a transfer of the kind ``consult``."""

    def __init__(self, call: Call, target: str, *, by: Leg) -> None:
        super().__init__(call, "consult", target, by=by)
        loop = asyncio.get_running_loop()
        self._agent = by
        self._verdict: asyncio.Future[ConsultEnd] = loop.create_future()
        self._stage: Literal["ringing", "talking", "merged"] = "ringing"
        self.answered: asyncio.Future[int] = loop.create_future()
        """200, or the status of who did not want to be asked."""
        self.decided.add_done_callback(self._never_answered)

    def _never_answered(self, decided: asyncio.Future[int]) -> None:
        if not self.answered.done():
            self.answered.set_result(487 if decided.cancelled() else decided.result())

    # -- what the agent decides -------------------------------------------------------------------

    def complete(self) -> None:
        """Give the caller over to who was asked; the agent is released.

        Raises:
            LocalProtocolError: nobody has answered, or it is over; so for all decisions.
        """
        self._judge("completed")

    def merge(self) -> None:
        """Let all three talk; when the agent leaves, the other two go on, and so when the other one does."""
        if self._stage == "merged":
            raise LocalProtocolError("all three talk already")
        self._judge("merged")

    def back(self) -> None:
        """Hang up who was asked, and go on with the caller."""
        self._judge("returned")

    def _judge(self, verdict: ConsultEnd) -> None:
        if self._stage == "ringing" or self._verdict.done():
            raise LocalProtocolError("nobody who was asked is there")
        self._verdict.set_result(verdict)

    # -- how it goes ------------------------------------------------------------------------------

    async def run(self, places: Sequence[Target | str], *, timeout: float | None) -> None:
        """Ring `places`, let them talk, and do what is decided."""
        call, agent, talk = self._call, self._agent, self._talk
        if talk is None:
            raise LocalProtocolError("the agent talks to nobody")
        swapped = agent is talk.caller
        if swapped:
            call.seat(talk.peer)
        talk.part()
        with call.lent():
            self._hold()
            try:
                leg = await self._ring(places, timeout)
                how = await self._ask(leg)
                if how == "merged":
                    how = await self._together(leg)
            except CallEnded:
                self._failed(487)
                return
            except SipccError as error:
                status = 480 if isinstance(error, TransactionTimeout) else error.disposition.sip_status
                self._resume()
                self._failed(status)
                await self._go_back(swapped=swapped)
                return
            if how == "completed":
                self._done(leg.id)
                self._release(agent)
                await call.converse(leg)
            else:
                leg.hangup("normal")
                self._failed(487)
                await self._go_back(swapped=swapped)

    async def _ring(self, places: Sequence[Target | str], timeout: float | None) -> Leg:
        call, agent = self._call, self._agent
        settings = call.context.settings
        if not agent.ended:
            agent.media.play(RINGBACK[settings.tones].items(), loop=True)
        try:
            return await call.unless_ended(
                ring_targets(call, places, timeout=timeout or settings.transfer_timeout, agent=None),
                undo=lambda leg: leg.hangup("cancelled"),
            )
        finally:
            if not agent.ended:
                agent.media.stop_playing()

    async def _ask(self, leg: Leg) -> ConsultEnd:
        """Agent and `leg` talk, and the caller waits; how that ended."""
        call, agent = self._call, self._agent
        if agent.ended:
            self._resume()
            return "completed"
        self._stage = "talking"
        agent.media.bridge(leg.media)
        call.context.bus.emit(events.ConsultStarted(at=self._now(), call=call.id, leg=leg.id, by=agent.id))
        self.answered.set_result(200)
        how: ConsultEnd = "left"
        try:
            how = await self._decision(leg)
        finally:
            if not agent.ended:
                agent.media.unbridge()
            call.context.bus.emit(events.ConsultEnded(at=self._now(), call=call.id, leg=leg.id, how=how))
        self._resume()
        return how

    async def _together(self, leg: Leg) -> ConsultEnd:
        """All three talk; how that ended."""
        call = self._call
        self._stage, self._verdict = "merged", asyncio.get_running_loop().create_future()
        parties = (call.leg, self._agent, leg)
        for party in parties:
            party.media.join(f"merged:{call.id}")
        call.context.bus.emit(events.BridgeStarted(at=self._now(), call=call.id, leg=leg.id))
        how: ConsultEnd = "left"
        try:
            how = await self._decision(leg)
            return how
        finally:
            for party in parties:
                if not party.ended:
                    party.media.unbridge()
            if how != "completed":  # else caller and leg go on without a break
                call.context.bus.emit(events.BridgeEnded(at=self._now(), call=call.id, leg=leg.id))

    async def _decision(self, leg: Leg) -> ConsultEnd:
        gone, agent_gone = (asyncio.ensure_future(each.wait_over()) for each in (leg, self._agent))
        try:
            waits: set[asyncio.Future[Any]] = {gone, agent_gone, self._verdict}
            await self._call.unless_ended(asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED))
            if gone.done():
                return "left"
            return self._verdict.result() if self._verdict.done() else "completed"
        finally:
            gone.cancel()
            agent_gone.cancel()

    # -- the caller meanwhile -----------------------------------------------------------------------

    def _now(self) -> float:
        return self._call.context.clock.now()

    def _hold(self) -> None:
        call = self._call
        call.player.start(
            call.context.prompts.resolve((call.context.hold_music,), call.language), loop=True, shared=True
        )
        call.context.bus.emit(events.LegHeld(at=self._now(), call=call.id, leg=call.leg.id, by="us"))

    def _resume(self) -> None:
        call = self._call
        if not call.ended:
            call.player.stop()
            call.context.bus.emit(events.LegResumed(at=self._now(), call=call.id, leg=call.leg.id, by="us"))


async def consult(call: Call, target: str, *, by: Leg | None, timeout: float | None) -> Consultation:
    """Ring `target` for the agent of `call`, and return when they talk.

    Raises:
        LocalProtocolError: no agent talks, a transfer is under way, `target` is nobody who could be asked, or
            did not answer.
    """
    agent = by or call.agent_leg
    if agent is None or call.conversation is None or call.conversation.over:
        raise LocalProtocolError("no agent talks in this call")
    if call.transfer_under_way is not None:
        raise LocalProtocolError("a transfer is under way")
    waypoint = call.context.signpost.find(target)
    places = waypoint.places if waypoint is not None else tuple(call.context.locator.locate(target))
    if not places:
        raise LocalProtocolError(f"{target!r} is nobody who could be asked")
    consultation = Consultation(call, target, by=agent)
    consultation.begin()
    work = consultation.see_through(consultation.run(places, timeout=timeout))
    call.context.scope.spawn(work, name=f"{call.id}/consult")
    status = await asyncio.shield(consultation.answered)
    if status != 200:
        raise LocalProtocolError(f"nobody answered: {status}; all is as before")
    return consultation
