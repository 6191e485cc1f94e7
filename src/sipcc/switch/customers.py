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
            self, self._settings, may_call=self._may_call, denied=self._denied, keep=self._keep
        )
        self._switch.queueing.booked_prompt = self._settings.prompt
        acd.restore_callbacks([*self._shelf.left.values()])

    def call(self, call_id: str, number: str, queue: str) -> PlacedCall:
        """Begin a call to a customer; nobody is rung yet."""
        config, settings = self._switch.config, self._settings
        return self._switch.calls.place(
            Placing(
                id=call_id,
                number=number,
                called=f"callback:{queue}",
                language=config.ivr.language,
                source="callback",
                target=f"{settings.route}/{number}" if settings.route else f"tel:{number}",
                caller_id=settings.caller_id,
            )
        )

    def _may_call(self, now: float) -> bool:
        if not self._settings.hours:
            return True
        # a calendar that a reload took away is closed: nobody is called at night
        calendar = self._switch.reception.calendars.get(self._settings.hours)
        return calendar is not None and calendar.is_open(self._switch.clock.wall_of(now)).open

    def _denied(self, text: str) -> bool:
        numbering = self._switch.numbering
        number = numbering.dialled(text)
        return number is None or any(pattern.matches(number, numbering.home) for pattern in self._deny)

    def _keep(self, name: str, callback: SavedCallback | None) -> None:
        if callback is None:
            self._shelf.over(name)
        else:
            self._shelf.note(name, callback)
