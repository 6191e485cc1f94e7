"""Who talked with whom last, so that a caller who calls again may get the same agent."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from sipcc.acd.model import Agent

CALLERS_KEPT = 100_000
"""Callers that are remembered, about 20 MB; those who talked longest ago are forgotten first."""

NOBODY = frozenset({"", "anonymous", "unknown", "restricted", "unavailable"})
"""What stands for a caller who hides: they are not one person."""


class LastAgents:
    """Remembers the last agent of each caller, while the process runs."""

    def __init__(self, *, kept: int = CALLERS_KEPT) -> None:
        self._kept = kept
        self._last: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._last)

    def talked(self, caller: str, agent: str, *, now: float) -> None:
        """`caller` and `agent` hear each other."""
        if caller.lower() in NOBODY:
            return
        self._last[caller] = (agent, now)
        self._last.move_to_end(caller)
        if len(self._last) > self._kept:
            self._last.popitem(last=False)

    def of(self, caller: str, *, window: float, now: float) -> str:
        """The agent who talked with `caller` last, no longer than `window` seconds ago; empty for nobody."""
        agent, at = self._last.get(caller, ("", now))
        return agent if now - at <= window else ""


class LastAgent(msgspec.Struct, frozen=True):
    """Wants one agent; see `sipcc.acd.model.Want`."""

    name: str

    @property
    def only(self) -> str:
        """The agent."""
        return self.name

    def why_not(self, agent: Agent) -> str:
        """Empty for that agent."""
        return "" if agent.name == self.name else f"the caller talked with {self.name} last"
