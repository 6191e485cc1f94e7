"""What passes between a pool and a worker besides verbs, and which orders are known to be followed.

Either end may die and be replaced while calls go on. A link begins with the worker's word: what ports it
has, whose orders it follows and how many it has followed. A pool that gave those orders sends what is
missing again; another one says who leads from now on. So an order is followed once, whoever died when.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec

from sipcc.rtp import wire
from sipcc.rtp.load import EngineLoad


class Lead(msgspec.Struct, frozen=True, tag="lead"):
    """Follow my orders from now on; `done` of them are not sent again."""

    epoch: int
    """A number that no other pool has; never 0."""
    done: int


class Done(msgspec.Struct, frozen=True, tag="done"):
    """So many orders were followed, and what came of them is told."""

    count: int


class LoadNow(msgspec.Struct, frozen=True, tag="load"):
    """How busy the worker is, once a second."""

    load: EngineLoad


class StandingPort(msgspec.Struct, frozen=True):
    """A port that is open, with the verbs in force: enough to go on with it."""

    port: str
    host: str
    number: int
    commands: tuple[wire.Command, ...] = ()


class Standing(msgspec.Struct, frozen=True, tag="standing"):
    """First message of a worker on a link."""

    epoch: int
    """Whose orders it follows; 0 for nobody's."""
    done: int
    ports: tuple[StandingPort, ...]
    life: int = 0
    """Tells this process from the one before it, whose figures are not in its own."""


ToWorker = wire.ToWorker | Lead
FromWorker = wire.FromWorker | Standing | Done | LoadNow


class Orders:
    """The orders of a pool to one worker, in a row, until the worker has followed them."""

    def __init__(self) -> None:
        self.count = 0
        self._open: deque[wire.Open | wire.Command] = deque()

    def add(self, order: wire.Open | wire.Command) -> None:
        """One more."""
        self.count += 1
        self._open.append(order)

    @property
    def done(self) -> int:
        """How many were followed."""
        return self.count - len(self._open)

    def follow(self, count: int) -> None:
        """The worker has followed the first `count`."""
        for _ in range(min(count - self.done, len(self._open))):
            self._open.popleft()

    def open(self) -> Iterable[wire.Open | wire.Command]:
        """Those not known to be followed, in order."""
        return tuple(self._open)

    def clear(self) -> None:
        """Give up what was not followed."""
        self._open.clear()
