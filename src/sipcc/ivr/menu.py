"""One menu as a machine: prompt, keys, outcome, then a retry or a destination.

    begin ----> Ask ----> receive(outcome) --+--> Ask again, while there are retries of that kind
                                             +--> Chosen: the option's destination, or `then`

The machine knows no call and no time: what it asks is data, and what came of it is handed in.
"""

from __future__ import annotations

from typing import NamedTuple

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


class Menu:
    """One visit of one caller to one menu.

    No-input and no-match are counted apart; either of them, used up, leads to the menu's `then`.
    """

    def __init__(self, settings: MenuSettings, defaults: IvrSettings) -> None:
        self.settings = settings
        self.retries = 0
        """How often the menu was played again."""
        self._choices = {keys: Destination.parse(to) for keys, to in settings.choices().items()}
        self._then = Destination.parse(settings.then)
        self._counts: dict[Reason, int] = {"noinput": 0, "nomatch": 0}
        self._timeout = defaults.timeout if settings.timeout is None else settings.timeout
        self._interdigit = defaults.interdigit if settings.interdigit is None else settings.interdigit
        self._terminators = "" if any(TERMINATOR in keys for keys in self._choices) else TERMINATOR

    def begin(self) -> Ask:
        """The first question."""
        return self._ask(())

    def receive(self, outcome: Outcome, keys: str = "") -> Ask | Chosen:
        """What to do after `outcome`; `keys` are the ones collected, used for ``match`` only."""
        if outcome == "match" and keys in self._choices:
            return Chosen(self._choices[keys], "option", keys)
        kind: Reason = "noinput" if outcome == "noinput" else "nomatch"
        self._counts[kind] += 1
        count = self._counts[kind]
        allowed, before = (
            (self.settings.noinput, self.settings.noinput_prompt)
            if kind == "noinput"
            else (self.settings.nomatch, self.settings.nomatch_prompt)
        )
        if count > allowed:
            return Chosen(self._then, kind, "")
        self.retries += 1
        tapered = listed(before)
        return self._ask(tapered[min(count, len(tapered)) - 1 :][:1] if tapered else ())

    def _ask(self, before: tuple[str, ...]) -> Ask:
        return Ask(
            prompts=before + self.settings.prompts,
            options=tuple(self._choices),
            timeout=self._timeout,
            interdigit=self._interdigit,
            terminators=self._terminators,
            bargein=self.settings.bargein,
        )
