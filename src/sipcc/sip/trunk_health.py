"""Whether a carrier can take calls, as a core: OPTIONS pings, a circuit breaker, and its own Retry-After.

Three things can speak against a trunk, and each has its own way back:

| said by | down when | up when |
|---|---|---|
| pings | `down_after` in a row are bad | `up_after` in a row are good |
| calls | `break_after` in a row failed for its sake | a trial call after `break_for` is answered |
| the trunk | 503 with Retry-After | that time is over |

What the called party says (busy, not found, declined) is a good sign: the trunk has done its work.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from sipcc.bucket import TokenBucket
from sipcc.sip.settings import TrunkSettings

BAD_STATUSES = frozenset({408, 503})
"""Answers that speak against the trunk itself; so does none at all."""

MAX_RETRY_AFTER = 600.0
"""Seconds that a Retry-After is heeded at most: some switches say an hour for a moment's load."""

LONGEST_BREAK = 10.0
"""A break grows to this many times `break_for`, doubled by each trial that fails."""

JITTER = 0.1
"""Each ping comes this much earlier or later, by chance, so that many trunks do not ping together."""


class HealthChanged(msgspec.Struct, frozen=True):
    """The trunk went up or down."""

    up: bool
    why: str


class TrunkHealth:
    """One trunk. `chance` gives a number from 0 up to 1."""

    def __init__(self, trunk: TrunkSettings, *, chance: Callable[[], float]) -> None:
        self.up = True
        """Whether calls may be sent there; True until something speaks against it."""
        self.why = ""
        """What speaks against it, in words."""
        self._settings = trunk.health
        self._chance = chance
        rate = trunk.calls_per_second
        self._bucket = TokenBucket(rate, max(1.0, rate)) if rate else None
        self.ping_at: float | None = None
        """When the next ping goes out; None when there are none."""
        self._pings_due = 0
        self._pings_bad = False
        self._run = 0
        self._failures = 0
        self._broken_until: float | None = None
        self._break_for = trunk.health.break_for
        self._trial_out = False
        self._told_until: float | None = None
        self._events: list[HealthChanged] = []

    # -- time -----------------------------------------------------------------------------------------

    def start(self, *, now: float) -> None:
        """Begin to ping, the first time somewhere within the first interval."""
        if self._settings.ping:
            self.ping_at = now + self._settings.ping * self._chance()

    def stop(self) -> None:
        """Ping no more."""
        self.ping_at = None

    @property
    def deadline(self) -> float | None:
        """When `expire` wants to be called, or None."""
        found = [at for at in (self.ping_at, self._told_until) if at is not None]
        return min(found) if found else None

    def expire(self, *, now: float) -> None:
        """Make the ping that is due, and end the time that the trunk asked for."""
        if self.ping_at is not None and now >= self.ping_at:
            self._pings_due += 1
            self.ping_at = now + self._settings.ping * (1 + JITTER * (2 * self._chance() - 1))
        if self._told_until is not None and now >= self._told_until:
            self._told_until = None
            self._settle("its Retry-After is over")

    def to_send(self) -> int:
        """How many pings are to be sent since the last call: 0 or 1, more only after a long sleep."""
        due, self._pings_due = self._pings_due, 0
        return due

    def events(self) -> list[HealthChanged]:
        """Changes since the last call, in order."""
        events, self._events = self._events, []
        return events

    # -- pings ----------------------------------------------------------------------------------------

    def pinged(self, status: int | None, *, now: float, retry_after: float | None = None) -> None:
        """A ping was answered with `status`, or by nobody."""
        bad = status is None or status in BAD_STATUSES
        if status == 503 and retry_after:
            self._told(retry_after, now)
        self._run = self._run + 1 if bad != self._pings_bad else 0
        wanted = self._settings.down_after if bad else self._settings.up_after
        if bad == self._pings_bad or self._run < wanted:
            return
        self._pings_bad, self._run = bad, 0
        if not bad:
            self._close()  # who comes back from the dead has a right to a new start
        self._settle(f"{wanted} OPTIONS in a row {'failed' if bad else 'were answered'}")

    # -- calls ----------------------------------------------------------------------------------------

    def admits(self, *, now: float) -> bool:
        """True when a call may be sent now; the caller must then send one, and tell how it went.

        Takes from the calls per second, and is the one trial call when a break is over.
        """
        if self._pings_bad or self._told_until is not None:
            return False
        trial = self._broken_until is not None
        if self._broken_until is not None and (now < self._broken_until or self._trial_out):
            return False
        if self._bucket is not None and not self._bucket.take(now):
            return False
        self._trial_out = trial
        return True

    def refusal(self, *, now: float) -> str:
        """Why `admits` says no, in words."""
        if not self.up:
            return self.why
        return "more calls per second than it takes"

    def called(self, status: int | None, *, now: float, retry_after: float | None = None) -> None:
        """A call had its first answer that tells something, or failed without one (None).

        `status` is that of a provisional above 100, or the final one.
        """
        if status is not None and status not in BAD_STATUSES:
            self._failures = 0
            if self._broken_until is not None:
                self._close()
                self._settle("a trial call was answered")
            return
        if status == 503 and retry_after:
            self._told(retry_after, now)
        self._failures += 1
        if self._broken_until is not None:
            if self._trial_out:  # calls from before the break tell nothing new
                self._trial_out = False
                longest = LONGEST_BREAK * self._settings.break_for
                self._break_for = min(2 * self._break_for, longest)
                self._broken_until = now + self._break_for
        elif self._settings.break_after and self._failures >= self._settings.break_after:
            self._broken_until = now + self._break_for
            self._settle(f"{self._failures} calls in a row failed, the last with {status or 'no answer'}")

    def started(self, *, now: float) -> float:
        """How much of the calls per second is used up; 0 when there is no limit."""
        return 0.0 if self._bucket is None else self._bucket.burst - self._bucket.level(now)

    def gave_up(self) -> None:
        """A call that was admitted ended before the trunk said anything: it proves nothing."""
        self._trial_out = False

    # -- inside ---------------------------------------------------------------------------------------

    def _told(self, retry_after: float, now: float) -> None:
        until = now + min(retry_after, MAX_RETRY_AFTER)
        self._told_until = until if self._told_until is None else max(until, self._told_until)
        self._settle(f"it asked for {min(retry_after, MAX_RETRY_AFTER):g} s without calls")

    def _close(self) -> None:
        self._failures = 0
        self._broken_until = None
        self._break_for = self._settings.break_for
        self._trial_out = False

    def _settle(self, why: str) -> None:
        up = not self._pings_bad and self._broken_until is None and self._told_until is None
        if up != self.up:
            self.up, self.why = up, "" if up else why
            self._events.append(HealthChanged(up, why))
