"""What an agent has done since login: what strategies weigh to share the work.

Calls, talk and handling count since the agent logged in, so a day begins anew. Who logs in later begins
with the mean of those who are there: else every call would go to the newcomer until it had caught up
with the whole morning of the others. A phone that is lost for a while is no login, and a pause is
neither work nor time at work.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """The counters of one agent."""

    calls: int = 0
    """Queue calls taken: those that were talked, counted at their end."""
    talked: float = 0.0
    """Seconds of talk in queue calls."""
    handled: float = 0.0
    """Seconds of talk and wrap-up."""
    login: float = 0.0
    """When the agent logged in."""
    away: float = 0.0
    """Seconds since login in pauses, quarantine, own calls and without a phone."""

    def occupancy(self, *, now: float) -> float:
        """The part of the time at work that was talk and wrap-up, from 0 to 1; for an agent at rest."""
        at_work = now - self.login - self.away
        return self.handled / at_work if at_work > 0 else 0.0


class Crew:
    """The sums over all agents that are logged in."""

    def __init__(self) -> None:
        self._count = self._calls = 0
        self._talked = 0.0

    def add(self, effort: Effort) -> None:
        """Somebody has logged in, or has worked."""
        self._count += 1
        self._calls += effort.calls
        self._talked += effort.talked

    def drop(self, effort: Effort) -> None:
        """Somebody has logged out, or is about to be added with more work."""
        self._count -= 1
        self._calls -= effort.calls
        self._talked = self._talked - effort.talked if self._count else 0.0

    def newcomer(self, *, now: float) -> Effort:
        """What an agent begins with that logs in now."""
        count = self._count or 1
        return Effort(calls=self._calls // count, talked=max(0.0, self._talked) / count, login=now)


def spent(effort: Effort, state: str, seconds: float) -> Effort:
    """The counters after `seconds` in `state`, a value of `sipcc.acd.model.AgentState`."""
    if state == "talking":
        return replace(effort, talked=effort.talked + seconds, handled=effort.handled + seconds)
    if state == "wrap_up":
        return replace(effort, handled=effort.handled + seconds)
    if state in ("ready", "reserved", "ringing"):
        return effort
    return replace(effort, away=effort.away + seconds)
