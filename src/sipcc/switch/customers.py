"""Calls customers back: wires the callbacks of the ACD to calls, to a calendar, and to what outlives us."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcc.acd.callback import SavedCallback
from sipcc.call.placing import PlacedCall, Placing
from sipcc.numbers import Pattern

if TYPE_CHECKING:
    from sipcc.switch.switch import Switch


class CustomerCalls:
    """Makes the calls of callbacks, as ``[callbacks]`` says; see `sipcc.acd.protocols.Customers`."""

    def __init__(self, switch: Switch) -> None:
        """Build it, for a switch that has its ACD, its calls and its shelves (open)."""
        self._switch = switch
        self._settings = switch.config.callbacks
        self._deny = tuple(Pattern.parse(text) for text in self._settings.deny)
        self._shelf = switch.shelves.shelf("callbacks", SavedCallback)

    def open(self) -> None:
        """Let callers book from now on, and go on with what a process before us has left."""
        acd = self._switch.acd
        acd.call_customers(
            self, self._settings, may_call=self._may_call, objection=self._objection, keep=self._keep
        )
        self._switch.queueing.booked_prompt = self._settings.prompt
        acd.restore_callbacks([*self._shelf.left.values()])

    def call(self, call_id: str, number: str, queue: str) -> PlacedCall:
        """Begin a call to a customer; nobody is rung yet."""
        config = self._switch.config
        return self._switch.calls.place(
            Placing(
                id=call_id,
                number=number,
                called=f"callback:{queue}",
                language=config.ivr.language,
                source="callback",
                target=self._target(number),
                caller_id=self._settings.caller_id,
            )
        )

    def _target(self, number: str) -> str:
        return f"{self._settings.route}/{number}" if self._settings.route else f"tel:{number}"

    def _may_call(self, now: float) -> bool:
        if not self._settings.hours:
            return True
        # a calendar that a reload took away is closed: nobody is called at night
        calendar = self._switch.reception.calendars.get(self._settings.hours)
        return calendar is not None and calendar.is_open(self._switch.clock.wall_of(now)).open

    def _objection(self, text: str) -> str:
        """Why a customer is not to be called, now or later; what the hour alone forbids comes to its time."""
        switch = self._switch
        number, plan = switch.numbering.dialled(text), switch.numbering.home
        if number is None or any(pattern.matches(number, plan) for pattern in self._deny):
            return "it is on the list of [callbacks] deny"
        found = switch.places.locate(self._target(text))
        verdicts = [
            switch.context.toll.by_lists(place.trunk, place.number)
            for place in (step for first in found for step in (first, *first.instead))
            if place.trunk is not None
        ]
        if any(verdict.allowed for verdict in verdicts):
            return ""
        return verdicts[0].hint if verdicts else "no trunk and no route leads to it"

    def _keep(self, name: str, callback: SavedCallback | None) -> None:
        if callback is None:
            self._shelf.over(name)
        else:
            self._shelf.note(name, callback)
