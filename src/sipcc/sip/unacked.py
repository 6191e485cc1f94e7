"""Our 2xx responses that wait for their ACK (RFC 3261 §13.3.1.4).

A core. The transaction has ended its own part with the first 2xx (RFC 6026); repeating it until the ACK
comes, over every transport, is the session's duty.
"""

from __future__ import annotations

from sipcc.sip.timers import Timers
from sipcc.sip.transaction.machine import ServerTransaction


class _Unacked:
    __slots__ = ("again_at", "give_up_at", "interval", "late_offer", "transaction")

    def __init__(self, transaction: ServerTransaction, *, now: float, t1: float, late_offer: bool) -> None:
        self.transaction = transaction
        self.interval = t1
        self.again_at = now + t1
        self.give_up_at = now + 64 * t1
        self.late_offer = late_offer


class UnackedAnswers:
    """The 2xx responses of one session without an ACK, by the CSeq number of their INVITE."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._waiting: dict[int, _Unacked] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def late_offer(self) -> bool:
        """True while the answer to an offer of ours is due in an ACK."""
        return any(unacked.late_offer for unacked in self._waiting.values())

    @property
    def deadline(self) -> float | None:
        """When a 2xx must be repeated or given up, or None."""
        return min((min(u.again_at, u.give_up_at) for u in self._waiting.values()), default=None)

    def add(self, transaction: ServerTransaction, *, late_offer: bool, now: float) -> None:
        """A 2xx was sent in `transaction`."""
        self._waiting[transaction.request.cseq.number] = _Unacked(
            transaction, now=now, t1=self._timers.t1, late_offer=late_offer
        )

    def acknowledge(self, number: int) -> bool:
        """An ACK came; False when it was for nothing, or for the second time."""
        return self._waiting.pop(number, None) is not None

    def clear(self) -> None:
        """Wait no more."""
        self._waiting.clear()

    def expire(self, *, now: float) -> tuple[list[ServerTransaction], bool]:
        """What to send again at `now`, T1 after the first time, then doubled up to T2.

        The second value is True when one has waited for 64*T1: then nothing else counts.
        """
        again = []
        for unacked in self._waiting.values():
            if unacked.give_up_at <= now:
                return [], True
            if unacked.again_at <= now:
                again.append(unacked.transaction)
                unacked.interval = min(2 * unacked.interval, self._timers.t2)
                unacked.again_at += unacked.interval
        return again, False
