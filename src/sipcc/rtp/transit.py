"""How long packets travel, over the last two seconds, and how long an ear should therefore wait for them.

A transit is the arrival of a packet less its place on the time line, in seconds; only differences between
transits mean anything. The need covers the 95th percentile and a margin. What one straggler needed is
remembered for a while, up to a limit: a path that reorders packets now and then will do it again.
"""

from __future__ import annotations

MARGIN_S = 0.003
MAX_MARGIN_S = 0.008
MARGIN_SHARE = 0.5
"""The margin beyond the 95th percentile, as a share of what lies between that and the median."""
LONE_S = 0.045
"""One straggler makes the delay no longer than this."""
MEMORY_S = 30.0
FIRST_LOOK_S = 5.0
"""For so long a new stream is watched before its delay becomes less than it began with."""
MAX_TRANSITS = 400
ENOUGH = 10
MANY = 60


class Transits:
    """The transits of one stream."""

    __slots__ = ("_before", "_floor", "_floor_until", "arrivals", "low", "need")

    def __init__(self) -> None:
        self.arrivals: list[float] = []
        """Those of the present second; who appends here heeds `MAX_TRANSITS`."""
        self._before: list[float] = []
        self.low = 0.0
        """The 5th percentile: of a packet that nothing delayed."""
        self.need = 0.0
        """The transit that the line should be able to wait for."""
        self._floor = 0.0
        self._floor_until = float("-inf")

    @property
    def known(self) -> bool:
        """True when there is a second to go by."""
        return bool(self._before)

    def clear(self) -> None:
        """Forget all: the stream or its time line is another one."""
        self.arrivals.clear()
        self._before.clear()
        self._floor_until = float("-inf")

    def note(self, transit: float) -> bool:
        """Take one; false when there are too many to take any notice."""
        if len(self.arrivals) >= MAX_TRANSITS:
            return False
        self.arrivals.append(transit)
        return True

    def begin(self, low: float, need: float, *, now: float) -> None:
        """Begin anew with what the first packets say, and do not go below that for a while."""
        self.clear()
        self.low = low
        self.need = self._floor = need
        self._floor_until = now + FIRST_LOOK_S

    def remember(self, transit: float, *, now: float) -> None:
        """A packet was late, or overtaken: cover what it needs, within bounds, for some time to come."""
        floor = min(transit + MARGIN_S, self.low + LONE_S)
        self._floor = max(self._floor, floor) if now < self._floor_until else floor
        self._floor_until = max(self._floor_until, now + MEMORY_S)
        self.need = max(self.need, self._floor)

    def look(self, *, now: float) -> bool:
        """Work out `low` and `need`; false while there is too little to go by."""
        window = sorted(self._before + self.arrivals)
        count = len(window)
        if not count:
            return False
        self.low = window[count // 20]
        high = window[count * 95 // 100]
        # of a few, the largest is far out already
        margin = MARGIN_SHARE * (high - window[count // 2]) if count >= MANY else 0.0
        self.need = high + min(max(margin, MARGIN_S), MAX_MARGIN_S)
        if now < self._floor_until:
            self.need = max(self.need, self._floor)
        return count >= ENOUGH

    def turn(self, *, now: float) -> bool:
        """End a second: look, and let the second before it go."""
        known = self.look(now=now)
        self._before = self.arrivals[:]
        self.arrivals.clear()
        return known
