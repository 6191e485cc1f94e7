"""Keys that mean something among those that a caller presses in a conversation, as a core."""

from __future__ import annotations

from sipcc.call.digits import Answer, Matcher

INTERDIGIT_S = 3.0
"""Longest time between two keys that belong together, while the caller talks."""


class KeyWatch:
    """Finds keys that mean something among those that a caller presses while it talks."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._keys = ""
        self._last = 0.0

    def push(self, digit: str, *, now: float) -> str:
        """Take a key; the whole sequence when it is right, else an empty text."""
        if now - self._last > INTERDIGIT_S:
            self._keys = ""
        self._last = now
        self._keys += digit
        while self._keys:
            answer = self._matcher.check(self._keys)
            if answer in (Answer.MATCH, Answer.FINAL):
                return self._keys
            if answer is Answer.PARTIAL:
                break
            self._keys = self._keys[1:]  # what begins later may still be right
        return ""
