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


class Heard(msgspec.Struct, frozen=True):
    """What the caller shall hear."""

    sound: Literal["nothing", "ringback", "far"]
    leg: str = ""
    """The leg that is heard when `sound` is ``far``."""


NOTHING = Heard("nothing")
RINGBACK = Heard("ringback")


class _Party:
    __slots__ = ("alerting", "blocked", "described", "heard", "sounding")

    def __init__(self) -> None:
        self.described = False
        self.alerting = False
        self.blocked = False
        self.heard = False
        self.sounding = False


class EarlyAudio:
    """Judges between the parties that ring for one call."""

    def __init__(self, policy: EarlyPolicy) -> None:
        self.policy: EarlyPolicy = policy
        self._parties: dict[str, _Party] = {}
        self._floor = ""

    def progress(self, leg: str, status: int, *, described: bool, gate: str = "") -> None:
        """An 18x came; `gate` is its P-Early-Media (RFC 5009), which may forbid to use the audio."""
        party = self._parties.setdefault(leg, _Party())
        party.described = party.described or described
        party.alerting = party.alerting or status in {180, 182}
        if gate:
            party.blocked = not any(word in gate for word in ("sendrecv", "sendonly"))

    def sounds(self, leg: str, sounding: bool) -> None:
        """Packets have begun to come from `leg`, or have come no more for two seconds."""
        party = self._parties.get(leg)
        if party is not None:
            party.sounding = sounding
            party.heard = party.heard or sounding

    def gone(self, leg: str) -> None:
        """The leg is over."""
        self._parties.pop(leg, None)
        if self._floor == leg:
            self._floor = ""

    def decide(self) -> Heard:
        """What the caller hears from now on."""
        if self.policy == "pass":
            if self._floor and not self._speaks(self._parties[self._floor]):
                self._floor = ""
            if not self._floor:
                speaking = (leg for leg, party in self._parties.items() if self._speaks(party))
                self._floor = next(speaking, "")
            if self._floor:
                return Heard("far", self._floor)
        return RINGBACK if any(party.alerting for party in self._parties.values()) else NOTHING

    def _speaks(self, party: _Party) -> bool:
        """True while the party sends audio; one that never said 180 may pause for breath."""
        if not party.heard or party.blocked or not party.described:
            return False
        return not party.alerting or party.sounding
