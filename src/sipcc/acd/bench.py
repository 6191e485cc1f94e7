"""The free agents of one line while a decision is made.

Who is picked is taken out in next to no time, also where thousands are free, and nothing is worked out
before somebody asks: most decisions look at a few agents and make one offer.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import accumulate, groupby
from typing import Any, overload

from sipcc.acd.model import Agent, Entry, Line, Stage, Want
from sipcc.acd.plan import ABSENT, admitted, stage_at


class Free(Sequence[Agent]):
    """Free agents in an order, for a strategy to choose from; its own only until it has chosen."""

    def __init__(self, agents: Iterable[Agent], gone: Sequence[str]) -> None:
        """Take `agents`, none of them in `gone`; who comes to `gone` later is taken out by `settle`."""
        self._agents = list(agents)
        self._gone, self._seen = gone, len(gone)
        self._places: dict[str, int] | None = None
        """Where each stood when this was made; made when first asked for."""
        self._left: list[int] = []
        """The places of `_agents`."""
        self._shares: Shares | None = None
        self._asked = self._sorted = False

    def __len__(self) -> int:
        return len(self._agents)

    def __iter__(self) -> Iterator[Agent]:
        return iter(self._agents)

    @overload
    def __getitem__(self, index: int) -> Agent: ...

    @overload
    def __getitem__(self, index: slice) -> list[Agent]: ...

    def __getitem__(self, index: int | slice) -> Agent | list[Agent]:
        return self._agents[index]

    def settle(self) -> None:
        """Take out who is gone by now."""
        if self._seen == len(self._gone):
            return
        fresh = self._gone[self._seen :]
        self._seen = len(self._gone)
        if 4 * len(fresh) < len(self._agents):
            for name in fresh:
                self._take_out(name)
        else:
            names = set(fresh)
            self._agents = [agent for agent in self._agents if agent.name not in names]
            self._places = self._shares = None

    def has(self, name: str) -> bool:
        """True when `name` is one of these."""
        if self._places is None and not self._asked:
            self._asked = True  # once, it is quicker to look
            return any(agent.name == name for agent in self._agents)
        return name in self._known()

    def least(self, key: Callable[[Agent], Any], skip: Collection[str]) -> Agent:
        """The one with the least `key` that is not in `skip`; there must be one."""
        if not self._sorted:
            if not self._asked:
                self._asked = True  # once, it is quicker to look
                return min(self._but(skip), key=key)
            self._agents, self._sorted = sorted(self._agents, key=key), True
            self._places = self._shares = None
        return next(agent for agent in self._agents if agent.name not in skip)

    def without(self, names: Iterable[str]) -> list[Agent]:
        """All but `names`, who must be among these."""
        places, agents = self._known(), list(self._agents)
        for place in sorted((places[name] for name in names), reverse=True):
            del agents[bisect_left(self._left, place)]
        return agents

    def drawn(self, share: Callable[[Agent], float], bits: int, skip: Collection[str]) -> Agent:
        """The agent, none of `skip`, in whose part of the summed shares `bits` falls; see `draw`."""
        if self._shares is None:
            if not self._asked:
                self._asked = True
                agents = self._but(skip)
                return agents[draw([share(agent) for agent in agents], bits)]
            self._places = None
            self._shares = Shares([share(agent) for agent in self._agents])
        places = self._known()
        index = self._shares.draw(bits, [places[name] for name in skip])
        if index is None:
            agents = self.without(skip)
            return agents[bits % len(agents)]
        return self._agents[bisect_left(self._left, index)]

    def _but(self, skip: Collection[str]) -> list[Agent]:
        return [agent for agent in self._agents if agent.name not in skip] if skip else self._agents

    def _known(self) -> dict[str, int]:
        if self._places is None:
            self._places = {agent.name: place for place, agent in enumerate(self._agents)}
            self._left = list(range(len(self._agents)))
        return self._places

    def _take_out(self, name: str) -> None:
        place = self._known().pop(name, None)
        if place is None:
            return
        index = bisect_left(self._left, place)
        del self._left[index], self._agents[index]
        if self._shares is not None:
            self._shares.drop(place)


class Shares:
    """Shares of a draw, from which some are dropped; a tree of sums (Fenwick 1994).

    The sums are exact, in integers: what is dropped leaves nothing behind, and a share of 0 is never drawn.
    """

    def __init__(self, shares: Sequence[float]) -> None:
        """Take shares of 0 or more.

        Raises:
            OverflowError: one is infinite.
            ValueError: one is no number.
        """
        self._shares = whole(shares)
        self._tree = [0, *self._shares]
        self._total = sum(self._shares)
        for node in range(1, len(self._tree)):
            if (above := node + (node & -node)) < len(self._tree):
                self._tree[above] += self._tree[node]

    def draw(self, bits: int, skip: Sequence[int] = ()) -> int | None:
        """The index in whose part of the sum the 64 `bits` fall, as if `skip` were dropped.

        None for a sum of 0.
        """
        for index in skip:
            self._add(index, -self._shares[index])
        total, found = self._total, 0
        point, at = bits * total >> 64, 1 << len(self._tree).bit_length()
        while at := at >> 1:
            if found + at < len(self._tree) and self._tree[found + at] <= point:
                found += at
                point -= self._tree[found]
        for index in skip:
            self._add(index, self._shares[index])
        return found if total else None

    def drop(self, index: int) -> None:
        """Take a share out of the draw."""
        self._add(index, -self._shares[index])

    def _add(self, index: int, amount: int) -> None:
        self._total += amount
        node = index + 1
        while node < len(self._tree):
            self._tree[node] += amount
            node += node & -node


def draw(shares: Sequence[float], bits: int) -> int:
    """The index in whose part of the summed `shares` the 64 `bits` fall; if all are 0, each may be drawn."""
    sums = list(accumulate(whole(shares)))
    if not sums[-1]:
        return bits % len(sums)
    return bisect_right(sums, bits * sums[-1] >> 64)


def whole(shares: Sequence[float]) -> list[int]:
    """`shares` in integers of the same proportions."""
    ratios = [share.as_integer_ratio() for share in shares]
    scale = max((below for _, below in ratios), default=1)  # each is a power of two
    return [above * (scale // below) for above, below in ratios]


class Bench:
    """Who is free in one line."""

    def __init__(
        self,
        line: Line,
        free: Sequence[Agent],
        *,
        agents: Mapping[str, Agent],
        gone: Sequence[str],
        now: float,
    ) -> None:
        """Seat the free members.

        Args:
            line: The queue.
            free: Those of its members who are free, in member order.
            agents: Every agent by name.
            gone: Grows by the names of those who are picked, in this line or in another one.
            now: Seconds of the monotonic clock.
        """
        self.line = line
        self.last = line.last
        key = getattr(line.strategy, "key", None)
        # a plug-in's key, too, is asked once or twice for each free agent in a decision, not for each pick
        self.key: Callable[[Agent], Any] | None = partial(key, now=now) if key else None
        self.share: Callable[[Agent], float] | None = getattr(line.strategy, "share", None)
        self._agents, self._gone = agents, gone
        self._wanted: dict[tuple[int, int], list[Free]] = {}
        self._someone: dict[int, Agent | None] = {}
        self._free = Free(free, gone)
        self._all = [self._free]

    def took(self, name: str) -> None:
        """This line offers a caller to `name` now."""
        self.last = self._agents[name].order

    def stage(self, entry: Entry, *, now: float) -> Stage | None:
        """The stage of the caller's plan that counts; see `sipcc.acd.plan.stage_at`."""
        there = [self._there(stage.want) for stage in entry.plan if stage.skip_absent]
        return stage_at(entry, [agent for agent in there if agent is not None], now=now)

    def _there(self, want: Want) -> Agent | None:
        """One of the members who are there and whom `want` admits; looked for once for all its callers."""
        if id(want) not in self._someone:
            only = getattr(want, "only", "")
            names = self._members.intersection([only]) if only else self.line.members
            there = (agent for name in names if (agent := self._agents[name]).state not in ABSENT)
            self._someone[id(want)] = next((agent for agent in there if not want.why_not(agent)), None)
        return self._someone[id(want)]

    @cached_property
    def _members(self) -> frozenset[str]:
        return frozenset(self.line.members)

    def free(self, stage: Stage | None = None) -> list[Free]:
        """Who is still free, of those whom `stage` admits.

        With an order of the stage, those of each rank by themselves, best first; else all in one.
        """
        if stage is None:
            self._free.settle()
            return self._all
        if only := getattr(stage.want, "only", ""):
            self._free.settle()
            known = [self._agents[only]] if self._free.has(only) else []
            return [Free(admitted(stage, known).values(), self._gone)]
        # callers of one queue share what they want, so each agent is asked once
        ranks = self._wanted.setdefault((id(stage.want), id(stage.order)), [])
        if not ranks:
            self._free.settle()
            found = admitted(stage, self._free).values()
            groups = groupby(found, key=stage.order) if stage.order else [(None, iter(found))]
            ranks += [Free(group, self._gone) for _, group in groups] or [Free((), self._gone)]
        for free in ranks:
            free.settle()
        return ranks
