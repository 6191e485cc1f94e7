"""Executable content: what stands in blocks, in <filled> and in handlers, carried out in its order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

from sipcc.ivr.vxml.data import fetch_data
from sipcc.ivr.vxml.errors import Event, Thrown, semantic
from sipcc.ivr.vxml.foreach import rounds
from sipcc.ivr.vxml.machine import Machine
from sipcc.ivr.vxml.navigate import follow, load_script, submit
from sipcc.ivr.vxml.parse import Element
from sipcc.ivr.vxml.prompts import BARE, say_bare, say_prompt
from sipcc.ivr.vxml.scope import Place
from sipcc.ivr.vxml.signals import Exit, Finish, NextItem, Note, Return

Deed = Callable[[Machine, Place, Element], Awaitable[None]]

_SPOKEN: Final = BARE | {
    "break", "emphasis", "mark", "p", "paragraph", "phoneme", "prosody", "s", "say-as", "sentence", "sub",
    "voice",
}  # fmt: skip
"""What is said without <prompt>; marks and markup so only in <foreach>."""


async def execute(machine: Machine, place: Place, element: Element) -> None:
    """Carry out all that stands in an element."""
    await _run(machine, place, element.children)


async def _run(machine: Machine, place: Place, content: Sequence[Element | str]) -> None:
    bare: list[Element | str] = []
    for child in content:
        if isinstance(child, str) or child.tag in _SPOKEN:
            bare.append(child)
            continue
        if bare:
            say_bare(machine, place, bare)
            bare = []
        deed = _DEEDS.get(child.tag)
        if deed is not None:
            machine.step(child)
            try:
                place.see(child)
                await deed(machine, place, child)
            except Thrown as thrown:
                raise thrown.at(place.where(child)) from None
    if bare:
        say_bare(machine, place, bare)


async def _assign(machine: Machine, place: Place, element: Element) -> None:
    place.assign(element.attributes["name"], element.attributes["expr"])


async def _clear(machine: Machine, place: Place, element: Element) -> None:
    names = element.get("namelist")
    if place.visited is not None:
        place.visited.clear(names.split() if names and names.strip() else None, place)


async def _disconnect(machine: Machine, place: Place, element: Element) -> None:
    machine.no_waiting()  # who is gone already is not told again
    names = (element.get("namelist") or "").split()
    for name in names:
        place.check_declared(name)
    machine.farewell = {name: place.json(name) for name in names}
    await machine.flush()
    await machine.session.hangup()
    machine.ended()
    raise Thrown("connection.disconnect.hangup")


async def _exit(machine: Machine, place: Place, element: Element) -> None:
    expression = element.get("expr")
    names = (element.get("namelist") or "").split()
    for name in names:
        place.check_declared(name)
    value = None if expression is None else place.json(expression)
    raise Finish(Exit(reason="exit", value=value, values={name: place.json(name) for name in names}))


async def _foreach(machine: Machine, place: Place, element: Element) -> None:
    for _ in rounds(place, element):
        machine.step(element)
        await _run(machine, place, element.children)


async def _goto(machine: Machine, place: Place, element: Element) -> None:
    name = element.get("nextitem")
    if (expression := element.get("expritem")) is not None:
        name = place.text(expression)
    if name is not None:
        if place.visited is None or not place.visited.has_item(name):
            raise Thrown("error.badfetch", f"the form has no item {name!r}")
        raise NextItem(name)
    await follow(machine, place, element)


async def _if(machine: Machine, place: Place, element: Element) -> None:
    for condition, content in _branches(element):
        if condition is None or place.test(condition):
            await _run(machine, place, content)
            return


def _branches(element: Element) -> Iterator[tuple[str | None, list[Element | str]]]:
    condition: str | None = element.attributes["cond"]
    content: list[Element | str] = []
    for child in element.children:
        if isinstance(child, Element) and child.tag in ("elseif", "else"):
            yield condition, content
            condition, content = child.get("cond"), []
        else:
            content.append(child)
    yield condition, content


async def _log(machine: Machine, place: Place, element: Element) -> None:
    said = [
        child if isinstance(child, str) else place.text(child.attributes["expr"])
        for child in element.children
    ]
    if (expression := element.get("expr")) is not None:
        said.append(place.text(expression))
    text = " ".join("".join(said).split())
    label = element.get("label") or ""
    machine.note(Note(what="log", text=text, details={"label": label} if label else {}))


async def _prompt(machine: Machine, place: Place, element: Element) -> None:
    condition = element.get("cond")
    if condition is None or place.test(condition):
        say_prompt(machine, place, element)


async def _reprompt(machine: Machine, place: Place, element: Element) -> None:
    if place.visited is not None:
        place.visited.reprompt()


async def _return(machine: Machine, place: Place, element: Element) -> None:
    if not place.context.depth:
        raise semantic("<return> is for subdialogs")
    name = element.get("event")
    if (expression := element.get("eventexpr")) is not None:
        name = place.text(expression)
    if name is not None:
        raise Return(event=Event(name, message_of(place, element)))
    names = (element.get("namelist") or "").split()
    for variable in names:
        place.check_declared(variable)
    raise Return({variable: place.keep(variable) for variable in names})


async def _script(machine: Machine, place: Place, element: Element) -> None:
    place.script(await load_script(machine, place, element))


async def _submit(machine: Machine, place: Place, element: Element) -> None:
    await submit(machine, place, element)


async def _throw(machine: Machine, place: Place, element: Element) -> None:
    raise Thrown(event_of(place, element), message_of(place, element))


async def _var(machine: Machine, place: Place, element: Element) -> None:
    place.declare(element.attributes["name"], element.get("expr"))


def event_of(place: Place, element: Element) -> str:
    """The event that an element names."""
    expression = element.get("eventexpr")
    return element.attributes["event"].strip() if expression is None else place.text(expression)


def message_of(place: Place, element: Element) -> str | None:
    """The message that an element has for its event."""
    expression = element.get("messageexpr")
    return element.get("message") if expression is None else place.text(expression)


_DEEDS: Final[dict[str, Deed]] = {
    "assign": _assign,
    "clear": _clear,
    "data": fetch_data,
    "disconnect": _disconnect,
    "exit": _exit,
    "foreach": _foreach,
    "goto": _goto,
    "if": _if,
    "log": _log,
    "prompt": _prompt,
    "reprompt": _reprompt,
    "return": _return,
    "script": _script,
    "submit": _submit,
    "throw": _throw,
    "var": _var,
}
