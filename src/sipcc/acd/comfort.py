"""What a waiting caller is told, and when: its place, how long it will take, and comforting prompts."""

from __future__ import annotations

from math import ceil, inf

from sipcc.acd.settings import QueueSettings

MIN_GAP = 15.0
"""Shortest silence between two announcements of a changed position, in seconds."""

POSITION, WAIT = "queue_position", "queue_wait"
"""The prompts before a number and before a duration."""

SHORTEST = 60.0
"""A shorter wait is not spoken of."""

Part = tuple[str, object]
"""``("prompt", name)``, or a kind of value as `sipcc.ivr.say` knows it, and the value."""


class PositionPlan:
    """Decides when the position is spoken: at once, when it changed, and every so often."""

    def __init__(self, every: float, *, now: float) -> None:
        self._every = every
        self._spoken_at: float | None = None
        self._spoken = 0
        self.deadline = now
        """When to ask `due` next."""

    def due(self, position: int, *, now: float) -> bool:
        """True when `position` shall be spoken now; 0, for a caller not waiting, never is."""
        gap = min(MIN_GAP, self._every)
        if position == 0:
            self.deadline = now + gap
            return False
        if self._spoken_at is None or position != self._spoken or now >= self._spoken_at + self._every:
            return True
        self.deadline = self._spoken_at + self._every
        return False

    def spoken(self, position: int, *, now: float) -> None:
        """The announcement of `position` has ended."""
        self._spoken, self._spoken_at = position, now
        self.deadline = now + min(MIN_GAP, self._every)


class Announcer:
    """Decides what one caller is told."""

    def __init__(self, settings: QueueSettings, *, now: float) -> None:
        self._settings = settings
        told = settings.announce_position or settings.announce_wait
        self._plan = PositionPlan(settings.announce_every, now=now) if told else None
        self._comfort_at = now + settings.comfort_every if settings.comfort else inf
        self._comforted = 0
        self._place, self._told = 0, False
        self._least = inf

    @property
    def deadline(self) -> float | None:
        """When to ask `due` next; None for never."""
        at = min(self._comfort_at, self._plan.deadline if self._plan is not None else inf)
        return None if at == inf else at

    def due(self, place: int, wait: float, *, now: float) -> list[Part]:
        """What to say now; after it, call `spoken`.

        Args:
            place: Of the caller in line; 0 when it is not waiting.
            wait: Seconds that it is expected to wait from now.
            now: The clock.
        """
        parts: list[Part] = []
        self._told = False
        plan = self._plan
        if plan is not None and now >= plan.deadline and plan.due(place, now=now):
            self._place, self._told = place, True
            parts = [("prompt", POSITION), ("number", place)] if self._settings.announce_position else []
            parts += self._told_wait(wait)
            plan.spoken(place, now=now)
        if now >= self._comfort_at:
            prompts = self._settings.comfort
            parts.append(("prompt", prompts[self._comforted % len(prompts)]))
            self._comforted += 1
            self._comfort_at = now + self._settings.comfort_every
        return parts

    def _told_wait(self, wait: float) -> list[Part]:
        """The wait in whole minutes; what was said once is never followed by more."""
        if not self._settings.announce_wait or wait < SHORTEST:
            return []
        self._least = min(self._least, ceil(wait / 60.0))
        return [("prompt", WAIT), ("duration", int(self._least) * 60)]

    def spoken(self, *, now: float) -> None:
        """What `due` gave has been said to its end; silences are counted from here."""
        if self._plan is not None and self._told:
            self._plan.spoken(self._place, now=now)
        if self._settings.comfort:
            self._comfort_at = now + self._settings.comfort_every
