"""The small parts that tie an endpoint's halves to the transports and to the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipcc.sip.endpoint import Endpoint
    from sipcc.sip.transport.base import Flow


class Pumping:
    """The block in which many steps send their output together; it may be entered again within itself."""

    __slots__ = ("_endpoint", "depth")

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.depth = 0
        """How many blocks are open."""

    def __enter__(self) -> None:
        self.depth += 1

    def __exit__(self, *_: object) -> None:
        self.depth -= 1
        self._endpoint.pump()


class Forward:
    """The `Receiver` that transports are given before there is an inbound half."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def blocked(self, host: str) -> bool:
        """See `Receiver.blocked`."""
        return self._endpoint.inbound.blocked(host)

    def datagram_received(self, data: bytes, flow: Flow, waited: float | None = None) -> None:
        """See `Receiver.datagram_received`."""
        self._endpoint.inbound.datagram_received(data, flow, waited)

    def stream_received(self, data: bytes, flow: Flow) -> None:
        """See `Receiver.stream_received`."""
        self._endpoint.inbound.stream_received(data, flow)

    def message_received(self, data: bytes, flow: Flow) -> None:
        """See `Receiver.message_received`."""
        self._endpoint.inbound.message_received(data, flow)

    def flow_closed(self, flow: Flow, error: Exception | None) -> None:
        """See `Receiver.flow_closed`."""
        self._endpoint.inbound.flow_closed(flow, error)


class Heaps:
    """The three heaps of an endpoint as one core for the driver."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    @property
    def deadline(self) -> float | None:
        """Not later than the first deadline: looking for the exact one after each step would cost more."""
        endpoint = self._endpoint
        hints = (endpoint.layer.hint, endpoint.outbound.deadlines.hint, endpoint.inbound.deadlines.hint)
        return min((at for at in hints if at is not None), default=None)

    def expire(self, *, now: float) -> None:
        """Do what is due in all three."""
        self._endpoint.expire(now)
