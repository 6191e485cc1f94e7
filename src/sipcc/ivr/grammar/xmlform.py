"""Reads the XML form of SRGS 1.0, with the line and the column of everything that is wrong.

Entities of its own, and what would be loaded from elsewhere, make a document one that is refused.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NoReturn, TypeVar
from urllib.parse import unquote, urljoin
from xml.parsers import expat

from sipcc.ivr.grammar.model import (
    MAX_DEPTH,
    MAX_EXPANSIONS,
    SPECIALS,
    Choice,
    Document,
    Expansion,
    GrammarError,
    Mode,
    Reference,
    Repeat,
    Rule,
    Sequence,
    Special,
    Tag,
    Token,
    check_language,
    check_name,
    number_of,
    probability_of,
    repeat_of,
)
from sipcc.ivr.grammar.words import normal, split_text, token_words

NAMESPACE = "http://www.w3.org/2001/06/grammar"
_OURS = {NAMESPACE, "http://www.w3.org/2001/vxml", ""}
_XML = "http://www.w3.org/XML/1998/namespace"
_XINCLUDE = {"http://www.w3.org/2001/XInclude", "http://www.w3.org/2003/XInclude"}
_EXPANSIONS = frozenset({"token", "ruleref", "item", "one-of", "tag"})
_INSIDE: Final[dict[str, frozenset[str]]] = {
    "grammar": frozenset({"meta", "metadata", "lexicon", "tag", "rule"}),
    "rule": _EXPANSIONS | {"example"},
    "item": _EXPANSIONS,
    "one-of": frozenset({"item"}),
}
_ATTRIBUTES: Final[dict[str, frozenset[str]]] = {
    "grammar": frozenset({"version", "mode", "root", "tag-format"}),
    "rule": frozenset({"id", "scope"}),
    "ruleref": frozenset({"uri", "type", "special"}),
    "item": frozenset({"repeat", "repeat-prob", "weight"}),
    "one-of": frozenset(),
    "token": frozenset(),
    "tag": frozenset(),
    "example": frozenset(),
    "lexicon": frozenset({"uri", "type"}),
    "meta": frozenset({"name", "http-equiv", "content"}),
    "metadata": frozenset(),
}
_INLINE_ATTRIBUTES = frozenset(
    {"src", "type", "weight", "fetchhint", "fetchtimeout", "maxage", "maxstale", "scope"}
)
"""What the grammar element of VoiceXML has besides."""
_TEXT = frozenset({"token", "tag", "example"})
_EMPTY = frozenset({"ruleref", "lexicon", "meta"})

T = TypeVar("T")


@dataclass(slots=True)
class _Open:
    """An element that is not closed yet."""

    name: str
    attributes: dict[str, str]
    line: int
    column: int
    language: str
    items: list[Expansion] = field(default_factory=list)
    weights: list[float | None] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    text_at: tuple[int, int] = (0, 0)
    examples: list[str] = field(default_factory=list)


def text_of(body: bytes, charset: str = "", url: str = "") -> str:
    """The text of an XML document: by its transport, its byte order mark, its declaration, or as UTF-8."""
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins like the next
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if body.startswith(mark):
            return _decoded(body[len(mark) :], name, url)
    if body[:2] in (b"<\0", b"\0<"):
        return _decoded(body, "utf-16-le" if body[:1] == b"<" else "utf-16-be", url)
    declared = re.match(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z][A-Za-z0-9._-]*)[\"']", body[:400])
    return _decoded(body, charset or (declared[1].decode() if declared else "utf-8"), url)


def _decoded(body: bytes, charset: str, url: str) -> str:
    try:
        return str(body, charset)
    except UnicodeError as error:
        before = body[: getattr(error, "start", 0)]
        line = before.count(b"\n") + 1
        raise GrammarError(f"it is not in {charset}", url=url, line=line, column=1) from None
    except (LookupError, ValueError):
        raise GrammarError(f"nobody knows the encoding {charset!r}", url=url, line=1, column=1) from None


def parse_xml(
    source: str | bytes,
    *,
    url: str = "",
    charset: str = "",
    inline: bool = False,
    mode: Mode = "voice",
    language: str = "",
) -> Document:
    """The document in `source`.

    Args:
        source: The document; `charset` is what its transport says of bytes.
        url: Where it came from.
        charset: See `source`.
        inline: It is part of a VoiceXML document: no version is needed.
        mode: That of the element around it, for one that says none.
        language: That of the document around it, for one that says none.

    Raises:
        GrammarError: it is no grammar.
    """
    text = text_of(source, charset, url) if isinstance(source, bytes) else source
    return _Reader(text, url, inline, mode, language).read()


class _Reader:
    def __init__(self, text: str, url: str, inline: bool, mode: Mode, language: str) -> None:
        self._text = text
        self._inline = inline
        self._document = Document(url=url, base=url, mode=mode, language=language)
        self._open: list[_Open] = []
        self._skipping = 0
        self._count = 0
        self._references: list[Reference] = []
        self._parser = parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.EntityDeclHandler = self._entity
        parser.SkippedEntityHandler = self._skipped
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def read(self) -> Document:
        """The document; GrammarError when it is none."""
        try:
            self._parser.Parse(self._text.removeprefix("\ufeff"), True)
        except expat.ExpatError as error:
            message = expat.ErrorString(error.code)
            url = self._document.url
            raise GrammarError(message, url=url, line=error.lineno, column=error.offset + 1) from None
        except (ValueError, UnicodeError) as error:  # a surrogate alone, say
            self._fail(str(error))
        document = self._document
        if document.root and document.root not in document.rules:
            raise GrammarError(
                f"there is no rule {document.root!r} to be the root", url=document.url, line=1, column=1
            )
        for reference in self._references:
            if not reference.uri and reference.name not in document.rules:
                message = f"there is no rule {reference.name!r}"
                raise GrammarError(message, url=document.url, line=reference.line, column=reference.column)
        return document

    # -- what expat tells ----------------------------------------------------------------------------------

    def _start(self, full: str, attributes: dict[str, str]) -> None:
        if self._skipping:
            self._skipping += 1
            return
        namespace, _, name = full.rpartition(" ")
        if namespace in _XINCLUDE:
            self._fail("nothing is included into a grammar")
        if namespace not in _OURS or name == "metadata":
            if not self._open:
                where = f"{name} of the namespace {namespace}" if namespace else name
                self._fail(f"the document begins with {where}, not with grammar of {NAMESPACE}")
            if namespace in _OURS:
                self._check_place(name, self._open[-1])
            self._flush(self._open[-1])
            self._skipping = 1
            return
        if len(self._open) >= MAX_DEPTH:
            self._fail(f"more than {MAX_DEPTH} elements are inside one another")
        parent = self._open[-1] if self._open else None
        self._check_place(name, parent)
        own = self._attributes(name, attributes)
        if parent is not None:
            self._flush(parent)
        language = self._value(check_language, own["xml:lang"]) if own.get("xml:lang") else ""
        language = language or (parent.language if parent is not None else "")
        line, column = self._place()
        opened = _Open(name, own, line, column, language)
        if name == "grammar":
            self._grammar(own)
        elif name == "rule":
            self._rule(own)
        self._open.append(opened)

    def _end(self, full: str) -> None:
        if self._skipping:
            self._skipping -= 1
            return
        closed = self._open.pop()
        self._flush(closed)
        if closed.name == "grammar":
            return
        parent = self._open[-1]
        getattr(self, "_end_" + closed.name.replace("-", "_"))(closed, parent)

    def _characters(self, text: str) -> None:
        if self._skipping or not self._open:
            return
        opened = self._open[-1]
        if not opened.text:
            opened.text_at = self._place()
        opened.text.append(text)

    def _entity(self, name: str, *_: object) -> None:
        self._fail(f"the entity {name!r} is declared; grammars with entities are not read")

    def _skipped(self, name: str, _: object) -> None:
        self._fail(f"nobody knows the entity {name!r}")

    # -- elements ------------------------------------------------------------------------------------------

    def _grammar(self, attributes: dict[str, str]) -> None:
        document = self._document
        version = attributes.get("version", "1.0" if self._inline else "")
        if version != "1.0":
            self._fail(f"the version is {version!r}, not 1.0" if version else "the version is missing")
        mode = attributes.get("mode", document.mode)
        if mode not in ("voice", "dtmf"):
            self._fail(f"the mode is {mode!r}, neither voice nor dtmf")
        document.mode = "dtmf" if mode == "dtmf" else "voice"
        document.language = attributes.get("xml:lang", document.language)
        document.tag_format = attributes.get("tag-format", "").strip()
        document.root = attributes.get("root", "")
        if document.root:
            self._value(check_name, document.root)
        document.base = urljoin(document.url, attributes.get("xml:base", ""))
        if document.mode == "voice" and not document.language:
            self._fail("the language is missing: xml:lang")

    def _end_rule(self, closed: _Open, parent: _Open) -> None:
        if not closed.items:
            self._fail("the rule is empty", closed)
        name = closed.attributes["id"]
        self._document.rules[name] = Rule(
            name,
            closed.attributes.get("scope") == "public",
            _one(closed.items),
            self._document,
            tuple(closed.examples),
            closed.line,
            closed.column,
        )

    def _end_item(self, closed: _Open, parent: _Open) -> None:
        expansion = _one(closed.items)
        repeat = closed.attributes.get("repeat")
        probability = closed.attributes.get("repeat-prob")
        chance = None if probability is None else self._value(probability_of, probability.strip(), closed)
        if repeat is not None:
            low, high = self._value(repeat_of, repeat.strip(), closed)
            expansion = Repeat(expansion, low, high, chance)
        weight = closed.attributes.get("weight")
        value = None if weight is None else self._value(number_of, weight.strip(), closed)
        parent.weights.append(value)
        self._add(parent, expansion)

    def _end_one_of(self, closed: _Open, parent: _Open) -> None:
        if not closed.items:
            self._fail("one-of has no item", closed)
        self._add(parent, Choice(tuple(closed.items), tuple(closed.weights)))

    def _end_token(self, closed: _Open, parent: _Open) -> None:
        text = normal("".join(closed.text).replace('"', " "))
        if not text:
            self._fail("the token is empty", closed)
        self._add(parent, self._token(text, closed))

    def _end_tag(self, closed: _Open, parent: _Open) -> None:
        text = "".join(closed.text)
        if parent.name == "grammar":
            self._document.header_tags += (text,)
        else:
            self._add(parent, Tag(text))

    def _end_example(self, closed: _Open, parent: _Open) -> None:
        parent.examples.append(normal("".join(closed.text)))

    def _end_ruleref(self, closed: _Open, parent: _Open) -> None:
        uri, special = closed.attributes.get("uri"), closed.attributes.get("special")
        if (uri is None) == (special is None):
            self._fail("a reference has either uri or special", closed)
        if special is not None:
            if special not in SPECIALS:
                self._fail(f"{special!r} is none of NULL, VOID and GARBAGE", closed)
            self._add(parent, Special(SPECIALS[special]))
            return
        where, mark, name = (uri or "").strip().partition("#")
        name = unquote(name)
        if not where and not name:
            self._fail("the reference has no rule", closed)
        if mark:
            self._value(check_name, name, closed)
        media_type = closed.attributes.get("type", "")
        reference = Reference(name, where, media_type, closed.line, closed.column)
        self._references.append(reference)
        self._add(parent, reference)

    def _end_lexicon(self, closed: _Open, parent: _Open) -> None:
        if "uri" not in closed.attributes:
            self._fail("a lexicon has a uri", closed)
        self._document.lexicons += (urljoin(self._document.base, closed.attributes["uri"]),)

    def _end_meta(self, closed: _Open, parent: _Open) -> None:
        names = [closed.attributes[key] for key in ("name", "http-equiv") if key in closed.attributes]
        if len(names) != 1 or "content" not in closed.attributes:
            self._fail("meta has content, and either name or http-equiv", closed)
        self._document.meta[names[0]] = closed.attributes["content"]

    # -- rules of the form ---------------------------------------------------------------------------------

    def _attributes(self, name: str, attributes: dict[str, str]) -> dict[str, str]:
        known = _ATTRIBUTES[name]
        own = {}
        for full, value in attributes.items():
            namespace, _, attribute = full.rpartition(" ")
            if namespace == _XML:
                own[f"xml:{attribute}"] = value
            elif not namespace and attribute not in known:
                if not (name == "grammar" and self._inline and attribute in _INLINE_ATTRIBUTES):
                    self._fail(f"{name} has no attribute {attribute}")
            elif not namespace:
                own[attribute] = value
        return own

    def _check_place(self, name: str, parent: _Open | None) -> None:
        if parent is None:
            if name != "grammar":
                self._fail(f"the document begins with {name}, not with grammar")
            return
        if name not in _ATTRIBUTES:
            self._fail(f"{name} is no element of a grammar")
        if name not in _INSIDE.get(parent.name, ()):
            self._fail(f"{name} does not stand in {parent.name}")
        if parent.name == "grammar" and name != "rule" and self._document.rules:
            self._fail(f"{name} stands before the rules")

    def _rule(self, attributes: dict[str, str]) -> None:
        if "id" not in attributes:
            self._fail("the rule has no id")
        name = self._value(check_name, attributes["id"])
        if name in self._document.rules:
            self._fail(f"there are two rules {name!r}")
        if attributes.get("scope", "private") not in ("public", "private"):
            self._fail(f"the scope is {attributes['scope']!r}, neither public nor private")

    def _flush(self, opened: _Open) -> None:
        """Make tokens of the text so far, where text is tokens."""
        if opened.name in _TEXT or not opened.text:
            return
        text = "".join(opened.text)
        opened.text.clear()
        if not text.strip():
            return
        place = _Open(opened.name, {}, *opened.text_at, opened.language)
        if opened.name not in ("rule", "item"):
            self._fail(f"there is text in {opened.name}", place)
        for word in self._value(split_text, text, place):
            self._add(opened, self._token(word, opened))

    def _token(self, text: str, opened: _Open) -> Token:
        words = self._value(lambda text: token_words(text, self._document.mode), text, opened)
        return Token(text, words, opened.language)

    def _add(self, parent: _Open, expansion: Expansion) -> None:
        self._count += 1
        if self._count > MAX_EXPANSIONS:
            self._fail(f"the grammar has more than {MAX_EXPANSIONS} expansions")
        parent.items.append(expansion)

    def _value(self, read: Callable[[str], T], text: str, opened: _Open | None = None) -> T:
        try:
            return read(text)
        except ValueError as error:
            self._fail(str(error), opened)

    def _place(self) -> tuple[int, int]:
        return self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1

    def _fail(self, message: str, opened: _Open | None = None) -> NoReturn:
        line, column = (opened.line, opened.column) if opened is not None else self._place()
        raise GrammarError(message, url=self._document.url, line=line, column=column)


def _one(items: list[Expansion]) -> Expansion:
    return items[0] if len(items) == 1 else Sequence(tuple(items))
