"""One connection as the endpoint sees it: what has come of a message, and how long the rest may take."""

from __future__ import annotations

from sipcc.sip.parser import StreamParser
from sipcc.sip.transport.base import Flow

PATIENCE = {"header": 10.0, "body": 20.0}
"""Seconds in which the rest of what began on a stream must come: its headers, then its body."""


class Stream:
    """One connection: its parser and its deadline. A WebSocket, whose messages are whole, needs no parser."""

    __slots__ = ("deadline", "flow", "heaped", "parser", "waiting")

    def __init__(self, flow: Flow, *, tolerant: bool) -> None:
        self.flow = flow
        self.parser = StreamParser(tolerant=tolerant)
        self.waiting = "idle"
        self.heaped: float | None = None
        self.deadline: float | None = None

    @property
    def whole(self) -> bool:
        """True for a connection that carries messages instead of bytes."""
        return self.flow.transport in ("ws", "wss")

    def patience(self, idle: float, *, began: bool) -> float | None:
        """Seconds that the peer has from now on; None leaves the deadline as it is.

        `began` tells that a message began or ended; a slow peer gains no time by one more byte.
        """
        waiting = self.parser.waiting
        if not began and waiting == self.waiting:
            return None
        self.waiting = waiting
        return PATIENCE.get(waiting, idle)
