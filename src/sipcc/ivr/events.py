"""What callers do in menus, as events."""

from __future__ import annotations

from typing import Literal

from sipcc.events import Event

Reason = Literal["option", "noinput", "nomatch"]


class MenuEntered(Event, frozen=True, kw_only=True):
    """A caller came to a menu."""

    call: str
    menu: str


class MenuLeft(Event, frozen=True, kw_only=True):
    """A caller left a menu: by one of its options, or because the retries were used up."""

    call: str
    menu: str
    reason: Reason
    keys: str
    """The option chosen; empty when none was."""
    destination: str
    """Where the call goes next, as `sipcc.call.destination.Destination` writes it."""
    retries: int
    """How often the menu was played again."""


class HoursOverridden(Event, frozen=True, kw_only=True):
    """Somebody had a calendar open or closed whatever it says, or ended that."""

    calendar: str
    state: Literal["open", "closed", "cleared"]
    until_wall: float
    """The Unix time (seconds) at which it goes by its hours again; the present one when it was cleared."""
    by: str = ""
    """Who did it; empty for a program."""


class CallTagged(Event, frozen=True, kw_only=True):
    """A flow put something into the record of a call."""

    call: str
    name: str
    value: str


class ContextGiven(Event, frozen=True, kw_only=True):
    """What is known of a caller, for the agent who gets it: told when it enters a queue by a step."""

    call: str
    queue: str
    context: dict[str, str]
