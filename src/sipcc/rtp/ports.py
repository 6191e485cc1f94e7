"""Which UDP ports are free: even and odd pairs for RTP and RTCP (RFC 3550 §11), in random order.

Random order makes the port of the next call hard to guess; a pair that was used rests for a while, so that
late packets of the old call do not reach a new one. Resting is a preference: a call is not refused while
only resting pairs are left, for the source rules of `sipcc.rtp.latch` hold without it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection

from sipcc.errors import PortsExhausted

REST_S = 5.0


class PortPool:
    """The pairs of one range."""

    def __init__(self, low: int, high: int, *, random: Callable[[], float], rest_s: float = REST_S) -> None:
        """Use the pairs that lie whole within `low`..`high`; `random` gives 0 <= x < 1.

        Raises:
            ValueError: the range holds no pair or is not within 1..65535.
        """
        if not (1 <= low <= high <= 65535):
            raise ValueError(f"not a port range: {low}-{high}")
        self._free = list(range(low + low % 2, high, 2))
        if not self._free:
            raise ValueError(f"no even/odd pair in {low}-{high}")
        self._capacity = len(self._free)
        self._random = random
        self._rest_s = rest_s
        self._resting: deque[tuple[float, int]] = deque()
        self._used: set[int] = set()

    def __len__(self) -> int:
        """Pairs in use."""
        return len(self._used)

    @property
    def capacity(self) -> int:
        """Pairs in the range."""
        return self._capacity

    def take(self, *, now: float) -> int:
        """Take a pair out and return its even port.

        Raises:
            PortsExhausted: every pair is in use.
        """
        while self._resting and self._resting[0][0] <= now:
            self._free.append(self._resting.popleft()[1])
        if self._free:
            index = int(self._random() * len(self._free))
            self._free[index], self._free[-1] = self._free[-1], self._free[index]
            port = self._free.pop()
        elif self._resting:
            port = self._resting.popleft()[1]
        else:
            raise PortsExhausted(f"all {self._capacity} RTP port pairs are in use")
        self._used.add(port)
        return port

    def reserve(self, ports: Collection[int]) -> None:
        """Take pairs out that are open already."""
        wanted = set(ports)
        self._used |= wanted & set(self._free)
        self._free = [port for port in self._free if port not in wanted]

    def give_back(self, port: int, *, now: float) -> None:
        """Let a pair rest; also for one that could not be bound. A pair not taken is left alone."""
        if port in self._used:
            self._used.remove(port)
            self._resting.append((now + self._rest_s, port))
