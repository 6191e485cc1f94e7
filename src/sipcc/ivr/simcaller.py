"""The made-up caller of a simulation: a script as keys and words at moments of virtual time."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import inf
from typing import Literal, TypeAlias

import msgspec

from sipcc.ivr.flows.script import Act, Asked, At, HangUp, HeardPrompt, Keys, Say, Silence, Wait
from sipcc.ivr.lengths import seconds_of_text
from sipcc.ivr.steps import Named, Spoken, Text

What: TypeAlias = Literal["down", "up", "voice", "hangup"]


class Deed(msgspec.Struct, frozen=True, gc=False):
    """One thing that the caller does."""

    at: float
    what: What
    key: str = ""
    say: Say | None = None
    seconds: float = 0.0
    """How long it speaks."""


class Sounding(msgspec.Struct, frozen=True, gc=False):
    """One piece of what the caller hears: from when to when."""

    item: Spoken
    began: float
    ends: float


class SimCaller:
    """Plays the acts of a script. Whoever carries out the steps says what the caller is asked and hears."""

    def __init__(self, acts: Sequence[Act]) -> None:
        self._acts = acts
        self._next = 0
        self.due: deque[Deed] = deque()
        """What it is about to do, and nobody took yet."""
        self._free_at = 0.0
        """When the last act was over."""
        self._turn = 0
        """Counts questions and all else that the caller may answer to."""
        self._used = 0
        """The last turn in which it did something, or meant to be silent."""
        self._open: Literal["", "question", "other"] = ""
        self._hears: Sequence[Sounding] = ()

    def begin(self, *, question: bool) -> None:
        """The caller is asked something, or is put somewhere where it may act as well."""
        self._turn += 1
        self._open = "question" if question else "other"

    def end(self) -> None:
        """That is over."""
        self._open = ""
        self._hears = ()

    def hears(self, soundings: Sequence[Sounding]) -> None:
        """What is played to the caller from now on."""
        self._hears = soundings

    @property
    def acts_on(self) -> bool:
        """Whether it is still to say or press something, or to hang up, whatever it is asked."""
        left = self._acts[self._next :]
        return any(deed.what != "up" for deed in self.due) or any(
            isinstance(act, Keys | Say | HangUp) for act in left
        )

    def next_at(self, now: float) -> float:
        """When the caller does something next, as far as it can be told now; infinite for not yet."""
        if not self.due:
            if self._next == len(self._acts):
                return inf
            self._plan(now)
            if not self.due:
                return inf
        at = self.due[0].at
        return at if at > now else now

    def take(self) -> Deed:
        """What it does then."""
        if self._open:
            self._used = self._turn
        return self.due.popleft()

    def _plan(self, now: float) -> None:
        """Go through acts until one does something, or waits for what nobody can foresee."""
        while not self.due and self._next < len(self._acts):
            free_at = self._after(self._acts[self._next], now)
            if free_at is None:
                return
            self._free_at = free_at
            self._next += 1

    def _after(self, act: Act, now: float) -> float | None:
        """When `act` is over; None while it cannot begin."""
        free = self._free_at if self._free_at > now else now
        match act:
            case Asked():
                wanted = self._open == "question" or (act.anything and self._open)
                if not wanted or self._used == self._turn:
                    return None
                self._used = self._turn
                return max(free, self._hears[-1].ends) if act.to_the_end and self._hears else free
            case Keys():
                return self._press(act, free)
            case Wait():
                return self._free_at + act.seconds
            case At():
                return max(self._free_at, act.seconds)
            case HeardPrompt():
                return self._end_of(act.name, free)
            case Silence():
                present = self._open and self._used == self._turn
                return None if present else free
            case Say():
                seconds = seconds_of_text(act.text) if act.seconds is None else act.seconds
                self.due.append(Deed(free, "voice", say=act, seconds=seconds))
                return free + seconds
            case HangUp():
                self.due.append(Deed(free, "hangup"))
                return free

    def _press(self, act: Keys, at: float) -> float:
        if self._next and type(self._acts[self._next - 1]) is Keys:
            at += act.gap
        up = at
        for key in act.digits:
            up = at + act.held
            self.due.append(Deed(at, "down", key))
            self.due.append(Deed(up, "up", key))
            at = up + act.gap
        return up

    def _end_of(self, name: str, after: float) -> float | None:
        for sounding in self._hears:
            item = sounding.item
            wanted = isinstance(item, Named) and item.name == name
            wanted = wanted or (isinstance(item, Text) and name in item.text)
            if wanted and sounding.ends >= after:
                return sounding.ends
        return None
