"""Keeps the records of a living worker up to date (`sipcc.rtp.journal`).

The order matters when the worker dies in between: what happened is told before it is recorded, so that a
successor tells it twice rather than never; but a port is recorded before it is told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import partial

from sipcc.rtp import wire
from sipcc.rtp.engine import MediaCore
from sipcc.rtp.inherit import record_of_port
from sipcc.rtp.journal import ROOM_VERBS, Memory, PortBook, PortRecord
from sipcc.rtp.link import StandingPort
from sipcc.rtp.settings import MediaSettings


class Legacy:
    """What this worker would leave if it died now."""

    def __init__(self, core: MediaCore, memory: Memory, settings: MediaSettings) -> None:
        self._core = core
        self._memory = memory
        self._host = settings.public_host
        self._first = settings.ports[0] + settings.ports[0] % 2
        self._book = PortBook()
        self._numbers: dict[str, int] = {}
        self._changed: set[str] = set()
        self._moved: set[str] = set()
        """Ports whose rooms have changed: all who are in them are recorded anew."""
        self._orders = memory.orders
        self.orders_changed = False
        """True until the orders that were followed are recorded."""

    @property
    def orders(self) -> tuple[int, int]:
        """Whose orders were followed, and how many."""
        return self._orders

    @orders.setter
    def orders(self, orders: tuple[int, int]) -> None:
        self._orders = orders
        self.orders_changed = True

    # -- what happens -------------------------------------------------------------------------------------

    def begin(self, port: str, now: float) -> tuple[str, tuple[int, int]] | None:
        """A port was opened: record it at once. Returns the name and handles of its sockets."""
        sockets = self._core.sockets_of(port)
        if sockets is None:
            return None
        self._numbers[port] = sockets.number
        self._follow(port)
        self._record(port, now)
        return str(sockets.number), sockets.handles

    def _follow(self, port: str) -> None:
        session = self._core.session_of(port)
        if session is not None:
            session.line.on_anchor = partial(self._changed.add, port)

    def _record(self, port: str, now: float) -> None:
        record = record_of_port(self._core, port, self._book.commands(port), at=now)
        if record is not None and port in self._numbers:
            self._memory.write((record.number - self._first) // 2, record)

    def note(self, command: wire.Command) -> None:
        """A verb was ordered."""
        self._book.note(command)
        self._changed.add(command.port)
        if type(command).__name__ in ROOM_VERBS:
            self._moved.update(self._neighbours(command.port))
            self._moved.update((command.port, getattr(command, "other", command.port)))

    def _neighbours(self, port: str) -> list[str]:
        """Who shares a room with a port; their records name each other."""
        session = self._core.session_of(port)
        return [] if session is None or session.room is None else list(session.room.members)

    def told(self, event: wire.FromWorker) -> str:
        """Something happened; the name of the sockets when a port is gone."""
        if isinstance(event, wire.Closed):
            number = self._numbers.pop(event.port, None)
            self._changed.discard(event.port)
            if number is None:
                return ""
            self._memory.clear((number - self._first) // 2)
            return str(number)
        self._book.told(event)
        port = getattr(event, "port", None)
        if isinstance(port, str):
            self._changed.add(port)
        return ""

    def renew(self, ports: Iterable[str]) -> None:
        """It is the turn of these ports."""
        self._changed.update(ports)

    def write(self, now: float) -> None:
        """Record what has changed, and how far orders were followed."""
        for port in self._moved:
            self._changed.update((port, *self._neighbours(port)))
        self._moved.clear()
        if self._changed:
            for port in self._changed:
                self._record(port, now)
            self._changed.clear()
        if self.orders_changed:
            self._memory.orders = self._orders
            self.orders_changed = False

    # -- from one life to the next ------------------------------------------------------------------------

    def read(self, names: Collection[str]) -> Iterator[tuple[str, PortRecord]]:
        """The records whose sockets are there, with the names of the sockets."""
        places = [(int(name) - self._first) // 2 for name in names if name.isdecimal()]
        for record in self._memory.read(places):
            if str(record.number) in names:
                yield str(record.number), record

    def adopt(self, records: Iterable[PortRecord]) -> None:
        """Go on with ports that another worker left."""
        for record in records:
            self._numbers[record.port] = record.number
            self._follow(record.port)
            for command in record.commands:
                self._book.note(command)
            self._changed.add(record.port)

    def sockets(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Names and handles of the sockets of all ports."""
        for port, number in self._numbers.items():
            sockets = self._core.sockets_of(port)
            if sockets is not None:
                yield str(number), sockets.handles

    def standing(self) -> tuple[StandingPort, ...]:
        """All ports, for whoever commands from now on."""
        return tuple(
            StandingPort(port, self._host, number, self._book.commands(port))
            for port, number in self._numbers.items()
        )
