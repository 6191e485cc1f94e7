"""VoiceXML as a tree whose every element knows its place in the document.

A document without the namespace of VoiceXML is read as if it had it, for many have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from sipcc.ivr.js import Json
from sipcc.ivr.vxml.errors import DocumentError
from sipcc.ivr.vxml.limits import ParseLimits
from sipcc.ivr.xmlread import XML, Element, XmlError, read, read_whole

__all__ = ["SRGS", "VXML", "XML", "Element", "as_grammar", "parse", "parse_tree"]

VXML: Final = "http://www.w3.org/2001/vxml"
SRGS: Final = "http://www.w3.org/2001/06/grammar"

_OWN: Final = frozenset({VXML, SRGS, "http://www.w3.org/2001/10/synthesis"})
"""Namespaces whose elements are known by their local names."""


def parse(body: bytes, url: str, *, charset: str = "", limits: ParseLimits = ParseLimits()) -> Element:  # noqa: B008  # frozen
    """The root element of a document of any kind.

    Args:
        body: as it came.
        url: for messages.
        charset: what the transport said, if it did.
        limits: beyond which it is refused.

    Raises:
        DocumentError: it is not well formed, too large, or declares entities.
    """
    try:
        return read(body, charset=charset, limits=limits, ours=_OWN, doctype=True, blanks=True)
    except XmlError as error:
        raise DocumentError(url, error.line, error.column, error.problem) from None


def parse_tree(
    body: bytes,
    url: str,
    *,
    charset: str = "",
    limits: ParseLimits = ParseLimits(),  # noqa: B008  # frozen
) -> tuple[Json, list[tuple[str, str]]]:
    """Any document as nested lists for `sipcc.ivr.vxml.dom`, and the instructions before its root.

    Raises:
        DocumentError: as for `parse`.
    """
    try:
        root, instructions = read_whole(body, charset=charset, limits=limits)
    except XmlError as error:
        raise DocumentError(url, error.line, error.column, error.problem) from None
    return _listed(root), instructions


def _listed(node: Element | str) -> Json:
    if isinstance(node, str):
        return node
    children = [_listed(child) for child in node.children]
    if node.tag.startswith("<"):  # a comment, a section or an instruction
        return [node.tag, *children]
    return [node.tag, [[name, value] for name, value in node.attributes.items()], children]


def as_grammar(element: Element) -> str:
    """A grammar that stands in a document, as a document of its own."""
    attributes = {"version": "1.0", **element.attributes}
    for name in ("src", "srcexpr", "scope", "weight"):
        attributes.pop(name, None)
    if not attributes.get("xml:lang") and element.language:
        attributes["xml:lang"] = element.language
    return _written(element, {"xmlns": SRGS, **attributes})


def _written(element: Element, attributes: Mapping[str, str]) -> str:
    shown = "".join(
        f" {name}={quoteattr(value)}" for name, value in attributes.items() if not name.startswith("{")
    )
    inner = "".join(
        escape(child) if isinstance(child, str) else _written(child, child.attributes)
        for child in element.children
        if isinstance(child, str) or not child.tag.startswith("{")
    )
    return f"<{element.tag}{shown}>{inner}</{element.tag}>"
