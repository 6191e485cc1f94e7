"""Asking a party that has answered whether somebody is there: it must press a key before the call is its own.

The voicemail of a mobile number answers too, and so does the voice that tells of a number out of use. Neither
presses a key. A program may speak with the party instead, and decide.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

import msgspec

from sipcc.call.keybuffer import DigitBuffer
from sipcc.call.leg import Leg
from sipcc.call.playing import Player
from sipcc.errors import SipccError
from sipcc.log import get_logger
from sipcc.rtp.events import DigitBegan, DigitEnded, MediaEvent
from sipcc.rtp.flow import PlayItem, PlaySilence
from sipcc.rtp.toneplan import BEEP

if TYPE_CHECKING:
    from sipcc.call.call import Call
    from sipcc.sip import InboundRequest, Request, Response

_log = get_logger("sipcc.call.accepting")

GAP = PlaySilence(1000)
"""Silence between two runs of the prompt, in which a person can think."""


class Acceptance(msgspec.Struct, frozen=True, kw_only=True):
    """What whoever answers must do before the call is its own."""

    key: str = ""
    """The one key that counts; others are ignored."""
    screen: Callable[[Party], Coroutine[Any, Any, bool]] | None = None
    """Speaks with the party and decides, in place of key and prompt; a failure of it refuses the party."""
    prompt: str = ""
    """What is played again and again; empty for a beep."""
    sounds: tuple[PlayItem, ...] = ()
    """What is played in place of `prompt`, for who has it at hand."""
    timeout: float = 10.0
    """Seconds that the party has for it."""


async def accepts(call: Call, leg: Leg, acceptance: Acceptance) -> bool:
    """Play to `leg`, which `call` has rung, until it presses the key; False when it did not, and is hung up.

    Args:
        call: The call that dialled; its caller hears nothing of this.
        leg: An answered leg that is in no conversation.
        acceptance: What is asked of it.
    """
    if acceptance.screen is not None:
        return await _screened(call, leg, acceptance.screen, acceptance.timeout)
    prompt = acceptance.prompt
    named = call.context.prompts.resolve((prompt,), call.language) if prompt else BEEP.items()
    items = list(acceptance.sounds or named)
    asked = _Asked(call)
    leg.owner = asked
    try:
        if not leg.ended:
            asked.key = acceptance.key
            leg.media.play([*items, GAP], loop=True)
            async with asyncio.timeout(acceptance.timeout):
                asked.agreed = await asked.decided
    except TimeoutError:
        pass
    finally:
        leg.owner = call
        if not leg.ended:
            leg.media.stop_playing()
            if not asked.agreed:
                leg.hangup("no_answer")
    return asked.agreed and not leg.ended


async def _screened(
    call: Call, leg: Leg, screen: Callable[[Party], Coroutine[Any, Any, bool]], timeout: float
) -> bool:
    party, agreed = Party(call, leg), False
    leg.owner = party
    deciding = asyncio.ensure_future(screen(party))
    try:
        await asyncio.wait({deciding, party.decided}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        agreed = deciding.done() and deciding.result()
    except SipccError as error:
        _log.warning("call.screening_failed", call_id=call.id, error=str(error))
    finally:
        deciding.cancel()
        await asyncio.wait({deciding})
        leg.owner = call
        if not leg.ended:
            leg.media.stop_playing()
            if not agreed:
                leg.hangup("no_answer")
    return agreed and not leg.ended


class _Asked:
    """Stands in for the call as the owner of the leg until the party has decided."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.key = ""
        self.agreed = False
        self.decided: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def _decide(self, agreed: bool) -> None:
        if not self.decided.done():
            self.decided.set_result(agreed)

    @property
    def call(self) -> Call:
        """The call that has rung the party."""
        return self._call

    def leg_ringing(self, leg: Leg, response: Response) -> None:
        """It has answered already."""

    def leg_progress(self, leg: Leg, response: Response) -> None:
        """It has answered already."""

    def leg_answered(self, leg: Leg) -> None:
        """It has answered already."""

    def leg_ended(self, leg: Leg) -> None:
        """The party hung up instead of agreeing."""
        self._call.leg_ended(leg)
        self._decide(False)

    def leg_held(self, leg: Leg, *, held: bool, by_us: bool = False) -> None:
        """Hold means nothing before the conversation."""

    def leg_offered(self, leg: Leg, request: Request) -> Awaitable[int] | None:
        """A re-INVITE of the party is answered as in any call."""
        return self._call.leg_offered(leg, request)

    def leg_request(self, leg: Leg, inbound: InboundRequest) -> None:
        """A request in the dialog is answered as in any call."""
        self._call.leg_request(leg, inbound)

    def leg_replaced(self, leg: Leg, new: Leg) -> None:
        """Nobody takes the place of a party that has not agreed."""
        new.hangup("failed")

    def leg_refreshed(self, leg: Leg) -> bool:
        """Nobody else is there to be refreshed."""
        return False

    def leg_media(self, leg: Leg, event: MediaEvent) -> None:
        """A key of the party is for us; all else, such as silence, is the call's."""
        if isinstance(event, DigitEnded):
            if event.digit == self.key:
                self._decide(True)
        else:
            self._call.leg_media(leg, event)


class Party(_Asked):
    """A party that a program speaks with before the caller does: prompts and keys, as of a caller."""

    def __init__(self, call: Call, leg: Leg) -> None:
        super().__init__(call)
        self.context = call.context
        self.player = Player(leg.media)
        self.digits = DigitBuffer()
        self._leg = leg
        self._sinks: list[Callable[[DigitBegan | DigitEnded], None]] = []

    @property
    def ended(self) -> bool:
        """True from the moment it is gone."""
        return self._leg.ended

    def listen_keys(self, sink: Callable[[DigitBegan | DigitEnded], None]) -> None:
        """Give its keys to `sink` until `unlisten_keys`; else they are kept for the next question."""
        self._sinks.append(sink)

    def unlisten_keys(self, sink: Callable[[DigitBegan | DigitEnded], None]) -> None:
        """Take back `listen_keys`."""
        self._sinks.remove(sink)

    def leg_ended(self, leg: Leg) -> None:
        """The party has gone: who waits for the end of a prompt is told."""
        super().leg_ended(leg)
        self.player.closed()

    def leg_media(self, leg: Leg, event: MediaEvent) -> None:
        """Keys and the ends of prompts are for us; what else happens, such as silence, is the call's."""
        now = self.context.clock.now()
        if not isinstance(event, DigitBegan | DigitEnded):
            self.player.on_event(event)
            self._call.leg_media(leg, event)
        elif self._sinks:
            self._sinks[-1](event)
        elif isinstance(event, DigitBegan):
            self.digits.key_began(event.digit, now=now)
        else:
            self.digits.key_ended(event.digit, now=now)
