"""Asking a party that has answered whether somebody is there: it must press a key before the call is its own.

The voicemail of a mobile number answers too, and so does the voice that tells of a number out of use. Neither
presses a key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

import msgspec

from sipcc.call.leg import Leg
from sipcc.rtp.events import DigitEnded, MediaEvent
from sipcc.rtp.flow import PlayItem, PlaySilence
from sipcc.rtp.toneplan import BEEP

if TYPE_CHECKING:
    from sipcc.call.call import Call
    from sipcc.sip import InboundRequest, Request, Response

GAP = PlaySilence(1000)
"""Silence between two runs of the prompt, in which a person can think."""


class Acceptance(msgspec.Struct, frozen=True, kw_only=True):
    """What whoever answers must do before the call is its own."""

    key: str
    """The one key that counts; others are ignored."""
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
