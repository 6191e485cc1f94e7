"""How far a leg has come, and what it tells its call."""

from __future__ import annotations

import enum
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Protocol

from sipcc.errors import LocalProtocolError

if TYPE_CHECKING:
    from sipcc.call.call import Call
    from sipcc.call.leg import Leg
    from sipcc.rtp.events import MediaEvent
    from sipcc.sip import InboundRequest, Request, Response


class LegState(enum.Enum):
    """How far a leg has come."""

    TRYING = "trying"
    RINGING = "ringing"
    ANSWERED = "answered"
    ENDED = "ended"


class LegOwner(Protocol):
    """What a leg tells its call. Each is called in the loop and must not block."""

    @property
    def call(self) -> Call:
        """The call that the leg belongs to."""
        ...

    def leg_ringing(self, leg: Leg, response: Response) -> None:
        """The far side sent its first 18x."""
        ...

    def leg_progress(self, leg: Leg, response: Response) -> None:
        """The far side sent an 18x, be it the first or not; early media has been set up."""
        ...

    def leg_answered(self, leg: Leg) -> None:
        """The far side's 200 arrived, or ours was acknowledged with the media agreed."""
        ...

    def leg_ended(self, leg: Leg) -> None:
        """The leg is over; `end_cause`, `end_status` and `ended_by` say how."""
        ...

    def leg_held(self, leg: Leg, *, held: bool, by_us: bool = False) -> None:
        """The far side put us on hold or took us back, or we did so with it."""
        ...

    def leg_offered(self, leg: Leg, request: Request) -> Awaitable[int] | None:
        """A re-INVITE or UPDATE came. None to agree now; else 200 or a refusal, to be awaited."""
        ...

    def leg_request(self, leg: Leg, inbound: InboundRequest) -> None:
        """A REFER, MESSAGE, INFO ... that is not about keys: it must be answered, now or later."""
        ...

    def leg_replaced(self, leg: Leg, new: Leg) -> None:
        """`new` takes the place of `leg`, by an INVITE with Replaces (RFC 3891)."""
        ...

    def leg_refreshed(self, leg: Leg) -> bool:
        """A re-INVITE came that changes nothing: a session refresh.

        True when the owner will have the other leg refreshed first and then call `answer_refresh`.
        """
        ...

    def leg_media(self, leg: Leg, event: MediaEvent) -> None:
        """Something happened on the media port, digits included."""
        ...


class _Nobody:
    """Stands for the call of an ended leg that is gone itself: late requests are answered, no more."""

    @property
    def call(self) -> Call:
        """There is none any more."""
        raise LocalProtocolError("the call of the leg is gone")

    def leg_ringing(self, leg: Leg, response: Response) -> None:
        """Nobody hears it."""

    def leg_progress(self, leg: Leg, response: Response) -> None:
        """Nobody hears it."""

    def leg_answered(self, leg: Leg) -> None:
        """Nobody hears it."""

    def leg_ended(self, leg: Leg) -> None:
        """It has ended before."""

    def leg_held(self, leg: Leg, *, held: bool, by_us: bool = False) -> None:
        """Nobody waits for the other one."""

    def leg_offered(self, leg: Leg, request: Request) -> Awaitable[int] | None:
        """Nobody is there to be asked."""
        return None

    def leg_request(self, leg: Leg, inbound: InboundRequest) -> None:
        """The dialog outlived the call, and nobody is left whom the request could be for."""
        inbound.reply(481)

    def leg_replaced(self, leg: Leg, new: Leg) -> None:
        """Whoever wants its place came too late."""
        new.hangup("failed")

    def leg_refreshed(self, leg: Leg) -> bool:
        """Nobody else is there to be refreshed."""
        return False

    def leg_media(self, leg: Leg, event: MediaEvent) -> None:
        """Nobody hears it."""


NOBODY: LegOwner = _Nobody()
