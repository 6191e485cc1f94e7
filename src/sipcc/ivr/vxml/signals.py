"""How control leaves executable content: to an item, a dialog, the caller of a subdialog, the end."""

from __future__ import annotations

from typing import Any

import msgspec

from sipcc.ivr.js import Json, Undefined
from sipcc.ivr.vxml.documents import Document
from sipcc.ivr.vxml.errors import Event
from sipcc.ivr.vxml.parse import Element


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Something that an observer may want to know.

    | what | text | details |
    |---|---|---|
    | ``visit`` | a document's URL | |
    | ``fault`` | what is wrong with an element of it, with URL, line and column | |
    | ``dialog`` | the id of a dialog | |
    | ``item`` | the name of a form item | `kind` |
    | ``event`` | an event's name | `message` |
    | ``log`` | what <log> says | `label` |
    | ``result`` | what was understood | `mode`, `confidence` |
    | ``nomatch`` | what was not | `mode`, `confidence` |
    | ``say`` | in a simulation: what was played | `audio` |
    | ``does`` | in a simulation: what the caller does | |
    """

    what: str
    text: str
    details: dict[str, object] = {}


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """How a session ended.

    `reason` is ``exit`` (the element), ``done`` (the dialog had nothing more to do), ``hangup`` (the caller's
    end, or <disconnect>), ``transfer`` (the caller was sent elsewhere), ``error`` (`event` was caught by
    nobody), or ``limit`` (`message` says which).
    """

    reason: str
    value: Json | Undefined = None
    """That of <exit expr>."""
    values: dict[str, Json | Undefined] = {}
    """Those of the namelist of <exit> or <disconnect>."""
    event: str = ""
    message: str = ""


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """Where to go next."""

    dialog: Element | None
    document: Document | None = None
    """None stays in the current one, with its variables."""
    root: Document | None = None
    """A new application root; None keeps the application's variables."""
    new_application: bool = False


class Jump(Exception):
    """To another dialog. `carried` is what the caller said to a grammar of that dialog already."""

    def __init__(self, arrival: Arrival, carried: Any = None) -> None:
        super().__init__()
        self.arrival = arrival
        self.carried = carried


class NextItem(Exception):
    """To another item of the form. `quiet` leaves out its prompts, as after a handler without <reprompt>."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name
        self.quiet = False


class Return(Exception):
    """Out of a subdialog, with values or with an event."""

    def __init__(self, values: dict[str, Any] | None = None, event: Event | None = None) -> None:
        super().__init__()
        self.values = values or {}
        self.event = event


class Finish(Exception):
    """The end of the session."""

    def __init__(self, exit_: Exit) -> None:
        super().__init__(exit_.reason)
        self.exit = exit_
