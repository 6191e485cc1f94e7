"""INVITE with Replaces (RFC 3891): a phone of ours takes the place of a party, ringing or talking.

A call that rings at a colleague is picked up so, and a call goes on at another phone of the same user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcc.call.describing import describe_leg
from sipcc.call.leg import Leg
from sipcc.call.legoffers import SDP
from sipcc.call.referred import find_leg, is_early
from sipcc.errors import CallError, LocalProtocolError, ParseError, SipccError
from sipcc.log import get_logger
from sipcc.sip.multipart import body_of
from sipcc.sip.refer import Replaces, replaces_of
from sipcc.sip.session_api import SessionState

if TYPE_CHECKING:
    from sipcc.call.context import CallContext
    from sipcc.sip import InviteSession

_log = get_logger("sipcc.call")


def take_over(context: CallContext, session: InviteSession, user: str) -> None:
    """Judge an INVITE with Replaces of `user`, and let it replace the leg that it names."""
    try:
        replaces = replaces_of(session.request)
    except ParseError as error:
        session.reject(error.status_hint)
        return
    old = find_leg(context, replaces) if replaces is not None else None
    status = (
        481 if replaces is None else judge(old, replaces, user, own_only=context.settings.pickup == "own")
    )
    if status or old is None:
        _log.info("call.takeover_refused", user=user, status=status)
        session.reject(status or 481)
        return
    context.scope.spawn(_replace(context, session, old, user), name=f"{old.id}/replaced")


def judge(old: Leg | None, replaces: Replaces, user: str, *, own_only: bool) -> int:
    """The refusal that RFC 3891 §3 asks for, 403 for who may not, or 0 when `old` may be replaced."""
    if not user:
        return 403
    if old is None:
        return 481
    if old.ended:
        return 603
    if is_early(old):
        if old.session.role == "uas":
            return 481  # it was not we who began it, so there is nothing to pick up
        return 0 if old.user and (old.user == user or not own_only) else 403
    if replaces.early_only:
        return 486
    return 0 if old.user == user else 403


async def _replace(context: CallContext, session: InviteSession, old: Leg, user: str) -> None:
    try:
        media = await context.engine.open(near=old.media)
    except SipccError as error:
        session.reject(error.disposition.sip_status)
        return
    leg = Leg(
        context.ids.uid("leg"),
        role="caller",
        media=media,
        negotiation=describe_leg(context, media, trunk=None, user=user),
        owner=old.owner.call,
        user=user,
    )
    leg.attach(session)
    if session.state is SessionState.TERMINATED:  # a CANCEL came before anybody listened
        leg.on_cancelled(session)
        return
    if old.ended:
        leg.hangup("failed", status=603)
        return
    try:
        leg.take_offer(body_of(session.request, SDP) or session.request.body)
        leg.match(old if old.negotiation.params is not None else old.owner.call.leg)
        leg.accept()
    except (CallError, ParseError, LocalProtocolError) as error:
        _log.info("call.takeover_failed", user=user, error=str(error))
        leg.hangup("incompatible")
        return
    old.owner.leg_replaced(old, leg)
