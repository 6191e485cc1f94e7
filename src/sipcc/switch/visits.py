"""Ties the call of a callback to the call in which it was booked: to the customer it is one visit."""

from __future__ import annotations

from collections.abc import Callable

from sipcc.acd import Acd
from sipcc.acd.events import QueueJoined
from sipcc.bus import Bus
from sipcc.call import Call


def link_callbacks(acd: Acd, bus: Bus, find_call: Callable[[str], Call | None]) -> None:
    """Let each callback whose turn has come belong to the visit in which it was booked, from now on.

    Args:
        acd: Has the callbacks.
        bus: Tells whose turn has come; its call has begun by then.
        find_call: Finds a live call.
    """

    def joined(event: QueueJoined) -> None:
        desk, call = acd.floor.callbacks, find_call(event.call)
        if not event.callback or desk is None or call is None:
            return
        booked = next((one.call for one in desk.pending() if one.id == event.callback), "")
        if booked:
            call.belong_to(booked)

    bus.on(QueueJoined, joined)
