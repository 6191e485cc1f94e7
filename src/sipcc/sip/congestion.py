"""What the inbound half does when we are too slow: measures how long new requests wait, and refuses some.

Datagrams come with the time that they have waited (`sipcc.sip.transport.udp`). What comes on a stream has
waited for about as long as one turn of the loop takes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sipcc.sip.shedding import Shedder, dialled

if TYPE_CHECKING:
    from sipcc.sip.endpoint import Endpoint
    from sipcc.sip.message import Request
    from sipcc.sip.transport.base import Flow


class Congestion:
    """The overload of one endpoint, as its inbound half asks about it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._shedder = Shedder(f"{endpoint.ids.bits(64):016x}")
        self._pause: int | None = None
        self._turn = 0.0
        self._timing = False

    def is_stray_ack(self, data: bytes) -> bool:
        """True for the ACK to a refusal that was made without reading."""
        return self._shedder.is_ack(data)

    def datagram(self, data: bytes, flow: Flow, waited: float | None) -> bytes | None:
        """The answer to a datagram that is refused unread; None lets it go on.

        `waited` is None for all but requests that open something.
        """
        self._pause = None
        if waited is None or self._endpoint.overload is None:
            return None
        self._pause = self._judge(waited, dialled(data), stream=False)
        if self._pause is None and self._shedder.was_refused(data, now=self._endpoint.clock.now()):
            self._pause = 1
        if self._pause is None:
            return None
        known = self._endpoint.layer.serves
        return self._shedder.refusal(data, flow.remote, self._pause, known=known)

    def stream(self) -> None:
        """Something came on a stream."""
        if not self._timing:
            self._timing = True
            asyncio.get_running_loop().call_soon(self._turned, self._endpoint.clock.now())

    def request(self, request: Request, flow: Flow) -> int | None:
        """Seconds of Retry-After when a request that was read has to be refused, else None."""
        if request.method == "OPTIONS":
            return None
        return self._judge(self._turn, request.uri.user, stream=True) if flow.reliable else self._pause

    def _turned(self, since: float) -> None:
        self._timing = False
        self._turn = self._endpoint.clock.now() - since

    def _judge(self, waited: float, number: str, *, stream: bool) -> int | None:
        overload, now = self._endpoint.overload, self._endpoint.clock.now()
        if overload is None:
            return None
        overload.note(waited, now=now, stream=stream)
        pause = overload.refuses(number, now=now, stream=stream)
        if pause is not None:
            self._endpoint.counters["shed"] += 1
        return pause
