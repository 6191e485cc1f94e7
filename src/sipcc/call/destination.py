"""Destinations: the one vocabulary for where a call goes next.

Numbers, menu options, overflow targets and queue exits all name a destination as ``kind`` or
``kind:argument``.
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

Kind = Literal[
    "echo",
    "ring",
    "busy",
    "play",
    "dial",
    "menu",
    "flow",
    "queue",
    "workflow",
    "router",
    "webapp",
    "vxml",
    "voicemail",
    "survey",
    "bot",
    "reject",
    "app",
    "hangup",
]

KINDS: frozenset[str] = frozenset(get_args(Kind))
"""All of them."""

DIALLED = "/*"
"""How the argument of ``dial`` ends that stands for the number that the caller dialled."""

_NEEDS_ARGUMENT = KINDS - {"echo", "ring", "busy", "hangup"}


class Destination(msgspec.Struct, frozen=True):
    """Where a call goes next.

    | written | what happens |
    |---|---|
    | ``echo`` | answered; the caller hears itself |
    | ``ring`` | rings and is never answered |
    | ``busy`` | refused with 486 |
    | ``reject:STATUS`` | refused with that status, 400 to 699 |
    | ``play:PROMPT`` | answered; the prompt again and again until hang-up |
    | ``dial:URI`` | bridged to that SIP URI |
    | ``dial:NAME/*`` | bridged to the dialled number, over the trunk or route of that name |
    | ``menu:NAME`` | answered; the menu of that name |
    | ``flow:NAME`` | goes through the flow of that name |
    | ``queue:NAME`` | answered; the queue of that name |
    | ``workflow:NAME`` | answered; the queues of the workflow of that name |
    | ``router:NAME`` | where the service or function of that name says |
    | ``webapp:NAME`` | what the web application of that name says, verb by verb |
    | ``vxml:NAME`` | answered; the VoiceXML document of that name, or at that URL |
    | ``bot:NAME`` | answered; the caller speaks with the bot of that name |
    | ``voicemail:NAME`` | answered; a message for the mailbox of that name, or its messages for its owners |
    | ``survey:NAME`` | answered; asked how content it is |
    | ``app:NAME`` | the Python handler routed under that name |
    | ``hangup`` | hung up |
    """

    kind: Kind
    argument: str = ""

    @classmethod
    def parse(cls, text: str) -> Destination:
        """Read ``kind`` or ``kind:argument``; ValueError says what is wrong and what is known."""
        kind, colon, argument = text.partition(":")
        if kind not in KINDS:
            raise ValueError(f"unknown destination {text!r}; known kinds: {', '.join(get_args(Kind))}")
        if kind in _NEEDS_ARGUMENT and not argument:
            raise ValueError(f"destination {kind!r} needs an argument, as in '{kind}:NAME'")
        if kind not in _NEEDS_ARGUMENT and colon:
            raise ValueError(f"destination {kind!r} takes no argument")
        if kind == "reject" and not (
            len(argument) == 3 and argument.isascii() and argument.isdigit() and "400" <= argument <= "699"
        ):
            raise ValueError(f"destination {text!r}: the status must be 400 to 699")
        return cls(kind, argument)  # type: ignore[arg-type]  # membership in Kind was checked above

    def __str__(self) -> str:
        return f"{self.kind}:{self.argument}" if self.argument else self.kind
