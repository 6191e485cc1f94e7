"""A day that was recorded, as callers and shifts for `sipcc.acd.simulator`, as a core.

What the event log tells is taken as it was: when each caller came, to which queue and with which priority,
how long its conversation took, when each agent was at work. What it cannot tell is drawn:

- Of a caller who was answered, patience is known only to be longer than its wait. The rest is drawn from
  the exponential distribution whose mean fits the day best: all seconds that anybody waited, divided by the
  number of callers who gave up (the estimate of maximum likelihood under censoring).
- Of a caller who was never answered, the conversation is one of those that took place that day.
- Callers who left of their own accord, by a key or because somebody took them out of the line, leave after
  the same time again. Who was sent on by a rule of the queue (too long, too many, nobody there) waits as the
  rules of the new run say.
- How fast agents answer, and which share of the offers they decline or let ring, are those of the whole day.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING

import msgspec

from sipcc.acd.events import (
    GAVE_UP,
    AgentStateChanged,
    OfferEnded,
    OfferMade,
    QueueJoined,
    QueueLeft,
    TalkEnded,
)
from sipcc.acd.simulator import Arrival, Phone, Shift
from sipcc.events import Event

if TYPE_CHECKING:
    from random import Random

    from sipcc.acd.settings import AgentSettings, QueueSettings

_OWN_ACCORD = (*GAVE_UP, "key_exit", "callback_booked", "withdrawn")
_AWAY = ("offline", "not_ready")


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What a `Simulation` needs to live through the day again; times are seconds since its first event."""

    arrivals: tuple[Arrival, ...]
    shifts: tuple[Shift, ...]
    phone: Phone
    left_out: tuple[str, ...] = ()
    """Queues and agents of that day which the new run does not know; who came there is not among
    `arrivals`."""


class _Visit(msgspec.Struct):
    joined: float
    queue: str
    caller: str
    priority: int
    waited: float = -1.0
    """Below 0 as long as the caller waits."""
    exit: str = ""
    talked: float = -1.0


class DayFold:
    """Folds the events of a day; see `replay` for the result."""

    def __init__(self) -> None:
        self._begin: float | None = None
        self._end = 0.0
        self._visits: dict[str, _Visit] = {}
        self._offers: dict[str, float] = {}
        self._rings: list[float] = []
        """How long phones rang that were answered."""
        self._outcomes = {"answered": 0, "no_answer": 0, "declined": 0, "busy": 0}
        self._at_work: dict[str, float] = {}
        self._shifts: list[Shift] = []

    def apply(self, event: Event, wall: float) -> None:
        """Take in `event`, which happened at the Unix time `wall`."""
        if self._begin is None:
            self._begin = wall
        at = self._end = max(self._end, wall - self._begin)
        match event:
            case QueueJoined():
                self._visits[event.entry] = _Visit(at, event.queue, event.caller, event.priority)
            case QueueLeft() if (visit := self._visits.get(event.entry)) is not None and visit.waited < 0:
                visit.waited, visit.exit = event.waited, event.exit
            case TalkEnded() if (visit := self._visits.get(event.entry)) is not None:
                visit.talked = event.talked
            case OfferMade():
                self._offers[event.offer] = at
            case OfferEnded() if (begin := self._offers.pop(event.offer, None)) is not None:
                if event.outcome in self._outcomes:
                    self._outcomes[event.outcome] += 1
                if event.outcome == "answered":
                    self._rings.append(at - begin)
            case AgentStateChanged():
                self._take_state(event, at)
            case _:
                pass

    def replay(
        self, *, queues: Sequence[QueueSettings], agents: Sequence[AgentSettings], draw: Random
    ) -> Replay:
        """The day for a centre that has these queues and agents.

        Args:
            queues: The queues there are; callers of others are left out. The priority that a queue adds is
                taken to have been the same.
            agents: The agents there are.
            draw: What must be guessed comes from here.
        """
        added = {queue.name: queue.priority for queue in queues}
        people = {agent.name for agent in agents}
        talks = [visit.talked for visit in self._visits.values() if visit.talked >= 0] or [0.0]
        given_up = sum(visit.exit in GAVE_UP for visit in self._visits.values())
        waited = sum(visit.waited for visit in self._visits.values() if visit.waited > 0)
        mean = waited / given_up if given_up else inf
        lasting = (Shift(agent=name, begin=at, end=self._end) for name, at in self._at_work.items())
        shifts = [*self._shifts, *lasting]
        known = [visit for visit in self._visits.values() if visit.queue in added]
        strangers = {visit.queue for visit in self._visits.values()} - added.keys()
        strangers |= {shift.agent for shift in shifts} - people
        return Replay(
            arrivals=tuple(
                Arrival(
                    at=visit.joined,
                    queue=visit.queue,
                    handle=visit.talked if visit.talked >= 0 else draw.choice(talks),
                    patience=_patience(visit, mean, draw),
                    priority=visit.priority - added[visit.queue],
                    caller=visit.caller,
                )
                for visit in known
            ),
            shifts=tuple(sorted((s for s in shifts if s.agent in people), key=lambda s: (s.begin, s.agent))),
            phone=self._phone(),
            left_out=tuple(sorted(strangers)),
        )

    def _take_state(self, event: AgentStateChanged, at: float) -> None:
        if event.after in _AWAY:
            begin = self._at_work.pop(event.agent, None)
            if begin is not None and at > begin:
                self._shifts.append(Shift(agent=event.agent, begin=begin, end=at))
        else:
            # Who was at work when the log begins is so from its begin on.
            self._at_work.setdefault(event.agent, at if event.before in _AWAY else 0.0)

    def _phone(self) -> Phone:
        offers = sum(self._outcomes.values())
        if not offers:
            return Phone()
        refused = self._outcomes["declined"] + self._outcomes["busy"]
        return Phone(
            delay=sum(self._rings) / len(self._rings) if self._rings else 0.0,
            declines=refused / offers,
            misses=self._outcomes["no_answer"] / offers,
        )


def _patience(visit: _Visit, mean: float, draw: Random) -> float:
    if visit.exit in _OWN_ACCORD:
        return visit.waited
    return max(visit.waited, 0.0) + draw.expovariate(1.0 / mean) if mean < inf else inf
