"""How long callers are expected to wait.

``place * AHT / max(1, staffed)``: while all agents are busy, one of `staffed` becomes free every
AHT / staffed seconds, and each takes one caller out of the line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from sipcc.acd.model import AgentState

MEMORY = 20
"""Over so many of the last talks the mean handle time is taken, about; each older one fades."""

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


def expected_wait(place: int, handle_time: float, staffing: Staffing) -> float:
    """Seconds until whoever stands at `place` is answered; 0 at places for which an agent is free.

    Args:
        place: 1 for the first of those for whom no phone rings.
        handle_time: Mean seconds of talk and wrap-up.
        staffing: The members of the queue.
    """
    return max(0, place - staffing.ready) * handle_time / max(1, staffing.staffed)
