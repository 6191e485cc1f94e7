"""Two ends of a layer between socket and stream, joined without a socket."""

from __future__ import annotations

from typing import Protocol


class Layer(Protocol):
    """What the TLS and WebSocket layers have in common."""

    def to_send(self) -> bytes: ...

    def receive(self, data: bytes, *, now: float) -> list[bytes]: ...


def pump(client: Layer, server: Layer, *, step: int = 0) -> tuple[list[bytes], list[bytes]]:
    """Carry bytes until both are quiet, cut every `step` bytes; what each end got."""
    at_client: list[bytes] = []
    at_server: list[bytes] = []
    while True:
        there, back = client.to_send(), server.to_send()
        if not there and not back:
            return at_client, at_server
        for data, end, got in ((there, server, at_server), (back, client, at_client)):
            size = step or len(data) or 1
            for start in range(0, len(data), size):
                got += end.receive(data[start : start + size], now=0.0)
