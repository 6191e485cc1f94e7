"""What a bot leaves behind for whoever speaks with the caller next."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
        queue = to.argument if to.kind == "queue" else ""
        bus = session.call.context.bus
        bus.emit(ContextGiven(at=session.now(), call=session.id, queue=queue, context=context))
