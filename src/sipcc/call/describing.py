"""The negotiation of a new leg: which codecs and which protection it may have."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from sipcc.call.browser import BrowserKeying, EitherKeying
from sipcc.call.codecs import CodecRules
from sipcc.call.negotiate import MediaNegotiation
from sipcc.call.security import Keying, PlainKeying, SdesKeying
from sipcc.rtp.flow import CodecName, KeyMethod

if TYPE_CHECKING:
    from sipcc.call.context import CallContext
    from sipcc.ids import Ids
    from sipcc.rtp.flow import MediaPort
    from sipcc.rtp.settings import MediaSettings, SrtpPolicy
    from sipcc.sip.settings import TrunkSettings, UserSettings


def describe_leg(
    context: CallContext, media: MediaPort, *, trunk: TrunkSettings | None, user: str, browser: bool = False
) -> MediaNegotiation:
    """The negotiation of a leg that `media` carries, over `trunk` or to `user` of ours.

    `browser` says what the far end is thought to be, for as long as it has offered nothing itself.
    """
    keying = keying_for(context.media, trunk, context.users.get(user), context.ids)
    if context.identity is not None and trunk is None:
        for_browsers = BrowserKeying(context.identity, context.ids.bits)
        keying = EitherKeying(for_browsers, keying, browser=browser)
    return MediaNegotiation(
        host=media.host,
        port=media.port,
        codecs=codecs_for(trunk, context.media.codecs),
        keying=keying,
        ptime_ms=context.media.ptime_ms,
        session_id=context.ids.bits(31),
        rules=CodecRules(
            choice=context.media.codec_choice,
            event_lines=context.media.event_lines,
            comfort_noise=context.media.comfort_noise,
            keys=keys_for(context.media, trunk, context.users.get(user)),
            fax_tones=context.media.fax_tones,
        ),
    )


def keys_for(settings: MediaSettings, trunk: TrunkSettings | None, user: UserSettings | None) -> KeyMethod:
    """How media hears the keys of a leg, as its trunk or its user wants it, or else ``[media]``."""
    party = trunk or user
    method = (party.dtmf if party is not None else "") or settings.dtmf
    return "off" if method == "info" else method


def codecs_for(trunk: TrunkSettings | None, ours: tuple[CodecName, ...]) -> tuple[CodecName, ...]:
    """The codecs for a leg: those of its trunk, or else those of ``[media]``."""
    if trunk is None or not trunk.codecs:
        return ours
    known: tuple[CodecName, ...] = get_args(CodecName)
    return tuple(codec for name in trunk.codecs for codec in known if codec == name)


def keying_for(
    settings: MediaSettings, trunk: TrunkSettings | None, user: UserSettings | None, ids: Ids
) -> Keying:
    """The protection of a leg to a telephone, as its trunk or its user wants it, or else ``[media]``."""
    party = trunk or user
    policy: SrtpPolicy = (party.srtp if party is not None else "") or settings.srtp
    if policy == "off":
        return PlainKeying()
    return SdesKeying(
        policy,
        suites=settings.srtp_suites,
        random_bytes=lambda size: ids.bits(8 * size).to_bytes(size, "big"),
    )
