"""The type-ahead buffer of a call: keys that nobody has asked for yet."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

MAX_TYPED_AHEAD: Final = 64
"""Keys kept for later; what comes above is dropped and counted. Longer than any card or menu path."""


class Press(msgspec.Struct, frozen=True):
    """One key press; the times are seconds of the clock that `now` comes from."""

    digit: str
    began: float
    ended: float


class DigitBuffer:
    """What one caller has typed and nobody has asked for yet.

    It belongs to the call and survives menu changes. Presses are kept in the order in which they ended.
    `dropped` counts presses that found it full.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self.held: tuple[str, float] | None = None
        """The key that is down and since when, or None."""
        self.presses: deque[Press] = deque()
        """What was typed, the oldest first."""
        self._owed: set[str] = set()  # keys already counted as ended whose real end may still come

    def key_began(self, digit: str, *, now: float) -> None:
        """A key went down. A key that was still down is taken as ended, for only one can sound."""
        if self.held is not None:
            self.release(now=now)
        self._owed.discard(digit)
        self.held = (digit, now)

    def key_ended(self, digit: str, *, now: float) -> None:
        """A key came up. Without a beginning (SIP INFO) the press begins and ends now."""
        if self.held is not None and self.held[0] == digit:
            began = self.held[1]
            self.held = None
            self._keep(Press(digit, began, now))
        elif digit in self._owed:
            self._owed.discard(digit)
        else:
            self._keep(Press(digit, now, now))

    def release(self, *, now: float) -> None:
        """Take the key that is down as ended now; its real end is ignored when it comes."""
        if self.held is not None:
            digit, began = self.held
            self.held = None
            self._owed.add(digit)
            self._keep(Press(digit, began, now))

    def flush(self) -> None:
        """Forget all presses, and the key that is down."""
        self.presses.clear()
        if self.held is not None:
            self._owed.add(self.held[0])
            self.held = None

    def __len__(self) -> int:
        return len(self.presses)

    def __repr__(self) -> str:  # never the digits: they may be a PIN
        return f"<DigitBuffer of {len(self.presses)} presses>"

    def _keep(self, press: Press) -> None:
        if len(self.presses) >= MAX_TYPED_AHEAD:
            self.dropped += 1
        else:
            self.presses.append(press)
