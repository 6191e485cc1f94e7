"""Settings of bots."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sipcc.ivr.steps import Stream, Wire


class BotSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A program that speaks with callers over a connection that we make.

    Calls come to it by the destination ``bot:NAME``.
    """

    name: Annotated[str, Meta(min_length=1)]
    """Unique among bots."""
    url: Annotated[str, Meta(min_length=1)]
    """Where it is: ``ws://`` or ``wss://``; for AudioSocket ``tcp://HOST:PORT``."""
    wire: Wire = "twilio"
    """What it speaks: Twilio Media Streams, those of Telnyx, Exotel, Plivo or Vonage, Genesys AudioHook,
    jambonz ``listen``, Asterisk's WebSocket channels (in older ones ``asterisk-text``), or AudioSocket."""
    secret: str = ""
    """The value of `header`, such as ``Bearer ...``; empty sends none. ``env:NAME`` keeps it out of the
    file."""
    header: Annotated[str, Meta(min_length=1)] = "Authorization"
    """The header in which it gets the `secret`."""
    parameters: dict[str, str] = {}
    """What it is told at the start, besides the caller's number as ``from`` and the dialled one as ``to``."""
    fallback: Annotated[str, Meta(min_length=1)]
    """The destination of callers when it cannot be reached, dies, or has them for more than `max_time`."""
    then: Annotated[str, Meta(min_length=1)] = "hangup"
    """The destination of callers whom it leaves without saying where they go."""
    timeout: Annotated[float, Meta(gt=0, le=60)] = 5.0
    """Seconds for the connection."""
    max_time: Annotated[float, Meta(ge=0)] = 0.0
    """Seconds after which it loses the call; 0 never."""
    rate_hz: Literal[8000, 12000, 16000, 24000, 48000] = 8000
    """Rate of the samples for jambonz, AudioSocket, Asterisk, Exotel and Vonage; the others have mu-law of
    8000, and so has Asterisk with 8000."""
    mix: Literal["mono", "stereo", "mixed"] = "mono"
    """What it hears: the caller; the caller and what the caller hears, apart; or both in one."""
    lead_ms: Annotated[int, Meta(ge=20, le=500)] = 20
    """How much of what it says must be there before it sounds; more for bots that send in jerks."""
    limit: Annotated[float, Meta(gt=0, le=3600)] = 300.0
    """Seconds that it may be ahead of the caller's ear; what it says beyond that is dropped."""
    extended: bool = False
    """Tell it with each clearing how much was heard, without being asked to: see the page on bots."""

    def step(self, *, caller: str, dialled: str) -> Stream:
        """The step that lets it speak with a caller."""
        return Stream(
            url=self.url,
            wire=self.wire,
            parameters={"from": caller, "to": dialled, **self.parameters},
            timeout=self.timeout,
            max_time=self.max_time or None,
            name=self.name,
            headers={self.header: self.secret} if self.secret else {},
            rate_hz=self.rate_hz,
            mix=self.mix,
            lead_ms=self.lead_ms,
            limit_s=self.limit,
            extended=self.extended,
        )
