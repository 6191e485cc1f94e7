"""How long callers are expected to wait.

While all agents are busy, one of `staffed` becomes free every AHT / staffed seconds, and each takes one
caller out of the line: ``place * AHT / max(1, staffed)``. Where callers give up, the line moves faster, by as
many callers a second as stand in it times the rate at which one of them loses patience; then the wait is
``ln(1 + place * rate * AHT / staffed) / rate``, which is the first where the rate is 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import log1p

import msgspec

from sipcc.acd.model import AgentState

MEMORY = 20
"""Over so many of the last talks the mean handle time is taken, about; each older one fades."""

LEAST_KNOWN = 5
"""With fewer callers who gave up nothing is said of patience."""

LINE_MEMORY = 200
"""Over so many of the last callers patience is taken, about."""

_AT_WORK = frozenset(
    {AgentState.READY, AgentState.RESERVED, AgentState.RINGING, AgentState.TALKING, AgentState.WRAP_UP}
)


class HandleTime(msgspec.Struct):
    """The mean handle time of a queue, live: an exponentially weighted mean that begins at `mean`."""

    mean: float = 180.0
    """Seconds of talk and wrap-up."""
    known: int = 1
    """Observations, the start value counted as one, up to `MEMORY`."""

    def add(self, seconds: float) -> None:
        """A caller was handled: talk and wrap-up took `seconds`."""
        self.known = min(self.known + 1, MEMORY)
        self.mean += (seconds - self.mean) / self.known


class GivingUp(msgspec.Struct):
    """How fast waiting callers lose patience, live: those who gave up for each second that anybody waited."""

    gave_up: float = 0.0
    """Callers; older ones fade."""
    seconds: float = 0.0
    """Waited by all who left, in whatever way."""
    known: int = 0
    """Callers who ever gave up."""

    def add(self, waited: float, *, gave_up: bool) -> None:
        """A caller left after `waited` seconds."""
        fade = 1.0 - 1.0 / LINE_MEMORY
        self.gave_up = self.gave_up * fade + gave_up
        self.seconds = self.seconds * fade + waited
        self.known += gave_up

    @property
    def rate(self) -> float:
        """Per caller and second; 0 as long as too few gave up."""
        return self.gave_up / self.seconds if self.known >= LEAST_KNOWN and self.seconds else 0.0


class Staffing(msgspec.Struct, frozen=True):
    """How many members of a queue there are for its callers."""

    ready: int
    staffed: int
    """At work: those who are ready, and those who will be when an offer, a talk or its wrap-up has ended."""

    @classmethod
    def of(cls, states: Iterable[AgentState]) -> Staffing:
        """Counted from what each member does."""
        counts = Counter(states)
        return cls(counts[AgentState.READY], sum(counts[state] for state in _AT_WORK))


def expected_wait(place: int, handle_time: float, staffing: Staffing, *, giving_up: float = 0.0) -> float:
    """Seconds until whoever stands at `place` is answered; 0 at places for which an agent is free.

    Args:
        place: 1 for the first of those for whom no phone rings.
        handle_time: Mean seconds of talk and wrap-up.
        staffing: The members of the queue.
        giving_up: Callers who give up, for each one in line and second.
    """
    patient = max(0, place - staffing.ready) * handle_time / max(1, staffing.staffed)
    return log1p(patient * giving_up) / giving_up if giving_up else patient
