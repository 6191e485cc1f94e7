"""What a bot leaves behind for whoever speaks with the caller next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcc.errors import SipccError
from sipcc.ivr.events import ContextGiven

if TYPE_CHECKING:
    from sipcc.call.destination import Destination
    from sipcc.ivr.live import LiveSession
    from sipcc.ivr.steps import Streamed


def tell_context(session: LiveSession, result: Streamed, to: Destination) -> None:
    """Tell what a bot has found out, for whoever gets the call at `to`."""
    context = {**result.context, **({"transcript": result.transcript} if result.transcript else {})}
    session.variables.update(result.context)
    if context:
        queue = to.argument if to.kind == "queue" and _is_there(session, to) else ""
        bus = session.call.context.bus
        bus.emit(ContextGiven(at=session.now(), call=session.id, queue=queue, context=context))


def _is_there(session: LiveSession, to: Destination) -> bool:
    """Whether the switch knows `to`; a bot may make it up."""
    try:
        session.services.handler_of(to)
    except SipccError:
        return False
    return True
