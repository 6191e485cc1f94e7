"""VoiceXML as a tree whose every element knows its place in the document.

The parser is expat. Documents have limits, and entities may not be declared: a few lines of them can stand
for gigabytes. A document without the namespace of VoiceXML is read as if it had it, for many have none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from sipcc.ivr.js import Json
from sipcc.ivr.vxml.errors import DocumentError
from sipcc.ivr.vxml.limits import ParseLimits

VXML: Final = "http://www.w3.org/2001/vxml"
SRGS: Final = "http://www.w3.org/2001/06/grammar"
XML: Final = "http://www.w3.org/XML/1998/namespace"

_OWN: Final = frozenset({VXML, SRGS, "http://www.w3.org/2001/10/synthesis", ""})
"""Namespaces whose elements are known by their local names."""


class Element:
    """An element: `children` are elements and texts in their order."""

    __slots__ = ("attributes", "children", "column", "line", "parent", "tag")

    def __init__(
        self, tag: str, attributes: dict[str, str], parent: Element | None, line: int, column: int
    ) -> None:
        self.tag = tag
        """The local name; ``{namespace}name`` for namespaces that are not ours."""
        self.attributes = attributes
        """By local name; ``xml:lang`` and ``xml:base`` with their prefix."""
        self.children: list[Element | str] = []
        self.parent = parent
        self.line = line
        self.column = column

    def get(self, name: str) -> str | None:
        """An attribute."""
        return self.attributes.get(name)

    def elements(self, *tags: str) -> Iterator[Element]:
        """The children that are elements, all or those of some names."""
        for child in self.children:
            if isinstance(child, Element) and (not tags or child.tag in tags):
                yield child

    def walk(self) -> Iterator[Element]:
        """The element and all in it, in the order of the document."""
        stack: list[Element] = [self]
        while stack:
            element = stack.pop()
            yield element
            stack += [child for child in reversed(element.children) if isinstance(child, Element)]

    @property
    def text(self) -> str:
        """The text directly in it."""
        return "".join(child for child in self.children if isinstance(child, str))

    @property
    def all_text(self) -> str:
        """The text in it and in all below."""
        return "".join(
            child for element in self.walk() for child in element.children if isinstance(child, str)
        )

    @property
    def language(self) -> str:
        """The nearest ``xml:lang``, or empty."""
        element: Element | None = self
        while element is not None:
            if "xml:lang" in element.attributes:
                return element.attributes["xml:lang"]
            element = element.parent
        return ""

    @property
    def top(self) -> Element:
        """The root of its document."""
        element = self
        while element.parent is not None:
            element = element.parent
        return element

    def __repr__(self) -> str:
        return f"<{self.tag}> at line {self.line}"


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
    if len(body) > limits.max_bytes:
        raise DocumentError(url, 1, 1, f"the document is longer than {limits.max_bytes} bytes")
    return _Builder(url, limits).build(_decoded(body, url, charset))


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
    if len(body) > limits.max_bytes:
        raise DocumentError(url, 1, 1, f"the document is longer than {limits.max_bytes} bytes")
    tree = _Tree(url, limits)
    tree.build(_decoded(body, url, charset))
    return tree.made[0], tree.instructions


_DECLARED: Final = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


def _decoded(body: bytes, url: str, charset: str) -> str:
    for mark, name in _MARKS:
        if body.startswith(mark):
            body, charset = body[len(mark) :], name
            break
    else:
        declared = _DECLARED.match(body[:200].lstrip())
        if not charset:
            charset = declared[1].decode() if declared is not None else "utf-8"
    try:
        return body.decode(charset)
    except LookupError:
        raise DocumentError(url, 1, 1, f"nobody knows the encoding {charset!r}") from None
    except ValueError as error:
        line = body.count(b"\n", 0, getattr(error, "start", 0)) + 1
        raise DocumentError(url, line, 1, f"it is not encoded in {charset}") from None


class _Builder:
    def __init__(self, url: str, limits: ParseLimits) -> None:
        self._url = url
        self._limits = limits
        self._root: Element | None = None
        self._open: Element | None = None
        self._depth = 0
        self._count = 0

    def build(self, text: str) -> Element:
        """The root of a document."""
        self._parse(text)
        assert self._root is not None  # expat does not accept a document without one
        return self._root

    def _prepare(self, parser: expat.XMLParserType) -> None:
        """Say what else is wanted of the parser."""

    def _parse(self, text: str) -> None:
        self._expat = parser = expat.ParserCreate("utf-8", namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.EntityDeclHandler = self._entity
        parser.SkippedEntityHandler = self._skipped
        parser.ProcessingInstructionHandler = self._instruction
        self._prepare(parser)
        try:
            parser.Parse(text.encode("utf-8", "surrogatepass").lstrip(), True)
        except expat.ExpatError as error:
            problem = expat.errors.messages.get(error.code, "it cannot be read")
            raise DocumentError(self._url, error.lineno, error.offset + 1, problem) from None
        except ValueError as error:
            raise DocumentError(self._url, 1, 1, str(error)) from None

    def _refuse(self, problem: str) -> DocumentError:
        parser = self._expat
        return DocumentError(self._url, parser.CurrentLineNumber, parser.CurrentColumnNumber + 1, problem)

    def _count_in(self) -> None:
        self._depth += 1
        self._count += 1
        if self._depth > self._limits.max_depth:
            raise self._refuse(f"elements are nested more than {self._limits.max_depth} deep")
        if self._count > self._limits.max_elements:
            raise self._refuse(f"it has more than {self._limits.max_elements} elements")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._count_in()
        named = {_attribute(key): value for key, value in attributes.items()}
        parser = self._expat
        element = Element(
            _local(name), named, self._open, parser.CurrentLineNumber, parser.CurrentColumnNumber + 1
        )
        if self._open is None:
            self._root = element
        else:
            self._open.children.append(element)
        self._open = element

    def _end(self, name: str) -> None:
        self._depth -= 1
        assert self._open is not None
        self._open = self._open.parent

    def _text(self, text: str) -> None:
        if self._open is not None:
            self._open.children.append(text)

    def _entity(self, name: str, *rest: object) -> None:
        raise self._refuse(f"the entity {name!r} is declared; documents may declare none")

    def _skipped(self, name: str, parameter: bool) -> None:
        if not parameter:
            raise self._refuse(f"the entity {name!r} is not known")

    def _instruction(self, target: str, data: str) -> None:
        pass


class _Tree(_Builder):
    """Keeps names with their namespaces and prefixes, comments, sections and instructions."""

    def __init__(self, url: str, limits: ParseLimits) -> None:
        super().__init__(url, limits)
        self.made: list[Json] = []
        self.instructions: list[tuple[str, str]] = []
        self._stack: list[list[Json]] = [self.made]
        self._section: list[str] | None = None

    def build(self, text: str) -> Element:
        """Fill `made`."""
        self._parse(text)
        return Element("", {}, None, 1, 1)

    def _prepare(self, parser: expat.XMLParserType) -> None:
        parser.namespace_prefixes = True
        parser.CommentHandler = lambda text: self._note(["<!", text])
        parser.StartCdataSectionHandler = self._open_section
        parser.EndCdataSectionHandler = self._close_section

    def _note(self, node: list[Json]) -> None:
        if len(self._stack) > 1:
            self._stack[-1].append(node)

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._count_in()
        children: list[Json] = []
        named: list[Json] = [[_whole(key), value] for key, value in attributes.items()]
        self._stack[-1].append([_whole(name), named, children])
        self._stack.append(children)

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._stack.pop()

    def _text(self, text: str) -> None:
        if self._section is not None:
            self._section.append(text)
        elif len(self._stack) > 1:
            self._stack[-1].append(text)

    def _open_section(self) -> None:
        self._section = []

    def _close_section(self) -> None:
        self._note(["<[", "".join(self._section or [])])
        self._section = None

    def _instruction(self, target: str, data: str) -> None:
        if len(self._stack) == 1:
            self.instructions.append((target, data))
        self._note(["<?", target, data])


def _whole(name: str) -> str:
    """``uri local prefix`` as ``{uri}prefix:local``."""
    parts = name.split(" ")
    if len(parts) == 1:
        return parts[0]
    prefix = f"{parts[2]}:" if len(parts) > 2 else ""
    return f"{{{parts[0]}}}{prefix}{parts[1]}"


def _local(name: str) -> str:
    namespace, _, local = name.rpartition(" ")
    return local if namespace in _OWN else f"{{{namespace}}}{local}"


def _attribute(name: str) -> str:
    namespace, _, local = name.rpartition(" ")
    if namespace == XML:
        return f"xml:{local}"
    return local if not namespace else f"{{{namespace}}}{local}"


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
