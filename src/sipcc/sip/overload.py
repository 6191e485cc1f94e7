"""When to refuse new work so that what is under way stays good (RFC 5390, RFC 6357: by queue delay).

A core. Each new request is shown with the time that it has waited for us. A wait above `target` that lasts
for `interval`, or one above `longest`, is overload; from then on requests that have waited too long are
refused, and whoever comes within a second of such a time is refused without the patience. Whoever waits
less is served, so the rate of accepted calls settles at what the machine can do, whatever is offered.

Only what opens something is refused: never a request in a dialog, never an emergency call.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

import msgspec

_MEMORY = 1.0
"""Seconds for which overload is expected to come back."""

_FRESH = frozenset({b"INVITE", b"REGISTER", b"SUBSCRIBE", b"MESSAGE", b"PUBLISH"})
_TO = re.compile(rb"\n(?:[Tt][Oo]|t)[ \t]*:([^\n]*)")


class OverloadSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When new requests are refused with 503."""

    target: Annotated[float, msgspec.Meta(gt=0, le=10)] = 0.1
    """Seconds that a new request may wait for us."""
    longest: Annotated[float, msgspec.Meta(gt=0, le=10)] = 0.4
    """Seconds of waiting that are always too long; below T1, or callers repeat what waits here."""
    interval: Annotated[float, msgspec.Meta(ge=0, le=10)] = 1.0
    """Seconds that longer waits must last before anything is refused."""
    retry_after: tuple[Annotated[int, msgspec.Meta(ge=0)], Annotated[int, msgspec.Meta(ge=1)]] = (1, 5)
    """Least and most seconds of Retry-After; each refused peer is told another one, so that they do not all
    come back at once."""
    emergency: tuple[str, ...] = ("110", "112", "119", "120", "122", "911")
    """Dialled numbers that are never refused."""


class _Lane:
    """What is known of the waits of one kind of transport."""

    __slots__ = ("above_since", "delay", "noted_at")

    def __init__(self) -> None:
        self.above_since: float | None = None
        self.delay = 0.0
        self.noted_at = float("-inf")


class Overload:
    """Decides who is refused; `chance` gives a number from 0 to 1 at each call.

    Datagrams and streams are judged apart: one that came on a stream has not stood in the queue of the
    datagrams, and its short wait says nothing of theirs.
    """

    def __init__(self, settings: OverloadSettings, chance: Callable[[], float]) -> None:
        self._settings = settings
        self._chance = chance
        self._lanes = _Lane(), _Lane()
        self._shed_at = float("-inf")
        self.refused = 0

    def note(self, delay: float, *, now: float, stream: bool = False) -> None:
        """A new request has waited for `delay` seconds."""
        lane = self._lanes[stream]
        lane.delay = delay
        if delay <= self._settings.target:
            lane.above_since = None
        elif lane.above_since is None or now - lane.noted_at > _MEMORY:
            lane.above_since = now  # a wait of long ago says nothing of what was between
        lane.noted_at = now

    def refuses(self, dialled: str, *, now: float, stream: bool = False) -> int | None:
        """Seconds of Retry-After when the request that was noted last is to be refused, else None."""
        lane = self._lanes[stream]
        since = lane.above_since
        if since is None or dialled in self._settings.emergency:
            return None
        patient = now - since < self._settings.interval and now - self._shed_at > _MEMORY
        if patient and lane.delay <= self._settings.longest:
            return None
        self._shed_at = now
        self.refused += 1
        least, most = self._settings.retry_after
        return least + round(self._chance() * (most - least))


def opens_something(data: bytes) -> bool:
    """True for a request outside of dialogs that would open a call, a binding or a subscription.

    Decided from the raw bytes: the method, and whether To has a tag.
    """
    if data[: data.find(b" ", 0, 16)] not in _FRESH:
        return False
    match = _TO.search(data)
    return match is None or b";tag=" not in match[1].replace(b" ", b"").lower()
