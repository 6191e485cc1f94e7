"""What a leg hears besides packets of its codec and its packet time: pauses, keys, packets of other lengths.

A relay passes packets on as they are, so it may only carry those of the length that the far side agreed to.
A sender that begins to make others is heard by the 20 ms clock, which cuts and joins them, until it has kept
to its word for a while.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcc.rtp.keys import receive_event

if TYPE_CHECKING:
    from sipcc.rtp.session import Session

REGULAR_PACKETS = 250
"""So many packets of the right length, 5 s as a rule, make a sender one to be relayed again."""


def receive_other(
    session: Session, payload_type: int, payload: bytes, ssrc: int, sequence: int, timestamp: int, now: float
) -> None:
    """Take a packet that is no audio of the codec agreed."""
    if payload_type == session.noise_type:
        _receive_noise(session, payload, ssrc, sequence, timestamp, now)
        return
    if session.queueing:
        session.ear.skip(sequence)
    if payload_type == session.event_type:
        receive_event(session, payload, ssrc, sequence, timestamp, now)
    elif session.relay is not None:
        session.relay.skip(sequence)  # a type that nobody agreed to


def _receive_noise(
    session: Session, payload: bytes, ssrc: int, sequence: int, timestamp: int, now: float
) -> None:
    """Take comfort noise (RFC 3389): a relay passes it to a peer that agreed to it, too."""
    if not session.receiving:
        return
    if session.queueing:
        session.ear.put_noise(ssrc, sequence, timestamp, payload, now=now)
    relay, peer = session.relay, session.peer
    if relay is None or peer is None:
        return
    if peer.noise_type < 0:
        relay.skip(sequence)
        return
    session.relay_other(payload, peer.noise_type, ssrc=ssrc, sequence=sequence, timestamp=timestamp, now=now)


def leave_relay(session: Session, now: float) -> None:
    """A packet came whose length the far side did not agree to."""
    session.irregular = REGULAR_PACKETS
    session.owner.settle(session, now=now)


def count_lengths(session: Session, units: int, now: float) -> None:
    """Take note of a packet of a sender that was irregular."""
    if units != session.strict_units:
        session.irregular = REGULAR_PACKETS
        return
    session.irregular -= 1
    if not session.irregular:
        session.owner.settle(session, now=now)
