"""One menu as a machine: prompt, keys, outcome, then a retry or a destination.

    begin ----> Ask ----> receive(outcome) --+--> Ask again, while there are retries of that kind
                                             +--> Chosen: the option's destination, or `then`

The machine knows no call and no time: what it asks is data, and what came of it is handed in. `Tries` is the
part of it that every question has, those of flows too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from sipcc.call.destination import Destination
from sipcc.call.digits import Outcome
from sipcc.ivr.events import Reason
from sipcc.ivr.settings import IvrSettings, MenuSettings, listed

TERMINATOR = "#"
"""Cuts the wait for a longer option short, unless it is part of an option itself."""


class Ask(NamedTuple):
    """One question to the caller."""

    prompts: tuple[str, ...]
    options: tuple[str, ...]
    timeout: float
    interdigit: float
    terminators: str
    bargein: bool


class Chosen(NamedTuple):
    """The end of a menu."""

    destination: Destination
    reason: Reason
    keys: str


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


class Menu:
    """One visit of one caller to one menu.

    No-input and no-match are counted apart; either of them, used up, leads to the menu's `then`.
    """

    def __init__(self, settings: MenuSettings, defaults: IvrSettings) -> None:
        self.settings = settings
        self._choices = {keys: Destination.parse(to) for keys, to in settings.choices().items()}
        self._then = Destination.parse(settings.then)
        self._tries = Tries(
            noinput=settings.noinput,
            nomatch=settings.nomatch,
            noinput_prompts=listed(settings.noinput_prompt),
            nomatch_prompts=listed(settings.nomatch_prompt),
        )
        self._timeout = defaults.timeout if settings.timeout is None else settings.timeout
        self._interdigit = defaults.interdigit if settings.interdigit is None else settings.interdigit
        self._terminators = "" if any(TERMINATOR in keys for keys in self._choices) else TERMINATOR

    @property
    def retries(self) -> int:
        """How often the menu was played again."""
        return self._tries.retries

    def begin(self) -> Ask:
        """The first question."""
        return self._ask(())

    def receive(self, outcome: Outcome, keys: str = "") -> Ask | Chosen:
        """What to do after `outcome`; `keys` are the ones collected, used for ``match`` only."""
        if outcome == "match" and keys in self._choices:
            return Chosen(self._choices[keys], "option", keys)
        kind: Reason = "noinput" if outcome == "noinput" else "nomatch"
        before = self._tries.again(kind)
        return Chosen(self._then, kind, "") if before is None else self._ask(before)

    def _ask(self, before: tuple[str, ...]) -> Ask:
        return Ask(
            prompts=before + self.settings.prompts,
            options=tuple(self._choices),
            timeout=self._timeout,
            interdigit=self._interdigit,
            terminators=self._terminators,
            bargein=self.settings.bargein,
        )
