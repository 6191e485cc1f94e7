"""The one token bucket: how much of something may happen per second, and how much at once."""

from __future__ import annotations

from sipcc.errors import LocalProtocolError


class TokenBucket:
    """Holds at most `burst` tokens and gains `rate` of them per second; it begins full.

    Each method takes `now` in seconds of one monotonic clock; a `now` before the last one gains nothing.

    Raises:
        LocalProtocolError: `rate` is negative, or `burst` is not positive.
    """

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, rate: float, burst: float) -> None:
        if rate < 0 or burst <= 0:
            raise LocalProtocolError(f"no bucket has a rate of {rate} and a burst of {burst}")
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._at: float | None = None

    def take(self, now: float, cost: float = 1.0) -> bool:
        """Take `cost` tokens; False, and nothing is taken, when there are not so many."""
        tokens = self.level(now)
        if tokens < cost:
            return False
        self._tokens = tokens - cost
        return True

    def wait(self, now: float, cost: float = 1.0) -> float:
        """Seconds until `cost` tokens are there: 0 when they are, infinity when they never will be."""
        missing = cost - self.level(now)
        if missing <= 0:
            return 0.0
        if cost > self.burst or not self.rate:
            return float("inf")
        return missing / self.rate

    def level(self, now: float) -> float:
        """The tokens that are there at `now`."""
        at = self._at
        if at is None or now > at:
            if at is not None:
                self._tokens = min(self.burst, self._tokens + (now - at) * self.rate)
            self._at = now
        return self._tokens
