"""XML of strangers as a small tree in which every element knows its line and column, as a core.

Document types are refused, and with them entities that grow or read files; depth and size have limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.parsers import expat

from sipcc.ivr.hooks.model import BadAnswer

MAX_DEPTH = 32
MAX_ELEMENTS = 2000


class Element:
    """An element: its attributes, and what is in it in order, texts and elements."""

    __slots__ = ("attributes", "column", "content", "line", "name")

    def __init__(self, name: str, attributes: dict[str, str], line: int, column: int) -> None:
        self.name, self.attributes = name, attributes
        self.content: list[str | Element] = []
        self.line, self.column = line, column

    @property
    def at(self) -> str:
        """Line and column, counted from 1."""
        return f"{self.line}:{self.column}"

    @property
    def children(self) -> Iterator[Element]:
        """The elements in it."""
        return (part for part in self.content if isinstance(part, Element))

    @property
    def own_text(self) -> str:
        """The text that stands in it directly, without spaces at its ends."""
        return "".join(part for part in self.content if isinstance(part, str)).strip()

    def wrong(self, message: str) -> BadAnswer:
        """An error at this place."""
        return BadAnswer(self.at, message)


def parse(body: bytes) -> Element:
    """The outermost element of a document.

    Raises:
        BadAnswer: it is no XML, has a document type, or is too deep or too large.
    """
    return _Reader().read(body)


class _Reader:
    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._open: list[Element] = []
        self._root: Element | None = None
        self._count = 0

    def read(self, body: bytes) -> Element:
        try:
            self._parser.Parse(body, True)
        except expat.ExpatError as error:
            place = f"{error.lineno}:{error.offset + 1}"
            raise BadAnswer(place, f"it is no XML: {expat.ErrorString(error.code)}") from None
        except (ValueError, LookupError) as error:  # an encoding that nobody knows
            raise BadAnswer("1:1", f"it is no XML: {error}") from None
        assert self._root is not None  # a document without an element is an error of expat
        return self._root

    def _at(self) -> tuple[int, int]:
        return self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1

    def _doctype(self, *declared: object) -> None:
        line, column = self._at()
        raise BadAnswer(f"{line}:{column}", "a document type is not allowed")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        element = Element(name, attributes, *self._at())
        self._count += 1
        if len(self._open) >= MAX_DEPTH:
            raise element.wrong(f"elements are nested deeper than {MAX_DEPTH}")
        if self._count > MAX_ELEMENTS:
            raise element.wrong(f"there are more than {MAX_ELEMENTS} elements")
        if self._open:
            self._open[-1].content.append(element)
        else:
            self._root = element
        self._open.append(element)

    def _end(self, name: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        self._open[-1].content.append(text)
