"""What the legs of a call tell it, and what it does about that."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from sipcc.call import events
from sipcc.call.callstate import CallState
from sipcc.call.cause import CAUSES
from sipcc.call.leg import Leg
from sipcc.call.legowner import LegState
from sipcc.log import get_logger
from sipcc.rtp.events import (
    DigitBegan,
    DigitEnded,
    FaxHeard,
    MediaAlarm,
    MediaEvent,
    MediaTimedOut,
    PromptMissing,
    RtpBegan,
    RtpPaused,
    WorkerLost,
)

if TYPE_CHECKING:
    from sipcc.sip import Response

LAST_WORD_S = 1.0
"""So long the end of a call waits for that of its other party."""

_log = get_logger("sipcc.call")


class CallLegs(CallState):
    """The `sipcc.call.legowner.LegOwner` of the legs of a call, but for what far sides ask for."""

    def leg_ringing(self, leg: Leg, response: Response) -> None:
        """A party that we ring sent its first 18x."""
        self._emit(events.LegRinging(at=self._now(), call=self.id, leg=leg.id))
        if self.transfer_under_way is not None:
            self.transfer_under_way.rings(response.status)

    def leg_progress(self, leg: Leg, response: Response) -> None:
        """A party that we ring sent an 18x; what the caller hears of it is `hearing`'s."""

    def leg_taken(self, leg: Leg) -> None:
        """`leg` came by an INVITE with Replaces: for the records it is one that we rang."""
        session = leg.session
        self._emit(
            events.LegStarted(
                at=self._now(),
                call=self.id,
                leg=leg.id,
                target=str(session.remote_contact or session.request.from_.uri),
                agent=self._context.agent_at(leg),
                sip_call_id=session.call_id,
            )
        )

    def leg_replaced(self, leg: Leg, new: Leg) -> None:
        """`new` takes the place of `leg`, which is released."""
        new.agent = leg.agent
        if leg is self._leg:
            self.replace_caller(new)
        elif self.peer is leg:
            self.leg_taken(new)
            self.replace_peer(new)
            self._emit(events.LegAnswered(at=self._now(), call=self.id, leg=new.id))
        else:
            new.hangup("failed")
            return
        self._emit(
            events.TransferCompleted(at=self._now(), call=self.id, leg=leg.id, kind="takeover", new=new.id)
        )
        leg.hangup("transferred")

    def leg_answered(self, leg: Leg) -> None:
        """A party that we ring has answered; for the caller's own leg the ACK has come."""
        if leg is not self._leg:
            self._emit(events.LegAnswered(at=self._now(), call=self.id, leg=leg.id))
            self._tell_busy(leg, began=True)
        self.note()

    def leg_ended(self, leg: Leg) -> None:
        """One of the legs is over."""
        at = self._now()
        self._context.toll.end(leg.id, now=at)
        if leg.trunk:
            self._context.trunk_calls.give_back(leg.trunk)
        self._tell_busy(leg, began=False)
        if leg is self._leg:
            self._caller_left(leg, at)
        else:
            self._others.discard(leg)
            self._context.scope.spawn(self._report_leg(leg, at), name=f"{self.id}/{leg.id}")
            if leg is self.peer and self._conversation is not None:
                self._conversation.ended(leg)

    def leg_held(self, leg: Leg, *, held: bool, by_us: bool = False) -> None:
        """Somebody is on hold, or no longer: who waits for the other one hears music meanwhile."""
        kind = events.LegHeld if held else events.LegResumed
        self._emit(kind(at=self._now(), call=self.id, leg=leg.id, by="us" if by_us else "party"))
        if self._conversation is not None and leg in (self._leg, self.peer):
            self._conversation.join()

    def leg_refreshed(self, leg: Leg) -> bool:
        """A session refresh: in a conversation the other side is asked for a sign of life first."""
        if self._conversation is None or self.ended:
            return False
        relay = self._conversation.relay_refresh(leg)
        self._context.scope.spawn(relay, name=f"{self.id}/refresh")
        return True

    def leg_media(self, leg: Leg, event: MediaEvent) -> None:
        """Keys, ends of prompts and silence of a leg."""
        if isinstance(event, MediaTimedOut | WorkerLost):
            _log.warning("call.media_lost", call_id=self.id, leg=leg.id)
            leg.hangup("media_timeout")
            return
        if isinstance(event, MediaAlarm):
            self._tell_alarm(leg, event)
            return
        if isinstance(event, FaxHeard):
            self._emit(events.FaxHeard(at=self._now(), call=self.id, leg=leg.id, role=event.role))
            return
        if isinstance(event, RtpBegan | RtpPaused):
            if self.hearing is not None:
                self.hearing.sounds(leg, event)
            return
        if isinstance(event, PromptMissing):
            _log.warning("call.prompt_missing", call_id=self.id, path=event.path, error=event.error)
            self._emit(
                events.PromptUnplayable(
                    at=self._now(), call=self.id, leg=leg.id, path=event.path, error=event.error
                )
            )
        if isinstance(event, DigitEnded):
            self._pass_key(leg, event.digit)
        if leg is self._leg:
            self._caller_media(event)

    def _tell_alarm(self, leg: Leg, alarm: MediaAlarm) -> None:
        """The audio of a leg goes one way only, or suffers; its figures keep that it did."""
        self._emit(
            events.QualityAlarm(
                at=self._now(),
                call=self.id,
                leg=leg.id,
                kind=alarm.kind,
                active=alarm.active,
                value=round(alarm.value, 3),
            )
        )
        if alarm.active:
            _log.warning("call.audio_bad", call_id=self.id, leg=leg.id, kind=alarm.kind)

    def _pass_key(self, leg: Leg, digit: str) -> None:
        """In a conversation the media carry keys across, but for those that come or must leave by INFO."""
        if leg.secret_keys:
            return
        talk = self._conversation
        if talk is None or talk.parted or leg not in (talk.caller, talk.peer):
            return
        if self.on_talk_key is not None:
            self.on_talk_key(leg, digit)
        other = talk.other(leg)
        if other.state is not LegState.ANSWERED:
            return
        if other.keys_only_by_info or leg.keys_by_info:
            other.send_digits(digit)

    def _caller_media(self, event: MediaEvent) -> None:
        if isinstance(event, DigitBegan | DigitEnded):
            if self._key_sinks:
                self._key_sinks[-1](event)
            elif self._conversation is None:
                self._type_ahead(event)
        else:
            self.player.on_event(event)

    def _type_ahead(self, event: DigitBegan | DigitEnded) -> None:
        if isinstance(event, DigitBegan):
            self.digits.key_began(event.digit, now=self._now())
        else:
            self.digits.key_ended(event.digit, now=self._now())

    def _caller_left(self, leg: Leg, at: float) -> None:
        self._leave(leg.end_cause)
        self.note()
        peer = self.peer
        if self._conversation is not None:
            self._conversation.ended(leg)
        if leg.role == "callee":  # it took the caller's place by a transfer, and is in the records as a leg
            self._context.scope.spawn(self._report_leg(leg, at), name=f"{self.id}/{leg.id}")
        self._context.scope.spawn(self._report_end(leg, at, peer), name=f"{self.id}/end")

    async def _report_end(self, leg: Leg, at: float, peer: Leg | None) -> None:
        stats = await leg.stats()
        await self._recording.settle()  # the record of the call names it
        if peer is not None and peer.id not in self._told:  # the end of a call is the last that is told of it
            told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._last = peer, told
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORD_S):
                    await told
        self._emit(
            events.CallEndedEvent(
                at=at,
                call=self.id,
                cause=leg.end_cause,
                sip_status=leg.end_status,
                ended_by=leg.ended_by,
                stats=stats,
            )
        )
        _log.info("call.ended", call_id=self.id, cause=leg.end_cause, ended_by=leg.ended_by)
        leg.let_go()

    async def _report_leg(self, leg: Leg, at: float) -> None:
        stats = await leg.stats()
        self._emit(
            events.LegEnded(
                at=at,
                call=self.id,
                leg=leg.id,
                cause=leg.end_cause if leg.end_cause in CAUSES else "failed",
                sip_status=leg.end_status,
                ended_by=leg.ended_by,
                stats=stats,
            )
        )
        self._told.add(leg.id)
        if self._last is not None and self._last[0] is leg and not self._last[1].done():
            self._last[1].set_result(None)
        leg.let_go()

    def _tell_busy(self, leg: Leg, *, began: bool) -> None:
        """A user or agent whom no queue rang has a call of its own now, or has it no longer."""
        if leg.agent is not None:
            return
        if leg.user:
            self._context.on_user_busy(leg.user, leg.busy_id, began)
        elif leg.target is not None and leg.target.agent:
            self._context.on_agent_busy(leg.target.agent, leg.busy_id, began)
