"""Reads the XML form of SRGS 1.0, with the line and the column of everything that is wrong.

Entities of its own, and what would be loaded from elsewhere, make a document one that is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NoReturn, TypeVar
from urllib.parse import unquote, urljoin

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
from sipcc.ivr.xmlread import Element, XmlError, XmlLimits, read

NAMESPACE = "http://www.w3.org/2001/06/grammar"
_OURS = frozenset({NAMESPACE, "http://www.w3.org/2001/vxml"})
_XINCLUDE = ("{http://www.w3.org/2001/XInclude}", "{http://www.w3.org/2003/XInclude}")
_LIMITS = XmlLimits(max_bytes=4_194_304, max_depth=MAX_DEPTH, max_elements=2 * MAX_EXPANSIONS)
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
    try:
        root = read(source, charset=charset, limits=_LIMITS, ours=_OURS, doctype=True)
    except XmlError as error:
        raise GrammarError(error.problem, url=url, line=error.line, column=error.column) from None
    return _Reader(url, inline, mode, language).read(root)


class _Reader:
    def __init__(self, url: str, inline: bool, mode: Mode, language: str) -> None:
        self._inline = inline
        self._document = Document(url=url, base=url, mode=mode, language=language)
        self._open: list[_Open] = []
        self._count = 0
        self._references: list[Reference] = []
        self._at = (1, 1)

    def read(self, root: Element) -> Document:
        """The document; GrammarError when it is none."""
        self._walk(root)
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

    # -- what stands in it ---------------------------------------------------------------------------------

    def _walk(self, element: Element) -> None:
        self._at = element.line, element.column
        if not self._start(element):
            return
        opened = self._open[-1]
        for index, child in enumerate(element.children):
            if isinstance(child, Element):
                self._walk(child)
            else:
                opened.text_at = element.place_of(index)
                opened.text.append(child)
        self._open.pop()
        self._flush(opened)
        if opened.name != "grammar":
            getattr(self, "_end_" + opened.name.replace("-", "_"))(opened, self._open[-1])

    def _start(self, element: Element) -> bool:
        """Begin an element; False for one that nothing is made of, nor of what is in it."""
        name = element.tag
        if name.startswith(_XINCLUDE):
            self._fail("nothing is included into a grammar")
        parent = self._open[-1] if self._open else None
        foreign = name.startswith("{")
        if foreign or name == "metadata":
            if parent is None:
                namespace, _, local = name[1:].partition("}")
                where = f"{local} of the namespace {namespace}" if foreign else name
                self._fail(f"the document begins with {where}, not with grammar of {NAMESPACE}")
            if not foreign:
                self._check_place(name, parent)
            self._flush(parent)
            return False
        self._check_place(name, parent)
        own = self._attributes(name, element.attributes)
        if parent is not None:
            self._flush(parent)
        language = self._value(check_language, own["xml:lang"]) if own.get("xml:lang") else ""
        language = language or (parent.language if parent is not None else "")
        if name == "grammar":
            self._grammar(own)
        elif name == "rule":
            self._rule(own)
        self._open.append(_Open(name, own, *self._at, language))
        return True

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
        around = _INLINE_ATTRIBUTES if name == "grammar" and self._inline else frozenset()
        own = {}
        for attribute, value in attributes.items():
            if attribute in known or attribute.startswith("xml:"):
                own[attribute] = value
            elif not attribute.startswith("{") and attribute not in around:
                self._fail(f"{name} has no attribute {attribute}")
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

    def _fail(self, message: str, opened: _Open | None = None) -> NoReturn:
        line, column = (opened.line, opened.column) if opened is not None else self._at
        raise GrammarError(message, url=self._document.url, line=line, column=column)


def _one(items: list[Expansion]) -> Expansion:
    return items[0] if len(items) == 1 else Sequence(tuple(items))
