"""<foreach>: once for each element of an array, in prompts and in executable content."""

from __future__ import annotations

from collections.abc import Iterator

from sipcc.ivr.vxml.errors import semantic
from sipcc.ivr.vxml.parse import Element
from sipcc.ivr.vxml.scope import Place


def rounds(place: Place, element: Element) -> Iterator[None]:
    """Give the item its value for each round; the array is copied first (VoiceXML 2.1 §6)."""
    kept = place.keep(element.attributes["array"])
    elements = place.engine.elements(kept)
    if elements is None:
        raise semantic(f"{element.attributes['array']!r} is no array")
    name = place.new_name(element.attributes["item"])
    scope = place.engine.owner(place.chain, name) or place.chain[-1]
    if scope is place.context.session:
        scope = place.chain[-1]
    for at in range(len(elements)):
        elements.put(at, scope, name)
        yield
