"""Who served a caller, one after the other: a segment for each agent, as a part of the fold of a call.

A segment is the time in which one agent and the caller had each other. What the parts of it are:

| part | from | to |
|---|---|---|
| `talk` and `hold` | caller and agent hear each other | the agent has left, or a transfer is done |
| `hold` in it | the agent, or a program, puts the caller on hold | takes it back |
| `wrap` | the agent begins to wrap up after it | the wrap-up is over, whatever ended it |

A caller who holds the agent is not held: that is talk. An agent whose attended transfer is done has parted
with the caller, also when its phone hangs up later. Somebody who was asked first and then got the caller
has a segment in the call in which it was asked, and one in which it had the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from sipcc.acd.events import QueueLeft
from sipcc.call.events import (
    BridgeEnded,
    BridgeStarted,
    ConsultEnded,
    ConsultStarted,
    EndedBy,
    LegEnded,
    LegHeld,
    LegResumed,
    LegStarted,
    TransferCompleted,
    TransferStarted,
)
from sipcc.events import Event

How = Literal[
    "",
    "caller",
    "agent",
    "us",
    "network",
    "blind",
    "attended",
    "takeover",
    "application",
    "consult",
    "moved",
]
"""How a segment ended: who hung up, or by which kind of transfer. ``moved``: the agent went over into another
call with whoever it talked to there. Empty while it lasts."""

OF_SEGMENTS = (
    LegStarted
    | LegEnded
    | BridgeStarted
    | BridgeEnded
    | LegHeld
    | LegResumed
    | ConsultStarted
    | ConsultEnded
    | TransferStarted
    | TransferCompleted
    | QueueLeft
)
"""The events of a call that segments are made of."""


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One agent's part of a call. Times are Unix seconds, lengths are seconds."""

    agent: str
    leg: str
    queue: str = ""
    """The queue that rang the agent; empty for one who got the caller by a transfer or a direct call."""
    entry: str = ""
    """The entry into that queue."""
    began: float
    ended: float | None = None
    """None while it lasts."""
    talk: float = 0.0
    """Without the holds."""
    hold: float = 0.0
    wrap: float = 0.0
    """0 while it lasts, and without one."""
    how: How = ""
    to: str = ""
    """Of a transfer: whom the caller went to, as it was asked for."""
    asked: bool = False
    """True for the time in which this agent was asked by another one, and the caller did not hear it."""

    @property
    def handled(self) -> float:
        """Seconds of talk, hold and wrap-up."""
        return round(self.talk + self.hold + self.wrap, 3)


class _Part:
    """A segment while it is being put together."""

    def __init__(self, agent: str, leg: str, queue: str, entry: str, wall: float) -> None:
        self.agent, self.leg, self.queue, self.entry = agent, leg, queue, entry
        self.began = wall
        self.ended: float | None = None
        self.held = 0.0
        self.held_since: float | None = None
        self.parting = bool(entry)
        """True until what the agent does after a talk from a queue is known."""
        self.wrapping: float | None = None
        self.wrap = 0.0
        self.asked = False
        self.went_on = False
        self.moved: TransferCompleted | None = None
        self.to = ""
        self.left: LegEnded | None = None

    def hold(self, wall: float) -> None:
        if self.held_since is None:
            self.held_since = wall

    def resume(self, wall: float) -> None:
        if self.held_since is not None:
            self.held += max(0.0, wall - self.held_since)
            self.held_since = None

    def end(self, wall: float) -> None:
        if self.ended is None:
            self.resume(wall)
            self.ended = wall

    def how(self, over: EndedBy | None, at: float) -> How:
        """`over` is who ended the call, None while it lasts, and `at` is when."""
        if self.went_on:
            return "moved"
        if self.moved is not None:
            return self.moved.kind
        if self.ended is None:
            return ""
        left = self.left
        if left is not None and left.ended_by != "us":  # "caller" is whoever came by a call of its own
            return "network" if left.ended_by == "network" else "agent"
        if left is not None and left.cause == "transferred":
            return "moved"
        if over is not None and self.ended >= at:  # else the agent was let go before
            return over if over in ("us", "network") else "caller"
        return "us"


class Chain:
    """The segments of one call, folded from its events."""

    def __init__(self) -> None:
        self._agents: dict[str, str] = {}
        self._parts: list[_Part] = []
        self._rung: dict[str, tuple[str, str]] = {}
        self._target = ""
        self._held: set[str] = set()
        self._over = False

    @property
    def settled(self) -> bool:
        """False while the wrap-up of a segment is still to come, or lasts."""
        return all(part.ended is not None and not part.parting for part in self._parts) and not self.wrapping

    @property
    def wrapping(self) -> bool:
        """True while somebody wraps up."""
        return any(part.wrapping is not None for part in self._parts)

    def segments(self, *, over: EndedBy | None, at: float) -> tuple[Segment, ...]:
        """The segments, in the order of their beginning; `over` is who ended the call, `at` the end."""
        return tuple(self._segment(part, over, at) for part in self._parts)

    def agent_of(self, leg: str) -> str:
        """The agent at a leg; empty for somebody else."""
        return self._agents.get(leg, "")

    def take(self, event: Event, wall: float) -> bool:
        """Take in an event of this call; False when it says nothing new of a segment."""
        match event:
            case LegStarted() if event.agent:
                self._agents[event.leg] = event.agent
            case QueueLeft() if event.exit == "answered" and event.agent:
                self._rung[event.agent] = event.queue, event.entry
            case BridgeStarted():
                return self._begin(event.leg, wall)
            case ConsultStarted():
                return self._begin(event.leg, wall, asked=True)
            case ConsultEnded():
                return self._consulted(event, wall)
            case BridgeEnded() | LegEnded():
                return self._end(event, wall)
            case LegHeld() | LegResumed():
                return self._hold(event, wall)
            case TransferStarted():
                self._target = event.target
            case TransferCompleted():
                return self._transferred(event)
            case _:
                pass
        return False

    def let_go(self, agent: str) -> bool:
        """The agent went over into another call, where its wrap-up belongs; False for who was not here."""
        waited = [
            part for part in self._parts if part.agent == agent and part.parting and part.ended is not None
        ]
        for part in waited:
            part.parting = False
        return bool(waited)

    def waits(self, agent: str) -> bool:
        """True while what the agent does after a talk here is to be told."""
        return any(part.agent == agent and part.parting for part in self._parts)

    def expect(self, agent: str) -> None:
        """What the agent does after its last segment here is still to be told."""
        part = self._last(lambda part: part.agent == agent)
        if part is not None:
            part.parting = True

    def parted(self, agent: str, wall: float, *, wraps: bool) -> None:
        """The agent's state after a talk is known: `wraps` says whether it is wrapping up."""
        part = self._last(lambda part: part.agent == agent and part.parting)
        if part is not None:
            for each in self._parts:
                each.parting = each.parting and each.agent != agent
            part.wrapping = wall if wraps else None

    def wrapped(self, agent: str, wall: float) -> None:
        """The wrap-up of `agent` is over."""
        part = self._last(lambda part: part.agent == agent and part.wrapping is not None)
        if part is not None and part.wrapping is not None:
            part.wrap += max(0.0, wall - part.wrapping)
            part.wrapping = None

    def finish(self, wall: float) -> None:
        """The caller is gone."""
        self._over = True
        for part in self._parts:
            part.end(wall)

    def _begin(self, leg: str, wall: float, *, asked: bool = False) -> bool:
        agent = self._agents.get(leg)
        if self._over or not agent or self._last(lambda part: part.leg == leg and part.ended is None):
            return False
        queue, entry = self._rung.pop(agent, ("", ""))
        part = _Part(agent, leg, queue, entry, wall)
        part.asked = asked
        if leg in self._held and not asked:
            part.hold(wall)
        self._parts.append(part)
        return True

    def _end(self, event: BridgeEnded | LegEnded, wall: float) -> bool:
        part = self._last(lambda part: part.leg == event.leg)
        if part is None or (
            part.ended is not None if isinstance(event, BridgeEnded) else part.left is not None
        ):
            return False
        part.end(wall)
        if isinstance(event, LegEnded):
            part.left = event
            self._held.discard(event.leg)
        return True

    def _transferred(self, event: TransferCompleted) -> bool:
        part = self._last(lambda part: part.leg == event.leg)
        if part is None or part.moved is not None:
            return False
        if event.kind == "takeover" and part.ended is None and self.agent_of(event.new) == part.agent:
            part.leg = event.new  # the same agent goes on at another phone
        else:
            part.moved, part.to = event, self._target
        return True

    def _consulted(self, event: ConsultEnded, wall: float) -> bool:
        part = self._last(lambda part: part.leg == event.leg and part.asked and part.ended is None)
        if part is None:
            return False
        part.end(wall)
        part.went_on = event.how in ("completed", "merged")
        return True

    def _hold(self, event: LegHeld | LegResumed, wall: float) -> bool:
        """The holds of an agent's phone count, and ours of either side."""
        if event.by == "party" and event.leg not in self._agents:
            return False
        began = isinstance(event, LegHeld)
        (self._held.add if began else self._held.discard)(event.leg)
        part = self._last(lambda part: part.ended is None and not part.asked)
        if part is None or (event.leg in self._agents and event.leg != part.leg):
            return False
        if began:
            part.hold(wall)
        elif not self._held & {part.leg, event.leg}:
            part.resume(wall)
        return True

    def _last(self, fits: Callable[[_Part], bool]) -> _Part | None:
        return next((part for part in reversed(self._parts) if fits(part)), None)

    def _segment(self, part: _Part, over: EndedBy | None, at: float) -> Segment:
        until = at if part.ended is None else part.ended
        held = part.held + (max(0.0, until - part.held_since) if part.held_since is not None else 0.0)
        return Segment(
            agent=part.agent,
            leg=part.leg,
            queue=part.queue,
            entry=part.entry,
            began=part.began,
            ended=part.ended,
            talk=round(max(0.0, until - part.began - held), 3),
            hold=round(held, 3),
            wrap=round(part.wrap, 3),
            how=part.how(over, at),
            to=part.to,
            asked=part.asked,
        )


class Work(msgspec.Struct):
    """What one agent did in several segments. Times are seconds."""

    segments: int = 0
    talk: float = 0.0
    hold: float = 0.0
    wrap: float = 0.0
    transferred: int = 0
    """How many ended by a transfer of the agent's."""

    @property
    def aht(self) -> float:
        """(talk + hold + wrap-up) / segments; 0 without any."""
        return (self.talk + self.hold + self.wrap) / self.segments if self.segments else 0.0


_SENT_ON = frozenset({"blind", "attended", "consult"})


def handling_of(segments: Iterable[Segment]) -> dict[str, Work]:
    """The work of each agent.

    One who was asked counts that for its talk, but it is no segment of its own: who then got the caller has
    handled that caller once.
    """
    sums: dict[str, Work] = {}
    for segment in segments:
        work = sums.setdefault(segment.agent, Work())
        work.segments += segment.how != "moved" and not segment.asked
        work.talk += segment.talk
        work.hold += segment.hold
        work.wrap += segment.wrap
        work.transferred += segment.how in _SENT_ON
    return sums
