"""Makes the events of the ACD from its data."""

from __future__ import annotations

from sipcc.acd.events import OfferEnded, OfferMade, PlaceRegained, QueueJoined, QueueLeft, TalkEnded
from sipcc.acd.model import Entry, Offer


def joined(entry: Entry, position: int) -> QueueJoined:
    """A caller entered a queue."""
    return QueueJoined(
        at=entry.began,
        entry=entry.id,
        queue=entry.told_as or entry.queue,
        call=entry.call,
        caller=entry.caller,
        priority=entry.priority,
        position=position,
        requeued=entry.back_at is not None and entry.back_why == "lost",
        callback=entry.callback,
    )


def regained(entry: Entry, *, lost: str) -> PlaceRegained:
    """A caller stands where it stood as the entry `lost`."""
    return PlaceRegained(
        at=entry.began,
        entry=entry.id,
        queue=entry.queue,
        call=entry.call,
        lost=lost,
        credit=entry.began - entry.joined,
    )


def left(entry: Entry, *, now: float) -> QueueLeft:
    """An entry got its exit."""
    assert entry.exit is not None
    return QueueLeft(
        at=now,
        entry=entry.id,
        queue=entry.told_as or entry.queue,
        call=entry.call,
        exit=entry.exit,
        waited=entry.waited(now=now),
        agent=entry.agent,
        to=entry.to,
    )


def offer_made(offer: Offer) -> OfferMade:
    """An agent was reserved."""
    return OfferMade(
        at=offer.began,
        offer=offer.id,
        entry=offer.entry,
        queue=offer.told_as or offer.queue,
        call=offer.call,
        agent=offer.agent,
    )


def offer_ended(offer: Offer, *, now: float) -> OfferEnded:
    """An offer got its outcome."""
    assert offer.outcome is not None
    return OfferEnded(
        at=now,
        offer=offer.id,
        entry=offer.entry,
        queue=offer.told_as or offer.queue,
        call=offer.call,
        agent=offer.agent,
        outcome=offer.outcome,
        sip_status=offer.sip_status,
    )


def talk_ended(entry: Entry, *, lost: bool, now: float) -> TalkEnded:
    """Caller and agent parted."""
    return TalkEnded(
        at=now,
        entry=entry.id,
        queue=entry.told_as or entry.queue,
        call=entry.call,
        agent=entry.agent or "",
        talked=entry.talked(now=now),
        lost=lost,
    )
