"""What questions with retries have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from sipcc.ivr.events import Reason

TERMINATOR = "#"
"""Cuts the wait for a longer option short, unless it is part of an option itself."""


P = TypeVar("P")
"""What a prompt is."""


class Tries(Generic[P]):
    """Counts what went wrong with one question, and says what goes before it when it is asked again.

    No-input and no-match are counted apart, and both together.
    """

    def __init__(
        self,
        *,
        noinput: int,
        nomatch: int,
        total: int | None = None,
        noinput_prompts: Sequence[P],
        nomatch_prompts: Sequence[P],
    ) -> None:
        """Take how often the question is asked again, and the prompts for the first, second, ... time."""
        self.counts: dict[Reason, int] = {"noinput": 0, "nomatch": 0}
        """How often each went wrong."""
        self.retries = 0
        """How often the question was asked again."""
        self._allowed = {"noinput": noinput, "nomatch": nomatch}
        self._total = total
        self._before = {"noinput": noinput_prompts, "nomatch": nomatch_prompts}

    def again(self, kind: Reason) -> tuple[P, ...] | None:
        """What goes before the question this time, or None when the tries are used up."""
        self.counts[kind] += 1
        count = self.counts[kind]
        if count > self._allowed[kind] or (self._total is not None and self.retries >= self._total):
            return None
        self.retries += 1
        tapered = self._before[kind]
        return (tapered[min(count, len(tapered)) - 1],) if tapered else ()
