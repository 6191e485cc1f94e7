"""Reads the ABNF form of SRGS 1.0 (appendix D), with the line and the column of everything that is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple, NoReturn, TypeVar
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
from sipcc.ivr.grammar.words import normal, token_words
from sipcc.ivr.textread import EncodingError, text_of

T = TypeVar("T")

_HEADER = re.compile(r"#ABNF ([^\s;]+)(?: ([^\s;]+))?;")
_SPACE = re.compile(r"(?:\s+|//[^\r\n]*|/\*.*?\*/)+", re.DOTALL)
_PLAIN = r"[^\s;=|*+<>()\[\]{}/$!\"]+"
_LEXER = re.compile(
    rf"""(?P<quoted>"[^"]*")
    |(?P<tag>\{{!\{{.*?\}}!\}}|\{{(?!!\{{)[^}}]*\}})
    |(?P<uri>\$<[^>]*>(?:~<[^>]*>)?)
    |(?P<name>\${_PLAIN})
    |(?P<weight>/\s*[0-9.]+\s*/)
    |(?P<angle><[^>]*>(?:~<[^>]*>)?)
    |(?P<mark>[;=|()\[\]!])
    |(?P<plain>{_PLAIN})""",
    re.VERBOSE | re.DOTALL,
)
_STRING = re.compile(r"'[^']*'|\"[^\"]*\"")
_CURE: Final = {
    '"': "a quotation mark is not closed",
    "{": "a tag is not closed",
    "<": "a < is not closed",
    "/": "a comment or a weight is not closed",
    "$": "a $ without the name of a rule",
}
_ONCE = frozenset({"language", "mode", "root", "tag-format", "base"})


class _Piece(NamedTuple):
    kind: str
    text: str
    at: int
    end: int


def _decoded(body: bytes, charset: str, url: str) -> str:
    found = _HEADER.match(str(body[:200], "latin-1"))
    declared = found[2] if found is not None and found[2] else ""
    try:
        return text_of(body, charset=charset, declared=declared, first="#")
    except EncodingError as error:
        raise GrammarError(error.problem, url=url, line=error.line, column=error.column) from None


def parse_abnf(
    source: str | bytes, *, url: str = "", charset: str = "", mode: Mode = "voice", language: str = ""
) -> Document:
    """The document in `source`; `mode` and `language` are for one that says none.

    Raises:
        GrammarError: it is no grammar.
    """
    text = _decoded(source, charset, url) if isinstance(source, bytes) else source
    return _Reader(text.removeprefix("\ufeff"), url, mode, language).read()


class _Reader:
    def __init__(self, text: str, url: str, mode: Mode, language: str) -> None:
        self._text = text
        self._document = Document(url=url, base=url, mode=mode, language=language)
        self._count = 0
        self._depth = 0
        self._references: list[Reference] = []
        self._at = 0
        self._next = _Piece("end", "", 0, 0)

    def read(self) -> Document:
        """The document; GrammarError when it is none."""
        found = _HEADER.match(self._text)
        if found is None:
            self._fail("the document does not begin with #ABNF 1.0;", 0)
        if found[1] != "1.0":
            self._fail(f"the version is {found[1]}, not 1.0", 0)
        self._at = found.end()
        self._step()
        self._declarations()
        document = self._document
        if document.mode == "voice" and not document.language:
            self._fail("the language is missing, as in language en-US;", 0)
        while self._next.kind != "end":
            self._rule()
        if document.root and document.root not in document.rules:
            self._fail(f"there is no rule ${document.root} to be the root", 0)
        for reference in self._references:
            if not reference.uri and reference.name not in document.rules:
                message = f"there is no rule ${reference.name}"
                raise GrammarError(message, url=document.url, line=reference.line, column=reference.column)
        for rule in document.rules.values():
            _speak(rule.body, document.language)
        return document

    # -- pieces --------------------------------------------------------------------------------------------

    def _step(self) -> _Piece:
        """The next piece; reads the one behind it."""
        piece = self._next
        space = _SPACE.match(self._text, self._at)
        at = self._at if space is None else space.end()
        if at >= len(self._text):
            self._next = _Piece("end", "", at, at)
            return piece
        found = _LEXER.match(self._text, at)
        if found is None:
            char = self._text[at]
            self._fail(_CURE.get(char, f"{char!r} does not stand here"), at)
        kind = found.lastgroup or ""
        text = found[0]
        self._at = found.end()
        self._next = _Piece(text if kind == "mark" else kind, text, at, found.end())
        return piece

    def _take(self, kind: str, what: str) -> _Piece:
        if self._next.kind != kind:
            self._fail(f"{what} is missing before {self._shown()}")
        return self._step()

    def _shown(self) -> str:
        text = self._next.text
        return repr(text if len(text) <= 20 else text[:17] + "...") if text else "the end"

    def _fail(self, message: str, at: int | None = None) -> NoReturn:
        line, column = self._place(self._next.at if at is None else at)
        raise GrammarError(message, url=self._document.url, line=line, column=column)

    def _place(self, at: int) -> tuple[int, int]:
        before = self._text[:at].replace("\r\n", "\n").replace("\r", "\n")
        return before.count("\n") + 1, len(before) - before.rfind("\n")

    def _value(self, read: Callable[[str], T], text: str, at: int) -> T:
        try:
            return read(text)
        except ValueError as error:
            self._fail(str(error), at)

    # -- the header ----------------------------------------------------------------------------------------

    def _declarations(self) -> None:
        seen: set[str] = set()
        while True:
            piece = self._next
            if piece.kind == "tag":
                self._document.header_tags += (_tag(self._step().text),)
            elif piece.kind == "plain" and piece.text not in ("public", "private"):
                if piece.text in seen & _ONCE:
                    self._fail(f"{piece.text} is declared twice")
                seen.add(piece.text)
                self._declaration(self._step())
            else:
                return
            self._take(";", "a ;")

    def _declaration(self, keyword: _Piece) -> None:
        document = self._document
        if keyword.text == "language":
            piece = self._take("plain", "a language")
            document.language = self._value(check_language, piece.text, piece.at)
        elif keyword.text == "mode":
            piece = self._take("plain", "a mode")
            if piece.text not in ("voice", "dtmf"):
                self._fail(f"the mode is {piece.text}, neither voice nor dtmf", piece.at)
            document.mode = "dtmf" if piece.text == "dtmf" else "voice"
        elif keyword.text == "root":
            piece = self._take("name", "a rule's name")
            document.root = self._value(check_name, piece.text[1:], piece.at)
        elif keyword.text == "tag-format":
            document.tag_format = _uri(self._take("angle", "a URI in < >").text)[0]
        elif keyword.text == "base":
            document.base = urljoin(document.url, _uri(self._take("angle", "a URI in < >").text)[0])
        elif keyword.text == "lexicon":
            uri = _uri(self._take("angle", "a URI in < >").text)[0]
            document.lexicons += (urljoin(document.base, uri),)
        elif keyword.text in ("meta", "http-equiv"):
            name = self._string()
            if self._next.text != "is":
                self._fail(f"the word is is missing before {self._shown()}")
            self._step()
            document.meta[name] = self._string()
        else:
            self._fail(f"{keyword.text} is no declaration", keyword.at)

    def _string(self) -> str:
        found = _STRING.match(self._text, self._next.at)
        if found is None:
            self._fail(f"a text in quotation marks is missing before {self._shown()}")
        self._at = found.end()
        self._step()
        return found[0][1:-1]

    # -- rules ---------------------------------------------------------------------------------------------

    def _rule(self) -> None:
        first = self._next
        public = False
        if first.kind == "plain":
            if first.text not in ("public", "private"):
                self._fail(f"a rule does not begin with {self._shown()}")
            public = self._step().text == "public"
        piece = self._take("name", "a rule's name")
        name = self._value(check_name, piece.text[1:], piece.at)
        if name in self._document.rules:
            self._fail(f"there are two rules ${name}", piece.at)
        self._take("=", "a =")
        body = self._expansion()
        self._take(";", "a ;")
        examples = _examples(self._text[: first.at])
        line, column = self._place(first.at)
        self._document.rules[name] = Rule(name, public, body, self._document, examples, line, column)

    def _expansion(self) -> Expansion:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail(f"more than {MAX_DEPTH} brackets are inside one another")
        items: list[Expansion] = []
        weights: list[float | None] = []
        while True:
            weight = None
            if self._next.kind == "weight":
                piece = self._step()
                weight = self._value(number_of, piece.text.strip("/ \t\r\n"), piece.at)
            items.append(self._sequence())
            weights.append(weight)
            if self._next.kind != "|":
                break
            self._step()
        self._depth -= 1
        if len(items) == 1 and weights[0] is None:
            return items[0]
        return Choice(tuple(items), tuple(weights))

    def _sequence(self) -> Expansion:
        items = []
        while self._next.kind in ("quoted", "plain", "name", "uri", "tag", "(", "["):
            items.append(self._repeated(self._element()))
            self._count += 1
            if self._count > MAX_EXPANSIONS:
                self._fail(f"the grammar has more than {MAX_EXPANSIONS} expansions")
        if not items:
            self._fail(f"nothing stands before {self._shown()}; $NULL and () match nothing")
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def _element(self) -> Expansion:
        piece = self._step()
        if piece.kind == "tag":
            return Tag(_tag(piece.text))
        if piece.kind in ("name", "uri"):
            reference = self._reference(piece)
            self._attached()  # a language says nothing about what is referred to
            return reference
        if piece.kind in ("quoted", "plain"):
            text = normal(piece.text.strip('"'))
            if not text:
                self._fail("the token is empty", piece.at)
            words = self._value(lambda text: token_words(text, self._document.mode), text, piece.at)
            return Token(text, words, self._attached())
        if piece.kind == "(" and self._next.kind == ")":
            self._step()
            return Sequence(())
        inner = self._expansion()
        self._take(")" if piece.kind == "(" else "]", f"the end of the {piece.text}")
        language = self._attached()
        if language:
            _speak(inner, language)
        return inner if piece.kind == "(" else Repeat(inner, 0, 1)

    def _attached(self) -> str:
        """The language that is attached to what stands before, or nothing."""
        if self._next.kind != "!":
            return ""
        self._step()
        piece = self._take("plain", "a language")
        return self._value(check_language, piece.text, piece.at)

    def _reference(self, piece: _Piece) -> Expansion:
        line, column = self._place(piece.at)
        if piece.kind == "name":
            name = piece.text[1:]
            if name in SPECIALS:
                return Special(SPECIALS[name])
            reference = Reference(self._value(check_name, name, piece.at), "", "", line, column)
        else:
            uri, media_type = _uri(piece.text[1:])
            where, mark, name = uri.partition("#")
            name = unquote(name)
            if not where and not name:
                self._fail("the reference has no rule", piece.at)
            if mark:
                self._value(check_name, name, piece.at)
            reference = Reference(name, where, media_type, line, column)
        self._references.append(reference)
        return reference

    def _repeated(self, expansion: Expansion) -> Expansion:
        if self._next.kind != "angle":
            return expansion
        piece = self._step()
        inner = piece.text[1:-1].strip()
        chance = None
        found = re.fullmatch(r"(.*?)\s*/\s*([^/]*?)\s*/", inner, re.DOTALL)
        if found is not None:
            inner, chance = found[1], self._value(probability_of, found[2], piece.at)
        low, high = self._value(repeat_of, inner, piece.at)
        return Repeat(expansion, low, high, chance)


def _tag(text: str) -> str:
    return text[3:-3] if text.startswith("{!{") else text[1:-1]


def _uri(text: str) -> tuple[str, str]:
    """URI and media type of ``<URI>`` and ``<URI>~<TYPE>``."""
    uri, _, media_type = text.partition(">~<")
    return uri.strip("<>").strip(), media_type.rstrip(">").strip()


def _speak(expansion: Expansion, language: str) -> None:
    """Let the tokens in `expansion` be in `language` that have none of their own."""
    if isinstance(expansion, Token):
        expansion.language = expansion.language or language
    elif isinstance(expansion, Sequence | Choice):
        for item in expansion.items:
            _speak(item, language)
    elif isinstance(expansion, Repeat):
        _speak(expansion.item, language)


_COMMENT = re.compile(r"/\*\*((?:(?!\*/).)*)\*/\s*\Z", re.DOTALL)


def _examples(before: str) -> tuple[str, ...]:
    """The examples in the documentation comment right before a rule (SRGS 3.3)."""
    tail = before[-4000:]
    found = _COMMENT.search(tail, max(0, tail.rfind("/**")))
    if found is None:
        return ()
    return tuple(normal(part) for part in re.findall(r"@example[ \t]+([^\r\n]+)", found[1]))
