"""What is kept of each live call: who talked to it last, what was found out of it, and who has asked it."""

from __future__ import annotations

from typing import Literal

from sipcc.acd.events import QueueLeft
from sipcc.bus import Bus
from sipcc.call.events import CallEndedEvent
from sipcc.ivr.events import ContextGiven


class Talks:
    """What is known of each live call for whoever talks to it next, and who talked to it last, by a queue."""

    def __init__(self, bus: Bus) -> None:
        self._last: dict[str, tuple[str, str]] = {}
        self._contexts: dict[str, dict[str, str]] = {}
        self._judged: dict[str, Literal["survey", "flow"]] = {}
        """By whom each caller was asked about its last conversation."""
        bus.on(ContextGiven, self._given)
        bus.on(QueueLeft, self._left)
        bus.on(CallEndedEvent, self._ended)

    def last(self, call: str) -> tuple[str, str]:
        """Queue and agent; empty texts for a caller who has talked to nobody."""
        return self._last.get(call, ("", ""))

    def context(self, call: str) -> dict[str, str]:
        """What flows and bots have found out of a caller; later values go before earlier ones."""
        return dict(self._contexts.get(call, {}))

    def judging(self, call: str) -> tuple[str, str] | None:
        """As `last`, of a caller whom a flow asks, as often as it likes; None when a survey has asked it."""
        if self._judged.setdefault(call, "flow") == "survey":
            return None
        return self.last(call)

    def judge(self, call: str) -> bool:
        """A survey is about to ask a caller; False when its last conversation has been judged before."""
        if call in self._judged:
            return False
        self._judged[call] = "survey"
        return True

    def _given(self, event: ContextGiven) -> None:
        self._contexts.setdefault(event.call, {}).update(event.context)

    def _left(self, event: QueueLeft) -> None:
        if event.exit == "answered":
            self._last[event.call] = event.queue, event.agent or ""
            self._judged.pop(event.call, None)

    def _ended(self, event: CallEndedEvent) -> None:
        self._last.pop(event.call, None)
        self._contexts.pop(event.call, None)
        self._judged.pop(event.call, None)
