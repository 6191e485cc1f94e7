"""The one gate through which calls ring others: the toll guard is asked, and what they are shown is made.

`Call.dial`, queues, menus, transfers, redirections and programs all come through here, because all legs are
made by `sipcc.call.ringing`.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from sipcc.call import events
from sipcc.call.presentation import Presentation, present
from sipcc.call.tollguard import Attempt, Verdict, blocked_text
from sipcc.errors import CallBlocked
from sipcc.log import get_logger
from sipcc.sip.history import total

if TYPE_CHECKING:
    from sipcc.call.call import Call
    from sipcc.call.numbering import Numbering
    from sipcc.call.ringing import Target
    from sipcc.numbers import Number

_log = get_logger("sipcc.call")


def ask_toll(call: Call, target: Target, leg: str, *, agent: str | None = None) -> CallBlocked | None:
    """Ask whether `target` may be rung as the leg `leg`; what is refused is told, and returned.

    From here on the leg counts on the account of its user, until `CallContext.toll` is told its end.
    """
    context, identity = call.context, call.identity
    attempt = Attempt(
        uri=target.uri,
        trunk=target.trunk,
        number=_number_of(target, context.numbering),
        to_user=bool(target.user),
        who=target.by or identity.user,
        chosen_by_peer=target.chosen_by_peer,
        redirections=total(identity.redirections),
        hops=identity.hops,
        call=call.id,
    )
    now = context.clock.now()
    at = datetime.fromtimestamp(context.clock.wall_of(now))
    verdict = context.toll.judge(attempt, now=now, at=at)
    if verdict.allowed:
        if target.trunk is not None:
            context.toll.begin(leg, attempt.who, now=now, at=at)
        return None
    _tell(call, target, attempt, verdict, leg, agent)
    return CallBlocked(verdict.why, verdict.status)


def _number_of(target: Target, numbering: Numbering) -> Number | None:
    """The number behind a trunk, also of a place that a program made by hand."""
    user = target.uri.user
    if target.number is not None or target.trunk is None or ";" in user:
        return target.number
    return numbering.dialled(user)


def _tell(
    call: Call, target: Target, attempt: Attempt, verdict: Verdict, leg: str, agent: str | None
) -> None:
    """The alert at once, and a leg that never rang, so that the record of the call shows it."""
    context, at = call.context, call.context.clock.now()
    trunk = target.trunk.name if target.trunk is not None else ""
    number = blocked_text(attempt)
    _log.warning(
        "call.blocked",
        call_id=call.id,
        user=attempt.who,
        trunk=trunk,
        number=number,
        why=verdict.why,
        hint=verdict.hint,
    )
    what = f"blocked: {number}" + (f" over {trunk}" if trunk else "")
    context.decided(call.id, what, f"{verdict.why}: {verdict.hint}")
    for event in (
        events.DialBlocked(
            at=at, call=call.id, user=attempt.who, trunk=trunk, number=number, why=verdict.why
        ),
        events.LegStarted(at=at, call=call.id, leg=leg, target=str(target.uri), agent=agent),
        events.LegEnded(
            at=at, call=call.id, leg=leg, cause="blocked", sip_status=verdict.status, ended_by="us"
        ),
    ):
        context.bus.emit(event)


def shown_to(call: Call, target: Target) -> Presentation:
    """What `target` is shown of the caller, and the headers that its INVITE gets."""
    context, identity = call.context, call.identity
    if (call.caller, call.caller_name) != (identity.caller, identity.caller_name):
        # an application shows its own people something else; to carriers the number stays what it is
        identity = msgspec.structs.replace(identity, caller=call.caller, caller_name=call.caller_name)
    shown = present(
        identity,
        target.uri,
        trunk=target.trunk,
        numbering=context.numbering,
        domain=context.domain,
        headers=target.headers,
        caller_id=target.caller_id,
    )
    if shown.why:
        context.decided(call.id, f"shown as {shown.from_.uri.user}", shown.why)
    return shown
