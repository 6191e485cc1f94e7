"""What a caller hears while other parties ring (RFC 3960), as a core.

A description in an 18x promises audio, and many a carrier breaks the promise: a mobile network sends 183
with SDP, no packet, and then 180. So what counts is the audio that arrives. One party at a time is heard.
"""

from __future__ import annotations

from typing import Literal

import msgspec

EarlyPolicy = Literal["pass", "tone", "off"]
"""``pass`` lets the caller hear early audio of the far side; ``tone`` plays our ringing tone as early
audio instead; ``off`` sends 180 and no audio before the answer."""

QUIET_S = 2.0
"""Seconds without a packet after which a party that sent 180 is taken to ring without a sound."""


class Heard(msgspec.Struct, frozen=True):
    """What the caller shall hear."""

    sound: Literal["nothing", "ringback", "far"]
    leg: str = ""
    """The leg that is heard when `sound` is ``far``."""


NOTHING = Heard("nothing")
RINGBACK = Heard("ringback")


class _Party:
    __slots__ = ("alerting", "blocked", "described", "heard_at", "packets")

    def __init__(self) -> None:
        self.described = False
        self.alerting = False
        self.blocked = False
        self.packets = 0
        self.heard_at: float | None = None


class EarlyAudio:
    """Judges between the parties that ring for one call."""

    def __init__(self, policy: EarlyPolicy) -> None:
        self.policy: EarlyPolicy = policy
        self._parties: dict[str, _Party] = {}
        self._floor = ""

    @property
    def listens(self) -> bool:
        """True while packets of some party can change what is heard."""
        return any(party.described and not party.blocked for party in self._parties.values())

    def progress(self, leg: str, status: int, *, described: bool, gate: str = "") -> None:
        """An 18x came; `gate` is its P-Early-Media (RFC 5009), which may forbid to use the audio."""
        party = self._parties.setdefault(leg, _Party())
        party.described = party.described or described
        party.alerting = party.alerting or status in {180, 182}
        if gate:
            party.blocked = not any(word in gate for word in ("sendrecv", "sendonly"))

    def packets(self, leg: str, count: int, *, now: float) -> None:
        """How many packets have come from `leg` until `now`."""
        party = self._parties.get(leg)
        if party is not None and count > party.packets:
            party.packets = count
            party.heard_at = now

    def gone(self, leg: str) -> None:
        """The leg is over."""
        self._parties.pop(leg, None)
        if self._floor == leg:
            self._floor = ""

    def decide(self, *, now: float) -> Heard:
        """What the caller hears from now on."""
        if self.policy == "pass":
            if self._floor and not self._speaks(self._parties[self._floor], now):
                self._floor = ""
            if not self._floor:
                speaking = (leg for leg, party in self._parties.items() if self._speaks(party, now))
                self._floor = next(speaking, "")
            if self._floor:
                return Heard("far", self._floor)
        return RINGBACK if any(party.alerting for party in self._parties.values()) else NOTHING

    def _speaks(self, party: _Party, now: float) -> bool:
        """True while the party sends audio; one that never said 180 may pause for breath."""
        if party.heard_at is None or party.blocked or not party.described:
            return False
        return not party.alerting or now - party.heard_at < QUIET_S
