"""The step `Transfer`: connecting the caller with somebody, and what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import quote

from msgspec.structs import replace

from sipcc.call.accepting import Acceptance, Party
from sipcc.call.digits import CollectSettings
from sipcc.call.leg import Leg
from sipcc.call.legowner import LegState
from sipcc.call.ringing import Target
from sipcc.call.usertouser import user_to_user
from sipcc.errors import CallEnded, LocalProtocolError, SipccError, TransactionTimeout
from sipcc.ivr.keywatch import KeyWatch
from sipcc.ivr.live_listening import Listener, listener
from sipcc.ivr.live_prompts import Score
from sipcc.ivr.steps import Gather, Heard, Transfer, Transferred, failure_of
from sipcc.log import get_logger
from sipcc.rtp.events import DigitBegan, DigitEnded

if TYPE_CHECKING:
    from sipcc.call import Call
    from sipcc.ivr.live import LiveSession
    from sipcc.ivr.session import Speaker

ACCEPT_KEY = "1"
SCREENING = 60.0
"""Seconds that a program has to speak with whoever has answered."""

_T = TypeVar("_T")

_log = get_logger("sipcc.ivr.live")


async def transfer(session: LiveSession, step: Transfer) -> Transferred:
    """Carry out `step`.

    Raises:
        CallEnded: the caller has hung up.
    """
    call = session.call
    await call.free()
    if step.prompts and (ended := await _announce(session, step)) is not None:
        return ended
    refers = call.leg.state is LegState.ANSWERED and call.leg.allows("REFER")
    alone = len(step.targets) == 1 and not step.accept
    if step.mode == "blind" and alone and (refers or not step.data):
        return await _tried(call, _send(call, step))
    async with Wish(session, step) as wish:
        leg = await _tried(call, _ring_or(session, step, wish))
        if isinstance(leg, Transferred):
            return leg
        if step.mode == "bridge":
            return await _talk(call, leg, step, wish)
    return await _leave_to(call, leg, step)


async def _announce(session: LiveSession, step: Transfer) -> Transferred | None:
    """Say what comes first; how it ended, when the caller called it off meanwhile."""
    prompts = tuple(replace(prompt, hotword=True) for prompt in step.prompts)
    settings = CollectSettings(timeout=0.0, deaf=True)
    question = Gather(prompts=prompts, keys=step.keys, listen=step.listen, collect=settings, label="transfer")
    said = await session.gather(question)
    if said.outcome not in ("keys", "speech"):
        return None
    return Transferred(outcome="near_end", keys=said.keys, heard=said.heard)


async def _tried(call: Call, way: Coroutine[Any, Any, _T]) -> _T | Transferred:
    """What comes of a way to somebody; for one that fails, what that is called."""
    try:
        return await way
    except CallEnded:
        raise
    except SipccError as error:
        await call.free()
        status = 408 if isinstance(error, TransactionTimeout) else error.disposition.sip_status
        return Transferred(outcome=failure_of(status), status=status)


async def _send(call: Call, step: Transfer) -> Transferred:
    """Send the caller away, and stay in between only when its phone knows no REFER."""
    carry = f"User-to-User={quote(user_to_user(step.data), safe='')}" if step.data else ""
    status = await call.refer(step.targets[0], timeout=step.timeout, carry=carry)
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


async def _ring_or(session: LiveSession, step: Transfer, wish: Wish) -> Leg | Transferred:
    """Whoever answers, unless the caller calls it off."""
    ringing = asyncio.ensure_future(_ring(session, step))
    try:
        first: set[asyncio.Future[Any]] = {ringing, wish.came}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if ringing.done():
            return ringing.result()
    finally:
        if not ringing.done():
            ringing.cancel()
            for late in await asyncio.gather(ringing, return_exceptions=True):
                if isinstance(late, Leg):
                    late.hangup("cancelled")
    await session.call.free()
    return Transferred(outcome="near_end", keys=wish.keys, heard=wish.heard)


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
    more = (("User-to-User", user_to_user(step.data)),) if step.data else ()
    accept = None
    if step.accept:
        score = await session.compose(step.accept)
        accept = Acceptance(key=ACCEPT_KEY, sounds=tuple(score.items), timeout=step.timeout)
    found: list[Target | str] = []
    for target in step.targets:
        waypoint = call.context.signpost.find(target)
        places = waypoint.places if waypoint is not None else call.context.locator.locate(target)
        asked = accept if step.screen is None else _screening(session, step.screen, target)
        found += [
            replace(
                place,
                accept=asked or place.accept,
                caller_id=step.caller or place.caller_id,
                headers=place.headers + more,
                instead=tuple(replace(other, headers=other.headers + more) for other in place.instead),
            )
            for place in places
        ]
    return found


def _screening(
    session: LiveSession, screen: Callable[[Speaker, str], Coroutine[Any, Any, bool]], target: str
) -> Acceptance:
    """Have `screen` speak with whoever answers at `target`."""
    from sipcc.ivr.live_party import PartySession  # which needs what needs us

    async def decide(party: Party) -> bool:
        return await screen(PartySession(session.call, session.services, party), target)

    return Acceptance(screen=decide, timeout=SCREENING)


# -- the talk -----------------------------------------------------------------------------------------------


async def _talk(call: Call, leg: Leg, step: Transfer, wish: Wish) -> Transferred:
    """Stay between the two until one of them goes, the time is over, or the caller wants an end."""
    over = False

    def time_up() -> None:
        nonlocal over
        over = not wish.came.done()
        leg.hangup("normal")

    wish.came.add_done_callback(lambda _: leg.hangup("normal"))
    timer = None
    if step.max_time is not None:
        timer = asyncio.get_running_loop().call_later(step.max_time, time_up)
    try:
        result = await call.bridge(leg, record=step.record)
    finally:
        if timer is not None:
            timer.cancel()
    await call.free()  # raises when it was the caller who left
    why: Literal["max_time", "near_end", "far_end"] = "far_end"
    if over or wish.came.done():
        why = "max_time" if over else "near_end"
    return Transferred(outcome=why, seconds=round(result.seconds, 3), keys=wish.keys, heard=wish.heard)


class Wish:
    """What the caller types or says to have a transfer end; an async context manager."""

    def __init__(self, session: LiveSession, step: Transfer) -> None:
        self.came: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when it was told."""
        self.keys = ""
        self.heard: tuple[Heard, ...] = ()
        self._call = session.call
        self._watch = KeyWatch(step.keys) if step.keys is not None else None
        self._ear: Listener | None = None
        if step.listen is not None:
            self._ear = listener(session, step.listen, Score(hotword=True), secret=False)
        self._hearing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Wish:
        if self._watch is not None:
            self._call.listen_keys(self._on_key)
        if self._ear is not None:
            self._hearing = asyncio.create_task(self._hear(self._ear))
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._watch is not None:
            self._call.unlisten_keys(self._on_key)
        if self._hearing is not None:
            self._hearing.cancel()
            await asyncio.gather(self._hearing, return_exceptions=True)

    def _on_key(self, event: DigitBegan | DigitEnded) -> None:
        if isinstance(event, DigitEnded) and self._watch is not None and not self.came.done():
            self.keys = self._watch.push(event.digit, now=self._call.context.clock.now())
            if self.keys:
                self.came.set_result(None)

    async def _hear(self, ear: Listener) -> None:
        understood = await ear(lambda: None)
        if not self.came.done():
            self.heard = understood.heard
            self.came.set_result(None)
