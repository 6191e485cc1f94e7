"""Whose packets a port believes: symmetric RTP without RTPbleed.

A port that sends audio to whoever sprays its range lets a stranger hear the call and speak in it. A phone
behind NAT, on the other hand, sends from an address that its SDP does not know. So:

(a) the port starts from the address of the SDP, and packets from it win at once;
(b) another source is accepted only within `LEARNING_S` after an offer or answer, only after `IN_ORDER`
    packets in order of one SSRC with negotiated payload types that span `SPAN_S` (a flood begins its count
    anew), and never while the current source still sends; the same IP with another port goes before the same
    port on another IP, and that before the rest;
    Where a source was heard before, signalling alone does not prove a new host: for `RETURN_S` only other
    ports of the hosts we know are learned, and while the leg is on hold, when the party may be silent,
    nobody is (a stranger who sends into a held call would else have it to himself when it is resumed);
(c) after the window the port is closed: what is foreign is dropped and counted until signalling re-opens it;
(d) nothing is sent to a source that is not from SDP before it is accepted: `target` is the only address to
    send to;
(e) RTCP follows the RTP source and never moves it;
(f) more than `FLOOD_PER_S` foreign packets in a second are reported once;
(g) where every packet proves by its key who sent it, there is nothing to learn: another source is accepted
    with its first packet, at any time, once the current one is silent. A recorded packet cannot be used to
    move the audio, for the shield takes no packet twice.

The hot path compares one tuple: ``if source == gate.source: gate.heard_at = now`` is all that an accepted
packet costs; `accept` is for the others.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

Address = tuple[str, int]

LEARNING_S: Final = 5.0
IN_ORDER: Final = 4
SPAN_S: Final = 0.022
QUIET_S: Final = 0.200
"""A source not heard for so long does not send any more."""
RETURN_S: Final = 2.0
"""So long after an offer or answer that keeps its address a source that was heard before may take to speak
again, before it can be another host."""
STALLED_S: Final = 0.100
"""A candidate not heard for so long is out of the race."""
FLOOD_PER_S: Final = 250
MAX_CANDIDATES: Final = 8

_NEVER = float("-inf")


class Verdict(Enum):
    """What to do with a packet."""

    ACCEPTED = "accepted"
    LATCHED = "latched"
    """Accepted, and its source is the new `target`."""
    LEARNING = "learning"
    """Dropped: its source may be accepted after more packets."""
    FOREIGN = "foreign"
    """Dropped and counted."""


class Belief(NamedTuple):
    """Whom a port believes, for a worker that goes on with it."""

    source: Address
    open_until: float
    rtcp_source: Address | None


class _Candidate:
    __slots__ = ("count", "first_at", "heard_at", "rank", "sequence", "ssrc")

    def __init__(self, rank: int, ssrc: int, sequence: int, now: float) -> None:
        self.rank = rank
        self.begin(ssrc, sequence, now)

    def begin(self, ssrc: int, sequence: int, now: float) -> None:
        self.ssrc = ssrc
        self.sequence = sequence
        self.count = 1
        self.first_at = self.heard_at = now

    def receive(self, ssrc: int, sequence: int, now: float) -> bool:
        """Take a packet; True when it carried on the row."""
        if ssrc != self.ssrc or sequence != (self.sequence + 1) & 0xFFFF:
            self.begin(ssrc, sequence, now)
            return False
        self.sequence = sequence
        self.heard_at = now
        self.count += 1
        if self.count >= IN_ORDER and now - self.first_at < SPAN_S:
            self.begin(ssrc, sequence, now)  # faster than audio can be: a flood
            return False
        return True

    @property
    def complete(self) -> bool:
        return self.count >= IN_ORDER


class SourceGate:
    """The source rules of one port."""

    def __init__(
        self, expected: Address, *, now: float, payload_types: frozenset[int] = frozenset(range(128))
    ) -> None:
        """Start from the RTP address of the peer's SDP, with the learning window open."""
        self.expected = expected
        self.payload_types = payload_types
        self.source = expected
        """The one source that is accepted now; also where to send."""
        self.heard_at = _NEVER
        """When `source` was last heard; the hot path sets it."""
        self.foreign = 0
        """Foreign packets so far."""
        self.rtcp_source: Address | None = None
        """Where RTCP came from last; None before the first."""
        self._open_until = now + LEARNING_S
        self._others_from = _NEVER
        self._candidates: dict[Address, _Candidate] = {}
        self._second = 0
        self._in_second = 0
        self._flooded = False
        self._reported = False

    @property
    def target(self) -> Address:
        """Where to send RTP: the SDP's address until another source was accepted."""
        return self.source

    @property
    def latched(self) -> bool:
        """True when the accepted source is not the address of the SDP."""
        return self.source != self.expected

    @property
    def belief(self) -> Belief:
        """Whom the port believes now, and how long it learns."""
        return Belief(self.source, self._open_until, self.rtcp_source)

    def resume(self, belief: Belief, *, heard_at: float) -> None:
        """Go on where another worker stopped: nobody gets a chance that he did not have there."""
        self.source, self._open_until, self.rtcp_source = belief
        self.heard_at = heard_at
        self._others_from = self._open_until

    def reopen(
        self,
        expected: Address,
        *,
        now: float,
        payload_types: frozenset[int] | None = None,
        held: bool = False,
    ) -> None:
        """An offer or answer was exchanged: open the learning window anew.

        With an unchanged address the accepted source is kept, so that a re-INVITE of a phone behind NAT does
        not interrupt its audio; with a new address that one is where to send, until the peer proves another.
        `held` says that one of the directions is silent now.
        """
        if payload_types is not None:
            self.payload_types = payload_types
        known = expected == self.expected and self.heard_at > _NEVER
        self._open_until = now if known and held else now + LEARNING_S
        self._others_from = now + RETURN_S if known else _NEVER
        self._candidates.clear()
        if expected != self.expected:
            self.expected = expected
            if self.source != expected:
                self.source = expected
                self.heard_at = _NEVER
                self.rtcp_source = None

    def accept(self, source: Address, ssrc: int, payload_type: int, sequence: int, *, now: float) -> Verdict:
        """Judge one well-formed RTP packet."""
        if source == self.source:
            self.heard_at = now
            return Verdict.ACCEPTED
        if source == self.expected:
            return self._latch(source, now)
        if now >= self._open_until or payload_type not in self.payload_types:
            return self._count_foreign(now)
        if now - self.heard_at < QUIET_S:
            self._candidates.clear()  # the current source still sends; nobody gets a head start against it
            return self._count_foreign(now)
        if now < self._others_from and source[0] not in (self.source[0], self.expected[0]):
            return self._count_foreign(now)
        return self._learn(source, ssrc, sequence, now)

    def accept_proved(self, source: Address, *, now: float) -> Verdict:
        """Judge a packet that was protected with the right key (RFC 3711), from whatever source."""
        if source == self.source:
            self.heard_at = now
            return Verdict.ACCEPTED
        if source != self.expected and now - self.heard_at < QUIET_S:
            return self._count_foreign(now)
        return self._latch(source, now)

    def accept_rtcp(self, source: Address, *, now: float) -> bool:
        """Judge an RTCP datagram: it must come from the host of the accepted RTP source.

        Its port may be learned once while the window is open and is fixed afterwards.
        """
        if source == self.rtcp_source:
            return True
        if source[0] != self.source[0] or (self.rtcp_source is not None and now >= self._open_until):
            self._count_foreign(now)
            return False
        self.rtcp_source = source
        return True

    def take_flood(self) -> bool:
        """True once, after a second in which more than `FLOOD_PER_S` foreign packets came."""
        if self._flooded and not self._reported:
            self._reported = True
            return True
        return False

    def _learn(self, source: Address, ssrc: int, sequence: int, now: float) -> Verdict:
        candidate = self._candidates.get(source)
        if candidate is None:
            if not self._make_room(self._rank(source), now):
                return self._count_foreign(now)
            self._candidates[source] = _Candidate(self._rank(source), ssrc, sequence, now)
            return Verdict.LEARNING
        if not candidate.receive(ssrc, sequence, now):
            return self._count_foreign(now)
        if candidate.complete and not self._has_better(candidate, now):
            return self._latch(source, now)
        return Verdict.LEARNING

    def _latch(self, source: Address, now: float) -> Verdict:
        self.source = source
        self.heard_at = now
        self.rtcp_source = None
        self._candidates.clear()
        return Verdict.LATCHED

    def _rank(self, source: Address) -> int:
        if source[0] == self.expected[0]:
            return 2
        return 1 if source[1] == self.expected[1] else 0

    def _has_better(self, candidate: _Candidate, now: float) -> bool:
        return any(
            other.rank > candidate.rank and now - other.heard_at < STALLED_S
            for other in self._candidates.values()
        )

    def _make_room(self, rank: int, now: float) -> bool:
        """Whether one more candidate of this rank may be followed; lets go of the least hopeful one."""
        if len(self._candidates) < MAX_CANDIDATES:
            return True
        worst = min(self._candidates, key=lambda source: self._hope(self._candidates[source], now))
        if self._hope(self._candidates[worst], now) < (True, rank, 0):
            del self._candidates[worst]
            return True
        return False

    @staticmethod
    def _hope(candidate: _Candidate, now: float) -> tuple[bool, int, int]:
        return now - candidate.heard_at < STALLED_S, candidate.rank, candidate.count

    def _count_foreign(self, now: float) -> Verdict:
        self.foreign += 1
        second = int(now)
        if second != self._second:
            self._second = second
            self._in_second = 0
        self._in_second += 1
        if self._in_second > FLOOD_PER_S:
            self._flooded = True
        return Verdict.FOREIGN
