"""Ties the call of a callback to the call in which it was booked: to the customer it is one visit."""

from __future__ import annotations

from sipcc.acd import Acd
from sipcc.acd.events import QueueJoined
from sipcc.bus import Bus
from sipcc.call.events import InteractionJoined


def link_callbacks(acd: Acd, bus: Bus) -> None:
    """Tell of each callback whose turn has come which call it belongs to, from now on."""

    def joined(event: QueueJoined) -> None:
        desk = acd.floor.callbacks
        if not event.callback or desk is None:
            return
        booked = next((one.call for one in desk.pending() if one.id == event.callback), "")
        if booked:
            bus.emit(InteractionJoined(at=event.at, call=event.call, interaction=booked))

    bus.on(QueueJoined, joined)
