"""Which call an agent wraps up after: the events of agents do not say, so it is folded from the others."""

from __future__ import annotations

from collections.abc import Callable

from sipcc.acd.events import AgentStateChanged
from sipcc.records.segments import Chain

WRAP_UP = "wrap_up"
"""The name of the agent state in which a segment is wrapped up."""


class WrapUps:
    """Gives the wrap-ups of agents to the segments of calls.

    One belongs to the talk that the agent had out of a queue, and to the last segment of that: an agent whom
    an attended transfer took into another call wraps up after that one. What the agent talks meanwhile
    without a queue, such as in a call from a colleague, changes nothing.
    """

    def __init__(self, chain_of: Callable[[str], Chain | None]) -> None:
        """`chain_of` gives the segments of a call; None for one that is not known any more."""
        self._chain_of = chain_of
        self._served: dict[str, str] = {}
        self._parted: dict[str, str] = {}
        self._wrapping: dict[str, str] = {}

    def begun(self, agent: str, call: str) -> None:
        """A segment of `agent` has begun in `call`; an empty name is nobody."""
        if not agent:
            return
        before, chain = self._chain_of(self._served.get(agent, "")), self._chain_of(call)
        self._served[agent] = call
        if before is not None and chain is not None and before is not chain and before.let_go(agent):
            chain.expect(agent)

    def talked(self, agent: str, call: str) -> None:
        """A talk out of a queue has ended that `agent` had in `call`."""
        self._parted[agent] = call

    def moved(self, event: AgentStateChanged, wall: float, *, before: float) -> str:
        """Take in the state of an agent; the call whose segments changed, or an empty text.

        `before` is the time of the event before this one. A wrap-up whose end nobody told was in a run that
        died, and ended with it.
        """
        agent = event.agent
        if event.before != "talking":
            call = self._wrapping.pop(agent, "")
            chain = self._chain_of(call)
            if chain is not None:
                chain.wrapped(agent, wall if event.before == WRAP_UP else before)
            return call
        for call in (self._served.get(agent, ""), self._parted.pop(agent, "")):
            chain = self._chain_of(call)
            if chain is not None and chain.waits(agent):
                self._wrapping[agent] = call
                chain.parted(agent, wall, wraps=event.after == WRAP_UP)
                return call
        return ""
