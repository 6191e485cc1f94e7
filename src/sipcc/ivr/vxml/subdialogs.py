"""<subdialog>: a dialog that runs in a context of its own and returns values; and <object>."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urldefrag, urljoin

from sipcc.ivr.js import Scope
from sipcc.ivr.vxml.errors import Thrown, semantic
from sipcc.ivr.vxml.machine import Machine
from sipcc.ivr.vxml.navigate import arrival_at, arrive, request_of, values_of
from sipcc.ivr.vxml.parse import Element
from sipcc.ivr.vxml.scope import Context, Place
from sipcc.ivr.vxml.signals import Arrival, Return


async def invoke(machine: Machine, place: Place, element: Element, scope: Scope, name: str) -> None:
    """Run a subdialog; what it returns is the item's value."""
    if place.context.depth >= machine.limits.subdialogs:
        raise semantic(f"more than {machine.limits.subdialogs} subdialogs in one another")
    expression = element.get("srcexpr")
    source = (element.attributes["src"] if expression is None else place.text(expression)).strip()
    parameters = _parameters(place, element)
    values = values_of(machine, place, (element.get("namelist") or "").split())
    if source.startswith("#") and not values:
        arrival = await arrival_at(machine, place, place.context.document, source[1:], "subdialog", False)
    else:
        target, fragment = urldefrag(urljoin(place.base_of(element), source))
        request = request_of(machine, place, element, target, values)
        arrival = await arrive(machine, place, element, request, fragment, "subdialog")
    context = Context(place.engine, place.context.session, place.context.depth + 1)
    returned = await _returned(machine, context, arrival, parameters)
    if returned.event is not None:
        raise Thrown(returned.event.name, returned.event.message)
    _store(place, scope, name, returned.values)


async def _returned(
    machine: Machine, context: Context, arrival: Arrival, parameters: dict[str, object]
) -> Return:
    try:
        await machine.run_context(context, arrival, parameters)
    except Return as returned:
        return returned
    raise AssertionError("a context ends by a signal")


def _store(place: Place, scope: Scope, name: str, values: dict[str, Any]) -> None:
    """Make the item's value an object with a property for each returned variable."""
    engine = place.engine
    engine.set(scope, name, {})
    for variable, kept in values.items():
        engine.property(scope, name, variable.rpartition(".")[2], kept)


def _parameters(place: Place, element: Element) -> dict[str, object]:
    kept: dict[str, object] = {}
    for parameter in element.elements("param"):
        expression = parameter.get("expr")
        inner = place.inner()
        if expression is None:
            engine = inner.engine
            engine.set(inner.chain[-1], "value", parameter.attributes["value"])
            kept[parameter.attributes["name"]] = inner.keep("value")
        else:
            kept[parameter.attributes["name"]] = place.keep(expression)
    return kept


UNSUPPORTED: Final = "error.unsupported.objectname"


def unsupported_object(element: Element) -> None:
    """No platform-specific objects are here.

    Raises:
        Thrown: always.
    """
    raise Thrown(UNSUPPORTED, f"there is no object {element.get('classid') or ''}".strip())
