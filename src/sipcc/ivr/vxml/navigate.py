"""Going elsewhere: <goto>, <submit>, links and choices; what is sent with a request; scripts by URL.

A document that cannot be had or used is an event where the element stands, in the document that is left.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Final, Literal
from urllib.parse import urldefrag, urljoin

from sipcc.ivr.fetch import FetchError, FetchRequest, Part
from sipcc.ivr.js import Json, Undefined
from sipcc.ivr.vxml.documents import Document, bad_fetch
from sipcc.ivr.vxml.errors import Thrown, semantic
from sipcc.ivr.vxml.machine import RECORDING, Machine
from sipcc.ivr.vxml.parse import Element
from sipcc.ivr.vxml.recordings import media_type_of
from sipcc.ivr.vxml.scope import Context, Place
from sipcc.ivr.vxml.signals import Arrival, Jump

How = Literal["goto", "submit", "subdialog"]

FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"


async def follow(machine: Machine, place: Place, element: Element) -> None:
    """Go where ``next`` or ``expr`` of an element says.

    A link of the application root goes from the current document (VoiceXML 2.0 §2.5).

    Raises:
        Jump: always, but when the document cannot be had (`Thrown`).
    """
    expression = element.get("expr")
    url = element.attributes["next"] if expression is None else place.text(expression)
    url = url.strip()
    document, base = place.context.document, place.base_of(element)
    if url.startswith("#") and base == document.base:
        raise Jump(Arrival(dialog=_dialog(document, url[1:])))
    target, fragment = urldefrag(urljoin(base, url))
    request = machine.request(place, element, "document", url=target)
    raise Jump(await arrive(machine, place, element, request, fragment, "goto"))


async def submit(machine: Machine, place: Place, element: Element) -> None:
    """Send variables, and go to the document that comes.

    Raises:
        Jump: always, but when no document comes (`Thrown`).
    """
    expression = element.get("expr")
    url = element.attributes["next"] if expression is None else place.text(expression)
    names = element.get("namelist")
    if names is None:
        wanted = place.visited.input_names() if place.visited is not None else []
    else:
        wanted = names.split()
    target, fragment = urldefrag(urljoin(place.base_of(element), url.strip()))
    request = request_of(machine, place, element, target, values_of(machine, place, wanted))
    raise Jump(await arrive(machine, place, element, request, fragment, "submit"))


def values_of(machine: Machine, place: Place, names: list[str]) -> list[tuple[str, str]]:
    """Variables as they are sent: those that are objects by their properties, ``name.property``."""
    pairs: list[tuple[str, str]] = []
    for name in names:
        place.check_declared(name)
        value = place.json(name)
        if isinstance(value, dict | list):
            pairs += _flat(name, value)
        else:
            pairs.append((name, place.text(name)))
    return pairs


def _flat(name: str, value: Json) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in _flat(f"{name}.{key}", inner)]
    if isinstance(value, list):
        return [pair for at, inner in enumerate(value) for pair in _flat(f"{name}.{at}", inner)]
    shown = {True: "true", False: "false", None: "null"}
    return [(name, shown[value] if value is None or isinstance(value, bool) else str(value))]


def request_of(
    machine: Machine,
    place: Place,
    element: Element,
    url: str,
    values: list[tuple[str, str]],
    kind: str = "document",
) -> FetchRequest:
    """The request of <submit>, <subdialog> or <data> for its method and its encoding."""
    method = (element.get("method") or "get").lower()
    encoding = element.get("enctype") or FORM
    if method not in ("get", "post") or encoding not in (FORM, MULTIPART):
        raise semantic(
            f"method={method!r} enctype={encoding!r}: get and post, {FORM} and {MULTIPART} are known"
        )
    if method == "get":
        return machine.request(place, element, kind, url=url, query=tuple(values))
    if encoding == FORM:
        return machine.request(place, element, kind, url=url, method="POST", form=tuple(values))
    parts = tuple(_part(machine, name, value) for name, value in values)
    return machine.request(place, element, kind, url=url, method="POST", parts=parts)


def _part(machine: Machine, name: str, value: str) -> Part:
    path = machine.recordings.get(value, "") if value.startswith(RECORDING) else ""
    if not path:
        return (name, "", value.encode("utf-8", "replace"), "")
    return (name, f"{name}{PurePath(path).suffix}", machine.read_file(path), media_type_of(path))


async def arrive(
    machine: Machine, place: Place, element: Element | None, request: FetchRequest, fragment: str, how: How
) -> Arrival:
    """Fetch and check a document with its application root, and find the dialog.

    Raises:
        Thrown: something of it cannot be had.
    """
    context = place.context
    document = machine.library.document(await machine.fetch(place, element, request), request.target)
    known = None if how == "subdialog" else getattr(context, "application", None)
    return await arrival_at(machine, place, document, fragment, how, known is not None)


async def arrival_at(
    machine: Machine, place: Place, document: Document, fragment: str, how: How, known: bool
) -> Arrival:
    """How to enter a document: with the application's variables or with new ones (VoiceXML 2.0 §1.5.2)."""
    dialog = _dialog(document, fragment) if fragment else document.dialog("")
    root_url = document.application
    if not root_url:
        keeps = known and how == "goto" and _is_own_root(place.context, document)
        return Arrival(dialog=dialog, document=document, new_application=not keeps)
    if known and place.context.application.root.url == root_url:
        return Arrival(dialog=dialog, document=document)
    fetched = await machine.fetch(place, None, machine.request(place, None, "document", url=root_url))
    root = machine.library.document(fetched, root_url)
    if root.application:
        raise semantic(f"the application root {root_url} has an application root itself")
    return Arrival(dialog=dialog, document=document, root=root, new_application=True)


def _is_own_root(context: Context, document: Document) -> bool:
    """Whether a leaf document goes to its own application root, which keeps its variables."""
    return not context.in_root and context.application.root.url == document.url


def _dialog(document: Document, name: str) -> Element:
    dialog = document.dialog(name)
    if dialog is None or not name:
        raise Thrown("error.badfetch", f"{document.url} has no dialog {name!r}")
    return dialog


async def load_script(machine: Machine, place: Place, element: Element) -> str:
    """The text of a script, here or by its URL."""
    source = element.get("src")
    if (expression := element.get("srcexpr")) is not None:
        source = place.text(expression)
    if source is None:
        return element.text
    url = urljoin(place.base_of(element), source.strip())
    fetched = await machine.fetch(place, element, machine.request(place, element, "script", url=url))
    try:
        return fetched.text(element.get("charset") or "utf-8")
    except FetchError as error:
        raise bad_fetch(error) from None


def sent(value: Json | Undefined) -> str:
    """A value as text in a request."""
    return "undefined" if isinstance(value, Undefined) else str(value)
