"""What the endpoint asks its guard about everything that comes in, as a core.

Without a guard everything passes, as in a program that is a phone and not a switch.
"""

from __future__ import annotations

from collections import Counter

from sipcc.sip.frugal import shortened
from sipcc.sip.guard import Guard
from sipcc.sip.message import Response
from sipcc.sip.transport.base import Flow

_NOWHERE = frozenset({405, 481, 501})
"""Refusals that tell of somebody who looks for what we answer."""


class Gate:
    """The guard, and the size of the datagram that is being handled."""

    def __init__(self, counters: Counter[str]) -> None:
        self.guard: Guard | None = None
        self._counters = counters
        self._request_bytes = 0

    def takes(self, data: bytes, flow: Flow, *, now: float) -> bool:
        """False for a message that is one too many for its source; no answer is due.

        Responses pass: they find their transaction, or are an offence of their own.
        """
        self._request_bytes = 0 if flow.reliable else len(data)
        guard = self.guard
        if guard is None or data.startswith(b"SIP/2.0 "):
            return True
        banned = flow.reliable and guard.blocked(flow.remote.host, now=now)
        if not banned and guard.allow(flow, now=now):
            return True
        self._counters["rate_limited"] += 1
        return False

    def malformed(self, flow: Flow, *, now: float) -> None:
        """What came was no SIP."""
        if self.guard is not None:
            self.guard.tell(flow.remote.host, "malformed", now=now)

    def stray(self, flow: Flow, *, now: float) -> None:
        """A response came that nobody had asked for."""
        if self.guard is not None:
            self.guard.tell(flow.remote.host, "stray", now=now)

    def refused(self, flow: Flow, method: str, status: int, *, now: float) -> None:
        """A request was refused before anybody was asked."""
        if self.guard is not None and status in _NOWHERE:
            self.guard.got_nowhere(flow.remote.host, method, now=now)

    def frugal(self, answer: Response, flow: Flow, *, now: float) -> Response | None:
        """`answer` as a stranger may have it: not much longer than the datagram that it answers, or None."""
        guard = self.guard
        if guard is None or flow.reliable or not self._request_bytes:
            return answer
        if guard.class_of(flow.remote.host, now=now) != "stranger":
            return answer
        return shortened(answer, self._request_bytes)
