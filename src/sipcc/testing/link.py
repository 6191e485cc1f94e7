"""What a network does to packets, decided purely: loss, delay, duplication, reordering; and a NAT.

Both are cores: they hold no socket and read no clock, so a test of a test is as plain as any other.
"""

from __future__ import annotations

import random

import msgspec

from sipcc.sip.transport.base import Address

REORDER_DELAY_S = 0.03
"""How much later a reordered packet arrives: behind the next packet of a 20 ms stream."""

STREAM_LOSS_DELAY_S = 0.2
"""A lost segment of a stream is not lost but late: the shortest retransmission time-out of Linux."""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """The qualities of one direction between two hosts. Fractions are 0..1."""

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    delay: float = 0.0
    """Seconds from sending to arrival."""
    jitter: float = 0.0
    """Up to this many more seconds, evenly spread."""
    segment_bytes: int = 0
    """Streams only: cut what is sent into pieces of at most this many bytes; 0 leaves it whole."""

    def arrivals(self, dice: random.Random) -> list[float]:
        """Seconds until each copy of one datagram arrives; empty when it is lost."""
        if self.loss and dice.random() < self.loss:
            return []
        copies = 2 if self.duplicate and dice.random() < self.duplicate else 1
        return [self._travel(dice) for _ in range(copies)]

    def stream_delay(self, dice: random.Random) -> float:
        """Seconds until one segment of a stream arrives; loss makes it late."""
        late = STREAM_LOSS_DELAY_S if self.loss and dice.random() < self.loss else 0.0
        return self.delay + late + (dice.random() * self.jitter if self.jitter else 0.0)

    def segments(self, data: bytes) -> list[bytes]:
        """`data` in the pieces in which a stream delivers it."""
        size = self.segment_bytes or len(data) or 1
        return [data[start : start + size] for start in range(0, len(data), size)]

    def _travel(self, dice: random.Random) -> float:
        late = REORDER_DELAY_S if self.reorder and dice.random() < self.reorder else 0.0
        return self.delay + late + (dice.random() * self.jitter if self.jitter else 0.0)


class Nat:
    """A NAT that filters by address and port (RFC 4787 §4.1, §5).

    A packet passes inwards only from where the inside has sent to, within `life` seconds of the last
    packet out. The common kind maps an inside address to one port for everybody; a `symmetric` one has
    another port for each peer, and a new one after each silence of `life` seconds.
    """

    def __init__(
        self, public_host: str, inside: frozenset[str], *, life: float = 60.0, symmetric: bool = False
    ) -> None:
        self.public_host = public_host
        self.inside = inside
        self.life = life
        self.symmetric = symmetric
        self.reboots = 0
        """How often it has lost its mappings."""
        self._next_port = 61000
        self._public_port: dict[tuple[Address, Address | None], int] = {}
        self._inside_of: dict[int, Address] = {}
        self._last_out: dict[tuple[int, Address], float] = {}

    def outbound(self, source: Address, target: Address, *, now: float) -> Address:
        """The source that the outside sees for a packet from `source` to `target`."""
        key = (source, target if self.symmetric else None)
        port = self._public_port.get(key, 0)
        silent = self.symmetric and now - self._last_out.get((port, target), now) > self.life
        if not port or silent:
            self._inside_of.pop(port, None)
            self._last_out.pop((port, target), None)
            port = self._public_port[key] = self._next_port
            self._inside_of[port] = source
            self._next_port += 1
        self._last_out[port, target] = now
        return Address(self.public_host, port)

    def inbound(self, source: Address, target: Address, *, now: float) -> Address | None:
        """Where inside a packet from `source` to our public `target` goes; None when it is filtered."""
        last = self._last_out.get((target.port, source))
        if last is None or now - last > self.life:
            return None
        return self._inside_of[target.port]

    def forget(self) -> None:
        """Lose all mappings, as a reboot does; later packets out get new ports, and streams are lost."""
        self.reboots += 1
        self._public_port.clear()
        self._inside_of.clear()
        self._last_out.clear()
