"""A changed flow that is tried on some callers first, as a core.

Who gets which version depends on the call's id alone, so a call has one version in all its flows. A trial
ends when an operator says so, or by itself when the new version is worse: when more of its calls fell back
than of the old one's, by `WORSE`, after `ENOUGH` of them.
"""

from __future__ import annotations

import zlib
from typing import Final, Literal

import msgspec

from sipcc.ivr.flows.run import Playable

ENOUGH: Final = 10
"""Calls that the new version has had before it is judged."""

WORSE: Final = 0.1
"""How much larger the part of calls that fell back may be, from 0 to 1."""

State = Literal["trying", "promoted", "rolled_back"]


class Tally(msgspec.Struct):
    """What became of the calls of one version."""

    calls: int = 0
    """Those that are over in the flow."""
    fell: int = 0
    """Those of them that fell back."""

    @property
    def part(self) -> float:
        """The part that fell back, from 0 to 1."""
        return self.fell / self.calls if self.calls else 0.0


class TrialView(msgspec.Struct, frozen=True, kw_only=True):
    """How a trial stands."""

    percent: float
    """How many of a hundred callers get the new version."""
    state: State
    old: str
    """The version of all others."""
    new: str
    tallies: dict[str, Tally]
    """By version."""


class Trial:
    """One flow in two versions."""

    def __init__(self, old: Playable, new: Playable, percent: float) -> None:
        self.old, self.new, self.percent = old, new, percent
        self.state: State = "trying"
        self._tallies = {old.version: Tally(), new.version: Tally()}

    def choose(self, call: str) -> Playable:
        """The version for a call, by its id."""
        if self.state == "trying":
            tried = zlib.crc32(call.encode()) % 10_000 < self.percent * 100
        else:
            tried = self.state == "promoted"
        return self.new if tried else self.old

    def over(self, version: str, *, fell: bool) -> str:
        """A call of a version is over in the flow; why the trial has failed just now, or nothing."""
        tally = self._tallies.get(version)
        if tally is None:
            return ""
        tally.calls += 1
        tally.fell += fell
        old, new = self._tallies[self.old.version], self._tallies[self.new.version]
        if self.state != "trying" or new.calls < ENOUGH or new.part - old.part <= WORSE:
            return ""
        self.state = "rolled_back"
        return f"{new.fell} of {new.calls} calls fell back, and {old.fell} of {old.calls} before"

    def view(self) -> TrialView:
        """How it stands."""
        return TrialView(
            percent=self.percent,
            state=self.state,
            old=self.old.version,
            new=self.new.version,
            tallies=self._tallies,
        )


def begin(before: Trial | Playable | None, new: Playable, percent: float) -> Trial | None:
    """The trial of `new`, or None when all callers get it.

    Args:
        before: What callers got up to now.
        new: What the configuration has.
        percent: How many of a hundred callers are to try it; 0 for all.
    """
    if not percent:
        return None
    if isinstance(before, Trial):
        if before.new.version == new.version:
            before.percent = percent
            return before  # it goes on, or stays as it came out
        old = before.new if before.state == "promoted" else before.old
    else:
        old = before or new
    return Trial(old, new, percent) if old.version != new.version else None
