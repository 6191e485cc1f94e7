"""What a phone asks for by REFER, judged before anything is done about it (RFC 3515, RFC 3891, RFC 5589)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sipcc.call.context import Waypoint
from sipcc.call.leg import Leg
from sipcc.call.legowner import LegState
from sipcc.errors import LocalProtocolError
from sipcc.log import get_logger
from sipcc.sip.session import InviteSession
from sipcc.sip.session_api import SessionState

if TYPE_CHECKING:
    from sipcc.call.call import Call
    from sipcc.call.context import CallContext
    from sipcc.sip.refer import Referral, Replaces

_log = get_logger("sipcc.call")


def find_leg(context: CallContext, replaces: Replaces) -> Leg | None:
    """The leg of ours whose dialog is named, tags matched exactly; None when there is none that is up."""
    key = (
        replaces.call_id.encode("utf-8", "surrogateescape"),
        replaces.to_tag.encode("utf-8", "surrogateescape"),
    )
    session = context.endpoint.outbound.usages.get(key)
    if not isinstance(session, InviteSession) or not isinstance(session.listener, Leg):
        return None
    if session.dialog_with(replaces.from_tag) is None:
        return None
    return session.listener


def refusal_of(call: Call, leg: Leg, referral: Referral) -> tuple[int, str] | None:
    """Why a REFER is not done, as status and reason; None when it may be tried (reliability A09)."""
    context, talk = call.context, call.conversation
    if not leg.refer_rate.take(context.clock.now()):
        return 503, "too many transfers"
    if not leg.user:
        return 403, "only users of ours transfer"
    if call.transfer_under_way is not None:
        return 491, "a transfer is under way"
    talks = talk is not None and leg in (talk.caller, talk.peer) and not talk.over
    if not talks or leg.state is not LegState.ANSWERED:
        return 603, "it talks to nobody"
    if referral.replaces is not None:
        return _refusal_of_dialog(call, leg, referral.replaces)
    try:
        waypoint = waypoint_of(call, leg, referral)
    except LocalProtocolError as error:
        return 404, str(error)
    if waypoint.handler is None and not waypoint.places:
        return 404, "nobody is there"
    return None


def _refusal_of_dialog(call: Call, leg: Leg, replaces: Replaces) -> tuple[int, str] | None:
    other = find_leg(call.context, replaces)
    if other is None or other.ended:
        return 481, "no such dialog"
    if other.user != leg.user or other.owner.call is call:
        return 403, "the dialog is none of its own"
    if other.owner.call.transfer_under_way is not None:
        return 491, "a transfer is under way there"
    return None


def waypoint_of(call: Call, leg: Leg, referral: Referral) -> Waypoint:
    """Where the target of a blind transfer leads; what is rung is on the account of who asks for it."""
    context, dialled = call.context, _dialled(call.context, referral)
    ours = _is_ours(context, referral)
    waypoint = context.signpost.find(dialled.removeprefix("tel:")) if ours else None
    if waypoint is None:
        waypoint = Waypoint(places=tuple(context.locator.locate(dialled)))
    # RFC 3892, by our own knowledge of who asks; users of ours alone are told
    referred = ("Referred-By", f"<sip:{leg.user}@{context.domain}>")
    places = tuple(
        msgspec.structs.replace(
            place,
            by=leg.user,
            chosen_by_peer=True,
            headers=(*place.headers, referred) if place.user else place.headers,
        )
        for place in waypoint.places
    )
    return Waypoint(waypoint.handler, places)


def _dialled(context: CallContext, referral: Referral) -> str:
    """What a phone means by a URI at our own domain or address: a user, or a number to be dialled."""
    target = referral.target
    if target.scheme != "tel" and _is_ours(context, referral):
        if context.locator.locate(target.user):
            return target.user
        number = target.user.isascii() and target.user.lstrip("+").isdigit()
        return f"tel:{target.user}" if number else target.user
    return str(target)


def _is_ours(context: CallContext, referral: Referral) -> bool:
    """True for a number, and for a name at our own domain or address."""
    target = referral.target
    own = {context.domain.lower()} | {listener.local.host for listener in context.endpoint.listeners}
    return target.scheme == "tel" or (target.host.lower() in own and bool(target.user))


def tell_refused(call: Call, leg: Leg, status: int, why: str) -> None:
    """Log a REFER that is not done, and tell of it."""
    _log.info("call.transfer_refused", call_id=call.id, leg=leg.id, status=status, why=why)
    call.context.decided(call.id, f"transfer: refused with {status}", why)


def is_early(leg: Leg) -> bool:
    """True for a leg that was not answered yet."""
    return leg.session.state in (SessionState.CALLING, SessionState.TRYING, SessionState.EARLY)
