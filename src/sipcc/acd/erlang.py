"""How many agents a queue needs, by the three formulas of teletraffic theory.

- Erlang B: nobody waits; who finds all agents busy is lost.
- Erlang C: everybody waits for ever (M/M/n).
- Erlang A: waiting callers give up after an exponential time (Palm's M/M/n+M). It is the one to staff by,
  because C says too many agents and knows nothing of an overload.

All three assume Poisson arrivals and exponential handling times. Times are seconds. Sources: A. K. Erlang,
"Solution of some problems in the theory of probabilities of significance in automatic telephone
exchanges", 1917; F. Baccelli and G. Hebuterne, "On queues with impatient customers", 1981, for the density
of the offered wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, exp, expm1, inf, log

import msgspec

from sipcc.errors import LocalProtocolError

_PANELS = 2000
_DEPTH = 40.0
"""Where the density has fallen to exp(-40) of its peak, the integral ends."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What comes to a queue."""

    rate: float
    """Callers per second."""
    handle: float
    """Mean handling time: talk and wrap-up."""
    patience: float = inf
    """Mean time after which a waiting caller gives up; infinite for Erlang C."""

    @property
    def erlangs(self) -> float:
        """The offered load: how many agents would be busy if nobody ever waited."""
        return self.rate * self.handle


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """What callers and agents may expect."""

    waiting: float
    """Probability of not being answered at once."""
    asa: float
    """Mean wait of those who are answered; infinite when the line grows without end."""
    service_level: float
    """Answered within T / all callers."""
    abandoned: float
    """Gave up / all callers."""
    occupancy: float
    """Share of an agent's time that is spent on callers."""


def erlang_b(erlangs: float, agents: int) -> float:
    """Probability of finding all of `agents` busy when nobody waits."""
    lost = 1.0
    for busy in range(1, agents + 1):
        lost = erlangs * lost / (busy + erlangs * lost)
    return lost


def erlang_c(erlangs: float, agents: int) -> float:
    """Probability of having to wait when nobody gives up; 1 when there are too few agents for the load."""
    if erlangs >= agents:
        return 1.0
    lost = erlang_b(erlangs, agents)
    return agents * lost / (agents - erlangs * (1.0 - lost))


def performance(load: Load, agents: int, *, within: float) -> Performance:
    """What `agents` agents make of `load`, with `within` as T of the service level.

    Raises:
        LocalProtocolError: a figure is out of its range.
    """
    _check(load, agents=agents, within=within)
    if load.erlangs == 0.0:
        return Performance(waiting=0.0, asa=0.0, service_level=1.0, abandoned=0.0, occupancy=0.0)
    if agents == 0:
        lost = 0.0 if load.patience == inf else 1.0
        return Performance(waiting=1.0, asa=inf, service_level=0.0, abandoned=lost, occupancy=0.0)
    return _patient(load, agents, within) if load.patience == inf else _impatient(load, agents, within)


def _patient(load: Load, agents: int, within: float) -> Performance:
    spare = agents - load.erlangs
    if spare <= 0.0:
        return Performance(waiting=1.0, asa=inf, service_level=0.0, abandoned=0.0, occupancy=1.0)
    waiting = erlang_c(load.erlangs, agents)
    return Performance(
        waiting=waiting,
        asa=waiting * load.handle / spare,
        service_level=1.0 - waiting * exp(-spare * within / load.handle),
        abandoned=0.0,
        occupancy=load.erlangs / agents,
    )


def _impatient(load: Load, agents: int, within: float) -> Performance:
    """Erlang A by the offered wait V, the wait of a caller who never gives up.

    V has the density ``rate * p * exp(h(x))`` for x > 0 with ``h(x) = rate * patience * (1 - exp(-x /
    patience)) - x * agents / handle`` and p the probability of agents - 1 callers inside. A caller with
    V = x is answered with probability exp(-x / patience); as ``rate * exp(-x / patience) * exp(h)`` is
    ``(exp h)' + agents / handle * exp h``, all that is asked follows from the integrals of exp(h) and of
    x * exp(h). They are scaled by the peak of h.
    """
    served = agents / load.handle
    wait = _Wait(load, served)
    lost = erlang_b(load.erlangs, agents - 1)
    at_once = wait.unit  # weight of V = 0, where the weight of V in dx is lost * rate * exp(h) dx
    area, moment = wait.integrals(inf)
    total = at_once + lost * load.rate * area
    answered = at_once + lost * (served * area - wait.unit)
    area_in_time, _ = wait.integrals(within)
    in_time = at_once + lost * (wait.height(within) - wait.unit + served * area_in_time)
    return Performance(
        waiting=lost * load.rate * area / total,
        asa=max(0.0, lost * (served * moment - area) / answered),
        service_level=min(1.0, max(0.0, in_time / total)),
        abandoned=min(1.0, max(0.0, 1.0 - answered / total)),
        occupancy=min(1.0, load.erlangs / agents * answered / total),
    )


class _Wait:
    """exp(h(x) - max h): the shape of the offered wait's density."""

    def __init__(self, load: Load, served: float) -> None:
        self._load, self._served = load, served
        peak = load.patience * log(load.rate / served) if load.rate > served else 0.0
        self._top = 0.0
        self._top = self._log(peak)
        self.unit = exp(-self._top)
        """The height at x = 0, where h is 0."""
        step = 1.0 / served
        while self._log(peak + step) > -_DEPTH:
            step *= 2.0
        self._end = self._edge(peak, peak + step)
        self._begin = self._edge(peak, 0.0) if self._log(0.0) < -_DEPTH else 0.0

    def _log(self, x: float) -> float:
        load = self._load
        return -load.rate * load.patience * expm1(-x / load.patience) - x * self._served - self._top

    def _edge(self, inside: float, outside: float) -> float:
        for _ in range(60):
            middle = (inside + outside) / 2.0
            if self._log(middle) > -_DEPTH:
                inside = middle
            else:
                outside = middle
        return outside

    def height(self, x: float) -> float:
        return exp(self._log(x))

    def integrals(self, until: float) -> tuple[float, float]:
        """The integrals of the height and of x times the height, from 0, by Simpson's rule."""
        begin, end = self._begin, min(until, self._end)
        if end <= begin:
            return 0.0, 0.0
        step = (end - begin) / _PANELS
        area = moment = 0.0
        for index in range(_PANELS + 1):
            x = begin + index * step
            weight = self.height(x) * (1 if index in (0, _PANELS) else 4 if index % 2 else 2)
            area += weight
            moment += weight * x
        return area * step / 3.0, moment * step / 3.0


def agents_needed(
    load: Load, *, target: float, within: float, abandoned: float = 1.0, occupancy: float = 1.0
) -> int:
    """The smallest number of agents that meets all that is asked.

    Args:
        load: What comes.
        target: Service level to reach, 0 to 0.9999.
        within: T of the service level.
        abandoned: Largest share of callers who may give up.
        occupancy: Largest occupancy of the agents.

    Raises:
        LocalProtocolError: a figure is out of its range.
    """
    _check(load, agents=0, within=within)
    if not 0.0 <= target <= 0.9999:
        raise LocalProtocolError(f"the service level to reach is {target}; it must be from 0 to 0.9999")
    if not 0.0 < abandoned <= 1.0 or not 0.0 < occupancy <= 1.0:
        raise LocalProtocolError("the largest abandonment and occupancy must be above 0 and at most 1")

    def enough(agents: int) -> bool:
        found = performance(load, agents, within=within)
        return found.service_level >= target and found.abandoned <= abandoned and found.occupancy <= occupancy

    low, high = -1, 1
    while not enough(high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def staffing(
    offered: Sequence[float],
    *,
    handle: float,
    target: float,
    within: float,
    interval: float = 1800.0,
    patience: float = inf,
    shrinkage: float = 0.0,
) -> list[int]:
    """How many agents must be on the roster in each interval.

    Args:
        offered: Callers in each interval.
        handle: Mean handling time.
        target: Service level to reach.
        within: T of the service level.
        interval: Length of an interval.
        patience: Mean patience; infinite for Erlang C.
        shrinkage: Share of the paid time in which an agent is not there for callers, 0 to below 1.

    Raises:
        LocalProtocolError: a figure is out of its range.
    """
    if not 0.0 <= shrinkage < 1.0:
        raise LocalProtocolError(f"the shrinkage is {shrinkage}; it must be from 0 to below 1")
    if not 0.0 < interval < inf:
        raise LocalProtocolError(f"the interval is {interval} s; it must be above 0")
    loads = [Load(rate=callers / interval, handle=handle, patience=patience) for callers in offered]
    needed = [agents_needed(load, target=target, within=within) for load in loads]
    return [ceil(agents / (1.0 - shrinkage) - 1e-9) for agents in needed]


def _check(load: Load, *, agents: int, within: float) -> None:
    if not 0.0 <= load.rate < inf:
        raise LocalProtocolError(f"{load.rate} callers per second; the rate must be 0 or more")
    if not 0.0 < load.handle < inf:
        raise LocalProtocolError(f"the handling time is {load.handle} s; it must be above 0")
    if not load.patience > 0.0:
        raise LocalProtocolError(f"the patience is {load.patience} s; it must be above 0")
    if agents < 0 or not 0.0 <= within < inf:
        raise LocalProtocolError("agents and the time of the service level must be 0 or more")
