"""What an operator should hear of while a call is up: audio that goes one way, and much loss or jitter.

One-way audio is told by what the other side says: its sender reports count packets of which none come, or
packets of its stream keep coming from a place that may not be believed; or it reports, while we send, that
nothing of ours has come since its last report. Silence alone is none of these: a party that is silent, or
that sends comfort noise now and then, says so in the same reports. Loss and jitter have a limit to begin
and half of it to end, so that a line at the edge does not chatter.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from sipcc.rtp.events import AlarmKind
from sipcc.rtp.latch import FLOOD_PER_S
from sipcc.rtp.stats import ReceiveStats, SendStats

WINDOW = 10
"""Looks over which loss is judged; there is one a second."""
MIN_PACKETS = 100
"""Fewer packets within the window say nothing of a line."""
MIN_FOREIGN = 25
"""Packets of a stranger that could be the party itself, sent from another place."""
RELEASE = 0.5
"""Loss and jitter must fall to this part of their limit before the alarm ends."""
SETTLE_S = 5.0
"""Jitter is judged only so long after signalling spoke: every stream begins with some."""

NEVER = float("-inf")


class AlarmLimits(NamedTuple):
    """When to raise an alarm; 0 raises none of that kind."""

    after_s: float
    """Seconds of audio in one direction only."""
    loss: float
    """Fraction lost, 0..1."""
    jitter_ms: float


class Change(NamedTuple):
    """An alarm that begins or ends."""

    kind: AlarmKind
    active: bool
    value: float
    """Seconds, a fraction, milliseconds, or packets a second."""


class Watch:
    """The alarms of one port. Call `look` about once a second."""

    def __init__(self, limits: AlarmLimits) -> None:
        self._limits = limits
        self._active: set[AlarmKind] = set()
        self._counts: deque[tuple[int, int]] = deque(maxlen=WINDOW + 1)
        self._foreign = 0
        self._foreign_heard_at = NEVER
        self.raised: tuple[AlarmKind, ...] = ()
        """Kinds that were raised at least once, in the order of their first time."""

    def look(
        self,
        received: ReceiveStats,
        sent: SendStats,
        *,
        now: float,
        since: float,
        heard_at: float,
        foreign: int,
        sending: bool,
        receiving: bool,
        flooded: bool = False,
    ) -> list[Change]:
        """Judge the port as it stands at `now`.

        Args:
            received: with all arrivals counted.
            sent: what we sent.
            now: this moment.
            since: when signalling last spoke of the port.
            heard_at: when a packet was last accepted.
            foreign: packets so far that were not.
            sending: whether we may send.
            receiving: whether the party may.
            flooded: True once, after a second of many foreign packets.
        """
        changes: list[Change] = []
        after = self._limits.after_s
        quiet = now - max(heard_at, since)
        if heard_at != self._foreign_heard_at:
            self._foreign_heard_at, self._foreign = heard_at, foreign
        claimed = received.unheard_at > heard_at or foreign - self._foreign >= MIN_FOREIGN
        deaf = 0 < after <= quiet and receiving and claimed
        self._set("one_way_in", deaf, quiet, changes)
        unheard = sent.unheard_since
        mute = now - max(unheard, since) if unheard is not None else 0.0
        self._set("one_way_out", 0 < after <= mute and sending, mute, changes)
        if flooded:
            self._set("flood", True, FLOOD_PER_S, changes)
        self._look_at_loss(received, changes)
        jitter, limit = received.jitter_ms, self._limits.jitter_ms
        if now - since >= SETTLE_S or "jitter" in self._active:
            self._cross("jitter", jitter, limit, changes)
        return changes

    def _look_at_loss(self, received: ReceiveStats, changes: list[Change]) -> None:
        self._counts.append((received.expected, received.lost))
        expected = received.expected - self._counts[0][0]
        if expected >= MIN_PACKETS:
            fraction = max(0, received.lost - self._counts[0][1]) / expected
            self._cross("loss", fraction, self._limits.loss, changes)

    def _cross(self, kind: AlarmKind, value: float, limit: float, changes: list[Change]) -> None:
        if limit > 0:
            least = limit * RELEASE if kind in self._active else limit
            self._set(kind, value >= least, value, changes)

    def _set(self, kind: AlarmKind, active: bool, value: float, changes: list[Change]) -> None:
        if active == (kind in self._active):
            return
        if active:
            self._active.add(kind)
            if kind not in self.raised:
                self.raised = (*self.raised, kind)
        else:
            self._active.discard(kind)
        changes.append(Change(kind, active, value))
