"""The negotiation of a new leg: which codecs and which protection it may have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcc.call.negotiate import MediaNegotiation
from sipcc.call.security import PlainKeying

if TYPE_CHECKING:
    from sipcc.call.context import CallContext
    from sipcc.rtp.flow import Law, MediaPort
    from sipcc.sip.settings import TrunkSettings


def describe_leg(context: CallContext, media: MediaPort, *, trunk: TrunkSettings | None) -> MediaNegotiation:
    """The negotiation of a leg that `media` carries, over `trunk` or to a user of ours."""
    return MediaNegotiation(
        host=media.host,
        port=media.port,
        codecs=codecs_for(trunk, context.codecs),
        keying=PlainKeying(),
        ptime_ms=context.ptime_ms,
        session_id=context.ids.bits(31),
    )


def codecs_for(trunk: TrunkSettings | None, ours: tuple[Law, ...]) -> tuple[Law, ...]:
    """The codecs for a leg: those of its trunk that are ours, in the trunk's order, or all of ours."""
    if trunk is None or not trunk.codecs:
        return ours
    return tuple(codec for name in trunk.codecs for codec in ours if codec == name)
