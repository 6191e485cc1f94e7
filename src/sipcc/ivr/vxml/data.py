"""<data>: an XML document by URL, as a document object model that scripts may read (VoiceXML 2.1 §5)."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

from sipcc.ivr.vxml.dom import DOM
from sipcc.ivr.vxml.errors import Thrown
from sipcc.ivr.vxml.machine import Machine
from sipcc.ivr.vxml.navigate import request_of, values_of
from sipcc.ivr.vxml.parse import Element, parse_tree
from sipcc.ivr.vxml.scope import Place

_ALLOWS = re.compile(r"""(allow|deny)\s*=\s*["']([^"']*)["']""")


async def fetch_data(machine: Machine, place: Place, element: Element) -> None:
    """Fetch what a <data> names, and put it into its variable if it has one."""
    expression = element.get("srcexpr")
    source = element.attributes["src"] if expression is None else place.text(expression)
    url = urljoin(place.base_of(element), source.strip())
    values = values_of(machine, place, (element.get("namelist") or "").split())
    request = request_of(machine, place, element, url, values, "data")
    fetched = await machine.fetch(place, element, request)
    name = element.get("name")
    if name is None:
        return
    limits = machine.library.limits
    tree, instructions = parse_tree(fetched.body, fetched.url, charset=fetched.charset, limits=limits)
    _check_access(instructions, place.context.document.url, fetched.url)
    variable = place.new_name(name)
    scope = place.engine.owner(place.chain, variable) or place.chain[-1]
    place.engine.build(scope, variable, DOM, tree)


def _check_access(instructions: list[tuple[str, str]], asking: str, url: str) -> None:
    """See that the document may be read by another (the W3C note on the access-control instruction).

    Raises:
        Thrown: ``error.noauthorization``.
    """
    rules = [data for target, data in instructions if target == "access-control"]
    if not rules or urlsplit(asking).netloc == urlsplit(url).netloc:
        return
    host = urlsplit(asking).hostname or ""
    for rule in rules:
        given = dict(_ALLOWS.findall(rule))
        if any(_fits(host, pattern) for pattern in given.get("deny", "").split()):
            break
        if any(_fits(host, pattern) for pattern in given.get("allow", "").split()):
            return
    raise Thrown("error.noauthorization", f"{url} may not be read by documents of {host}")


def _fits(host: str, pattern: str) -> bool:
    pattern = pattern.partition("://")[2] or pattern
    pattern = pattern.partition(":")[0]
    return pattern == "*" or host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:]))
