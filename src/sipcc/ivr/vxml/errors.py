"""What goes wrong in VoiceXML, as events: every failure is something that a document may catch."""

from __future__ import annotations

import msgspec


class Event(msgspec.Struct, frozen=True):
    """An event: ``noinput``, ``error.badfetch``, or any name that a document makes up."""

    name: str
    message: str | None = None
    where: str = ""
    """For an error the element that it comes from: the document's URL, line and column."""

    @property
    def told(self) -> str:
        """The message with the place, for those who wrote the document."""
        return ": ".join(part for part in (self.where, self.message) if part)


class Thrown(Exception):
    """An event on its way to whoever catches it."""

    def __init__(self, name: str, message: str | None = None) -> None:
        super().__init__(f"{name}: {message}" if message else name)
        self.event = Event(name, message)

    def at(self, where: str) -> Thrown:
        """The same; an error comes from this place unless it is known better."""
        if self.event.name.startswith("error.") and not self.event.where:
            self.event = msgspec.structs.replace(self.event, where=where)
        return self


class DocumentError(Thrown):
    """A document cannot be used: ``error.badfetch``, with the place in it.

    `line` and `column` count from 1.
    """

    def __init__(self, url: str, line: int, column: int, problem: str) -> None:
        super().__init__("error.badfetch", f"{url}:{line}:{column}: {problem}")
        self.url = url
        self.line = line
        self.column = column
        self.problem = problem

    def at(self, where: str) -> Thrown:
        """The same: its message has its place."""
        return self


class Stopped(Exception):
    """The interpreter gave up: a limit was passed, or what went wrong cannot be caught any more."""


def semantic(problem: str) -> Thrown:
    """Something that can only be found when it runs is wrong."""
    return Thrown("error.semantic", problem)
