"""The step `Transfer`: connecting the caller with somebody, and what comes of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from sipcc.call.accepting import Acceptance
from sipcc.call.conversation import BridgeResult
from sipcc.call.leg import Leg
from sipcc.call.legowner import LegState
from sipcc.call.ringing import Target
from sipcc.errors import CallEnded, LocalProtocolError, SipccError, TransactionTimeout
from sipcc.ivr.keywatch import KeyWatch
from sipcc.ivr.steps import Transfer, Transferred
from sipcc.log import get_logger
from sipcc.rtp.events import DigitBegan, DigitEnded

if TYPE_CHECKING:
    from sipcc.call import Call
    from sipcc.ivr.live import LiveSession

Failure = Literal["busy", "noanswer", "network_busy", "failed"]

ACCEPT_KEY = "1"

_BUSY = frozenset({486, 600})
_NO_ANSWER = frozenset({408, 480, 487})
_NETWORK_BUSY = frozenset({500, 502, 503, 504})

_log = get_logger("sipcc.ivr.live")


def failure_of(status: int) -> Failure:
    """What a SIP status says of a transfer, in the words of VoiceXML 2.1 §2.3.7.

    | status | outcome |
    |---|---|
    | 486, 600 | busy |
    | 408, 480, 487 | noanswer |
    | 500, 502, 503, 504 | network_busy |
    | any other | failed |
    """
    if status in _BUSY:
        return "busy"
    if status in _NO_ANSWER:
        return "noanswer"
    return "network_busy" if status in _NETWORK_BUSY else "failed"


async def transfer(session: LiveSession, step: Transfer) -> Transferred:
    """Carry out `step`.

    Raises:
        CallEnded: the caller has hung up.
    """
    call = session.call
    await call.free()
    try:
        if step.mode == "blind" and len(step.targets) == 1 and not step.accept:
            return await _send(call, step)
        leg = await _ring(session, step)
    except CallEnded:
        raise
    except SipccError as error:
        await call.free()
        status = 408 if isinstance(error, TransactionTimeout) else error.disposition.sip_status
        return Transferred(outcome=failure_of(status), status=status)
    if step.mode == "bridge":
        return await _talk(call, leg, step)
    return await _leave_to(call, leg, step)


async def _send(call: Call, step: Transfer) -> Transferred:
    """Send the caller away, and stay in between only when its phone knows no REFER."""
    status = await call.refer(step.targets[0], timeout=step.timeout)
    if 200 <= status < 300:
        return Transferred(outcome="sent", status=status)
    await call.free()
    return Transferred(outcome=failure_of(status), status=status)


async def _leave_to(call: Call, leg: Leg, step: Transfer) -> Transferred:
    """Whoever was asked is there: the caller goes to it, by REFER with Replaces or through us."""
    if step.mode == "consultation" and call.leg.state is LegState.ANSWERED and call.leg.allows("REFER"):
        target = leg.target
        try:
            uri = str(target.uri) if target is not None else step.targets[0]
            status = await call.unless_ended(call.leg.refer(uri, replaces=leg, timeout=step.timeout))
        except LocalProtocolError:
            status = 0
        if 200 <= status < 300:
            leg.hangup("transferred")
            call.leg.hangup("transferred")
            return Transferred(outcome="sent", status=status)
    await call.answer()
    await call.give_to(leg)
    return Transferred(outcome="sent", status=200)


# -- ringing ------------------------------------------------------------------------------------------------


async def _ring(session: LiveSession, step: Transfer) -> Leg:
    """Ring everybody at once; whoever answers, and accepts, has the caller."""
    call = session.call
    places = await _places(session, step)
    waiting = await session.compose(step.waiting)
    if not waiting.items:
        return await call.dial(*places, timeout=step.timeout)
    call.player.start(waiting.items, loop=True)
    try:
        return await call.dial(*places, timeout=step.timeout, early=False)
    finally:
        call.stop_playing()


async def _places(session: LiveSession, step: Transfer) -> list[Target | str]:
    call = session.call
    found: list[Target] = []
    for target in step.targets:
        waypoint = call.context.signpost.find(target)
        found += waypoint.places if waypoint is not None else call.context.locator.locate(target)
    accept = None
    if step.accept:
        score = await session.compose(step.accept)
        accept = Acceptance(key=ACCEPT_KEY, sounds=tuple(score.items), timeout=step.timeout)
    return [
        replace(place, accept=accept or place.accept, caller_id=step.caller or place.caller_id)
        for place in found
    ]


# -- the talk -----------------------------------------------------------------------------------------------


async def _talk(call: Call, leg: Leg, step: Transfer) -> Transferred:
    """Stay between the two until one of them goes, the time is over, or the caller's keys part them."""
    parting = _Parting(call, leg, step)
    try:
        result = await parting.during()
    finally:
        parting.close()
    await call.free()  # raises when it was the caller who left
    return Transferred(outcome=parting.why or "far_end", seconds=round(result.seconds, 3), keys=parting.keys)


class _Parting:
    """What may part the two besides themselves."""

    def __init__(self, call: Call, leg: Leg, step: Transfer) -> None:
        self.why: Literal["near_end", "max_time", ""] = ""
        self.keys = ""
        self._call = call
        self._leg = leg
        self._step = step
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._watch = KeyWatch(step.keys) if step.keys is not None else None
        if self._watch is not None:
            call.listen_keys(self._on_key)

    async def during(self) -> BridgeResult:
        """Let the two talk."""
        if self._step.max_time is not None:
            self._timer = self._loop.call_later(self._step.max_time, self._part, "max_time")
        return await self._call.bridge(self._leg, record=self._step.record)

    def close(self) -> None:
        """Nothing parts them any more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._watch is not None:
            self._call.unlisten_keys(self._on_key)

    def _on_key(self, event: DigitBegan | DigitEnded) -> None:
        if isinstance(event, DigitEnded) and self._watch is not None and not self.why:
            self.keys = self._watch.push(event.digit, now=self._call.context.clock.now())
            if self.keys:
                self._part("near_end")

    def _part(self, why: Literal["near_end", "max_time"]) -> None:
        self.why = self.why or why
        self._leg.hangup("normal")
