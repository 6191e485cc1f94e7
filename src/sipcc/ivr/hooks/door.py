"""How an application is reached: one door for a call, over HTTP or over a WebSocket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol, TypeAlias

from sipcc.errors import TransportError
from sipcc.ivr.hooks.model import Facts, Hook, NamedVerb, Program, Report

Failure: TypeAlias = Literal["slow", "unreachable", "refused", "status", "lost", "loop"]


class HookFailed(TransportError):
    """An application could not be asked, or did not answer; `kind` says how in one word."""

    def __init__(
        self, kind: Literal["slow", "unreachable", "refused", "status", "lost", "loop"], why: str
    ) -> None:
        super().__init__(why)
        self.kind = kind


class Replace(NamedTuple):
    """The application wants something else to be done."""

    program: Program
    later: bool = False
    """True: when what is being done is over, and behind the rest of it."""


class Follow(NamedTuple):
    """The application wants another place in it to be asked."""

    hook: Hook


class Finish(NamedTuple):
    """The application wants the call to end."""


class Note(NamedTuple):
    """The application puts something into the call's record."""

    data: dict[str, str]


class Mute(NamedTuple):
    """Whoever the caller speaks with shall not hear it, or hear it again."""

    muted: bool


class Keys(NamedTuple):
    """Keys shall be sent to the caller."""

    keys: str


Taping: TypeAlias = Literal["start", "stop", "pause", "resume"]
"""What is done with the recording of a call."""


class Tape(NamedTuple):
    """Something shall be done with the recording."""

    wanted: Taping


Deed: TypeAlias = Note | Mute | Keys | Tape
"""A command that is carried out at once, and cuts nothing."""

Command: TypeAlias = Replace | Follow | Finish | Deed
"""What is said to a call without being asked for."""


class Door(Protocol):
    """Asks one application about one call."""

    talks: bool
    """Whether the application may say something without being asked."""

    async def start(self, facts: Facts) -> Program:
        """What the application wants done with a new call.

        Raises:
            HookFailed: it does not say.
            BadAnswer: what it says cannot be carried out.
        """
        ...

    async def ask(
        self, hook: Hook, facts: Facts, report: Report, timeout: float | None = None
    ) -> Program | None:
        """What comes next; None when nothing was said to it, so that the rest of the program is carried out.

        `timeout` is in seconds, None for the one of the settings. Raises as `start` does.
        """
        ...

    async def tell(self, facts: Facts) -> None:
        """Tell how the call stands, to whoever wants to know; never raises for what the application does."""
        ...

    async def note(self, facts: Facts, event: str, verb: NamedVerb) -> None:
        """Tell that a verb is ``starting`` or ``finished``; never raises for what the application does."""
        ...

    async def command(self) -> Command | None:
        """What the application says next without being asked; None when it has gone and will say nothing."""
        ...

    def absolute(self, url: str) -> str:
        """`url` from the place of the document that named it."""
        ...

    def apart(self) -> Door:
        """The same application, for something beside the program of the call.

        The place of its documents, from which URLs are completed, is not that of the program.
        """
        ...

    def keep_place(self) -> Callable[[], None]:
        """Have the place of the program's documents put back by what is returned."""
        ...

    async def close(self) -> None:
        """The call is over."""
        ...
