"""First-contact resolution: who called and did not have to call again, folded from the event log.

With the window X: a first call is one from a number that did not call in the X before it. It resolved the
matter when the same number does not call again in the X after it. That is known only X later; until then
a first call is immature and counts in no rate. Callers without a number are not counted.
"""

from __future__ import annotations

import msgspec

from sipcc.call.events import CallAnswered, CallStarted
from sipcc.events import Event
from sipcc.records.kpi import ratio


class FirstContacts(msgspec.Struct, frozen=True, kw_only=True):
    """The first calls of a span of time."""

    window: float
    """X in seconds."""
    first_calls: int
    resolved: int
    """Nobody called again within the window."""
    repeated: int
    immature: int
    """Too fresh to tell."""
    rate: float | None
    """resolved / (resolved + repeated), 0..1; None before any first call is mature."""
    mature: bool
    """True when no first call is immature: the figures will not change any more."""


class FcrFold:
    """Folds events into first contacts. Only calls that we answered count as contacts."""

    def __init__(self, window: float) -> None:
        """Take X in seconds."""
        self._window = window
        self._callers: dict[str, str] = {}
        self._contacts: dict[str, list[float]] = {}

    def apply(self, event: Event, wall: float) -> None:
        """Take in `event`, which happened at the Unix time `wall`."""
        if isinstance(event, CallStarted):
            if any(char.isdigit() for char in event.caller):
                self._callers[event.call] = event.caller
        elif isinstance(event, CallAnswered) and (caller := self._callers.pop(event.call, "")):
            self._contacts.setdefault(caller, []).append(wall)

    def result(self, *, since: float, until: float, now: float) -> FirstContacts:
        """The first calls in [`since`, `until`), as known at the Unix time `now`.

        Events must have been taken in from one window before `since` on.
        """
        resolved = repeated = immature = 0
        for walls in self._contacts.values():
            ordered = sorted(walls)
            after = [*ordered[1:], None]
            for before, wall, later in zip([None, *ordered], ordered, after, strict=False):
                if not since <= wall < until or (before is not None and wall - before <= self._window):
                    continue
                if later is not None and later - wall <= self._window:
                    repeated += 1
                elif now - wall <= self._window:
                    immature += 1
                else:
                    resolved += 1
        return FirstContacts(
            window=self._window,
            first_calls=resolved + repeated + immature,
            resolved=resolved,
            repeated=repeated,
            immature=immature,
            rate=ratio(resolved, resolved + repeated),
            mature=not immature,
        )
