"""XML of strangers as a small tree in which everything knows its place, as a core.

Whoever reads XML for callers reads it here: VoiceXML and its data, grammars, SSML, the answers of webhooks.
The parser is expat. Nothing is loaded from elsewhere, and nothing may be declared: a few lines of entities
can stand for gigabytes, and so can the default of an attribute. Size, depth and number of elements are
limited.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from xml.parsers import expat

import msgspec

from sipcc.errors import SipccError
from sipcc.ivr.textread import EncodingError, text_of

XML: Final = "http://www.w3.org/XML/1998/namespace"

COMMENT: Final = "<!"
SECTION: Final = "<["
INSTRUCTION: Final = "<?"
"""What is no element has one of these for its tag, which no element can have."""

_BLANK: Final = " \t\r\n"
_LINE: Final = re.compile(r"\r\n|\r|\n")
_DECLARED: Final = re.compile(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]*)["']""")


class XmlError(SipccError):
    """A document is no XML, or is refused; `line` and `column` count from 1."""

    def __init__(self, problem: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {problem}")
        self.problem = problem
        self.line = line
        self.column = column


class XmlLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How large a document may be."""

    max_bytes: int = 1_000_000
    """For a text, its characters."""
    max_depth: int = 200
    max_elements: int = 50_000


class Element:
    """An element: `children` are elements and texts in their order; no text follows another."""

    __slots__ = ("attributes", "children", "column", "line", "parent", "places", "tag")

    def __init__(
        self, tag: str, attributes: dict[str, str], parent: Element | None, line: int, column: int
    ) -> None:
        self.tag = tag
        """The name; see `read` for how names are written."""
        self.attributes = attributes
        self.children: list[Element | str] = []
        self.parent = parent
        self.line = line
        self.column = column
        self.places: dict[int, tuple[int, int]] | None = None
        """Line and column of the texts among `children` that are not blank, by their index."""

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

    @property
    def at(self) -> str:
        """Line and column, counted from 1, as ``3:14``."""
        return f"{self.line}:{self.column}"

    def place_of(self, index: int) -> tuple[int, int]:
        """Line and column of a child."""
        child = self.children[index]
        if isinstance(child, Element):
            return child.line, child.column
        return (self.places or {}).get(index, (self.line, self.column))

    def __repr__(self) -> str:
        return f"<{self.tag}> at line {self.line}"


def read(
    source: str | bytes,
    *,
    charset: str = "",
    limits: XmlLimits = XmlLimits(),  # noqa: B008  # frozen
    ours: frozenset[str] | None = None,
    doctype: bool = False,
    blanks: bool = False,
) -> Element:
    """The root element of a document.

    Args:
        source: The document.
        charset: What the transport of bytes says they are encoded in; see `sipcc.ivr.textread.text_of`.
        limits: Beyond which it is refused.
        ours: None leaves names as they are written, prefix and all. Else namespaces are known: an element of
            these or of none goes by its local name, another by ``{namespace}local``; so do attributes, but
            ``xml:lang`` and its like, which keep their prefix.
        doctype: True lets a document name its type, which is not looked at; False refuses that too.
        blanks: True forgives blanks before the declaration of XML, as many programs send them.

    Raises:
        XmlError: it is in no known encoding, not well formed, too large, or declares something.
    """
    return _Builder(limits, _Names(ours), doctype, notes=False).build(source, charset, blanks)


def read_whole(
    source: str | bytes,
    *,
    charset: str = "",
    limits: XmlLimits = XmlLimits(),  # noqa: B008  # frozen
) -> tuple[Element, list[tuple[str, str]]]:
    """A document with all that is in it, and target and data of the instructions before its root.

    Comments, sections of characters and instructions are elements of the tags `COMMENT`, `SECTION` (with
    their text in them) and `INSTRUCTION` (with target and data in them). Names are written
    ``{namespace}prefix:local``.

    Raises:
        XmlError: as for `read`; a document type and blanks before the document are let pass.
    """
    builder = _Builder(limits, _Names(frozenset(), prefixes=True), doctype=True, notes=True)
    return builder.build(source, charset, blanks=True), builder.instructions


class _Names:
    """Names as expat tells them, ``namespace local prefix``, as they are wanted."""

    def __init__(self, ours: frozenset[str] | None, *, prefixes: bool = False) -> None:
        self.spaces = ours is not None
        self.prefixes = prefixes
        self._ours = ours or frozenset()
        self._known: dict[str, str] = {}

    def element(self, name: str) -> str:
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._whole(name)
        return known

    def attributes(self, told: Mapping[str, str]) -> dict[str, str]:
        return {self._attribute(name) if " " in name else name: value for name, value in told.items()}

    def _whole(self, name: str) -> str:
        parts = name.split(" ")
        if len(parts) == 1 or parts[0] in self._ours:
            return name if len(parts) == 1 else parts[1]
        prefix = f"{parts[2]}:" if len(parts) > 2 else ""
        return f"{{{parts[0]}}}{prefix}{parts[1]}"

    def _attribute(self, name: str) -> str:
        namespace, local, *_ = name.split(" ")
        if self.prefixes or namespace != XML:
            return self._whole(name) if self.prefixes else f"{{{namespace}}}{local}"
        return f"xml:{local}"


class _Builder:
    def __init__(self, limits: XmlLimits, names: _Names, doctype: bool, notes: bool) -> None:
        self._limits = limits
        self._names = names
        self._root: Element | None = None
        self._open: Element | None = None
        self._depth = self._count = 0
        self._words: list[str] = []
        self._words_at = (1, 1)
        self._section_at: tuple[int, int] | None = None
        self._shift = (0, 0)
        self.instructions: list[tuple[str, str]] = []
        separator = " " if names.spaces else None
        self._expat = parser = expat.ParserCreate("utf-8", namespace_separator=separator)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.EntityDeclHandler = self._entity
        parser.AttlistDeclHandler = self._attlist
        parser.SkippedEntityHandler = self._skipped
        if not doctype:
            parser.StartDoctypeDeclHandler = self._doctype
        if notes:
            parser.namespace_prefixes = names.prefixes
            parser.CommentHandler = lambda text: self._note(COMMENT, text)
            parser.StartCdataSectionHandler = self._open_section
            parser.EndCdataSectionHandler = self._close_section
            parser.ProcessingInstructionHandler = self._instruction

    def build(self, source: str | bytes, charset: str, blanks: bool) -> Element:
        """The root of a document."""
        if len(source) > self._limits.max_bytes:
            unit = "bytes" if isinstance(source, bytes) else "characters"
            raise XmlError(f"the document is longer than {self._limits.max_bytes} {unit}", 1, 1)
        text = _decoded(source, charset) if isinstance(source, bytes) else source.removeprefix("\ufeff")
        begun = text.lstrip(_BLANK) if blanks else text
        lines = _LINE.split(text[: len(text) - len(begun)])
        self._shift = len(lines) - 1, len(lines[-1])
        try:
            self._expat.Parse(begun.encode("utf-8", "surrogatepass"), True)
        except expat.ExpatError as error:
            problem = f"it is no XML: {expat.ErrorString(error.code)}"
            raise XmlError(problem, *self._moved(error.lineno, error.offset)) from None
        except ValueError as error:
            raise XmlError(f"it is no XML: {error}", *self._place()) from None
        assert self._root is not None  # expat does not accept a document without one
        return self._root

    def _moved(self, line: int, offset: int) -> tuple[int, int]:
        lines, columns = self._shift
        return line + lines, offset + 1 + (columns if line == 1 else 0)

    def _place(self) -> tuple[int, int]:
        return self._moved(self._expat.CurrentLineNumber, self._expat.CurrentColumnNumber)

    def _refuse(self, problem: str) -> XmlError:
        return XmlError(problem, *self._place())

    # -- what expat tells ----------------------------------------------------------------------------------

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        self._count += 1
        if self._depth > self._limits.max_depth:
            raise self._refuse(f"elements are nested deeper than {self._limits.max_depth}")
        if self._count > self._limits.max_elements:
            raise self._refuse(f"there are more than {self._limits.max_elements} elements")
        if self._words:
            self._flush()
        names, parent = self._names, self._open
        self._open = element = Element(
            names.element(name), names.attributes(attributes), parent, *self._place()
        )
        if parent is None:
            self._root = element
        else:
            parent.children.append(element)

    def _end(self, name: str) -> None:
        if self._words:
            self._flush()
        self._depth -= 1
        assert self._open is not None
        self._open = self._open.parent

    def _text(self, text: str) -> None:
        if not self._words:
            self._words_at = self._place()
        self._words.append(text)

    def _flush(self) -> None:
        """What was said in characters is a text now."""
        text = "".join(self._words)
        self._words.clear()
        if not text or self._open is None:
            return
        if not text.isspace():
            self._open.places = self._open.places or {}
            self._open.places[len(self._open.children)] = self._words_at
        self._open.children.append(text)

    def _note(self, tag: str, *texts: str) -> None:
        self._flush()
        if self._open is not None:
            note = Element(tag, {}, self._open, *(self._section_at or self._place()))
            note.children += texts
            self._open.children.append(note)

    def _open_section(self) -> None:
        self._flush()
        self._section_at = self._place()

    def _close_section(self) -> None:
        text = "".join(self._words)
        self._words.clear()
        self._note(SECTION, text)
        self._section_at = None

    def _instruction(self, target: str, data: str) -> None:
        if self._root is None:
            self.instructions.append((target, data))
        self._note(INSTRUCTION, target, data)

    def _doctype(self, name: str, *rest: object) -> None:
        raise self._refuse("a document type is not allowed")

    def _entity(self, name: str, *rest: object) -> None:
        raise self._refuse(f"the entity {name!r} is declared; documents may declare none")

    def _attlist(self, element: str, name: str, kind: str, default: str | None, *rest: object) -> None:
        if default is not None:
            raise self._refuse(f"the attribute {name!r} has a default; documents may declare none")

    def _skipped(self, name: str, parameter: bool) -> None:
        if not parameter:
            raise self._refuse(f"nobody knows the entity {name!r}")


def _decoded(body: bytes, charset: str) -> str:
    declared = _DECLARED.match(body[:400])
    try:
        return text_of(body, charset=charset, declared=declared[1].decode() if declared else "")
    except EncodingError as error:
        raise XmlError(error.problem, error.line, error.column) from None
