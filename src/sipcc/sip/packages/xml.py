"""The XML of event packages: written by hand with everything escaped, read without DTDs and entities."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat
from xml.sax.saxutils import escape

from sipcc.errors import ParseError

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'

MAX_TEXT = 256
"""Characters of one name or URI that came from a peer."""
MAX_ELEMENTS = 4096
"""Elements of a document that we read."""
MAX_DEPTH = 16

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def written(value: str) -> str:
    """`value` as text or as the inside of an attribute in double quotes.

    What XML 1.0 §2.2 does not allow, such as control characters and bytes that were no UTF-8, becomes
    U+FFFD; more than `MAX_TEXT` characters are cut.
    """
    clean = _NOT_XML.sub("\ufffd", value[:MAX_TEXT])
    return escape(clean, {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def read(body: bytes, namespace: str, root: str) -> Element:
    """Read a document whose root is `root` of `namespace`; names come out without that namespace.

    Raises:
        ParseError: it is not well-formed, has a document type, is too deep or too large, or is another
            document.
    """
    reader = _Reader(namespace)
    try:
        element = reader.read(body)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise ParseError(f"not XML: {error}", layer="body") from error
    if element.tag != root:
        raise ParseError(f"not a {root} document: {element.tag[:60]}", layer="body")
    return element


class _Reader:
    def __init__(self, namespace: str) -> None:
        self._prefix = namespace + " "
        self._builder = TreeBuilder()
        self._depth = 0
        self._count = 0

    def read(self, body: bytes) -> Element:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        # without a document type there are no entities to expand: billion laughs ends here
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._builder.data
        parser.Parse(body, True)
        return self._builder.close()

    def _doctype(self, name: str, *_rest: object) -> None:
        raise ParseError("a document type", layer="body")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise ParseError("too many elements", layer="body")
        self._builder.start(name.removeprefix(self._prefix), attributes)

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._builder.end(name.removeprefix(self._prefix))
