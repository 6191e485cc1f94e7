"""Which handler an event gets (VoiceXML 2.0 §5.2.4), and what happens when no document has one (§5.2.5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from sipcc.ivr.js import UNDEFINED
from sipcc.ivr.steps import Prompt, Text
from sipcc.ivr.vxml.check import CATCHES
from sipcc.ivr.vxml.errors import Event, Thrown
from sipcc.ivr.vxml.executable import execute
from sipcc.ivr.vxml.languages import known
from sipcc.ivr.vxml.machine import Machine
from sipcc.ivr.vxml.parse import Element
from sipcc.ivr.vxml.scope import Place
from sipcc.ivr.vxml.signals import Exit, Finish, Note


class Counters:
    """How often events happened, by their names and by the beginnings of those, such as ``error``."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, name: str) -> None:
        """Count an event."""
        for beginning in _beginnings(name):
            self._counts[beginning] = self._counts.get(beginning, 0) + 1

    def __getitem__(self, name: str) -> int:
        return self._counts.get(name, 0)

    def reset(self) -> None:
        """Begin anew."""
        self._counts.clear()


def _beginnings(name: str) -> Iterator[str]:
    """``a.b.c``, ``a.b``, ``a``, and the empty name that stands for all."""
    while name:
        yield name
        name = name.rpartition(".")[0]
    yield ""


def names_of(catch: Element) -> list[str]:
    """The events that a handler catches; the empty name catches all."""
    if catch.tag != "catch":
        return [catch.tag]
    names = [name.strip(".") for name in (catch.get("event") or "").split()]
    return names or [""]


def find(place: Place, event: str, counters: Counters) -> Element | None:
    """The handler of an event that happened in a place; None when no document has one.

    Of those that match and whose condition holds, the one with the highest count that was reached; of
    several, the one of the innermost scope, and in it the first.
    """
    beginnings = set(_beginnings(event))
    best: Element | None = None
    best_count = 0
    for element in place.around:
        for catch in element.elements(*CATCHES):
            matching = [name for name in names_of(catch) if name in beginnings]
            if not matching:
                continue
            count = _count_of(catch)
            if count > max(counters[name] for name in matching) or count <= best_count:
                continue
            condition = catch.get("cond")
            if condition is None or place.test(condition):
                best, best_count = catch, count
    return best


def _count_of(catch: Element) -> int:
    text = (catch.get("count") or "1").strip()
    return int(text) if text.isdigit() and int(text) else 1


async def handle(machine: Machine, place: Place, event: Event, counters: Counters) -> None:
    """Handle an event, and those that the handlers throw; returns when the dialog shall go on.

    Raises:
        Jump, NextItem, Return, Finish: a handler went elsewhere.
        Stopped: handlers throw events without end.
    """
    while True:
        machine.step(place.element)
        details: dict[str, object] = {"message": event.told} if event.told else {}
        machine.note(Note(what="event", text=event.name, details=details))
        counters.add(event.name)
        try:
            inner = _described(place, event)
            catch = find(inner, event.name, counters)
            if catch is None:
                by_default(machine, place, event)
            else:
                await execute(machine, inner, catch)
            return
        except Thrown as again:
            event = again.event


def _described(place: Place, event: Event) -> Place:
    """The place with a scope in which the event and its message stand."""
    inner = place.inner()
    scope = inner.chain[-1]
    inner.engine.set(scope, "_event", event.name)
    inner.engine.set(scope, "_message", UNDEFINED if event.message is None else event.message)
    return inner


class _Default(NamedTuple):
    says: str
    """Which of the sentences below is heard, or none."""
    exits: bool


_DEFAULTS: Final[dict[str, _Default]] = {
    "cancel": _Default("", False),
    "error": _Default("error", True),
    "exit": _Default("", True),
    "help": _Default("help", False),
    "noinput": _Default("", False),
    "nomatch": _Default("nomatch", False),
    "maxspeechtimeout": _Default("nomatch", False),
    "connection.disconnect": _Default("", True),
    "": _Default("error", True),
}

SENTENCES: Final[Mapping[str, Mapping[str, str]]] = {
    "zh": {
        "error": "抱歉，系统出现问题，请稍后再拨。",
        "help": "抱歉，这里没有更多的帮助。",
        "nomatch": "抱歉，我没有听明白。",
    },
    "en": {
        "error": "Sorry, something went wrong. Please call again later.",
        "help": "Sorry, there is no help here.",
        "nomatch": "Sorry, I did not understand that.",
    },
}
"""What is said where a document has no handler."""


def by_default(machine: Machine, place: Place, event: Event) -> None:
    """What the platform does with an event that no document catches."""
    name = next(name for name in _beginnings(event.name) if name in _DEFAULTS)
    default = _DEFAULTS[name]
    if default.says:
        language = place.context.document.root.get("xml:lang") or machine.session.language
        spoken = "zh" if language.lower().startswith(("zh", "cmn")) else "en"
        voice = spoken if known(spoken, machine.languages) else ""
        machine.say(Prompt(items=(Text(SENTENCES[spoken][default.says], voice),)))
    if default.exits:
        raise Finish(_exit_by(machine, event, name))
    if place.visited is not None and name in ("help", "noinput", "nomatch", "maxspeechtimeout"):
        place.visited.reprompt()


def _exit_by(machine: Machine, event: Event, name: str) -> Exit:
    message = event.told
    if name == "connection.disconnect":
        return Exit(reason=machine.final_reason, event=event.name, message=message)
    if name == "exit":
        return Exit(reason="exit", event=event.name, message=message)
    return Exit(reason="error", event=event.name, message=message)
